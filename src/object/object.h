#ifndef HS_OBJECT_OBJECT_H
#define HS_OBJECT_OBJECT_H

/*
 * An object in plain form: type, refs, members, payload; docs/format.md 2.2.
 * Codecs of this layer are pure: bytes in memory, no I/O, no keys but those
 * for names and split points.
 */

#include "base/buf.h"
#include "hash/hash.h"

#include <stdint.h>

#define OBJECT_ID_BYTES 32

enum object_type {
	OBJECT_CHUNK = 1,
	OBJECT_BUNDLE = 2,
	OBJECT_MAP = 3,
	OBJECT_TREE = 4,
	OBJECT_KEY = 5,
	OBJECT_SNAPSHOT = 6
};

enum object_class { OBJECT_DATA = 1, OBJECT_META = 2 };

struct object {
	enum object_type type;
	uint8_t id[OBJECT_ID_BYTES]; /* valid after object_name() */
	struct buf refs; /* nrefs * 32 bytes, sorted, unique */
	struct buf members; /* file ids of a bundle */
	struct buf payload;
};

void object_init(struct object *o, enum object_type type);
void object_release(struct object *o);
/* Keep memory, forget content. */
void object_reset(struct object *o, enum object_type type);

enum object_class object_class(enum object_type type);
uint32_t object_nrefs(const struct object *o);
uint32_t object_nmembers(const struct object *o);

/* Compute `o->id` with the vault's object id key. */
void object_name(struct object *o, const uint8_t id_key[HASH_BYTES]);
/* The same over parts that are not in a struct object. */
void object_id(uint8_t id[OBJECT_ID_BYTES], const uint8_t id_key[HASH_BYTES],
    enum object_type type, const uint8_t *refs, uint32_t nrefs,
    const uint8_t *payload, size_t len);
/* File id of a content address (file id key). */
void object_file_id(uint8_t id[OBJECT_ID_BYTES],
    const uint8_t file_key[HASH_BYTES], const uint8_t address[HASH_BYTES]);

#endif
