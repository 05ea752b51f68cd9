#include "store/sync.h"

#include "base/err.h"
#include "store/admit.h"
#include "store/backend.h"
#include "store/damage.h"
#include "store/envelope.h"
#include "store/evict.h"
#include "store/heads.h"
#include "store/index.h"
#include "store/pack.h"
#include "store/record.h"
#include "store/survey.h"
#include "store/vault.h"

#include <stdlib.h>
#include <string.h>

struct unknown {
	uint8_t name[32];
	uint64_t size;
};

struct packs {
	struct idmap known; /* name -> number, with SEEN once listed */
	struct buf unknown; /* struct unknown */
	struct buf gone; /* u32 numbers, ascending */
	struct buf gone_packs; /* struct index_pack */
};

#define SEEN ((uint64_t)1 << 32)

static int
note_known(void *arg, const struct index_pack *p)
{
	struct packs *k = arg;

	return idmap_put(&k->known, p->name, p->number);
}

static int
note_listed(void *arg, const char *path, uint64_t size)
{
	struct packs *k = arg;
	struct unknown u = {.size = size};
	uint64_t number;

	/* What is not named as a pack is not ours. */
	if (pack_path_name(u.name, path) != 0)
		return 0;
	if (idmap_get(&number, &k->known, u.name) == 0)
		return idmap_put(&k->known, u.name, number | SEEN);
	return buf_append(&k->unknown, &u, sizeof(u));
}

static int
note_gone(void *arg, const struct index_pack *p)
{
	struct packs *k = arg;
	uint64_t number = 0;
	int ret;

	if (idmap_get(&number, &k->known, p->name) != 0 || number & SEEN)
		return 0;
	ret = buf_append(&k->gone, &p->number, sizeof(p->number));
	return ret < 0 ? ret : buf_append(&k->gone_packs, p, sizeof(*p));
}

/*
 * Compare both lists.  The index is asked first: a pack that a session closes
 * meanwhile is in the later listing.
 */
static int
compare_packs(struct packs *k, struct vault *v)
{
	struct index_txn t;
	int ret = index_begin(&t, v->index, 0);

	if (ret < 0)
		return ret;
	ret = index_packs(&t, note_known, k);
	index_abort(&t);
	if (ret == 0)
		ret =
		    v->backend->ops->list(v->backend, "packs", note_listed, k);
	if (ret < 0)
		return ret;
	ret = index_begin(&t, v->index, 0);
	if (ret < 0)
		return ret;
	ret = index_packs(&t, note_gone, k);
	index_abort(&t);
	return ret;
}

int
sync_renew(struct vault *v, struct index_txn *t)
{
	struct generation g;
	int ret;

	pool_lock_enter(&v->lock);
	g = v->generation;
	pool_lock_leave(&v->lock);
	ret = generation_renew(&g, v->backend);
	pool_lock_enter(&v->lock);
	v->generation = g;
	pool_lock_leave(&v->lock);
	if (ret == 0 && t != NULL)
		ret = index_set_generation(t, g.bytes);
	return ret;
}

/* Step 0.  Until step 4 the index stays marked as not true. */
static int
check_generation(struct vault *v)
{
	uint8_t known[STORE_GENERATION_BYTES];
	struct index_txn t;
	int ret = index_begin(&t, v->index, 0);

	if (ret < 0)
		return ret;
	ret = index_generation(known, &t);
	index_abort(&t);
	if (ret < 0 || (ret == 0 && memcmp(known, v->generation.bytes,
					sizeof(known)) == 0))
		return ret;
	/* A first generation, made just now, needs no other. */
	return v->created ? 0 : sync_renew(v, NULL);
}

/* One pack cannot be used; that is no reason to keep the others shut. */
static int
is_bad(int code)
{
	return code == ERR_DAMAGED || code == ERR_NOENT || code == ERR_IO;
}

static int
append_pack(void *arg, const struct index_pack *p)
{
	return buf_append(arg, p, sizeof(*p));
}

/* Step 1's end: some of what was lost may lie in another pack, too. */
static int
want_search(struct index_txn *t)
{
	struct buf packs = BUF_INIT;
	const struct index_pack *p;
	size_t i;
	int ret = index_packs(t, append_pack, &packs);

	p = (const struct index_pack *)packs.data;
	for (i = 0; i < packs.len / sizeof(*p) && ret == 0; i++) {
		ret = index_pending(t, p[i].number);
		if (ret == 0)
			ret = index_set_pending(
			    t, p[i].number, INDEX_PENDING_SEARCH);
		else if (ret > 0)
			ret = 0;
	}
	buf_release(&packs);
	return ret;
}

/* Step 1. */
static int
evict_gone(struct vault *v, struct packs *k)
{
	const struct index_pack *p = (const void *)k->gone_packs.data;
	size_t i, n = k->gone.len / sizeof(uint32_t);
	struct evict e = {0};
	struct index_txn t;
	int ret;

	if (n == 0)
		return 0;
	ret = sync_renew(v, NULL);
	if (ret < 0)
		return ret;
	ret = index_begin(&t, v->index, 1);
	if (ret < 0)
		return ret;
	ret = evict_init(&e, &t);
	if (ret == 0)
		ret =
		    evict_add_packs(&e, &t, (const uint32_t *)k->gone.data, n);
	if (ret == 0)
		ret = evict_apply(&e, &t, 0);
	if (ret == 0)
		ret = index_other_del_packs(
		    &t, (const uint32_t *)k->gone.data, n);
	for (i = 0; i < n && ret == 0; i++)
		ret = index_remove_pack(&t, p + i);
	if (ret == 0)
		ret = want_search(&t);
	/* A sweep that was killed takes packs of which nothing is left. */
	if (ret == 0 && e.count > 0)
		v->packs_gone += (uint32_t)n;
	evict_release(&e);
	if (ret < 0) {
		index_abort(&t);
		return ret;
	}
	return index_commit(&t);
}

/* Nonzero when the index has all objects of a footer; ERR_*. */
static int
knows_all(struct vault *v, struct index_txn *t, const struct index_pack *p)
{
	struct pack k = PACK_INIT;
	struct index_object o;
	struct pack_entry e;
	uint32_t i;
	int ret = pack_load(&k, v->backend, p->name, p->size, v->id);

	for (i = 0; ret == 0 && i < k.count; i++) {
		pack_entry(&e, &k, i);
		ret = index_find(&o, t, e.id);
	}
	pack_release(&k);
	return ret < 0 ? ret : ret == 0;
}

/* Admit what the index lacks of a pack that it knows, if it is pending. */
static int
readmit(struct vault *v, struct index_txn *t, struct survey *s,
    struct index_pack *p)
{
	int ret = index_pending(t, p->number);

	if (ret == INDEX_PENDING_SEARCH) {
		ret = knows_all(v, t, p);
		if (ret == 1)
			return index_set_pending(t, p->number, 0);
		/* Without a footer its records tell. */
		if (ret == 0 || ret == ERR_DAMAGED)
			ret = 1;
	}
	if (ret > 0) {
		ret = survey_pack(
		    s, v->backend, p->name, p->size, v->id, &v->marks);
		if (ret == 0)
			return admit_again(t, p, s->items, s->n, s->ids.data);
	}
	/* A bad one keeps what the index has of it, and is tried again at the
	 * next opening. */
	return is_bad(ret) ? 0 : ret;
}

/* The packs of one class that are not all in. */
static int
list_pending(struct buf *list, struct vault *v, enum record_class class)
{
	struct kv_slice key, value;
	struct kv_cursor *c = NULL;
	struct index_txn t;
	struct index_pack p;
	uint32_t number;
	int ret = index_begin(&t, v->index, 0);

	if (ret < 0)
		return ret;
	ret = kv_cursor_open(&c, t.kv, INDEX_PENDING);
	if (ret == 0)
		ret = kv_cursor_first(&key, &value, c);
	while (ret == 0) {
		memcpy(&number, key.data, sizeof(number));
		ret = index_pack(&p, &t, number);
		if (ret == 0 && p.class == class)
			ret = buf_append(list, &p, sizeof(p));
		if (ret >= 0)
			ret = kv_cursor_next(&key, &value, c);
	}
	kv_cursor_close(c);
	index_abort(&t);
	return ret < 0 ? ret : 0;
}

/* Read them again, and admit what is not in. */
static int
complete_class(struct vault *v, enum record_class class)
{
	struct buf list = BUF_INIT;
	struct index_pack *p;
	struct index_txn t = {0};
	struct survey s;
	size_t i, n;
	int ret;

	survey_init(&s);
	ret = list_pending(&list, v, class);
	p = (struct index_pack *)list.data;
	n = list.len / sizeof(*p);
	if (ret == 0 && n > 0)
		ret = index_begin(&t, v->index, 1);
	for (i = 0; i < n && ret >= 0; i++) {
		ret = readmit(v, &t, &s, p + i);
		if (ret == 0)
			ret = index_step(&t);
	}
	if (ret >= 0 && n > 0)
		ret = index_commit(&t);
	index_abort(&t);
	survey_release(&s);
	buf_release(&list);
	return ret < 0 ? ret : 0;
}

/*
 * Admit one unknown pack of `class`; 1 when it is of the other one.  A pack
 * that holds nothing usable is left alone: verify names it.
 */
static int
admit_unknown(struct vault *v, struct index_txn *t, struct survey *s,
    const struct unknown *u, enum record_class class)
{
	int ret =
	    survey_pack(s, v->backend, u->name, u->size, v->id, &v->marks);

	/* Left alone, its objects are not in `have`, and it is tried again at
	 * the next opening. */
	if (is_bad(ret)) {
		if (class == RECORD_META)
			v->packs_damaged++;
		return 0;
	}
	if (ret < 0)
		return ret;
	if (s->pack.class != class)
		return 1;
	v->packs_damaged += s->salvaged != 0;
	return admit_pack(t, &s->pack, s->items, s->n, s->ids.data);
}

/* All unknown packs of one class; those of the other move to the front. */
static int
admit_class(struct vault *v, struct buf *unknown, enum record_class class)
{
	struct unknown *u = (struct unknown *)unknown->data;
	size_t n = unknown->len / sizeof(*u), i, left = 0;
	struct index_txn t = {0};
	struct survey s;
	int ret = 0;

	survey_init(&s);
	for (i = 0; i < n; i++) {
		if (t.kv == NULL)
			ret = index_begin(&t, v->index, 1);
		if (ret == 0)
			ret = admit_unknown(v, &t, &s, u + i, class);
		if (ret < 0)
			goto out;
		if (ret == 1)
			u[left++] = u[i];
		/* As many packs as fit: a commit waits for the disk. */
		ret = index_step(&t);
		if (ret < 0)
			goto out;
		ret = 0;
	}
	if (t.kv != NULL)
		ret = index_commit(&t);
	unknown->len = left * sizeof(*u);
out:
	index_abort(&t);
	survey_release(&s);
	return ret;
}

/* Step 2's end. */
int
sync_close(struct vault *v)
{
	struct admit_walk w;
	struct index_txn t;
	uint64_t n;
	int ret = index_begin(&t, v->index, 0);

	if (ret < 0)
		return ret;
	ret = kv_count(&n, t.kv, INDEX_OPEN_IDS);
	index_abort(&t);
	if (ret < 0 || n == 0)
		return ret;
	ret = index_begin(&t, v->index, 1);
	if (ret < 0)
		return ret;
	admit_walk_init(&w);
	ret = admit_all_open(&w, &t, v->backend);
	admit_walk_release(&w);
	if (ret < 0) {
		index_abort(&t);
		return ret;
	}
	return index_commit(&t);
}

static int
note_mark(void *arg, const uint8_t pack[32], uint32_t offset)
{
	struct vault_place place;

	memcpy(place.pack, pack, 32);
	place.offset = offset;
	return buf_append(arg, &place, sizeof(place));
}

static int
load_marks(struct buf *list, struct vault *v)
{
	const struct vault_place *p;
	uint8_t key[32];
	size_t i;
	int ret = damage_list(v->backend, note_mark, list);

	p = (const struct vault_place *)list->data;
	pool_lock_enter(&v->lock);
	for (i = 0; i < list->len / sizeof(*p) && ret == 0; i++) {
		survey_mark_key(key, p[i].pack, p[i].offset);
		ret = idmap_put(&v->marks, key, 0);
	}
	pool_lock_leave(&v->lock);
	return ret;
}

/* 0: the number of the object whose record is at a mark.  1: it does not count.
 * 2: another record of it is whole, and has its place now.  ERR_*. */
static int
find_marked(uint32_t *num, struct index_txn *t, struct vault *v,
    const struct vault_place *place)
{
	struct pack k = PACK_INIT;
	struct index_pack p;
	struct index_object o;
	struct pack_entry e;
	uint32_t i;
	int ret = index_pack_named(&p, t, place->pack);

	if (ret == 0)
		ret = pack_load(&k, v->backend, place->pack, 0, v->id);
	if (ret != 0)
		return ret < 0 && !is_bad(ret) ? ret : 1;
	ret = 1;
	for (i = 0; i < k.count && ret == 1; i++) {
		pack_entry(&e, &k, i);
		if (e.offset != place->offset)
			continue;
		ret = index_find(&o, t, e.id);
		if (ret != 0 || o.state != INDEX_CLOSED || o.pack != p.number ||
		    o.offset != place->offset) {
			ret = ret < 0 ? ret : 1;
			break;
		}
		*num = o.num;
		ret = admit_other(t, v->backend, e.id, &o);
		ret = ret == 0 ? 2 : ret == 1 ? 0 : ret;
		break;
	}
	pack_release(&k);
	return ret;
}

/* Step 3: a process may have died between mark and transaction. */
static int
apply_marks(struct vault *v, const struct buf *list)
{
	const struct vault_place *p = (const void *)list->data;
	size_t i, n = list->len / sizeof(*p);
	struct evict e = {0};
	struct index_txn t;
	uint32_t num;
	int ret, moved = 0;

	if (n == 0)
		return 0;
	ret = index_begin(&t, v->index, 1);
	if (ret < 0)
		return ret;
	ret = evict_init(&e, &t);
	for (i = 0; i < n && ret == 0; i++) {
		ret = find_marked(&num, &t, v, p + i);
		if (ret == 0)
			evict_add(&e, num);
		moved |= ret == 2;
		ret = ret > 0 ? 0 : ret;
	}
	if (ret == 0 && e.count > 0)
		ret = sync_renew(v, &t);
	if (ret == 0 && e.count > 0)
		ret = evict_apply(&e, &t, INDEX_DAMAGED);
	if (ret == 0 && (e.count > 0 || moved))
		ret = index_commit(&t);
	index_abort(&t);
	evict_release(&e);
	return ret;
}

struct heads_check {
	struct vault *v;
	size_t known; /* mounts that the index knows */
	size_t same; /* ... just so */
	int older; /* the backend has less than the index remembers */
	int differ;
};

static int
check_head(void *arg, const uint8_t mount[16], uint64_t seq)
{
	struct heads_check *c = arg;
	const struct head *h = heads_find(&c->v->heads, mount);

	c->known++;
	if (h == NULL || h->last_seq < seq)
		c->older = 1;
	if (h == NULL || h->last_seq != seq)
		c->differ = 1;
	else
		c->same++;
	return 0;
}

/* What the index says of the heads and the generation. */
static int
compare_heads(struct heads_check *c, struct vault *v)
{
	uint8_t known[STORE_GENERATION_BYTES];
	struct index_txn t;
	int ret = index_begin(&t, v->index, 0);

	if (ret < 0)
		return ret;
	ret = index_heads(&t, check_head, c);
	if (ret == 0)
		ret = index_generation(known, &t);
	index_abort(&t);
	if (ret < 0)
		return ret;
	if (ret == 1 || c->same != v->heads.len ||
	    memcmp(known, v->generation.bytes, sizeof(known)) != 0)
		c->differ = 1;
	return 0;
}

/* What a snapshot needs is closed, as far as it is here. */
static int
close_snapshot(struct index_txn *t, struct vault *v, struct heads_name *name)
{
	struct buf file = BUF_INIT;
	char path[HEADS_PATH_BYTES];
	struct admit_walk w;
	struct envelope e;
	uint32_t i;
	int ret;

	heads_path(path, name->mount, name->seq);
	ret = v->backend->ops->size(&name->size, v->backend, path);
	if (ret == 0)
		ret = heads_read(&file, v->backend, name);
	if (ret == 0)
		ret = envelope_decode_file(&e, file.data, file.len);
	admit_walk_init(&w);
	for (i = 0; ret == 0 && i < e.nrefs; i++) {
		ret = admit_reach(&w, t, v->backend, e.refs + (size_t)i * 32);
		/* What is missing is verify's matter, and the next backup's. */
		if (ret == 1)
			ret = 0;
	}
	admit_walk_release(&w);
	buf_release(&file);
	return ret == ERR_DAMAGED || ret == ERR_NOENT ? 0 : ret;
}

/*
 * Snapshots that the index has not heard of: it is an older copy, in which
 * what they need may have left `have`, though no pack has come since that
 * would close it again.  (One that was made anew has closed what it can.)
 */
static int
close_new(struct vault *v)
{
	struct heads_name name;
	struct index_txn t;
	uint64_t seq;
	size_t i;
	int ret = index_begin(&t, v->index, 1);

	for (i = 0; i < v->heads.len && ret == 0; i++) {
		const struct head *h = &v->heads.items[i];

		memcpy(name.mount, h->mount, sizeof(name.mount));
		ret = index_head(&seq, &t, h->mount);
		for (seq++; ret == 0 && seq <= h->last_seq; seq++) {
			name.seq = seq;
			ret = close_snapshot(&t, v, &name);
		}
	}
	if (ret == 0)
		return index_commit(&t);
	index_abort(&t);
	return ret;
}

static int
write_heads(struct vault *v)
{
	struct index_txn t;
	size_t i;
	int ret = index_begin(&t, v->index, 1);

	if (ret < 0)
		return ret;
	ret = index_set_generation(&t, v->generation.bytes);
	if (ret == 0)
		ret = kv_clear(t.kv, INDEX_HEAD);
	for (i = 0; i < v->heads.len && ret == 0; i++)
		ret = index_set_head(
		    &t, v->heads.items[i].mount, v->heads.items[i].last_seq);
	if (ret < 0) {
		index_abort(&t);
		return ret;
	}
	return index_commit(&t);
}

/* Step 4.  Nothing is written when nothing is new: a full disk opens. */
static int
check_heads(struct vault *v)
{
	struct heads_check c = {.v = v};
	struct heads fresh;
	int ret;

	heads_init(&fresh);
	ret = heads_load(&fresh, v->backend, v->id);
	if (ret < 0)
		return ret;
	pool_lock_enter(&v->lock);
	heads_release(&v->heads);
	v->heads = fresh;
	v->reload = 0;
	pool_lock_leave(&v->lock);
	ret = compare_heads(&c, v);
	if (ret == 0 && c.older) {
		v->went_back = 1;
		ret = sync_renew(v, NULL);
	}
	if (ret == 0 && c.differ && c.known > 0)
		ret = close_new(v);
	return ret == 0 && (c.differ || c.older) ? write_heads(v) : ret;
}

int
sync_vault(struct vault *v)
{
	struct buf marks = BUF_INIT;
	struct packs k = {0};
	int ret;

	idmap_init(&k.known);
	v->packs_damaged = 0;
	ret = load_marks(&marks, v);
	if (ret == 0)
		ret = compare_packs(&k, v);
	if (ret == 0)
		ret = check_generation(v);
	if (ret == 0)
		ret = evict_gone(v, &k);
	if (ret == 0)
		ret = complete_class(v, RECORD_DATA);
	if (ret == 0)
		ret = admit_class(v, &k.unknown, RECORD_DATA);
	if (ret == 0)
		ret = complete_class(v, RECORD_META);
	if (ret == 0)
		ret = admit_class(v, &k.unknown, RECORD_META);
	if (ret == 0)
		ret = sync_close(v);
	if (ret == 0)
		ret = apply_marks(v, &marks);
	if (ret == 0)
		ret = check_heads(v);
	idmap_release(&k.known);
	buf_release(&k.unknown);
	buf_release(&k.gone);
	buf_release(&k.gone_packs);
	buf_release(&marks);
	return ret;
}
