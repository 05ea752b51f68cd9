/* Further records of an object: the table `other` of the index. */

#include "base/buf.h"
#include "base/bytes.h"
#include "store/index.h"

#include <string.h>

#define OTHER_KEY_BYTES (INDEX_ID_BYTES + 8)
#define OTHER_BYTES 12

/* Other records: key id, pack u32, offset u32; length u32, epoch u32, class. */

static void
other_key(uint8_t key[OTHER_KEY_BYTES], const uint8_t id[INDEX_ID_BYTES],
    uint32_t pack, uint32_t offset)
{
	memcpy(key, id, INDEX_ID_BYTES);
	bytes_put32(key + INDEX_ID_BYTES, pack);
	bytes_put32(key + INDEX_ID_BYTES + 4, offset);
}

int
index_other_add(struct index_txn *t, const uint8_t id[INDEX_ID_BYTES],
    const struct index_object *o)
{
	uint8_t key[OTHER_KEY_BYTES], p[OTHER_BYTES] = {0};

	other_key(key, id, o->pack, o->offset);
	bytes_put32(p, o->length);
	bytes_put32(p + 4, o->epoch);
	p[8] = o->class;
	return index_put_row(t, INDEX_OTHER, key, sizeof(key), p, sizeof(p));
}

int
index_other_del(struct index_txn *t, const uint8_t id[INDEX_ID_BYTES],
    uint32_t pack, uint32_t offset)
{
	uint8_t key[OTHER_KEY_BYTES];
	int ret;

	other_key(key, id, pack, offset);
	ret = index_del_row(t, INDEX_OTHER, key, sizeof(key));
	return ret < 0 ? ret : 0;
}

static int
decode_other(
    struct index_object *out, struct kv_slice key, struct kv_slice value)
{
	const uint8_t *k = key.data, *v = value.data;

	if (key.len != OTHER_KEY_BYTES || value.len != OTHER_BYTES)
		return index_is_damaged();
	memset(out, 0, sizeof(*out));
	out->num = INDEX_NUM_NONE;
	out->pack = bytes_get32(k + INDEX_ID_BYTES);
	out->offset = bytes_get32(k + INDEX_ID_BYTES + 4);
	out->length = bytes_get32(v);
	out->epoch = bytes_get32(v + 4);
	out->class = v[8];
	return 0;
}

int
index_other_list(
    struct buf *out, struct index_txn *t, const uint8_t id[INDEX_ID_BYTES])
{
	struct kv_slice key, value;
	struct index_object o;
	struct kv_cursor *c;
	unsigned n = 0;
	int ret = kv_cursor_open(&c, t->kv, INDEX_OTHER);

	if (ret < 0)
		return ret;
	for (ret = kv_cursor_seek(&key, &value, c, id, INDEX_ID_BYTES);
	     ret == 0 && n < INDEX_OTHERS_MAX;
	     ret = kv_cursor_next(&key, &value, c), n++) {
		if (key.len < INDEX_ID_BYTES ||
		    memcmp(key.data, id, INDEX_ID_BYTES) != 0)
			break;
		ret = decode_other(&o, key, value);
		if (ret == 0)
			ret = buf_append(out, &o, sizeof(o));
		if (ret < 0)
			break;
	}
	kv_cursor_close(c);
	return ret < 0 ? ret : 0;
}

int
index_other_del_packs(struct index_txn *t, const uint32_t *packs, size_t n)
{
	struct kv_slice key, value;
	struct index_object o;
	struct kv_cursor *c;
	size_t i;
	int ret = kv_cursor_open(&c, t->kv, INDEX_OTHER);

	if (ret < 0)
		return ret;
	for (ret = kv_cursor_first(&key, &value, c); ret == 0;
	     ret = kv_cursor_next(&key, &value, c)) {
		ret = decode_other(&o, key, value);
		for (i = 0; i < n && ret == 0; i++) {
			if (packs[i] != o.pack)
				continue;
			ret = kv_cursor_del(c);
			break;
		}
		if (ret < 0)
			break;
	}
	kv_cursor_close(c);
	return ret < 0 ? ret : 0;
}
