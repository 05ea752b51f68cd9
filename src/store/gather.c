#include "store/gather.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "store/backend.h"
#include "store/index.h"
#include "store/pack.h"
#include "store/record.h"
#include "store/vault.h"

#include <stdlib.h>
#include <string.h>

/* One read covers records of a pack up to this many bytes in all ... */
#define RUN_BYTES_MAX (4u << 20)
/* ... over gaps of at most this: reading them costs less than a seek. */
#define GAP_BYTES_MAX (128u << 10)

struct want {
	const uint8_t *id;
	uint8_t pack[32];
	uint32_t number; /* of the pack; INDEX_NUM_NONE: the id is unknown */
	uint32_t offset;
	uint32_t length;
};

/* Where everything lies, in one look at the index. */
static int
locate(struct want *wants, struct vault *v, const uint8_t *ids, uint32_t n)
{
	struct index_pack p = {.number = INDEX_NUM_NONE};
	struct index_object o;
	struct index_txn t;
	uint32_t i;
	int ret = index_begin(&t, v->index, 0);

	if (ret < 0)
		return ret;
	for (i = 0; i < n && ret >= 0; i++) {
		struct want *w = wants + i;

		w->id = ids + (size_t)i * STORE_ID_BYTES;
		w->number = INDEX_NUM_NONE;
		ret = index_find(&o, &t, w->id);
		if (ret == 0 && o.pack != p.number)
			ret = index_pack(&p, &t, o.pack);
		if (ret != 0) {
			if (ret == 1)
				p.number = INDEX_NUM_NONE;
			continue;
		}
		w->number = o.pack;
		memcpy(w->pack, p.name, 32);
		w->offset = o.offset;
		w->length = o.length;
		if (o.length > LIMIT_RECORD_BYTES)
			ret = err_set(
			    ERR_DAMAGED, "the index is damaged: run reindex");
	}
	index_abort(&t);
	return ret < 0 ? ret : 0;
}

static int
compare(const void *a, const void *b)
{
	const struct want *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* How many of the `n` wants from `w` on are read at once. */
static uint32_t
run_length(const struct want *w, uint32_t n)
{
	uint64_t from = w->offset, end = from + w->length, next;
	uint32_t i;

	for (i = 1; i < n; i++) {
		next = (uint64_t)w[i].offset + w[i].length;
		if (w[i].number != w->number ||
		    w[i].offset > end + GAP_BYTES_MAX ||
		    (next > end ? next : end) - from > RUN_BYTES_MAX)
			break;
		if (next > end)
			end = next;
	}
	return i;
}

static int
check(const struct want *w, const uint8_t *p)
{
	struct record r;
	int ret = record_decode(&r, p, w->length);

	if (ret == 0 && memcmp(r.id, w->id, STORE_ID_BYTES) != 0)
		ret = err_set(ERR_DAMAGED, "another object's record");
	return ret;
}

/* Where the object lies by now, if that is elsewhere.  0; 1; ERR_*. */
static int
locate_again(struct want *out, struct vault *v, const struct want *w)
{
	struct want now;
	int ret = locate(&now, v, w->id, 1);

	if (ret < 0)
		return ret;
	if (now.number == INDEX_NUM_NONE ||
	    memcmp(now.pack, w->pack, sizeof(now.pack)) == 0)
		return 1;
	*out = now;
	return 0;
}

/*
 * One record on its own: after it failed in a run, so a passing fault of the
 * disk is told from damage.  Returns 0 once `got` had it.
 */
static int
read_one(struct vault *v, const struct want *w, struct buf *scratch,
    store_got_fn *got, void *arg)
{
	struct vault_place place = {.offset = w->offset};
	char path[PACK_PATH_BYTES];
	struct want moved;
	uint8_t *to;
	int ret;

	buf_reset(scratch);
	ret = buf_extend(&to, scratch, w->length);
	if (ret < 0)
		return ret;
	pack_path(path, w->pack);
	ret = v->backend->ops->get(v->backend, path, to, w->length, w->offset);
	if (ret == ERR_NOENT) {
		/* A sweep may have moved it since we looked. */
		ret = locate_again(&moved, v, w);
		if (ret == 0)
			return read_one(v, &moved, scratch, got, arg);
		if (ret < 0)
			return ret;
		/* The whole pack is gone: the index must learn of it. */
		vault_suspect(v);
		return got(arg, STORE_GOT_ABSENT, w->id, NULL, 0);
	}
	if (ret == 0)
		ret = check(w, to);
	if (ret == 0)
		return got(arg, STORE_GOT_RECORD, w->id, to, w->length);
	if (ret != ERR_DAMAGED)
		return ret;
	memcpy(place.pack, w->pack, 32);
	ret = vault_damaged(v, w->id, &place);
	/* A store that cannot be written still says what it found. */
	if (ret < 0 && ret != ERR_IO && ret != ERR_NOSPACE &&
	    ret != ERR_READONLY)
		return ret;
	return got(arg, STORE_GOT_DAMAGED, w->id, NULL, 0);
}

static int
read_run(struct vault *v, const struct want *w, uint32_t n, struct buf *scratch,
    store_got_fn *got, void *arg)
{
	uint64_t from = w->offset, end = from;
	char path[PACK_PATH_BYTES];
	struct buf one = BUF_INIT;
	uint8_t *to;
	uint32_t i;
	int ret, whole;

	for (i = 0; i < n; i++) {
		if ((uint64_t)w[i].offset + w[i].length > end)
			end = (uint64_t)w[i].offset + w[i].length;
	}
	buf_reset(scratch);
	ret = buf_extend(&to, scratch, (size_t)(end - from));
	if (ret < 0)
		return ret;
	pack_path(path, w->pack);
	whole = v->backend->ops->get(
		    v->backend, path, to, (size_t)(end - from), from) == 0;
	for (i = 0; i < n && ret == 0; i++) {
		const uint8_t *p = to + (w[i].offset - from);

		if (whole && check(w + i, p) == 0)
			ret =
			    got(arg, STORE_GOT_RECORD, w[i].id, p, w[i].length);
		else
			ret = read_one(v, w + i, &one, got, arg);
	}
	buf_release(&one);
	return ret;
}

int
gather_records(struct vault *v, const uint8_t *ids, uint32_t n,
    store_got_fn *got, void *arg)
{
	struct buf scratch = BUF_INIT;
	struct want *wants;
	uint32_t i, run;
	int ret;

	if (n > LIMIT_GET_IDS)
		return err_set(ERR_LIMIT, "%u ids in one get", n);
	if (n == 0)
		return 0;
	wants = calloc(n, sizeof(*wants));
	if (wants == NULL)
		return err_nomem(n * sizeof(*wants));
	ret = locate(wants, v, ids, n);
	if (ret == 0)
		qsort(wants, n, sizeof(*wants), compare);
	for (i = 0; i < n && ret == 0; i += run) {
		run = 1;
		if (wants[i].number == INDEX_NUM_NONE) {
			ret = got(arg, STORE_GOT_ABSENT, wants[i].id, NULL, 0);
			continue;
		}
		run = run_length(wants + i, n - i);
		ret = read_run(v, wants + i, run, &scratch, got, arg);
	}
	buf_release(&scratch);
	free(wants);
	return ret;
}

int
gather_among(const uint8_t sum[32], const uint8_t *bad, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (memcmp(sum, bad + (size_t)i * HASH_BYTES, HASH_BYTES) == 0)
			return 1;
	}
	return 0;
}

/* Every record of an object that the index knows: struct want, the one that it
 * names first. */
static int
locate_all(struct buf *wants, struct vault *v, const uint8_t *id)
{
	struct buf all = BUF_INIT;
	struct index_object o, *p;
	struct index_pack pack;
	struct index_txn t;
	struct want w = {.id = id};
	size_t i;
	int ret = index_begin(&t, v->index, 0);

	if (ret < 0)
		return ret;
	ret = index_find(&o, &t, id);
	if (ret == 0)
		ret = buf_append(&all, &o, sizeof(o));
	if (ret >= 0)
		ret = index_other_list(&all, &t, id);
	p = (struct index_object *)(void *)all.data;
	for (i = 0; i < all.len / sizeof(*p) && ret >= 0; i++) {
		ret = index_pack(&pack, &t, p[i].pack);
		if (ret != 0 || p[i].length > LIMIT_RECORD_BYTES)
			continue;
		w.number = p[i].pack;
		memcpy(w.pack, pack.name, sizeof(w.pack));
		w.offset = p[i].offset;
		w.length = p[i].length;
		ret = buf_append(wants, &w, sizeof(w));
	}
	index_abort(&t);
	buf_release(&all);
	return ret < 0 ? ret : 0;
}

struct other {
	const uint8_t *bad;
	uint32_t n;
	store_got_fn *got;
	void *arg;
	int found;
};

/* Pass on a record that is wanted; what is damaged is marked by now. */
static int
other_got(void *arg, enum store_got got, const uint8_t id[STORE_ID_BYTES],
    const uint8_t *record, size_t len)
{
	struct other *o = arg;

	if (got != STORE_GOT_RECORD ||
	    gather_among(record + len - HASH_BYTES, o->bad, o->n))
		return 0;
	o->found = 1;
	return o->got(o->arg, got, id, record, len);
}

int
gather_other(struct vault *v, const uint8_t id[STORE_ID_BYTES],
    const uint8_t *bad, uint32_t n, store_got_fn *got, void *arg)
{
	struct other o = {bad, n, got, arg, 0};
	struct buf wants = BUF_INIT, one = BUF_INIT;
	const struct want *w;
	size_t i;
	int ret = locate_all(&wants, v, id);

	w = (const struct want *)(const void *)wants.data;
	for (i = 0; i < wants.len / sizeof(*w) && ret == 0 && !o.found; i++)
		ret = read_one(v, w + i, &one, other_got, &o);
	if (ret == 0 && !o.found)
		ret = got(arg, STORE_GOT_ABSENT, id, NULL, 0);
	buf_release(&wants);
	buf_release(&one);
	return ret;
}
