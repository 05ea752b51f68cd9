#include "store/discard.h"

#include "base/err.h"
#include "store/backend.h"
#include "store/damage.h"
#include "store/footless.h"
#include "store/index.h"
#include "store/mark.h"
#include "store/pack.h"
#include "store/salvage.h"
#include "store/survey.h"
#include "store/twin.h"
#include "store/vault.h"

#include <string.h>

struct discard {
	struct vault *v;
	const struct mark *m;
	struct pack k;
	struct index_txn t;
	struct index_pack p;
	struct buf scratch;
	/* The footer cannot be used: `k` lists what is whole, and this what the
	 * index places in the pack beside it (struct footless_object). */
	int footless;
	struct buf rest;
};

/* Any other place of an object, outside of this pack.  0; 1: none; ERR_*. */
static int
find_any(struct index_object *out, struct discard *d, const uint8_t id[32],
    const struct index_object *o)
{
	struct buf others = BUF_INIT;
	const struct index_object *p;
	size_t i;
	int ret = buf_append(&others, o, sizeof(*o)), found = 0;

	if (ret == 0)
		ret = index_other_list(&others, &d->t, id);
	p = (const struct index_object *)(const void *)others.data;
	for (i = 0; ret == 0 && i < others.len / sizeof(*p) && !found; i++) {
		found = p[i].pack != d->p.number;
		if (found)
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
	ret = twin_find(&other, &d->t, d->v->backend, e, &o, d->p.number);
	if (ret != 1 || o.state != INDEX_CLOSED ||
	    (o.pack == d->p.number && o.offset == e->offset))
		return ret;
	/* A record that was healed elsewhere is worth nothing. */
	ret = is_broken(d, e);
	return ret < 0 ? ret : !ret;
}

/* Nonzero when the footer, or what stands for it, lists a record there. */
static int
is_listed(const struct discard *d, uint32_t offset)
{
	uint32_t low = 0, high = d->k.count, mid;
	struct pack_entry e;

	while (low < high) {
		mid = low + (high - low) / 2;
		pack_entry(&e, &d->k, mid);
		if (e.offset == offset)
			return 1;
		if (e.offset < offset)
			low = mid + 1;
		else
			high = mid;
	}
	return 0;
}

/* D2 for what the index places in a pack that does not list its records, where
 * no whole one is.  0: it may go; 1: it stays; ERR_*. */
static int
check_rest(struct discard *d)
{
	const struct footless_object *p;
	struct buf all = BUF_INIT;
	size_t i;
	int ret = footless_list(&all, &d->t, d->p.number);

	p = (const struct footless_object *)(const void *)all.data;
	for (i = 0; ret == 0 && i < all.len / sizeof(*p); i++) {
		if (is_listed(d, p[i].o.offset))
			continue;
		ret = is_needed(d, p[i].id, &p[i].o);
		if (ret == 0)
			ret = buf_append(&d->rest, p + i, sizeof(*p));
	}
	buf_release(&all);
	return ret;
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
	return ret == 0 && d->footless ? check_rest(d) : ret;
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
		ret = is_needed(d, e->id, &o)
			  ? twin_find(&other, &d->t, d->v->backend, e, &o,
				d->p.number)
			  : find_any(&other, d, e->id, &o);
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

/* The same for what a pack without a footer no longer has; then its further
 * records. */
static int
forget_rest(struct discard *d)
{
	const struct footless_object *p = (const void *)d->rest.data;
	struct pack_entry e = {0};
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < d->rest.len / sizeof(*p); i++) {
		e.id = p[i].id;
		e.offset = p[i].o.offset;
		ret = forget_entry(d, &e);
	}
	return ret < 0 ? ret : index_other_del_packs(&d->t, &d->p.number, 1);
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
	if (ret == 0 && d->footless)
		ret = forget_rest(d);
	if (ret == 0)
		ret = index_remove_pack(&d->t, &d->p);
	return ret;
}

struct marks {
	const uint8_t *pack;
	struct buf offsets; /* u32 */
};

static int
note_mark(void *arg, const uint8_t pack[32], uint32_t offset)
{
	struct marks *m = arg;

	if (memcmp(pack, m->pack, 32) != 0)
		return 0;
	return buf_append(&m->offsets, &offset, sizeof(offset));
}

/* Nonzero when a record that the footer lists is marked; without a footer
 * nobody knows. */
static int
has_marks(struct discard *d)
{
	struct pack_entry e;
	uint8_t key[32];
	uint32_t i;
	int marked = d->footless;

	for (i = 0; i < d->k.count && !marked; i++) {
		pack_entry(&e, &d->k, i);
		survey_mark_key(key, d->k.name, e.offset);
		pool_lock_enter(&d->v->lock);
		marked = idmap_get(NULL, &d->v->marks, key) == 0;
		pool_lock_leave(&d->v->lock);
	}
	return marked;
}

/* Marks of damage in a pack that is no more. */
static int
forget_marks(struct discard *d)
{
	struct marks m = {d->k.name, BUF_INIT};
	uint32_t offset;
	size_t i;
	int ret;

	if (!has_marks(d))
		return 0;
	ret = damage_list(d->v->backend, note_mark, &m);
	for (i = 0; i < m.offsets.len && ret == 0; i += sizeof(offset)) {
		memcpy(&offset, m.offsets.data + i, sizeof(offset));
		ret = damage_forget(d->v->backend, d->k.name, offset);
	}
	buf_release(&m.offsets);
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

/*
 * D1 without a footer.  Nobody can tell what else was in the pack, so it stays
 * while anything that a snapshot needs is not in `have`: that may be it.
 * Returns 0; 1: it stays; ERR_*.
 */
static int
load_footless(struct discard *d, const uint8_t name[32])
{
	struct salvage s = SALVAGE_INIT;
	int ret;

	if (d->m->open.len > 0)
		return 1;
	ret = salvage_pack(&s, d->v->backend, name, d->v->id);
	if (ret == 0) {
		d->footless = 1;
		d->k = s.k;
		s.k = (struct pack)PACK_INIT;
	}
	salvage_release(&s);
	return ret;
}

int
discard_pack(uint64_t *size, struct vault *v, const struct mark *m,
    const uint8_t name[32])
{
	struct discard d = {.v = v, .m = m, .k = PACK_INIT};
	int ret = pack_load(&d.k, v->backend, name, 0, v->id);

	if (ret == ERR_DAMAGED)
		ret = load_footless(&d, name);
	/* What cannot be read is no garbage: verify names it. */
	if (ret == ERR_DAMAGED || ret == ERR_NOENT)
		ret = 1;
	if (ret != 0)
		goto out;
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
	buf_release(&d.rest);
	buf_release(&d.scratch);
	return ret;
}
