#ifndef HS_ENGINE_FETCH_CACHE_H
#define HS_ENGINE_FETCH_CACHE_H

/*
 * Opened objects by id, least recently used first out.
 *
 * Thread use: every function may be called from any thread.
 */

#include "object/object.h"

struct fetch_cache;

int fetch_cache_new(struct fetch_cache **out, size_t bytes_max);
/* No object may be in use. */
void fetch_cache_free(struct fetch_cache *c); /* NULL is fine */

/* The object, in use until fetch_cache_give(), or NULL. */
const struct object *fetch_cache_take(struct fetch_cache *c,
    enum object_type type, const uint8_t id[OBJECT_ID_BYTES]);
/* Nonzero when it is there at the moment. */
int fetch_cache_has(struct fetch_cache *c, enum object_type type,
    const uint8_t id[OBJECT_ID_BYTES]);
/*
 * Put `o` (its content is taken out) in, in use: `*out` is it, or an equal
 * one that was there.  ERR_NOMEM.
 */
int fetch_cache_add(
    const struct object **out, struct fetch_cache *c, struct object *o);
void fetch_cache_give(struct fetch_cache *c, const struct object *o);

#endif
