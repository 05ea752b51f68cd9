#ifndef HS_STORE_TWIN_H
#define HS_STORE_TWIN_H

/* The very same record once more, in another pack. */

#include <stdint.h>

struct backend;
struct index_object;
struct index_txn;
struct pack_entry;

/*
 * Where the record of `e`, which lies in the pack with number `pack`, stands
 * byte for byte in another one: read and checked just now.  `o` is what the
 * index names of its object; `out` is a place alone, without number and state.
 * Returns 0; 1 when there is none; ERR_*.
 */
int twin_find(struct index_object *out, struct index_txn *t, struct backend *b,
    const struct pack_entry *e, const struct index_object *o, uint32_t pack);

#endif
