#ifndef HS_STORE_COMPACT_H
#define HS_STORE_COMPACT_H

/*
 * Writes what is needed of half-dead packs, and of small ones, to new packs,
 * without keys; docs/sweep.md 4.  Steps, for each new pack:
 *  C1 records are read, checked against the footer, and appended;
 *  C2 it is made durable as any pack;                          [fsync]
 *  C3 its footer is read back, and the index lets the objects lie in it; the
 *     old places become further records;                       [fsync]
 * The old packs stay: store/discard.h deletes those of which every needed
 * record is whole elsewhere.  A crash after C2 leaves a pack of further
 * records, which is found superfluous by the same rule.
 */

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

struct mark;
struct pack_writer;
struct tally;
struct vault;

/* Packs below this are merged, when there are so many of one class: then each
 * byte is written anew once in eight times that a pack comes. */
#define COMPACT_SMALL_BYTES (8u << 20)
#define COMPACT_MERGE_MIN 8u

struct compact {
	struct buf packs; /* struct tally_pack, data before meta */
	size_t next;
	uint64_t made_packs, made_bytes;
};

void compact_release(struct compact *c);
/* Choose packs of which at most `bytes_max` are copied. */
int compact_choose(
    struct compact *c, const struct tally *y, uint64_t bytes_max);
/*
 * Make one new pack; `m` is of mark_all().  The names of packs that are copied
 * whole are appended to `done` (32 bytes each).  Returns 0 when none is left;
 * 1; ERR_*.
 */
int compact_step(
    struct buf *done, struct compact *c, struct vault *v, const struct mark *m);

/*
 * C2 and C3 of a pack that holds at least one record, of objects that other
 * packs have; frees `w` in every case.  Returns 0 and its size; ERR_*.
 */
int compact_finish(uint64_t *size, struct vault *v, struct pack_writer *w);

#endif
