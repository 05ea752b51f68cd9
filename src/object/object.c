#include "object/object.h"

#include "base/bytes.h"

#include <assert.h>
#include <string.h>

/* format.md 2.2: type u8, nrefs u32 */
#define ID_HEAD_BYTES 5

void
object_init(struct object *o, enum object_type type)
{
	o->type = type;
	memset(o->id, 0, sizeof(o->id));
	buf_init(&o->refs);
	buf_init(&o->members);
	buf_init(&o->payload);
}

void
object_release(struct object *o)
{
	buf_release(&o->refs);
	buf_release(&o->members);
	buf_release(&o->payload);
}

void
object_reset(struct object *o, enum object_type type)
{
	o->type = type;
	memset(o->id, 0, sizeof(o->id));
	buf_reset(&o->refs);
	buf_reset(&o->members);
	buf_reset(&o->payload);
}

enum object_class
object_class(enum object_type type)
{
	return type == OBJECT_CHUNK || type == OBJECT_BUNDLE ? OBJECT_DATA
							     : OBJECT_META;
}

uint32_t
object_nrefs(const struct object *o)
{
	return (uint32_t)(o->refs.len / OBJECT_ID_BYTES);
}

uint32_t
object_nmembers(const struct object *o)
{
	return (uint32_t)(o->members.len / OBJECT_ID_BYTES);
}

void
object_name(struct object *o, const uint8_t id_key[HASH_BYTES])
{
	object_id(o->id, id_key, o->type, o->refs.data, object_nrefs(o),
	    o->payload.data, o->payload.len);
}

void
object_id(uint8_t id[OBJECT_ID_BYTES], const uint8_t id_key[HASH_BYTES],
    enum object_type type, const uint8_t *refs, uint32_t nrefs,
    const uint8_t *payload, size_t len)
{
	static_assert(OBJECT_ID_BYTES == HASH_BYTES, "an id is a hash");
	uint8_t head[ID_HEAD_BYTES];
	struct hash h;

	head[0] = (uint8_t)type;
	bytes_put32(head + 1, nrefs);
	hash_init_keyed(&h, id_key);
	hash_update(&h, head, sizeof(head));
	if (nrefs > 0)
		hash_update(&h, refs, (size_t)nrefs * OBJECT_ID_BYTES);
	if (len > 0)
		hash_update(&h, payload, len);
	hash_final(&h, id);
	/* The state holds the key. */
	hash_wipe(&h, sizeof(h));
}

void
object_file_id(uint8_t id[OBJECT_ID_BYTES], const uint8_t file_key[HASH_BYTES],
    const uint8_t address[HASH_BYTES])
{
	hash_keyed(id, file_key, address, HASH_BYTES);
}
