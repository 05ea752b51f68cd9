#ifndef HS_STORE_ROOTS_H
#define HS_STORE_ROOTS_H

/*
 * The snapshots from which a sweep marks: all whose file is there, live or
 * retired.  A listing alone is not believed: every sequence of a mount up to
 * the highest that anybody remembers (the listing, the index, the heads in
 * memory) must be accounted for, by its file or by a tombstone, each asked for
 * by its name where the listing lacks it.
 */

#include <stdint.h>

struct envelope;
struct index_txn;
struct vault;

struct roots_item {
	uint8_t mount[16];
	uint64_t seq;
	/* NULL: the file is damaged, or it is lost (neither file nor
	 * tombstone): nobody knows what it reaches. */
	const struct envelope *e;
	int lost;
};
/* Nonzero ends the listing with that code. */
typedef int roots_found_fn(void *arg, const struct roots_item *r);

/*
 * Call `found` for each, by mount, then by sequence.  The caller holds
 * v->change, so none comes or goes meanwhile; `t` is any transaction.
 * Returns 0; ERR_IO, also for a listing that lacks what is there; ERR_NOMEM.
 */
int roots_each(
    struct vault *v, struct index_txn *t, roots_found_fn *found, void *arg);

#endif
