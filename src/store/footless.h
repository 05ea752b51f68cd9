#ifndef HS_STORE_FOOTLESS_H
#define HS_STORE_FOOTLESS_H

/*
 * A pack whose header, footer or trailer cannot be used lists its records no
 * more, but the index still says where they are: those that are whole are
 * served, and those that are not must leave `have` like any damaged record,
 * or the next backup would rely on them.
 */

#include "store/index.h"

struct buf;
struct vault;

/* An object that the index places in a pack. */
struct footless_object {
	uint8_t id[INDEX_ID_BYTES];
	struct index_object o;
};

/* Append those of pack `number`, in any state: reads all objects' rows. */
int footless_list(struct buf *out, struct index_txn *t, uint32_t number);

/*
 * Call `bad` for each object that the index places in the pack `name` and that
 * is not there; it may write to the index.  Objects that are marked already do
 * not count.  Reads what the pack holds of them.
 * Returns 0 and how many objects the index places there, marked ones too;
 * ERR_*, also what `bad` returned.
 */
int footless_check(uint64_t *placed, struct vault *v, const uint8_t name[32],
    int (*bad)(void *arg, const uint8_t id[INDEX_ID_BYTES],
	const struct index_object *o),
    void *arg);

#endif
