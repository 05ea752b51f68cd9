#ifndef HS_STORE_MARK_H
#define HS_STORE_MARK_H

/*
 * What the snapshots of a vault need; docs/sweep.md 3.
 *
 * An object that is closed is told by its number, one bit each.  What a
 * snapshot needs and is not closed (something below it is damaged, or it left
 * `have` before the snapshot came) is kept by its id: its record is read, for
 * the index has no refs of it.
 */

#include "base/buf.h"
#include "store/idmap.h"

#include <stdint.h>

struct index_object;
struct index_txn;
struct vault;

/* Unclosed objects that snapshots need: 80 MiB of memory.  More of them mean
 * damage that should be healed before anything is deleted. */
#define MARK_OPEN_MAX 1000000u

struct mark {
	uint32_t n; /* numbers below it are judged, the others live */
	struct buf live; /* bits of the numbers; empty after mark_open() */
	struct idmap open; /* ids that snapshots need and are not closed */
	struct buf young; /* u32: packs of uploads under way, ascending */
	uint64_t snapshots;
	/* Snapshots that are lost or damaged, and objects whose needs nobody
	 * can tell: what they reach may look dead. */
	uint64_t unknown;
	char first[80]; /* the first of these, for a message */
};

void mark_init(struct mark *m);
void mark_release(struct mark *m);

/*
 * Fill in all but `live` and `young`: enough to tell whether something that is
 * not closed is needed.  The caller holds v->change.
 * Returns 0; ERR_LIMIT: too much is damaged; ERR_*.
 */
int mark_open(struct mark *m, struct vault *v, struct index_txn *t);
/*
 * Fill in everything: what snapshots reach, and the packs of uploads that wait
 * for their mount's next snapshot with all that these need.  A bit for each
 * number that was ever given: 12 MiB for 100 million.
 */
int mark_all(struct mark *m, struct vault *v, struct index_txn *t);

/* Nonzero when the number is needed, or was given after the marking. */
int mark_has_number(const struct mark *m, uint32_t num);
/* Nonzero when the object is needed; after mark_all(). */
int mark_has(
    const struct mark *m, const uint8_t id[32], const struct index_object *o);
/* Nonzero when the pack belongs to an upload under way. */
int mark_is_young(const struct mark *m, uint32_t pack);

#endif
