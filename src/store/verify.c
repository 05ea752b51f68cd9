#include "store/verify.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/pool.h"
#include "store/backend.h"
#include "store/chain.h"
#include "store/envelope.h"
#include "store/evict.h"
#include "store/footless.h"
#include "store/heads.h"
#include "store/index.h"
#include "store/mend.h"
#include "store/pack.h"
#include "store/record.h"
#include "store/retire.h"
#include "store/stamps.h"
#include "store/survey.h"
#include "store/vault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* File ids that one run gives back to the index: 18 MiB. */
#define ROWS_MAX 262144u

struct listed {
	uint8_t name[32];
	uint64_t size;
};

/* A record that fails its checks where the index trusts it. */
struct bad {
	uint8_t id[32];
	struct vault_place place;
};

/* A pack whose frame is damaged, and how. */
struct torn {
	uint8_t name[32];
	char what[256];
};

struct verify {
	const struct verify_options *o;
	struct vault *v;
	struct buf packs; /* struct listed */
	struct idmap names; /* of these packs */
	struct pool_lock lock; /* what follows */
	size_t next; /* pack to take */
	int code; /* the first error */
	char error[ERR_TEXT_MAX];
	struct verify_counts n;
	int stale; /* packs went behind the index's back */
	uint64_t placed; /* objects of the index that lie where it says */
	struct evict dead; /* numbers of damaged objects */
	struct buf bad; /* struct bad */
	struct buf torn; /* struct torn */
	struct buf rows; /* struct row, at most ROWS_MAX */
	struct buf tombs; /* struct tomb, of snapshots that are gone */
	size_t tomb; /* the next one to look at */
};

/* A file id of a closed bundle that the index does not name. */
struct row {
	uint8_t file[32];
	uint8_t bundle[32];
	uint32_t member;
};

/* One pack in one thread. */
struct work {
	struct verify *y;
	char path[PACK_PATH_BYTES];
	uint32_t number; /* INDEX_NUM_NONE: the index does not know it */
	int pending; /* the index knows that it lacks something of it */
	struct buf whole;
	struct pack k;
	struct index_txn t;
};

static void __attribute__((format(printf, 3, 4)))
say(struct verify *y, const char *where, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* cut is fine */
	va_end(ap);
	pool_lock_enter(&y->lock);
	y->n.findings++;
	y->o->found(y->o->arg, where, text);
	pool_lock_leave(&y->lock);
}

static int
note_listed(void *arg, const char *path, uint64_t size)
{
	struct verify *y = arg;
	struct listed l = {.size = size};
	int ret;

	if (pack_path_name(l.name, path) != 0) {
		say(y, path, "not the name of a pack");
		return 0;
	}
	ret = buf_append(&y->packs, &l, sizeof(l));
	return ret < 0 ? ret : idmap_put(&y->names, l.name, 0);
}

static int
note_known(void *arg, const struct index_pack *p)
{
	struct verify *y = arg;
	char path[PACK_PATH_BYTES];

	if (idmap_get(NULL, &y->names, p->name) == 0)
		return 0;
	pack_path(path, p->name);
	say(y, path, "is gone, the index knows it");
	y->stale = 1;
	return 0;
}

/* The refs of a closed object: the index's numbers are those of the record's
 * ids, and all of them are closed. */
static int
check_refs(struct work *k, const struct record *r, const struct index_object *o)
{
	struct index_object child;
	struct kv_slice refs;
	uint32_t i, num;
	int ret = index_refs(&refs, &k->t, o->num);

	if (ret < 0)
		return ret;
	if (refs.len != (size_t)r->nrefs * sizeof(num)) {
		say(k->y, "index", "wrong refs of an object in %s", k->path);
		return 0;
	}
	for (i = 0; i < r->nrefs; i++) {
		memcpy(&num, (const uint8_t *)refs.data + i * sizeof(num),
		    sizeof(num));
		ret = index_find(&child, &k->t, r->refs + (size_t)i * 32);
		if (ret < 0)
			return ret;
		if (ret == 1 || child.state != INDEX_CLOSED ||
		    child.num != num || num >= o->num)
			say(k->y, "index",
			    "closure: what an object in %s needs is not there",
			    k->path);
	}
	return 0;
}

/*
 * A further record of a closed object: who made it with other refs than the
 * one that counts means harm, and only who has the keys can tell which of the
 * two it is.
 */
static int
check_other(struct work *k, const struct pack_entry *e, const struct record *r,
    const struct index_object *o)
{
	struct index_object child;
	struct kv_slice refs;
	uint32_t i, num;
	int ret = index_refs(&refs, &k->t, o->num), same;

	if (ret < 0)
		return ret;
	same =
	    e->class == o->class && refs.len == (size_t)r->nrefs * sizeof(num);
	for (i = 0; same && i < r->nrefs; i++) {
		memcpy(&num, (const uint8_t *)refs.data + i * sizeof(num),
		    sizeof(num));
		ret = index_find(&child, &k->t, r->refs + (size_t)i * 32);
		if (ret < 0)
			return ret;
		same = ret == 0 && child.num == num;
	}
	if (!same)
		say(k->y, k->path,
		    "the record at %u and another of its object disagree "
		    "about what it needs",
		    e->offset);
	return 0;
}

/*
 * A file was in two bundles, and the one that the index named is lost.  That
 * costs space if the file is stored again, and nothing else: no finding.
 */
static int
note_row(struct verify *y, const struct record *r, uint32_t member)
{
	struct row row = {.member = member};
	int ret = 0;

	memcpy(row.file, r->members + (size_t)member * 32, 32);
	memcpy(row.bundle, r->id, 32);
	pool_lock_enter(&y->lock);
	if (y->rows.len < ROWS_MAX * sizeof(row))
		ret = buf_append(&y->rows, &row, sizeof(row));
	pool_lock_leave(&y->lock);
	return ret;
}

static int
check_members(struct work *k, const struct record *r)
{
	uint8_t bundle[32];
	uint32_t i, member;
	int ret;

	for (i = 0; i < r->nmembers; i++) {
		ret = index_find_file(
		    bundle, &member, &k->t, r->members + (size_t)i * 32);
		if (ret == 1)
			ret = note_row(k->y, r, i);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* A record that fails its checks; healed ones are no news. */
static int
note_damage(struct work *k, const struct pack_entry *e,
    const struct index_object *o, int placed)
{
	struct verify *y = k->y;
	struct bad bad = {.place.offset = e->offset};
	uint8_t key[32];
	int marked, ret = 0;

	survey_mark_key(key, k->k.name, e->offset);
	pool_lock_enter(&y->v->lock);
	marked = idmap_get(NULL, &y->v->marks, key) == 0;
	pool_lock_leave(&y->v->lock);
	if (marked && !placed && o != NULL && o->state == INDEX_CLOSED)
		return 0;
	say(y, k->path, "the record at %u is damaged", e->offset);
	if (!placed || o->state != INDEX_CLOSED)
		return 0;
	memcpy(bad.id, e->id, 32);
	memcpy(bad.place.pack, k->k.name, 32);
	pool_lock_enter(&y->lock);
	evict_add(&y->dead, o->num);
	ret = buf_append(&y->bad, &bad, sizeof(bad));
	pool_lock_leave(&y->lock);
	return ret;
}

/* One record, and what the index says of it. */
static int
check_entry(struct work *k, const struct pack_entry *e, uint64_t *placed)
{
	struct index_object o;
	struct record r;
	int ret, good, here;

	good =
	    pack_check_record(&r, e, k->whole.data + e->offset, e->length) == 0;
	ret = index_find(&o, &k->t, e->id);
	if (ret < 0)
		return ret;
	if (ret == 1) {
		if (!k->pending && k->number != INDEX_NUM_NONE)
			say(k->y, "index", "lacks the object at %u of %s",
			    e->offset, k->path);
		return good ? 0 : note_damage(k, e, NULL, 0);
	}
	here = o.pack == k->number && o.offset == e->offset;
	*placed += (uint64_t)here;
	if (here && (o.length != e->length || o.class != e->class ||
			o.epoch != e->epoch))
		say(k->y, "index", "is wrong about the object at %u of %s",
		    e->offset, k->path);
	if (!good)
		return note_damage(k, e, &o, here);
	if (o.state != INDEX_CLOSED)
		return 0;
	ret = here ? check_refs(k, &r, &o) : check_other(k, e, &r, &o);
	return ret < 0 || k->pending ? ret : check_members(k, &r);
}

static int
check_records(struct work *k)
{
	uint64_t placed = 0;
	struct index_pack p;
	struct pack_entry e;
	uint32_t i;
	int ret = index_begin(&k->t, k->y->v->index, 0);

	if (ret < 0)
		return ret;
	ret = index_pack_named(&p, &k->t, k->k.name);
	k->number = ret == 0 ? p.number : INDEX_NUM_NONE;
	k->pending = 0;
	if (ret == 1)
		say(k->y, k->path, "is not in the index");
	else if (ret == 0 && (p.size != k->k.size || p.records != k->k.count ||
				 p.class != k->k.class))
		say(k->y, "index", "is wrong about %s", k->path);
	if (ret == 0) {
		ret = index_pending(&k->t, p.number);
		k->pending = ret > 0;
	}
	for (i = 0; i < k->k.count && ret >= 0; i++) {
		pack_entry(&e, &k->k, i);
		ret = check_entry(k, &e, &placed);
	}
	index_abort(&k->t);
	pool_lock_enter(&k->y->lock);
	k->y->placed += placed;
	k->y->n.records += k->k.count;
	pool_lock_leave(&k->y->lock);
	return ret < 0 ? ret : 0;
}

/*
 * A pack that cannot be read at once: what cannot be read of its records is
 * left zero, and so found damaged.
 */
static int
read_in_parts(struct work *k, const struct listed *l, uint8_t *to)
{
	struct backend *b = k->y->v->backend;
	struct pack parts = PACK_INIT;
	struct pack_entry e;
	uint32_t i;
	int ret;

	say(k->y, k->path, "%s", err_text());
	ret = pack_load(&parts, b, l->name, l->size, k->y->v->id);
	if (ret < 0)
		return ret;
	memset(to, 0, (size_t)l->size);
	for (i = 0; i < parts.count; i++) {
		pack_entry(&e, &parts, i);
		if (b->ops->get(b, k->path, to + e.offset, e.length, e.offset) <
		    0)
			memset(to + e.offset, 0, e.length);
	}
	ret = b->ops->get(b, k->path, to, PACK_HEADER_BYTES, 0);
	if (ret == 0)
		ret = b->ops->get(b, k->path, to + parts.end,
		    (size_t)l->size - parts.end, parts.end);
	pack_release(&parts);
	return ret;
}

/* For a pack without a footer: the index relies on this one. */
static int
note_lost(void *arg, const uint8_t id[32], const struct index_object *o)
{
	const struct pack_entry e = {.id = id, .offset = o->offset};

	return note_damage(arg, &e, o, 1);
}

/* The frame of the pack is damaged, as `what` says; that is told at the end,
 * with what became of it. */
static int
note_torn(struct work *k, const struct listed *l, const char *what)
{
	struct verify *y = k->y;
	struct torn torn;
	uint64_t placed;
	int ret;

	memset(&torn, 0, sizeof(torn));
	memcpy(torn.name, l->name, sizeof(torn.name));
	(void)snprintf(
	    torn.what, sizeof(torn.what), "%s", what); /* may be cut */
	ret = footless_check(&placed, y->v, l->name, note_lost, k);
	pool_lock_enter(&y->lock);
	if (ret == 0) {
		y->placed += placed;
		ret = buf_append(&y->torn, &torn, sizeof(torn));
	}
	pool_lock_leave(&y->lock);
	return ret;
}

static int
check_pack(struct work *k, const struct listed *l)
{
	struct vault *v = k->y->v;
	uint8_t *to;
	int ret;

	pack_path(k->path, l->name);
	memcpy(k->k.name, l->name, sizeof(k->k.name));
	if (l->size > LIMIT_PACK_BYTES)
		return note_torn(k, l, "is too long");
	buf_reset(&k->whole);
	ret = buf_extend(&to, &k->whole, (size_t)l->size);
	if (ret == 0 && l->size > 0)
		ret = v->backend->ops->get(
		    v->backend, k->path, to, (size_t)l->size, 0);
	if (ret == ERR_DAMAGED)
		ret = read_in_parts(k, l, to);
	if (ret == 0)
		ret = pack_decode(&k->k, l->name, to, (size_t)l->size, v->id);
	if (ret < 0) {
		/* Unreadable is a finding too: the others still count. */
		if (ret == ERR_NOMEM)
			return ret;
		return note_torn(k, l, err_text());
	}
	ret = check_records(k);
	pack_release(&k->k);
	pool_lock_enter(&k->y->lock);
	k->y->n.packs++;
	k->y->n.bytes += l->size;
	if (k->y->o->progress != NULL)
		k->y->o->progress(k->y->o->arg, l->size);
	pool_lock_leave(&k->y->lock);
	return ret;
}

/* A thread: takes packs until none is left. */
static void
check_packs(void *arg)
{
	struct verify *y = arg;
	const struct listed *l = (const void *)y->packs.data;
	size_t n = y->packs.len / sizeof(*l), i;
	struct work k = {.y = y, .k = PACK_INIT};
	int ret = 0;

	for (;;) {
		pool_lock_enter(&y->lock);
		i = y->code < 0 ? n : y->next++;
		pool_lock_leave(&y->lock);
		if (i >= n)
			break;
		ret = check_pack(&k, l + i);
		if (ret < 0) {
			pool_lock_enter(&y->lock);
			y->code = ret;
			(void)snprintf(y->error, sizeof(y->error), "%s",
			    err_text()); /* cut is fine */
			pool_lock_leave(&y->lock);
		}
	}
	buf_release(&k.whole);
}

static int
check_all_packs(struct verify *y)
{
	struct pool_thread *threads[VERIFY_THREADS_MAX] = {NULL};
	unsigned i, n = pool_cpus();

	if (n > VERIFY_THREADS_MAX)
		n = VERIFY_THREADS_MAX;
	/* Those that cannot be started are not needed: this thread works. */
	for (i = 1; i < n; i++) {
		if (pool_thread_start(&threads[i], check_packs, y) < 0)
			threads[i] = NULL;
	}
	check_packs(y);
	for (i = 1; i < n; i++)
		pool_thread_join(threads[i]);
	return y->code < 0 ? err_set(y->code, "%s", y->error) : 0;
}

/* The index from its own side, once the packs have been seen. */
static int
check_index(struct verify *y)
{
	struct index_txn t;
	uint64_t objects;
	int ret = index_begin(&t, y->v->index, 0);

	if (ret < 0)
		return ret;
	ret = index_packs(&t, note_known, y);
	if (ret == 0)
		ret = kv_count(&objects, t.kv, INDEX_OBJ);
	/* What lay in packs that are gone has been told. */
	if (ret == 0 && objects != y->placed && !y->stale)
		say(y, "index", "%llu objects, of which %llu lie in packs",
		    (unsigned long long)objects, (unsigned long long)y->placed);
	/* Whom the damage that was found reaches. */
	if (ret == 0)
		ret = evict_spread(&y->dead, &t);
	index_abort(&t);
	return ret;
}

static int
note_tomb(void *arg, const struct retire_tomb *t)
{
	struct verify *y = arg;

	if (y->o->store_public != NULL &&
	    tomb_check_signature(t->bytes, y->o->store_public) < 0)
		say(y, "retired", "the tombstone of snapshot %llu: %s",
		    (unsigned long long)t->t.server_seq, err_text());
	return t->gone ? buf_append(&y->tombs, &t->t, sizeof(t->t)) : 0;
}

static void
bad_name(void *arg, const char *name)
{
	say(arg, name, "%s", err_text());
}

static int
read_tombs(struct verify *y)
{
	struct buf stamps = BUF_INIT;
	int ret = retire_tombs(y->v, NULL, note_tomb, bad_name, y);

	if (ret == 0)
		ret = stamps_load(&stamps, y->v, bad_name, y);
	buf_release(&stamps);
	return ret;
}

/* Tombstones of the same mount take the places of those that are gone.
 * Nonzero when the last one was of the mount; ERR_NOMEM. */
static int
pass_tombs(
    struct verify *y, struct chain *c, const struct heads_name *name, int same)
{
	const struct tomb *t = (const struct tomb *)y->tombs.data + y->tomb;
	size_t n = y->tombs.len / sizeof(*t);
	int order, ret;

	for (; y->tomb < n; y->tomb++, t++) {
		order = memcmp(t->mount, name->mount, 16);
		if (order > 0 || (order == 0 && t->server_seq >= name->seq))
			break;
		if (order < 0 || t->server_seq != (same ? c->seq : 0) + 1)
			continue;
		ret = chain_add(
		    c, t->mount, t->server_seq, t->client_seq, t->hash);
		if (ret < 0)
			return ret;
		same = 1;
	}
	return same;
}

/* What may need anything keeps all of it: docs/sweep.md 7. */
static const char only_by_word[] =
    "until it is put back from a copy, only shash sweep --give_up_lost frees "
    "space";

static int
check_chain(struct verify *y, const char *path, struct chain *c,
    const struct heads_name *name, const struct envelope *e)
{
	int same = c->seq != 0 && memcmp(c->mount, name->mount, 16) == 0;
	uint8_t hash[HASH_BYTES];

	same = pass_tombs(y, c, name, same);
	if (same < 0)
		return same;
	/* A mount's first one has the number 1. */
	if (name->seq != (same ? c->seq : 0) + 1)
		say(y, path, "the snapshot before it is gone; %s",
		    only_by_word);
	else if (same && c->known && e != NULL && !chain_takes(c, e))
		say(y, path, "does not follow the snapshot before it");
	if (e == NULL)
		return chain_add(c, name->mount, name->seq, 0, NULL);
	envelope_hash(hash, e);
	return chain_add(c, name->mount, name->seq, e->client_seq, hash);
}

/* What a snapshot needs is closed and, as far as it was read, undamaged. */
static int
check_reach(struct verify *y, const char *path, const struct envelope *e,
    struct index_txn *t)
{
	struct index_object o;
	uint32_t i;
	int ret;

	for (i = 0; i < e->nrefs; i++) {
		ret = index_find(&o, t, e->refs + (size_t)i * 32);
		if (ret < 0)
			return ret;
		if (ret == 1 || o.state != INDEX_CLOSED)
			say(y, path, "needs objects that are not here");
		else if (o.num < y->dead.n && evict_has(&y->dead, o.num))
			say(y, path, "needs damaged objects");
	}
	return 0;
}

static int
check_snapshot(struct verify *y, struct chain *c, const struct heads_name *name,
    struct buf *file, struct index_txn *t)
{
	char path[HEADS_PATH_BYTES];
	uint8_t key[32];
	struct envelope e;
	int ret, known;

	heads_path(path, name->mount, name->seq);
	buf_reset(file);
	ret = heads_read(file, y->v->backend, name);
	if (ret == 0)
		ret = envelope_decode_file(&e, file->data, file->len);
	if (ret == 0 && (memcmp(e.vault, y->v->id, 16) != 0 ||
			    memcmp(e.mount, name->mount, 16) != 0 ||
			    e.server_seq != name->seq))
		ret = err_set(ERR_DAMAGED, "lies in the wrong place");
	if (ret == ERR_NOMEM)
		return ret;
	y->n.snapshots++;
	y->n.bytes += name->size;
	if (ret < 0)
		say(y, path, "%s; %s", err_text(), only_by_word);
	known = ret == 0;
	ret = check_chain(y, path, c, name, known ? &e : NULL);
	if (ret < 0 || !known)
		return ret;
	if (y->o->key != NULL) {
		ret = y->o->key(y->o->arg, key, e.mount);
		if (ret != 0 && ret != ERR_NOMEM)
			say(y, path, "of an unknown directory");
		if (ret == 0)
			ret = envelope_check_signature(&e, key);
		else if (ret != ERR_NOMEM)
			ret = 0;
		if (ret == ERR_NOMEM)
			return ret;
		if (ret < 0)
			say(y, path, "%s", err_text());
	}
	return check_reach(y, path, &e, t);
}

static int
check_snapshots(struct verify *y)
{
	struct buf list = BUF_INIT, file = BUF_INIT;
	const struct heads_name *names;
	struct chain c = CHAIN_INIT;
	struct index_txn t;
	size_t i, n;
	int ret = heads_list(&list, y->v->backend, NULL);

	if (ret < 0)
		return ret;
	names = (const struct heads_name *)list.data;
	n = list.len / sizeof(*names);
	ret = read_tombs(y);
	/* The index has forgotten them by now. */
	if (y->v->went_back)
		say(y, "snapshots", "the newest of a directory are gone");
	if (ret == 0)
		ret = index_begin(&t, y->v->index, 0);
	if (ret == 0) {
		for (i = 0; i < n && ret == 0; i++)
			ret = check_snapshot(y, &c, names + i, &file, &t);
		index_abort(&t);
	}
	chain_release(&c);
	buf_release(&list);
	buf_release(&file);
	return ret;
}

/* 0; 1: the store takes nothing, which is one more finding; ERR_*. */
static int
mark_bad(struct verify *y)
{
	const struct bad *b = (const void *)y->bad.data;
	size_t i, n = y->bad.len / sizeof(*b);
	int ret = 0;

	for (i = 0; i < n && ret == 0; i++)
		ret = vault_damaged(y->v, b[i].id, &b[i].place);
	if (ret != ERR_IO && ret != ERR_NOSPACE && ret != ERR_READONLY)
		return ret;
	say(y, "state", "what is damaged cannot be marked: %s", err_text());
	return 1;
}

/* Tell of packs whose frame is damaged; with `mend` what is whole of them is
 * copied before. */
static int
tell_torn(struct verify *y, int mend)
{
	const struct torn *p = (const void *)y->torn.data;
	size_t i, n = y->torn.len / sizeof(*p);
	char path[PACK_PATH_BYTES];
	int ret = 0;

	for (i = 0; i < n; i++) {
		pack_path(path, p[i].name);
		if (mend && ret >= 0)
			ret = mend_pack(y->v, p[i].name);
		if (mend && ret >= 0)
			say(y, path, "%s; %s", p[i].what, mend_text(ret));
		else
			say(y, path, "%s", p[i].what);
	}
	return ret < 0 ? ret : 0;
}

static int
mend_rows(struct verify *y)
{
	const struct row *row = (const void *)y->rows.data;
	size_t i, n = y->rows.len / sizeof(*row);
	struct index_object o;
	struct index_txn t;
	int ret;

	if (n == 0)
		return 0;
	ret = index_begin(&t, y->v->index, 1);
	if (ret < 0)
		return ret;
	for (i = 0; i < n && ret >= 0; i++) {
		ret = index_find(&o, &t, row[i].bundle);
		if (ret == 0 && o.state == INDEX_CLOSED)
			ret = index_add_file(
			    &t, row[i].file, o.num, row[i].member);
		if (ret >= 0)
			ret = index_step(&t);
	}
	if (ret >= 0)
		return index_commit(&t);
	index_abort(&t);
	return ret;
}

static int
begin(struct verify *y)
{
	struct index_txn t;
	int ret = index_begin(&t, y->v->index, 0);

	if (ret < 0)
		return ret;
	ret = evict_init(&y->dead, &t);
	index_abort(&t);
	if (ret == 0)
		ret = y->v->backend->ops->list(
		    y->v->backend, "packs", note_listed, y);
	return ret;
}

int
verify_vault(struct verify_counts *out, const struct verify_options *o)
{
	struct verify y = {.o = o, .v = o->vault};
	int ret, torn, writes = o->mark;

	pool_lock_init(&y.lock);
	idmap_init(&y.names);
	/* What was healed is no finding. */
	ret = o->mark ? vault_complete(y.v) : 0;
	if (ret == 0)
		ret = begin(&y);
	if (ret == 0)
		ret = check_all_packs(&y);
	if (ret == 0)
		ret = check_index(&y);
	if (ret == 0 && o->mark && y.stale) {
		vault_suspect(y.v); /* nor is it there for a backup */
		ret = vault_refresh(y.v);
	}
	if (ret == 0)
		ret = check_snapshots(&y);
	if (ret == 0 && writes)
		ret = mark_bad(&y);
	writes = writes && ret == 0;
	ret = ret == 1 ? 0 : ret;
	torn = tell_torn(&y, writes);
	ret = ret == 0 ? torn : ret;
	if (ret == 0 && writes)
		ret = mend_rows(&y);
	if (ret == 0)
		*out = y.n;
	evict_release(&y.dead);
	buf_release(&y.bad);
	buf_release(&y.torn);
	buf_release(&y.rows);
	buf_release(&y.tombs);
	buf_release(&y.packs);
	idmap_release(&y.names);
	pool_lock_release(&y.lock);
	return ret;
}
