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

/* Nonzero when the checksum `sum` is one of the `n` at `bad`. */
int gather_among(const uint8_t sum[32], const uint8_t *bad, uint32_t n);
/* As store.h's get_other; records that fail their checks are marked. */
int gather_other(struct vault *v, const uint8_t id[STORE_ID_BYTES],
    const uint8_t *bad, uint32_t n, store_got_fn *got, void *arg);

#endif
