#ifndef HS_STORE_RETIRE_H
#define HS_STORE_RETIRE_H

/*
 * Which snapshots count: live, retired, or gone.
 *
 *     snapshots/MOUNT/SEQ.snap   retired/MOUNT/SEQ.tomb   the snapshot is
 *     there                      none                     live
 *     there                      there                    retired: hidden,
 *                                                         waits for its grace
 *     none                       there                    gone
 *     none                       none                     lost, or never was
 *
 * Each change is one operation of the backend on one object, so a crash at
 * any step leaves each snapshot in one of these states:
 *  R1 retire: the tombstone is put (backend.h put_commit);      live -> retired
 *  R2 undo: the tombstone is removed;                           retired -> live
 *  R3 remove: the snapshot's file is removed, its tombstone stays for ever;
 *                                                               retired -> gone
 * A tombstone counts only if it is whole and names the very snapshot that is
 * there (by its hash): a damaged one retires nothing.  All three hold the
 * vault's `change`, so they exclude commits and whatever else takes that.
 *
 * What a snapshot reaches may be swept only when its file is gone: the files
 * are the roots, whether live or retired (retire_roots()).  The grace is
 * counted where R3 is decided (server/prune.h), and nowhere else.
 */

#include "store/store.h"
#include "store/tomb.h"

#include <stdint.h>

struct backend;
struct buf;
struct vault;

enum retire_state { RETIRE_NONE = 0, RETIRE_LIVE, RETIRE_RETIRED, RETIRE_GONE };

/* Is this snapshot live?  `*out` says.  Returns 0; ERR_IO; ERR_NOMEM. */
int retire_look(enum retire_state *out, struct vault *v,
    const uint8_t mount[STORE_NAME_BYTES], uint64_t seq);

/* A snapshot whose file is there. */
struct retire_root {
	uint8_t mount[STORE_NAME_BYTES];
	uint64_t seq;
	enum retire_state state; /* RETIRE_LIVE or RETIRE_RETIRED */
	/* Its file cannot be read or fails its checksum: `e` says nothing, so
	 * nobody knows what it reaches. */
	int damaged;
	const struct envelope *e; /* valid during the call */
	const struct tomb *tomb; /* of a retired one; else NULL */
	const uint8_t *tomb_bytes; /* TOMB_BYTES, likewise */
	/* The file as it is, empty when it cannot be read; likewise valid. */
	const uint8_t *file;
	size_t len;
};
/* Nonzero ends the listing with that code. */
typedef int retire_root_fn(void *arg, const struct retire_root *r);

/*
 * Every snapshot of the vault, or of `mount` if not NULL, by mount, then by
 * sequence: all roots that a sweep must keep (e->refs), which are the live
 * ones and those whose grace has not ended.  A listing that is not whole is an
 * error, never a short one.  What is committed meanwhile may be missing: who
 * deletes holds v->change, or looks again under it.
 * Returns 0; what `found` returned; ERR_IO; ERR_NOMEM.
 */
int retire_roots(struct vault *v, const uint8_t mount[STORE_NAME_BYTES],
    retire_root_fn *found, void *arg);

/*
 * R1.  `t` gives reason, stamp and times; the rest is filled in from the
 * snapshot.  Returns 0; 1 when it is not live; ERR_DAMAGED; the backend's
 * errors.
 */
int retire_put(struct vault *v, const uint8_t mount[STORE_NAME_BYTES],
    uint64_t seq, const struct tomb *t, const uint8_t seed[SIGN_SEED_BYTES]);
/* R2 and R3.  Return 0; 1 when it is not retired; the backend's errors. */
int retire_undo(
    struct vault *v, const uint8_t mount[STORE_NAME_BYTES], uint64_t seq);
int retire_remove(
    struct vault *v, const uint8_t mount[STORE_NAME_BYTES], uint64_t seq);

/* A tombstone as it is stored. */
struct retire_tomb {
	struct tomb t;
	const uint8_t *bytes; /* TOMB_BYTES */
	int gone; /* its snapshot's file is no longer there */
};
typedef int retire_tomb_fn(void *arg, const struct retire_tomb *t);
/* Every whole tombstone of `mount` (NULL: of all), by mount and sequence.
 * Damaged ones are told to `bad` (may be NULL) by their names. */
int retire_tombs(struct vault *v, const uint8_t mount[STORE_NAME_BYTES],
    retire_tomb_fn *found, void (*bad)(void *arg, const char *name), void *arg);

/*
 * The names of all tombstones of `mount` (NULL: of all), as an array of struct
 * heads_name, by mount, then by sequence.
 */
int retire_list(
    struct buf *out, struct backend *b, const uint8_t mount[STORE_NAME_BYTES]);

#endif
