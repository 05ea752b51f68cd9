#ifndef HS_ENGINE_FETCH_H
#define HS_ENGINE_FETCH_H

/*
 * Objects from a store: asked for by id and expected type, unsealed and
 * hashed again to the id, so that what comes out is what was put in or an
 * error; but for fetch_open(), where that can be left to the caller.  Records
 * that failed their checks are reported to the store at the end (fetch_free()),
 * when nothing else is asked of it.
 *
 * Thread use: everything but fetch_new() and fetch_free() may run at once
 * from any thread.
 */

#include "object/object.h"
#include "seal/keys.h"
#include "store/store.h"

struct fetch;

/*
 * Read through `store` with `keys`; both must outlive the fetch.  Objects
 * asked for with fetch_get() are kept, least recently used first out, in
 * about `cache_bytes_max` bytes.
 * Returns 0; ERR_NOMEM; ERR_FAIL.
 */
int fetch_new(struct fetch **out, struct store *store, const struct keys *keys,
    size_t cache_bytes_max);
void fetch_free(struct fetch *f); /* NULL is fine */

/* One object into `out`, which was made by object_init().
 * Returns 0; ERR_DAMAGED (absent, or failed a check; the message names the
 * id); any error of the store. */
int fetch_object(struct object *out, struct fetch *f, enum object_type type,
    const uint8_t id[OBJECT_ID_BYTES]);

/*
 * The same through the cache: `*out` is shared and must not be changed; it
 * stays until fetch_put().
 */
int fetch_get(const struct object **out, struct fetch *f, enum object_type type,
    const uint8_t id[OBJECT_ID_BYTES]);
void fetch_put(struct fetch *f, const struct object *o); /* NULL is fine */

/* Nonzero when fetch_get() would not ask the store. */
int fetch_has(
    struct fetch *f, enum object_type type, const uint8_t id[OBJECT_ID_BYTES]);
/*
 * Put the `n` (at most LIMIT_GET_IDS) objects at `ids` into the cache with one
 * request.  What is absent or damaged is left out.
 * Returns 0; any error of the store.
 */
int fetch_ahead(
    struct fetch *f, enum object_type type, const uint8_t *ids, uint32_t n);

/* A record as the store gave it: `bytes` are NULL unless STORE_GOT_RECORD. */
struct fetch_record {
	enum store_got got;
	const uint8_t *bytes;
	size_t len;
	/*
	 * Do not hash the content to its id.  The cipher's tag says then that
	 * somebody with the vault's keys sealed this content for that id and
	 * type; that it is the id's own is not known.  For who hashes all of
	 * it otherwise, and asks again without this when that hash is wrong.
	 */
	int unnamed;
	/* It came by get_sealed(): a bad one is asked for again. */
	int unproved;
};

/*
 * Check and open one record: what fetch_object() does behind the network.
 * When it is bad or damaged the store is asked for another record of the
 * object.
 */
int fetch_open(struct object *out, struct fetch *f, enum object_type type,
    const uint8_t id[OBJECT_ID_BYTES], const struct fetch_record *record);

#endif
