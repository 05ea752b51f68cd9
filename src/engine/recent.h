#ifndef HS_ENGINE_RECENT_H
#define HS_ENGINE_RECENT_H

/*
 * A set of ids that remembers the newest ones and forgets the others: bounded
 * memory, and never a wrong yes.  Ids are keyed hashes, so their own bytes
 * spread them.
 */

#include "hash/hash.h"

#include <stdint.h>

struct recent;

#define RECENT_NONE UINT32_MAX

/* Room for 4 * 2^`bits` ids.  ERR_NOMEM. */
int recent_new(struct recent **out, unsigned bits);
void recent_free(struct recent *r); /* NULL is fine */
uint32_t recent_places(const struct recent *r);
/* The place of the id, or RECENT_NONE. */
uint32_t recent_find(const struct recent *r, const uint8_t id[HASH_BYTES]);
/* Add an id that is not there; returns its place, where another may have
 * been. */
uint32_t recent_add(struct recent *r, const uint8_t id[HASH_BYTES]);

#endif
