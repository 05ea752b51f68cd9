#include "store/discard.h"

#include "base/err.h"
#include "store/admit.h"
#include "store/backend.h"
#include "store/damage.h"
#include "store/index.h"
#include "store/mark.h"
#include "store/pack.h"
#include "store/record.h"
#include "store/survey.h"
#include "store/vault.h"

#include <string.h>

struct discard {
	struct vault *v;
	const struct mark *m;
	struct pack k;
	struct index_txn t;
	struct index_pack p;
	struct buf scratch;
};

/* Nonzero when the record at `o` is whole and the same as that of `e`. */
static int
is_same(
    struct discard *d, const struct pack_entry *e, const struct index_object *o)
{
	struct record r;
	int ret;

	if (o->pack == d->p.number || o->length != e->length)
		return 0;
	ret = admit_read(&r, &d->scratch, &d->t, d->v->backend, e->id, o);
	if (ret == ERR_DAMAGED || ret == ERR_NOENT)
		return 0;
	if (ret < 0)
		return ret;
	return memcmp(r.checksum, e->checksum, HASH_BYTES) == 0;
}

/*
 * Another record of the object of `e`, outside of this pack: the same bytes,
 * read and checked; with `any` whichever the index knows.
 * Returns 0; 1 when there is none; ERR_*.
 */
static int
find_other(struct index_object *out, struct discard *d,
    const struct pack_entry *e, const struct index_object *o, int any)
{
	struct buf others = BUF_INIT;
	const struct index_object *p;
	size_t i;
	int ret = buf_append(&others, o, sizeof(*o)), found = 0;

	if (ret == 0)
		ret = index_other_list(&others, &d->t, e->id);
	p = (const struct index_object *)(const void *)others.data;
	for (i = 0; ret == 0 && i < others.len / sizeof(*p) && !found; i++) {
		if (any)
			found = p[i].pack != d->p.number;
		else
			found = is_same(d, e, p + i);
		if (found < 0)
			ret = found;
		else if (found)
			*out = p[i];
	}
	buf_release(&others);
	return ret < 0 ? ret : !found;
}

/* Nonzero when the record in this pack fails its checks, twice. */
static int
is_broken(struct discard *d, const struct pack_entry *e)
{
	struct backend *b = d->v->backend;
	char path[PACK_PATH_BYTES];
	uint8_t *to;
	int ret, tries;

	pack_path(path, d->k.name);
	for (tries = 0; tries < 2; tries++) {
		buf_reset(&d->scratch);
		ret = buf_extend(&to, &d->scratch, e->length);
		if (ret == 0)
			ret = b->ops->get(b, path, to, e->length, e->offset);
		if (ret == 0)
			ret = pack_check_record(NULL, e, to, e->length);
		if (ret != ERR_DAMAGED)
			return ret;
	}
	return 1;
}

/* What the index lacks: a broken record that nobody needs, whose object went
 * with the good one, in another pack. */
static int
check_unknown(struct discard *d, const struct pack_entry *e)
{
	int ret;

	if (idmap_get(NULL, &d->m->open, e->id) == 0)
		return 1;
	ret = is_broken(d, e);
	return ret < 0 ? ret : !ret;
}

/* Nonzero when something may be lost with the object. */
static int
is_needed(
    const struct discard *d, const uint8_t id[32], const struct index_object *o)
{
	return o->state == INDEX_CLOSED ||
	       idmap_get(NULL, &d->m->open, id) == 0;
}

/* D2 for one record.  0: it may go; 1: it stays; ERR_*. */
static int
check_entry(struct discard *d, const struct pack_entry *e)
{
	struct index_object o, other;
	int ret = index_find(&o, &d->t, e->id);

	if (ret != 0)
		return ret < 0 ? ret : check_unknown(d, e);
	if (!is_needed(d, e->id, &o))
		return 0;
	ret = find_other(&other, d, e, &o, 0);
	if (ret != 1 || o.state != INDEX_CLOSED ||
	    (o.pack == d->p.number && o.offset == e->offset))
		return ret;
	/* A record that was healed elsewhere is worth nothing. */
	ret = is_broken(d, e);
	return ret < 0 ? ret : !ret;
}

static int
check_all(struct discard *d)
{
	struct pack_entry e;
	uint32_t i;
	int ret = index_pack_named(&d->p, &d->t, d->k.name);

	if (ret == 0)
		ret = index_pending(&d->t, d->p.number) != 0;
	for (i = 0; ret == 0 && i < d->k.count; i++) {
		pack_entry(&e, &d->k, i);
		ret = check_entry(d, &e);
	}
	return ret;
}

/* D3 for one record. */
static int
forget_entry(struct discard *d, const struct pack_entry *e)
{
	struct index_object o, other;
	int ret = index_find(&o, &d->t, e->id);

	if (ret < 0)
		return ret;
	/* One that stands in the footer twice is forgotten by now. */
	if (ret == 0 && o.pack == d->p.number && o.offset == e->offset) {
		ret = find_other(&other, d, e, &o, !is_needed(d, e->id, &o));
		if (ret == 0) {
			other.num = o.num;
			other.state = o.state;
			ret = index_move(&d->t, e->id, &other);
			if (ret == 0)
				ret = index_other_del(
				    &d->t, e->id, other.pack, other.offset);
		} else if (ret == 1) {
			ret = index_forget(&d->t, e->id);
		}
		if (ret < 0)
			return ret;
	}
	return index_other_del(&d->t, e->id, d->p.number, e->offset);
}

static int
forget_all(struct discard *d)
{
	struct pack_entry e;
	uint32_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < d->k.count; i++) {
		pack_entry(&e, &d->k, i);
		ret = forget_entry(d, &e);
	}
	if (ret == 0)
		ret = index_remove_pack(&d->t, &d->p);
	return ret;
}

/* Marks of damage in a pack that is no more. */
static int
forget_marks(struct discard *d)
{
	struct pack_entry e;
	uint8_t key[32];
	uint32_t i;
	int ret = 0, marked;

	for (i = 0; ret == 0 && i < d->k.count; i++) {
		pack_entry(&e, &d->k, i);
		survey_mark_key(key, d->k.name, e.offset);
		pool_lock_enter(&d->v->lock);
		marked = idmap_get(NULL, &d->v->marks, key) == 0;
		pool_lock_leave(&d->v->lock);
		if (marked)
			ret = damage_forget(d->v->backend, d->k.name, e.offset);
	}
	return ret;
}

/* D4. */
static int
remove_file(struct discard *d)
{
	char path[PACK_PATH_BYTES];
	struct backend *b = d->v->backend;
	int ret;

	pack_path(path, d->k.name);
	ret = b->ops->remove(b, path);
	if (ret == 0)
		return forget_marks(d);
	/* It is there and unknown, or gone already. */
	vault_suspect(d->v);
	return ret == ERR_NOENT ? 0 : ret;
}

int
discard_pack(uint64_t *size, struct vault *v, const struct mark *m,
    const uint8_t name[32])
{
	struct discard d = {.v = v, .m = m, .k = PACK_INIT};
	int ret = pack_load(&d.k, v->backend, name, 0, v->id);

	/* What cannot be read is no garbage: verify names it. */
	if (ret == ERR_DAMAGED || ret == ERR_NOENT)
		return 1;
	if (ret < 0)
		return ret;
	ret = index_begin(&d.t, v->index, 1);
	if (ret < 0)
		goto out;
	ret = check_all(&d);
	if (ret == 0)
		ret = forget_all(&d);
	if (ret == 0)
		ret = index_commit(&d.t);
	index_abort(&d.t);
	if (ret == 0)
		ret = remove_file(&d);
	if (ret == 0)
		*size = d.k.size;
out:
	pack_release(&d.k);
	buf_release(&d.scratch);
	return ret;
}
