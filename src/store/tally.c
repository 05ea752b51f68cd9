#include "store/tally.h"

#include "store/mark.h"

#include <string.h>

struct counting {
	struct tally *y;
	struct index_txn *t;
	const struct mark *m;
};

void
tally_release(struct tally *y)
{
	buf_release(&y->packs);
	memset(y, 0, sizeof(*y));
}

static struct tally_pack *
find(struct tally *y, uint32_t number)
{
	struct tally_pack *p = (struct tally_pack *)(void *)y->packs.data;
	size_t low = 0, high = y->packs.len / sizeof(*p), mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (p[mid].p.number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low < y->packs.len / sizeof(*p) && p[low].p.number == number
		   ? p + low
		   : NULL;
}

static int
add_pack(void *arg, const struct index_pack *p)
{
	struct counting *k = arg;
	struct tally_pack add = {.p = *p};
	int ret = index_pending(k->t, p->number);

	if (ret < 0)
		return ret;
	add.keep = ret > 0 || mark_is_young(k->m, p->number);
	k->y->bytes += p->size;
	return buf_append(&k->y->packs, &add, sizeof(add));
}

int
tally_make(struct tally *y, struct index_txn *t, const struct mark *m)
{
	struct counting k = {y, t, m};
	struct kv_slice key, value;
	struct index_object o;
	struct tally_pack *p;
	struct kv_cursor *c;
	int ret = index_packs(t, add_pack, &k);

	if (ret < 0)
		return ret;
	ret = kv_cursor_open(&c, t->kv, INDEX_OBJ);
	if (ret < 0)
		return ret;
	for (ret = kv_cursor_first(&key, &value, c); ret == 0;
	     ret = kv_cursor_next(&key, &value, c)) {
		ret = index_decode_object(&o, value);
		if (ret < 0)
			break;
		p = find(y, o.pack);
		if (!mark_has(m, key.data, &o)) {
			y->dead += p == NULL || !p->keep;
			continue;
		}
		if (p == NULL)
			continue;
		p->live++;
		p->live_bytes += o.length;
	}
	kv_cursor_close(c);
	return ret < 0 ? ret : 0;
}
