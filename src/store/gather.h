#ifndef HS_STORE_GATHER_H
#define HS_STORE_GATHER_H

/*
 * Reads records out of closed packs, many at a time, in the order in which
 * they lie there.  Every record's checksum is compared before anybody sees
 * it.
 */

#include "store/store.h"

#include <stdint.h>

struct vault;

/*
 * As store.h's get, for up to LIMIT_GET_IDS ids.  A record that fails its
 * checks twice is marked and leaves `have` (vault_damaged()).
 */
int gather_records(struct vault *v, const uint8_t *ids, uint32_t n,
    store_got_fn *got, void *arg);

#endif
