#ifndef HS_STORE_EVICT_H
#define HS_STORE_EVICT_H

/*
 * What leaves `have`: objects that were lost, and all that refers to them
 * directly or through others, in one transaction.  The ancestors keep their
 * place: `get` still serves them, and they come back with what they need.
 */

#include "base/buf.h"

#include <stdint.h>

struct index_txn;

/* Bitmaps over the numbers of a transaction. */
struct evict {
	struct buf lost; /* the objects themselves */
	struct buf dead; /* they and their ancestors */
	struct buf gone; /* ids of unclosed objects to forget, 32 bytes each */
	uint32_t n; /* numbers in use */
	uint32_t count; /* of lost ones */
};

/* Returns 0; ERR_NOMEM. */
int evict_init(struct evict *e, const struct index_txn *t);
void evict_release(struct evict *e);
/* The closed object `num` is lost. */
void evict_add(struct evict *e, uint32_t num);
/* Nonzero when `num` is lost or, after evict_spread(), an ancestor. */
int evict_has(const struct evict *e, uint32_t num);
/* Everything that lies in the `n` packs with these numbers (sorted). */
int evict_add_packs(
    struct evict *e, struct index_txn *t, const uint32_t *packs, size_t n);
/* Find the ancestors. */
int evict_spread(struct evict *e, struct index_txn *t);
/*
 * Find the ancestors and take all of them out.  The lost ones get `state`:
 * INDEX_DAMAGED, or 0: forgotten.
 */
int evict_apply(struct evict *e, struct index_txn *t, int state);

#endif
