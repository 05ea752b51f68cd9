#ifndef HS_BASE_KVSUM_H
#define HS_BASE_KVSUM_H

/*
 * Checksums of the values in an environment (base/kv.h, KV_SUMS): the last
 * bytes of each, over its key and itself.  They are for what a disk does by
 * chance; nobody is kept from making one.
 */

#include <stddef.h>

#define KVSUM_BYTES 4u

/* A value and its sum, `len` + KVSUM_BYTES in all. */
void kvsum_put(
    void *to, const void *key, size_t key_len, const void *value, size_t len);
/* `*len` goes from all to the value's own bytes.  0; 1: the sum is wrong. */
int kvsum_take(size_t *len, const void *key, size_t key_len, const void *value);

#endif
