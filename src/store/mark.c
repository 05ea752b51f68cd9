#include "store/mark.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/hex.h"
#include "store/admit.h"
#include "store/envelope.h"
#include "store/heads.h"
#include "store/index.h"
#include "store/record.h"
#include "store/roots.h"
#include "store/vault.h"

#include <stdio.h>
#include <string.h>

struct marking {
	struct mark *m;
	struct vault *v;
	struct index_txn *t;
	int all; /* mark numbers, too */
	struct buf todo; /* ids of open objects whose records are to be read */
};

void
mark_init(struct mark *m)
{
	memset(m, 0, sizeof(*m));
	idmap_init(&m->open);
}

void
mark_release(struct mark *m)
{
	buf_release(&m->live);
	buf_release(&m->young);
	idmap_release(&m->open);
	mark_init(m);
}

int
mark_has_number(const struct mark *m, uint32_t num)
{
	return num >= m->n || (m->live.data[num / 8] >> num % 8 & 1);
}

int
mark_has(
    const struct mark *m, const uint8_t id[32], const struct index_object *o)
{
	if (o->state == INDEX_CLOSED)
		return mark_has_number(m, o->num);
	return idmap_get(NULL, &m->open, id) == 0;
}

int
mark_is_young(const struct mark *m, uint32_t pack)
{
	const uint8_t *p = m->young.data;
	size_t low = 0, high = m->young.len / 4, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (bytes_get32(p + mid * 4) < pack)
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->young.len / 4 && bytes_get32(p + low * 4) == pack;
}

static void
set_live(struct mark *m, uint32_t num)
{
	if (num < m->n)
		m->live.data[num / 8] |= (uint8_t)(1 << num % 8);
}

static void
note_unknown(struct mark *m, const char *what)
{
	if (m->unknown++ == 0)
		(void)snprintf(
		    m->first, sizeof(m->first), "%s", what); /* cut is fine */
}

static void
note_unknown_object(struct mark *m, const uint8_t id[32])
{
	char text[80] = "object ";

	hex_encode(text + strlen(text), id, 32);
	note_unknown(m, text);
}

/* A snapshot, or an open object, needs this one. */
static int
need(struct marking *k, const uint8_t id[32])
{
	struct index_object o;
	int ret = index_find(&o, k->t, id);

	if (ret < 0)
		return ret;
	if (ret == 0 && o.state == INDEX_CLOSED) {
		if (k->all)
			set_live(k->m, o.num);
		return 0;
	}
	if (idmap_get(NULL, &k->m->open, id) == 0)
		return 0;
	if (k->m->open.len >= MARK_OPEN_MAX)
		return err_set(ERR_LIMIT,
		    "too many objects that snapshots need are damaged");
	if (idmap_put(&k->m->open, id, 0) < 0)
		return ERR_NOMEM;
	/* Data needs nothing, so nothing hides behind its damage. */
	if (ret == 0 && o.class == RECORD_DATA)
		return 0;
	return buf_append(&k->todo, id, 32);
}

/* The record of an open object, from wherever it can be read. */
static int
read_record(
    struct record *r, struct buf *out, struct marking *k, const uint8_t id[32])
{
	struct buf others = BUF_INIT;
	struct index_object o, *p;
	size_t i;
	int ret = index_find(&o, k->t, id);

	if (ret == 0)
		ret = buf_append(&others, &o, sizeof(o));
	if (ret >= 0)
		ret = index_other_list(&others, k->t, id);
	p = (struct index_object *)(void *)others.data;
	if (ret == 0)
		ret = 1;
	for (i = 0; i < others.len / sizeof(*p) && ret == 1; i++) {
		ret = admit_read(r, out, k->t, k->v->backend, id, p + i);
		if (ret == ERR_DAMAGED || ret == ERR_NOENT)
			ret = 1;
	}
	buf_release(&others);
	return ret;
}

static int
read_open(struct marking *k)
{
	struct buf record = BUF_INIT;
	struct record r;
	uint8_t id[32];
	uint32_t i;
	int ret = 0;

	while (k->todo.len > 0 && ret == 0) {
		k->todo.len -= 32;
		memcpy(id, k->todo.data + k->todo.len, 32);
		ret = read_record(&r, &record, k, id);
		if (ret == 1) {
			note_unknown_object(k->m, id);
			ret = 0;
			continue;
		}
		for (i = 0; ret == 0 && i < r.nrefs; i++)
			ret = need(k, r.refs + (size_t)i * 32);
	}
	buf_release(&record);
	return ret;
}

static int
on_root(void *arg, const struct roots_item *r)
{
	struct marking *k = arg;
	char path[HEADS_PATH_BYTES];
	uint32_t i;
	int ret = 0;

	k->m->snapshots++;
	if (r->e == NULL) {
		heads_path(path, r->mount, r->seq);
		note_unknown(k->m, path);
		return 0;
	}
	for (i = 0; i < r->e->nrefs && ret == 0; i++)
		ret = need(k, r->e->refs + (size_t)i * 32);
	return ret;
}

static int
mark_roots(struct marking *k)
{
	int ret = roots_each(k->v, k->t, on_root, k);

	return ret == 0 ? read_open(k) : ret;
}

int
mark_open(struct mark *m, struct vault *v, struct index_txn *t)
{
	struct marking k = {.m = m, .v = v, .t = t};
	int ret;

	m->n = 0;
	ret = mark_roots(&k);
	buf_release(&k.todo);
	return ret;
}

/* Nonzero when the mount has no newer snapshot than the pack's origin. */
static int
is_young(struct vault *v, const struct index_pack *p)
{
	const struct head *h;
	int young;

	if (bytes_are_zero(p->origin, sizeof(p->origin)))
		return 0;
	pool_lock_enter(&v->lock);
	h = heads_find(&v->heads, p->origin);
	young = h == NULL || h->last_seq <= p->after;
	pool_lock_leave(&v->lock);
	return young;
}

static int
note_young(void *arg, const struct index_pack *p)
{
	struct marking *k = arg;

	/* In the order of their numbers. */
	return is_young(k->v, p) ? buf_append32(&k->m->young, p->number) : 0;
}

/* What lies in young packs is needed. */
static int
mark_young(struct marking *k)
{
	struct kv_slice key, value;
	struct index_object o;
	struct kv_cursor *c;
	int ret = index_packs(k->t, note_young, k);

	if (ret < 0 || k->m->young.len == 0)
		return ret;
	ret = kv_cursor_open(&c, k->t->kv, INDEX_OBJ);
	if (ret < 0)
		return ret;
	for (ret = kv_cursor_first(&key, &value, c); ret == 0;
	     ret = kv_cursor_next(&key, &value, c)) {
		ret = index_decode_object(&o, value);
		if (ret < 0)
			break;
		if (o.state == INDEX_CLOSED && mark_is_young(k->m, o.pack))
			set_live(k->m, o.num);
	}
	kv_cursor_close(c);
	return ret < 0 ? ret : 0;
}

/* Down from all that is marked: refs point to smaller numbers, so each is
 * final when it is reached. */
static int
mark_below(struct marking *k)
{
	struct kv_slice key, value;
	struct kv_cursor *c;
	uint64_t rows = 0;
	uint32_t num, ref;
	size_t i;
	int ret = kv_cursor_open(&c, k->t->kv, INDEX_REFS);

	if (ret < 0)
		return ret;
	for (ret = kv_cursor_last(&key, &value, c); ret == 0;
	     ret = kv_cursor_prev(&key, &value, c)) {
		rows++;
		memcpy(&num, key.data, sizeof(num));
		if (!mark_has_number(k->m, num))
			continue;
		/* One that is cut off may lack what is needed. */
		if (value.len % sizeof(ref) != 0) {
			ret = index_is_damaged();
			break;
		}
		for (i = 0; i < value.len; i += sizeof(ref)) {
			memcpy(
			    &ref, (const uint8_t *)value.data + i, sizeof(ref));
			set_live(k->m, ref);
		}
	}
	kv_cursor_close(c);
	return ret < 0 ? ret : index_check_refs(k->t, rows);
}

int
mark_all(struct mark *m, struct vault *v, struct index_txn *t)
{
	struct marking k = {.m = m, .v = v, .t = t, .all = 1};
	int ret;

	m->n = t->next_num;
	ret = buf_append_zeros(&m->live, (size_t)m->n / 8 + 1);
	if (ret == 0)
		ret = mark_roots(&k);
	if (ret == 0)
		ret = mark_young(&k);
	if (ret == 0)
		ret = mark_below(&k);
	buf_release(&k.todo);
	return ret;
}
