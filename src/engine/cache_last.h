#ifndef HS_ENGINE_CACHE_LAST_H
#define HS_ENGINE_CACHE_LAST_H

/*
 * The snapshot that a stat cache was finished with, in a small file `last`
 * beside its tables: a backup that finds all as it was writes this alone and
 * needs no transaction, which would have to be synced.  It has the bytes of a
 * head (cache_record.h) and, as each record, a keyed checksum.
 *
 * It is not synced: one that is lost costs a question to the store.
 */

#include "engine/cache_record.h"

/* Of the cache in `dir`.  Returns 0; 1: there is none that can be used, for
 * whatever reason. */
int cache_last_read(struct cache_head *out, const char *dir,
    const uint8_t check_key[HASH_BYTES]);
/* Returns 0; ERR_IO; ERR_NOSPACE; ERR_NOMEM. */
int cache_last_write(const char *dir, const uint8_t check_key[HASH_BYTES],
    const struct cache_head *head);

#endif
