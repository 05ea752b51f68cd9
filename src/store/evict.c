#include "store/evict.h"

#include "base/bytes.h"
#include "base/err.h"
#include "store/index.h"

#include <assert.h>
#include <string.h>

static int
bit(const struct buf *map, uint32_t i)
{
	return map->data[i / 8] >> i % 8 & 1;
}

static void
set_bit(struct buf *map, uint32_t i)
{
	map->data[i / 8] |= (uint8_t)(1 << i % 8);
}

int
evict_init(struct evict *e, const struct index_txn *t)
{
	size_t bytes = (size_t)t->next_num / 8 + 1;
	int ret;

	memset(e, 0, sizeof(*e));
	e->n = t->next_num;
	ret = buf_append_zeros(&e->lost, bytes);
	if (ret == 0)
		ret = buf_append_zeros(&e->dead, bytes);
	if (ret < 0)
		evict_release(e);
	return ret;
}

void
evict_release(struct evict *e)
{
	buf_release(&e->lost);
	buf_release(&e->dead);
	buf_release(&e->gone);
}

void
evict_add(struct evict *e, uint32_t num)
{
	assert(num < e->n);
	if (!bit(&e->lost, num))
		e->count++;
	set_bit(&e->lost, num);
	set_bit(&e->dead, num);
}

int
evict_has(const struct evict *e, uint32_t num)
{
	assert(num < e->n);
	return bit(&e->dead, num);
}

static int
among(const uint32_t *packs, size_t n, uint32_t pack)
{
	size_t low = 0, high = n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (packs[mid] < pack)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && packs[low] == pack;
}

int
evict_add_packs(
    struct evict *e, struct index_txn *t, const uint32_t *packs, size_t n)
{
	struct kv_slice key, value;
	struct index_object o;
	struct kv_cursor *c;
	int ret = kv_cursor_open(&c, t->kv, INDEX_OBJ);

	if (ret < 0)
		return ret;
	for (ret = kv_cursor_first(&key, &value, c); ret == 0;
	     ret = kv_cursor_next(&key, &value, c)) {
		ret = index_decode_object(&o, value);
		if (ret < 0)
			break;
		if (!among(packs, n, o.pack))
			continue;
		if (o.state == INDEX_CLOSED && o.num < e->n)
			evict_add(e, o.num);
		else
			ret = buf_append(&e->gone, key.data, key.len);
		if (ret < 0)
			break;
	}
	kv_cursor_close(c);
	return ret < 0 ? ret : 0;
}

int
evict_spread(struct evict *e, struct index_txn *t)
{
	struct kv_slice key, value;
	struct kv_cursor *c;
	uint64_t rows = 0;
	uint32_t num, ref;
	size_t i;
	int ret = kv_cursor_open(&c, t->kv, INDEX_REFS);

	if (ret < 0)
		return ret;
	/* Refs point to smaller numbers: each is final when it is asked. */
	for (ret = kv_cursor_first(&key, &value, c); ret == 0;
	     ret = kv_cursor_next(&key, &value, c)) {
		rows++;
		memcpy(&num, key.data, sizeof(num));
		if (value.len % sizeof(ref) != 0) {
			ret = index_is_damaged();
			break;
		}
		for (i = 0; i < value.len; i += sizeof(ref)) {
			memcpy(
			    &ref, (const uint8_t *)value.data + i, sizeof(ref));
			if (num < e->n && ref < num && bit(&e->dead, ref)) {
				set_bit(&e->dead, num);
				break;
			}
		}
	}
	kv_cursor_close(c);
	return ret < 0 ? ret : index_check_refs(t, rows);
}

/* File ids of bundles that left. */
static int
remove_files(struct evict *e, struct index_txn *t)
{
	struct kv_slice key, value;
	struct kv_cursor *c;
	uint32_t num;
	int ret = kv_cursor_open(&c, t->kv, INDEX_FILE);

	if (ret < 0)
		return ret;
	for (ret = kv_cursor_first(&key, &value, c); ret == 0;
	     ret = kv_cursor_next(&key, &value, c)) {
		num = value.len < 4 ? e->n : bytes_get32(value.data);
		if (num < e->n && !bit(&e->dead, num))
			continue;
		ret = kv_cursor_del(c);
		if (ret < 0)
			break;
	}
	kv_cursor_close(c);
	return ret < 0 ? ret : 0;
}

int
evict_apply(struct evict *e, struct index_txn *t, int state)
{
	uint32_t num;
	size_t i;
	int ret = evict_spread(e, t);

	if (ret == 0)
		ret = remove_files(e, t);
	for (num = 0; num < e->n && ret == 0; num++) {
		if (num % 8 == 0 && e->dead.data[num / 8] == 0)
			num += 7;
		else if (bit(&e->dead, num))
			ret = index_unclose(
			    t, num, bit(&e->lost, num) ? state : INDEX_OPEN);
	}
	for (i = 0; i < e->gone.len && ret == 0; i += 32)
		ret = index_forget(t, e->gone.data + i);
	return ret;
}
