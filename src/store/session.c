#include "store/session.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/pool.h"
#include "store/admit.h"
#include "store/backend.h"
#include "store/commit.h"
#include "store/gather.h"
#include "store/guard.h"
#include "store/heads.h"
#include "store/idmap.h"
#include "store/idpos.h"
#include "store/index.h"
#include "store/pack.h"
#include "store/record.h"
#include "store/vault.h"

#include <stdlib.h>
#include <string.h>

struct open_pack {
	enum record_class class;
	struct pack_writer *w; /* NULL: nothing in it */
	uint64_t after; /* the mount's newest snapshot when it was begun */
	struct admit_item *items;
	uint32_t n, cap;
	struct buf ids; /* refs and members of the items, in their order */
	struct idmap at; /* id -> item */
	struct idpos files; /* file id -> where it is among `ids` */
};

struct session {
	struct vault *v;
	/* Under the vault's lock: the list of its sessions. */
	struct session *next;
	uint64_t number;
	int fenced;
	uint8_t public_key[32];
	struct store_info info;
	/*
	 * Who writes packs holds `writing`, from the first byte to the index
	 * and across every wait for the disk.  What follows is changed with
	 * both locks held, so that either is enough to look at it: questions
	 * take `lock` alone and never wait for a disk.  `writing` first.
	 */
	struct pool_lock writing;
	struct pool_lock lock;
	struct open_pack data, meta;
	struct idmap waiting; /* stored, not closed */
	int failed; /* why nothing goes on: ERR_STALE after a fence, else the
	             * error that lost a pack */
	int full; /* constant: the index could not be completed for want of
	           * space, so this session reads and does nothing else */
};

/* Before it asks anything: a sweep knows of it from now on. */
static void
enlist(struct session *s)
{
	struct vault *v = s->v;

	pool_lock_enter(&v->lock);
	s->number = v->next_session++;
	s->next = v->sessions;
	v->sessions = s;
	pool_lock_leave(&v->lock);
}

static void
delist(struct session *s)
{
	struct session **at = &s->v->sessions;

	pool_lock_enter(&s->v->lock);
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	pool_lock_leave(&s->v->lock);
}

uint64_t
session_count_before(struct vault *v, uint64_t before)
{
	const struct session *s;
	uint64_t n = 0;

	pool_lock_enter(&v->lock);
	for (s = v->sessions; s != NULL; s = s->next)
		n += s->number < before && !s->fenced;
	pool_lock_leave(&v->lock);
	return n;
}

int
session_open(struct session **out, struct vault *v,
    const uint8_t mount[STORE_NAME_BYTES], const uint8_t public_key[32])
{
	struct session *s;
	struct head h;
	int ret = vault_refresh(v);

	/* A full disk must not keep anybody from a restore. */
	if (ret < 0 && ret != ERR_NOSPACE)
		return ret;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return err_nomem(sizeof(*s));
	s->v = v;
	s->full = ret == ERR_NOSPACE;
	memcpy(s->public_key, public_key, sizeof(s->public_key));
	pool_lock_init(&s->writing);
	pool_lock_init(&s->lock);
	s->data.class = RECORD_DATA;
	s->meta.class = RECORD_META;
	idmap_init(&s->data.at);
	idmap_init(&s->meta.at);
	idpos_init(&s->data.files);
	idpos_init(&s->meta.files);
	idmap_init(&s->waiting);
	enlist(s);
	memcpy(s->info.vault, v->id, STORE_NAME_BYTES);
	memcpy(s->info.mount, mount, STORE_NAME_BYTES);
	/* First: a loss after this makes the client trust less, not more. */
	vault_generation(s->info.generation, v);
	if (vault_head(&h, v, mount) == 0) {
		s->info.has_parent = 1;
		s->info.parent_client_seq = h.client_seq;
		s->info.parent_server_seq = h.server_seq;
		memcpy(s->info.parent_hash, h.hash, HASH_BYTES);
	}
	s->info.write_path = v->backend->ops->write_path(v->backend);
	*out = s;
	return 0;
}

void
session_info(struct store_info *out, const struct session *s)
{
	*out = s->info;
}

/* Forget what was in a pack that is closed or lost. */
static void
reset_pack(struct open_pack *op)
{
	pack_writer_abort(op->w);
	op->w = NULL;
	free(op->items);
	op->items = NULL;
	op->n = op->cap = 0;
	buf_release(&op->ids);
	idmap_reset(&op->at);
	idpos_release(&op->files);
}

static int
check_usable(const struct session *s)
{
	if (s->failed == ERR_STALE)
		return err_set(ERR_STALE, "the session has ended");
	/* All requests under way learn the same: who logged in again after a
	 * "stale" would only meet the full disk again. */
	if (s->failed == ERR_NOSPACE)
		return err_set(ERR_NOSPACE, "the store is full");
	if (s->failed)
		return err_set(
		    s->failed, "an earlier write of the session failed");
	return 0;
}

/*
 * The same for what writes.  And for who asks what is here, since that one
 * wants to write next: a store that takes nothing says so at once.
 */
static int
check_writable(const struct session *s)
{
	int ret = vault_check(s->v);

	if (ret == 0 && !s->failed && s->full)
		ret = err_set(ERR_NOSPACE, "the store is full");
	return ret < 0 ? ret : check_usable(s);
}

/*
 * Try what is waiting, and what the pack just admitted left open; `t` is the
 * transaction that admitted it.  What stays makes the new `*waiting`.
 */
static int
retry_waiting(struct idmap *waiting, struct session *s, struct index_txn *t,
    const struct open_pack *op)
{
	const struct idmap_slot *slot;
	struct admit_walk w;
	size_t pos = 0;
	uint32_t i;
	int ret = 0;

	admit_walk_init(&w);
	while (ret >= 0 && (slot = idmap_next(&s->waiting, &pos)) != NULL) {
		ret = admit_reach(&w, t, s->v->backend, slot->id);
		if (ret == 1)
			ret = idmap_put(waiting, slot->id, 0);
	}
	for (i = 0; i < op->n && ret >= 0; i++) {
		if (op->items[i].closed)
			continue;
		ret = admit_reach(&w, t, s->v->backend, op->items[i].id);
		if (ret == 1 && waiting->len < SESSION_WAITING_MAX)
			ret = idmap_put(waiting, op->items[i].id, 0);
	}
	admit_walk_release(&w);
	return ret < 0 ? ret : 0;
}

/* Step P5 of commit.h: the durable pack `p` enters the index. */
static int
admit(struct session *s, struct open_pack *op, struct index_pack *p)
{
	struct index_txn t = {0};
	struct idmap waiting;
	int ret = index_begin(&t, s->v->index, 1);

	if (ret < 0)
		return ret;
	idmap_init(&waiting);
	ret = admit_pack(&t, p, op->items, op->n, op->ids.data);
	if (ret == 0)
		ret = retry_waiting(&waiting, s, &t, op);
	if (ret == 0)
		ret = index_commit(&t);
	index_abort(&t);
	if (ret < 0) {
		idmap_release(&waiting);
		return ret;
	}
	pool_lock_enter(&s->lock);
	idmap_release(&s->waiting);
	s->waiting = waiting;
	pool_lock_leave(&s->lock);
	return 0;
}

/* Make one pack durable and admit it. */
static int
close_pack(struct session *s, struct open_pack *op)
{
	struct index_pack p = {.class = (uint8_t)op->class, .records = op->n};
	int ret;

	if (op->w == NULL)
		return 0;
	p.size = pack_writer_size(op->w);
	memcpy(p.origin, s->info.mount, sizeof(p.origin));
	p.after = op->after;
	ret = pack_writer_commit(p.name, op->w);
	op->w = NULL;
	if (ret == 0) {
		ret = admit(s, op, &p);
		/* The pack is there: somebody has to tell the index. */
		if (ret < 0)
			vault_suspect(s->v);
	}
	pool_lock_enter(&s->lock);
	if (ret < 0)
		s->failed = ret;
	reset_pack(op);
	pool_lock_leave(&s->lock);
	return ret;
}

/* Both packs, children first. */
static int
flush(struct session *s)
{
	int ret = close_pack(s, &s->data);

	return ret < 0 ? ret : close_pack(s, &s->meta);
}

/* Whether the session itself can answer for `id`. */
static int
has(const struct session *s, const uint8_t id[STORE_ID_BYTES])
{
	return idmap_get(NULL, &s->data.at, id) == 0 ||
	       idmap_get(NULL, &s->meta.at, id) == 0 ||
	       idmap_get(NULL, &s->waiting, id) == 0;
}

int
session_have(struct session *s, uint8_t *bitmap, const uint8_t *ids, uint32_t n)
{
	uint32_t i;
	int ret;

	if (n > LIMIT_HAVE_IDS)
		return err_set(ERR_LIMIT, "%u ids in one question", n);
	memset(bitmap, 0, (n + 7) / 8);
	/* Ids go from here to the index, never back: so ask here first. */
	pool_lock_enter(&s->lock);
	ret = check_writable(s);
	for (i = 0; i < n && ret == 0; i++) {
		if (has(s, ids + (size_t)i * STORE_ID_BYTES))
			bitmap[i / 8] |= (uint8_t)(1 << i % 8);
	}
	pool_lock_leave(&s->lock);
	return ret < 0 ? ret : vault_have(s->v, bitmap, ids, n);
}

/* Find a member in the open pack. */
static void
find_member(
    struct store_member *out, const struct session *s, const uint8_t *file_id)
{
	const struct open_pack *op = &s->data;
	uint32_t at, low = 0, high = op->n, mid;

	if (idpos_get(&at, &op->files, op->ids.data, file_id) != 0)
		return;
	/* The last item that begins at or before it. */
	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (op->items[mid].ids_at <= at)
			low = mid;
		else
			high = mid;
	}
	out->found = 1;
	out->member = at - op->items[low].ids_at;
	memcpy(out->bundle, op->items[low].id, STORE_ID_BYTES);
}

int
session_have_files(struct session *s, struct store_member *out,
    const uint8_t *file_ids, uint32_t n)
{
	uint32_t i;
	int ret;

	if (n > LIMIT_HAVE_IDS)
		return err_set(ERR_LIMIT, "%u ids in one question", n);
	memset(out, 0, n * sizeof(*out));
	pool_lock_enter(&s->lock);
	ret = check_writable(s);
	for (i = 0; i < n && ret == 0; i++)
		find_member(out + i, s, file_ids + (size_t)i * STORE_ID_BYTES);
	pool_lock_leave(&s->lock);
	return ret < 0 ? ret : vault_have_files(s->v, out, file_ids, n);
}

/* Room for one more item. */
static int
grow_items(struct open_pack *op)
{
	uint32_t cap = op->cap == 0 ? 256 : 2 * op->cap;
	struct admit_item *more;

	if (op->n < op->cap)
		return 0;
	more = realloc(op->items, cap * sizeof(*more));
	if (more == NULL)
		return err_nomem(cap * sizeof(*more));
	op->items = more;
	op->cap = cap;
	return 0;
}

/* Note a record that went to the pack. */
static int
note_record(struct open_pack *op, const struct record *r, uint32_t offset,
    unsigned flags)
{
	struct admit_item *it = op->items + op->n;
	const uint8_t *own = r->nrefs > 0 ? r->refs : r->members;
	uint32_t i;
	int ret;

	memset(it, 0, sizeof(*it));
	memcpy(it->id, r->id, RECORD_ID_BYTES);
	it->offset = offset;
	it->length = (uint32_t)r->len;
	it->epoch = r->epoch;
	it->nrefs = r->nrefs;
	it->nmembers = r->nmembers;
	it->ids_at = (uint32_t)(op->ids.len / 32);
	it->class = (uint8_t)r->class;
	it->replace = (flags & SESSION_REPLACE) ? ADMIT_REPLACE : ADMIT_STAY;
	ret = buf_append(&op->ids, own, ((size_t)r->nrefs + r->nmembers) * 32);
	for (i = 0; i < r->nmembers && ret == 0; i++)
		ret = idpos_put(&op->files, op->ids.data, it->ids_at + i);
	if (ret == 0)
		ret = idmap_put(&op->at, r->id, op->n);
	if (ret == 0)
		op->n++;
	return ret;
}

/* Begin a pack for this mount, after its newest snapshot. */
static int
open_pack(struct session *s, struct open_pack *op)
{
	struct head h = {0};
	int ret = pack_writer_open(&op->w, s->v->backend, op->class, s->v->id);

	if (ret < 0)
		return ret;
	op->after = vault_head(&h, s->v, s->info.mount) == 0 ? h.last_seq : 0;
	pack_writer_origin(op->w, s->info.mount, op->after);
	return 0;
}

/* Store one checked record. */
static int
store_record(struct session *s, const struct record *r, unsigned flags)
{
	struct open_pack *op = r->class == RECORD_DATA ? &s->data : &s->meta;
	size_t ids_len = ((size_t)r->nrefs + r->nmembers) * 32;
	uint32_t offset;
	int ret = 0;

	if (op->w != NULL &&
	    (!pack_writer_fits(op->w, r->len) || op->n >= SESSION_RECORDS_MAX ||
		op->ids.len + ids_len > SESSION_IDS_BYTES_MAX))
		ret = op == &s->meta ? flush(s) : close_pack(s, op);
	if (ret == 0 && op->w == NULL)
		ret = open_pack(s, op);
	if (ret == 0)
		ret = pack_writer_add(&offset, op->w, r);
	pool_lock_enter(&s->lock);
	if (ret == 0)
		ret = grow_items(op);
	if (ret == 0)
		ret = note_record(op, r, offset, flags);
	/* Half a record may be in the pack by now. */
	if (ret < 0) {
		s->failed = ret;
		reset_pack(op);
	}
	pool_lock_leave(&s->lock);
	return ret;
}

/* Check every record; their ids go to `ids`. */
static int
check_records(
    struct buf *ids, const struct session *s, const uint8_t *p, size_t len)
{
	struct record r;
	size_t at;
	int ret;

	for (at = 0; at < len; at += r.len) {
		ret = record_parse(&r, p + at, len - at);
		if (ret == 0)
			ret = record_check(&r);
		if (ret == 0 && r.epoch > s->v->epoch)
			ret = err_set(
			    ERR_REFUSED, "unknown key epoch %u", r.epoch);
		if (ret == 0)
			ret = buf_append(ids, r.id, RECORD_ID_BYTES);
		if (ret < 0)
			return err_prefix(ret, "put");
	}
	return 0;
}

int
session_put(
    struct session *s, const uint8_t *records, size_t len, unsigned flags)
{
	struct buf ids = BUF_INIT, have = BUF_INIT;
	struct record r;
	size_t at, i;
	int ret;

	if (len > LIMIT_PUT_BYTES)
		return err_set(ERR_LIMIT, "%zu bytes in one put", len);
	ret = guard_put(s->v->guard, len);
	if (ret < 0)
		return ret;
	/* Hashing and look-ups need no lock. */
	ret = check_records(&ids, s, records, len);
	if (ret == 0)
		ret = buf_append_zeros(&have, ids.len / 32 / 8 + 1);
	if (ret == 0 && (flags & SESSION_REPLACE) == 0)
		ret = vault_have(
		    s->v, have.data, ids.data, (uint32_t)(ids.len / 32));
	if (ret < 0)
		goto out;
	pool_lock_enter(&s->writing);
	ret = check_writable(s);
	for (at = 0, i = 0; at < len && ret == 0; at += r.len, i++) {
		ret = record_parse(&r, records + at, len - at);
		if (ret < 0 || have.data[i / 8] >> i % 8 & 1)
			continue;
		if (idmap_get(NULL, &s->data.at, r.id) == 0 ||
		    idmap_get(NULL, &s->meta.at, r.id) == 0)
			continue;
		ret = store_record(s, &r, flags);
	}
	pool_lock_leave(&s->writing);
out:
	buf_release(&ids);
	buf_release(&have);
	return ret;
}

/* Copy a record out of an open pack.  Returns 0; 1: it is in none. */
static int
read_open(struct buf *out, struct session *s, const uint8_t *id)
{
	struct open_pack *op = &s->data;
	const struct admit_item *it;
	uint64_t at;
	uint8_t *to;
	int ret;

	pool_lock_enter(&s->writing);
	if (idmap_get(&at, &op->at, id) != 0) {
		op = &s->meta;
		if (idmap_get(&at, &op->at, id) != 0) {
			ret = 1;
			goto out;
		}
	}
	it = op->items + at;
	buf_reset(out);
	ret = buf_extend(&to, out, it->length);
	if (ret == 0)
		ret = pack_writer_read(op->w, to, it->length, it->offset);
out:
	pool_lock_leave(&s->writing);
	return ret;
}

int
session_get(struct session *s, const uint8_t *ids, uint32_t n,
    store_got_fn *got, void *arg)
{
	struct buf one = BUF_INIT, rest = BUF_INIT;
	uint32_t i;
	int ret = 0;

	if (n > LIMIT_GET_IDS)
		return err_set(ERR_LIMIT, "%u ids in one get", n);
	pool_lock_enter(&s->lock);
	ret = check_usable(s);
	pool_lock_leave(&s->lock);
	for (i = 0; i < n && ret == 0; i++) {
		const uint8_t *id = ids + (size_t)i * STORE_ID_BYTES;

		ret = read_open(&one, s, id);
		if (ret == 0)
			ret = got(arg, STORE_GOT_RECORD, id, one.data, one.len);
		else if (ret == 1)
			ret = buf_append(&rest, id, STORE_ID_BYTES);
	}
	if (ret == 0)
		ret = gather_records(s->v, rest.data,
		    (uint32_t)(rest.len / STORE_ID_BYTES), got, arg);
	buf_release(&one);
	buf_release(&rest);
	return ret;
}

int
session_get_other(struct session *s, const uint8_t id[STORE_ID_BYTES],
    const uint8_t *bad, uint32_t n, store_got_fn *got, void *arg)
{
	struct buf one = BUF_INIT;
	int ret;

	if (n > LIMIT_OTHER_SUMS)
		return err_set(ERR_LIMIT, "%u bad records of one object", n);
	pool_lock_enter(&s->lock);
	ret = check_usable(s);
	pool_lock_leave(&s->lock);
	if (ret == 0)
		ret = read_open(&one, s, id);
	if (ret == 0 && !gather_among(one.data + one.len - HASH_BYTES, bad, n))
		ret = got(arg, STORE_GOT_RECORD, id, one.data, one.len);
	else if (ret >= 0)
		ret = gather_other(s->v, id, bad, n, got, arg);
	buf_release(&one);
	return ret;
}

int
session_commit(struct session *s, struct store_receipt *receipt,
    struct buf *missing, const uint8_t *snapshot, size_t len)
{
	int ret;

	pool_lock_enter(&s->writing);
	ret = check_writable(s);
	if (ret == 0)
		ret = flush(s);
	if (ret == 0)
		ret = commit_snapshot(receipt, missing, s->v, s->info.mount,
		    s->public_key, snapshot, len);
	pool_lock_leave(&s->writing);
	return ret;
}

int
session_settle(struct session *s)
{
	int ret;

	pool_lock_enter(&s->writing);
	ret = check_usable(s);
	if (ret == 0)
		ret = vault_check(s->v);
	if (ret == 0)
		ret = flush(s);
	pool_lock_leave(&s->writing);
	return ret;
}

/* gather_records() has done what is to be done. */
static int
ignore_record(void *arg, enum store_got got, const uint8_t id[STORE_ID_BYTES],
    const uint8_t *record, size_t len)
{
	(void)arg;
	(void)got;
	(void)id;
	(void)record;
	(void)len;
	return 0;
}

/*
 * Who reports may be wrong, or may want to make room for another record of
 * this id: the store looks itself, and a record that is whole stays.
 */
int
session_report(struct session *s, const uint8_t id[STORE_ID_BYTES])
{
	int ret;

	pool_lock_enter(&s->lock);
	ret = check_usable(s);
	pool_lock_leave(&s->lock);
	return ret < 0 ? ret : gather_records(s->v, id, 1, ignore_record, NULL);
}

void
session_fence(struct session *s)
{
	pool_lock_enter(&s->writing);
	if (!s->failed) {
		/* Its packs are good; an error here only wastes them. */
		(void)flush(s);
		pool_lock_enter(&s->lock);
		s->failed = ERR_STALE;
		pool_lock_leave(&s->lock);
	}
	pool_lock_leave(&s->writing);
	pool_lock_enter(&s->v->lock);
	s->fenced = 1;
	pool_lock_leave(&s->v->lock);
}

int
session_close(struct session *s)
{
	int ret;

	if (s == NULL)
		return 0;
	ret = flush(s);
	delist(s);
	reset_pack(&s->data);
	reset_pack(&s->meta);
	idmap_release(&s->waiting);
	pool_lock_release(&s->lock);
	pool_lock_release(&s->writing);
	free(s);
	return ret;
}
