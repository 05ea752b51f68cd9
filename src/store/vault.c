#include "store/vault.h"

#include "base/err.h"
#include "base/fs.h"
#include "store/admit.h"
#include "store/backend.h"
#include "store/damage.h"
#include "store/evict.h"
#include "store/guard.h"
#include "store/index.h"
#include "store/reread.h"
#include "store/retire.h"
#include "store/survey.h"
#include "store/sync.h"

#include <stdlib.h>
#include <string.h>

/* The generation of a new vault, or of one whose newest file is broken. */
static int
load_generation(struct vault *v)
{
	int ret = generation_load(&v->generation, v->backend);

	if (ret != 1)
		return ret;
	v->created = v->generation.number == 0;
	return generation_renew(&v->generation, v->backend);
}

static int
open_once(struct vault **out, const struct vault_options *o)
{
	struct vault *v = calloc(1, sizeof(*v));
	int ret;

	if (v == NULL)
		return err_nomem(sizeof(*v));
	pool_lock_init(&v->change);
	pool_lock_init(&v->lock);
	heads_init(&v->heads);
	idmap_init(&v->marks);
	v->backend = o->backend;
	v->guard = o->guard;
	v->epoch = o->epoch;
	memcpy(v->id, o->id, sizeof(v->id));
	ret = reread_vault(v);
	if (ret == 0)
		ret = load_generation(v);
	if (ret < 0)
		goto out;
	ret = index_open(&v->index, o->index_dir, v->id);
	if (ret < 0)
		goto out;
	ret = sync_vault(v);
	if (ret == ERR_DAMAGED) {
		/* Nothing but the index itself ends it so: make a new one. */
		index_close(v->index);
		v->index = NULL;
		v->created = 0;
		ret = fs_remove_tree(o->index_dir);
		if (ret == 0)
			ret = index_open(&v->index, o->index_dir, v->id);
		if (ret >= 0)
			ret = sync_vault(v);
	}
	if (ret < 0)
		goto out;
	v->created = 0;
	*out = v;
	return 0;
out:
	(void)vault_check(v); /* tells the guard of a failed sync */
	vault_close(v);
	return ret;
}

int
vault_open(struct vault **out, const struct vault_options *o)
{
	int ret = open_once(out, o);

	if (ret != ERR_NOSPACE || o->guard == NULL)
		return ret;
	guard_release(o->guard);
	ret = open_once(out, o);
	guard_restore(o->guard);
	return ret;
}

int
vault_check(struct vault *v)
{
	int ret = v->backend->ops->check(v->backend);

	if (ret == 0 && v->index != NULL)
		ret = index_check(v->index);
	if (ret < 0)
		guard_stop(v->guard);
	return ret < 0 ? ret : guard_check(v->guard);
}

void
vault_close(struct vault *v)
{
	if (v == NULL)
		return;
	index_close(v->index);
	heads_release(&v->heads);
	idmap_release(&v->marks);
	pool_lock_release(&v->lock);
	pool_lock_release(&v->change);
	free(v);
}

void
vault_generation(uint8_t out[STORE_GENERATION_BYTES], struct vault *v)
{
	pool_lock_enter(&v->lock);
	memcpy(out, v->generation.bytes, STORE_GENERATION_BYTES);
	pool_lock_leave(&v->lock);
}

int
vault_head(
    struct head *out, struct vault *v, const uint8_t mount[STORE_NAME_BYTES])
{
	const struct head *h;
	int ret = 1;

	pool_lock_enter(&v->lock);
	h = heads_find(&v->heads, mount);
	if (h != NULL && h->server_seq > 0) {
		*out = *h;
		ret = 0;
	}
	pool_lock_leave(&v->lock);
	return ret;
}

int
vault_have(struct vault *v, uint8_t *bitmap, const uint8_t *ids, uint32_t n)
{
	struct index_object o;
	struct index_txn t;
	uint32_t i;
	int ret = index_begin(&t, v->index, 0);

	if (ret < 0)
		return ret;
	for (i = 0; i < n && ret >= 0; i++) {
		if (bitmap[i / 8] >> i % 8 & 1)
			continue;
		ret = index_find(&o, &t, ids + (size_t)i * STORE_ID_BYTES);
		if (ret == 0 && o.state == INDEX_CLOSED)
			bitmap[i / 8] |= (uint8_t)(1 << i % 8);
	}
	index_abort(&t);
	return ret < 0 ? ret : 0;
}

int
vault_have_files(struct vault *v, struct store_member *out,
    const uint8_t *file_ids, uint32_t n)
{
	struct index_txn t;
	uint32_t i;
	int ret = index_begin(&t, v->index, 0);

	if (ret < 0)
		return ret;
	for (i = 0; i < n && ret >= 0; i++) {
		if (out[i].found)
			continue;
		ret = index_find_file(out[i].bundle, &out[i].member, &t,
		    file_ids + (size_t)i * STORE_ID_BYTES);
		out[i].found = ret == 0;
	}
	index_abort(&t);
	return ret < 0 ? ret : 0;
}

struct telling {
	store_snapshot_fn *found;
	void *arg;
};

static int
tell_live(void *arg, const struct retire_root *r)
{
	const struct telling *t = arg;
	struct store_snapshot s;

	if (r->state != RETIRE_LIVE)
		return 0;
	memcpy(s.mount, r->mount, sizeof(s.mount));
	s.seq = r->seq;
	s.file = r->file;
	s.len = r->len;
	return t->found(t->arg, &s);
}

int
vault_snapshots(struct vault *v, const uint8_t mount[STORE_NAME_BYTES],
    store_snapshot_fn *found, void *arg)
{
	struct telling t = {found, arg};

	return retire_roots(v, mount, tell_live, &t);
}

/* Take one object out; the mark is durable already. */
static int
evict_one(struct vault *v, struct index_txn *t, const struct index_object *o)
{
	struct evict e;
	int ret = sync_renew(v, t);

	if (ret < 0)
		return ret;
	ret = evict_init(&e, t);
	if (ret < 0)
		return ret;
	evict_add(&e, o->num);
	ret = evict_apply(&e, t, INDEX_DAMAGED);
	evict_release(&e);
	return ret;
}

/* The mark, durable and in memory. */
static int
mark(struct vault *v, const struct vault_place *where)
{
	uint8_t key[32];
	int ret = damage_mark(v->backend, where->pack, where->offset);

	if (ret < 0)
		return ret;
	survey_mark_key(key, where->pack, where->offset);
	pool_lock_enter(&v->lock);
	ret = idmap_put(&v->marks, key, 0);
	pool_lock_leave(&v->lock);
	return ret;
}

/* The record that is damaged is a further one, or in no index by now. */
static int
forget_other(struct index_txn *t, const uint8_t id[STORE_ID_BYTES],
    const struct vault_place *where)
{
	struct index_pack p;
	int ret = index_pack_named(&p, t, where->pack);

	if (ret == 0)
		ret = index_other_del(t, id, p.number, where->offset);
	return ret < 0 ? ret : 0;
}

/* With another whole record nothing is lost: the object stays what it is. */
static int
replace_or_evict(struct vault *v, struct index_txn *t,
    const uint8_t id[STORE_ID_BYTES], struct index_object *o)
{
	int ret =
	    o->state == INDEX_DAMAGED ? 1 : admit_other(t, v->backend, id, o);

	if (ret != 1)
		return ret;
	return o->state == INDEX_CLOSED
		   ? evict_one(v, t, o)
		   : index_add_unclosed(t, id, o, INDEX_DAMAGED);
}

int
vault_damaged(struct vault *v, const uint8_t id[STORE_ID_BYTES],
    const struct vault_place *where)
{
	struct vault_place now;
	struct index_object o;
	struct index_pack p;
	struct index_txn t = {0};
	int ret, known;

	pool_lock_enter(&v->change);
	ret = index_begin(&t, v->index, 1);
	if (ret < 0)
		goto out;
	ret = index_find(&o, &t, id);
	if (ret == 0)
		ret = index_pack(&p, &t, o.pack);
	if (ret < 0)
		goto out;
	known = ret == 0;
	if (known) {
		memcpy(now.pack, p.name, sizeof(now.pack));
		now.offset = o.offset;
	}
	ret = 0;
	if (where == NULL && !known)
		goto out;
	ret = mark(v, where != NULL ? where : &now);
	if (ret < 0 || !known)
		goto out;
	if (where != NULL &&
	    (memcmp(where->pack, now.pack, sizeof(now.pack)) != 0 ||
		where->offset != now.offset))
		ret = forget_other(&t, id, where);
	else
		ret = replace_or_evict(v, &t, id, &o);
	if (ret == 0)
		ret = index_commit(&t);
	/* Marked and still in `have`: whoever comes next goes by the mark. */
	if (ret < 0)
		vault_suspect(v);
out:
	index_abort(&t);
	pool_lock_leave(&v->change);
	return ret;
}

void
vault_suspect(struct vault *v)
{
	pool_lock_enter(&v->lock);
	v->resync = 1;
	pool_lock_leave(&v->lock);
}

/* Where the disk is full in the room of the reserve. */
static int
with_room(struct vault *v, int (*work)(struct vault *v))
{
	int ret = work(v);

	if (ret == ERR_NOSPACE && v->guard != NULL) {
		guard_release(v->guard);
		ret = work(v);
		guard_restore(v->guard);
	}
	return ret;
}

int
vault_refresh(struct vault *v)
{
	int ret = 0, wanted;

	/* A store that takes nothing is read as it is. */
	if (vault_check(v) < 0)
		return 0;
	pool_lock_enter(&v->change);
	pool_lock_enter(&v->lock);
	wanted = v->resync || v->reload;
	v->resync = 0;
	pool_lock_leave(&v->lock);
	if (wanted)
		ret = with_room(v, sync_vault);
	if (ret < 0)
		vault_suspect(v);
	pool_lock_leave(&v->change);
	return ret;
}

int
vault_complete(struct vault *v)
{
	int ret;

	if (vault_check(v) < 0)
		return 0;
	pool_lock_enter(&v->change);
	ret = with_room(v, sync_close);
	pool_lock_leave(&v->change);
	return ret;
}

int
vault_reindex(struct vault *v)
{
	int ret;

	pool_lock_enter(&v->change);
	/* Without the index's word nobody knows what was lost. */
	v->created = 0;
	ret = index_clear(v->index);
	if (ret == 0)
		ret = sync_vault(v);
	/* Half an index is completed before anybody asks it. */
	if (ret < 0)
		vault_suspect(v);
	pool_lock_leave(&v->change);
	return ret;
}
