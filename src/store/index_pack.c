/* Packs: the tables `pack`, `packname` and `pending` of the index. */

#include "base/bytes.h"
#include "base/err.h"
#include "store/index.h"

#include <string.h>

#define PACK_BYTES 48
#define PACK_ORIGIN_BYTES 72 /* of a pack that has an origin */

static int
decode_pack(struct index_pack *out, uint32_t number, struct kv_slice v)
{
	const uint8_t *p = v.data;

	if (v.len != PACK_BYTES && v.len != PACK_ORIGIN_BYTES)
		return index_is_damaged();
	memset(out, 0, sizeof(*out));
	out->number = number;
	memcpy(out->name, p, 32);
	out->size = bytes_get64(p + 32);
	out->records = bytes_get32(p + 40);
	out->class = p[44];
	if (v.len == PACK_ORIGIN_BYTES) {
		memcpy(out->origin, p + 48, sizeof(out->origin));
		out->after = bytes_get64(p + 64);
	}
	return 0;
}

int
index_set_pack(struct index_txn *t, const struct index_pack *pack)
{
	uint8_t p[PACK_ORIGIN_BYTES] = {0};
	size_t len = PACK_BYTES;

	memcpy(p, pack->name, 32);
	bytes_put64(p + 32, pack->size);
	bytes_put32(p + 40, pack->records);
	p[44] = pack->class;
	if (!bytes_are_zero(pack->origin, sizeof(pack->origin))) {
		memcpy(p + 48, pack->origin, sizeof(pack->origin));
		bytes_put64(p + 64, pack->after);
		len = PACK_ORIGIN_BYTES;
	}
	return index_put_row(
	    t, INDEX_PACK, &pack->number, sizeof(pack->number), p, len);
}

int
index_add_pack(struct index_txn *t, struct index_pack *pack)
{
	uint8_t number[4];
	int ret;

	if (t->next_pack == UINT32_MAX)
		return err_set(ERR_LIMIT, "the index is full: run reindex");
	pack->number = t->next_pack++;
	ret = index_set_pack(t, pack);
	if (ret < 0)
		return ret;
	bytes_put32(number, pack->number);
	return index_put_row(
	    t, INDEX_PACKNAME, pack->name, 32, number, sizeof(number));
}

int
index_remove_pack(struct index_txn *t, const struct index_pack *p)
{
	int ret = index_del_row(t, INDEX_PACK, &p->number, sizeof(p->number));

	if (ret >= 0)
		ret = index_del_row(t, INDEX_PACKNAME, p->name, 32);
	if (ret >= 0)
		ret = index_set_pending(t, p->number, 0);
	return ret < 0 ? ret : 0;
}

int
index_set_pending(struct index_txn *t, uint32_t pack, int why)
{
	uint8_t value = (uint8_t)why;
	int ret;

	if (why != 0)
		return index_put_row(t, INDEX_PENDING, &pack, sizeof(pack),
		    &value, sizeof(value));
	ret = index_del_row(t, INDEX_PENDING, &pack, sizeof(pack));
	return ret < 0 ? ret : 0;
}

int
index_pending(struct index_txn *t, uint32_t pack)
{
	struct kv_slice v;
	int ret = kv_get(&v, t->kv, INDEX_PENDING, &pack, sizeof(pack));

	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (v.len != 1)
		return index_is_damaged();
	/* What an index of another make has is read again, too. */
	return *(const uint8_t *)v.data == INDEX_PENDING_SEARCH
		   ? INDEX_PENDING_SEARCH
		   : INDEX_PENDING_ROWS;
}

int
index_pack(struct index_pack *out, struct index_txn *t, uint32_t number)
{
	struct kv_slice v;
	int ret = kv_get(&v, t->kv, INDEX_PACK, &number, sizeof(number));

	return ret != 0 ? ret : decode_pack(out, number, v);
}

int
index_pack_named(
    struct index_pack *out, struct index_txn *t, const uint8_t name[32])
{
	struct kv_slice v;
	int ret = kv_get(&v, t->kv, INDEX_PACKNAME, name, 32);

	if (ret != 0)
		return ret;
	if (v.len != 4)
		return index_is_damaged();
	ret = index_pack(out, t, bytes_get32(v.data));
	return ret == 1 ? index_is_damaged() : ret;
}

int
index_step_pack(struct index_txn *t, struct index_pack *p)
{
	struct index_pack known;
	int ret;

	if (t->rows < INDEX_TXN_ROWS)
		return 0;
	ret = index_set_pending(t, p->number, INDEX_PENDING_ROWS);
	if (ret == 0)
		ret = index_step(t);
	if (ret < 0)
		return ret;
	ret = index_pack_named(&known, t, p->name);
	if (ret == 1)
		return err_set(ERR_STALE, "the index has lost a pack");
	if (ret < 0)
		return ret;
	p->number = known.number;
	return 1;
}

int
index_packs(struct index_txn *t,
    int (*found)(void *arg, const struct index_pack *p), void *arg)
{
	struct kv_cursor *c;
	struct kv_slice key, value;
	struct index_pack p;
	uint32_t number;
	int ret = kv_cursor_open(&c, t->kv, INDEX_PACK);

	if (ret < 0)
		return ret;
	for (ret = kv_cursor_first(&key, &value, c); ret == 0;
	     ret = kv_cursor_next(&key, &value, c)) {
		memcpy(&number, key.data, sizeof(number));
		ret = decode_pack(&p, number, value);
		if (ret == 0)
			ret = found(arg, &p);
		if (ret != 0)
			break;
	}
	kv_cursor_close(c);
	return ret == 1 ? 0 : ret;
}
