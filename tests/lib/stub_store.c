#include "lib/stub_store.h"

#include "base/err.h"
#include "base/limits.h"
#include "hash/hash.h"
#include "lib/store_fixture.h"
#include "server/account.h"
#include "store/gather.h"
#include "store/record.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct stub {
	struct store base; /* first */
	struct stub_world *w;
};

void
stub_world_init(struct stub_world *w)
{
	memset(w, 0, sizeof(*w));
	pool_lock_init(&w->lock);
	memset(w->generation, 7, sizeof(w->generation));
}

void
stub_world_release(struct stub_world *w)
{
	uint32_t i;

	for (i = 0; i < w->n; i++)
		buf_release(&w->objects[i].record);
	for (i = 0; i < w->nsnapshots; i++)
		buf_release(&w->snapshots[i]);
	pool_lock_release(&w->lock);
}

static struct stub_world *
world(struct store *s)
{
	return ((struct stub *)s)->w;
}

static struct stub_object *
find(struct stub_world *w, const uint8_t *id)
{
	uint32_t i;

	for (i = 0; i < w->n; i++)
		if (memcmp(w->objects[i].id, id, STORE_ID_BYTES) == 0)
			return &w->objects[i];
	return NULL;
}

static int
stub_have(struct store *s, uint8_t *bitmap, const uint8_t *ids, uint32_t n)
{
	struct stub_world *w = world(s);
	uint32_t i;

	pool_lock_enter(&w->lock);
	for (i = 0; i < n; i++)
		if (find(w, ids + 32 * (size_t)i) != NULL)
			bitmap[i / 8] |= (uint8_t)(1u << (i % 8));
	pool_lock_leave(&w->lock);
	return 0;
}

/* A file id is "found" in a bundle of the same id, at its first byte. */
static int
stub_have_files(struct store *s, struct store_member *out,
    const uint8_t *file_ids, uint32_t n)
{
	struct stub_world *w = world(s);
	uint32_t i;

	pool_lock_enter(&w->lock);
	for (i = 0; i < n; i++) {
		const uint8_t *id = file_ids + 32 * (size_t)i;

		out[i].found = find(w, id) != NULL;
		memcpy(out[i].bundle, id, STORE_ID_BYTES);
		out[i].member = id[0];
	}
	pool_lock_leave(&w->lock);
	return 0;
}

static int
stub_put(struct store *s, const uint8_t *records, size_t len)
{
	struct stub_world *w = world(s);
	struct record rec;
	size_t at;
	int r = 0;

	if (w->delay_ms > 0) {
		struct timespec ts = {.tv_nsec = w->delay_ms * 1000000l};

		(void)nanosleep(&ts, NULL); /* about that long */
	}
	pool_lock_enter(&w->lock);
	w->puts++;
	if (w->fail != 0)
		r = err_set(w->fail, "made to fail");
	for (at = 0; at < len && r == 0; at += rec.len) {
		r = record_parse(&rec, records + at, len - at);
		if (r == 0)
			r = record_check(&rec);
	}
	while (len > 0 && r == 0) {
		struct stub_object *o;

		r = record_parse(&rec, records, len);
		if (r < 0)
			break;
		if (find(w, rec.id) == NULL && w->n < STUB_OBJECTS_MAX) {
			o = &w->objects[w->n++];
			memcpy(o->id, rec.id, STORE_ID_BYTES);
			r = buf_append(&o->record, rec.bytes, rec.len);
		}
		records += rec.len;
		len -= rec.len;
	}
	pool_lock_leave(&w->lock);
	return r;
}

static int
stub_get(struct store *s, const uint8_t *ids, uint32_t n, store_got_fn *got,
    void *arg)
{
	struct stub_world *w = world(s);
	uint32_t i;
	int r = 0;

	for (i = 0; i < n && r == 0; i++) {
		const uint8_t *id = ids + 32 * (size_t)i;
		struct stub_object *o;

		if (w->fail_get_after != 0 && (int)i >= w->fail_get_after)
			return err_set(ERR_IO, "made to fail");
		pool_lock_enter(&w->lock);
		o = find(w, id);
		pool_lock_leave(&w->lock);
		if (o == NULL)
			r = got(arg, STORE_GOT_ABSENT, id, NULL, 0);
		else if (o->damaged)
			r = got(arg, STORE_GOT_DAMAGED, id, NULL, 0);
		else
			r = got(arg, STORE_GOT_RECORD, id, o->record.data,
			    o->record.len);
	}
	return r;
}

static int
stub_commit(struct store *s, struct store_receipt *receipt, struct buf *missing,
    const uint8_t *snapshot, size_t len)
{
	struct stub_world *w = world(s);
	uint8_t id[32];

	if (w->fail != 0)
		return err_set(w->fail, "made to fail");
	if (w->missing) {
		memset(id, 1, sizeof(id));
		if (buf_append(missing, id, sizeof(id)) < 0)
			return ERR_NOMEM;
		return err_set(ERR_MISSING, "one is missing");
	}
	if (w->nsnapshots == 16)
		return err_set(ERR_NOSPACE, "full");
	receipt->server_seq = w->nsnapshots + 1;
	receipt->receive_ns = 123456789;
	return buf_append(&w->snapshots[w->nsnapshots++], snapshot, len);
}

static int
stub_snapshots(struct store *s, const uint8_t mount[STORE_NAME_BYTES],
    store_snapshot_fn *found, void *arg)
{
	struct stub_world *w = world(s);
	struct store_snapshot snapshot;
	uint32_t i;
	int r = 0;

	(void)mount; /* the stub has one history */
	memcpy(snapshot.mount, s->info.mount, sizeof(snapshot.mount));
	for (i = 0; i < w->nsnapshots && r == 0; i++) {
		snapshot.seq = i + 1;
		snapshot.file = w->snapshots[i].data;
		snapshot.len = w->snapshots[i].len;
		r = found(arg, &snapshot);
	}
	return r;
}

static int
stub_mounts(struct store *s, store_mount_fn *found, void *arg)
{
	(void)s;
	(void)found;
	(void)arg;
	return err_set(ERR_FAIL, "the server lists mounts itself");
}

static int
stub_report(struct store *s, const uint8_t id[STORE_ID_BYTES])
{
	memcpy(world(s)->reported, id, STORE_ID_BYTES);
	return 0;
}

static void
stub_close(struct store *s)
{
	struct stub_world *w = world(s);

	pool_lock_enter(&w->lock);
	w->closed++;
	pool_lock_leave(&w->lock);
	free(s);
}

/* There is one record of each object. */
static int
stub_get_other(struct store *s, const uint8_t id[STORE_ID_BYTES],
    const uint8_t *bad, uint32_t n, store_got_fn *got, void *arg)
{
	struct stub_world *w = world(s);
	struct stub_object *o;

	pool_lock_enter(&w->lock);
	o = find(w, id);
	pool_lock_leave(&w->lock);
	if (o == NULL || o->damaged ||
	    gather_among(o->record.data + o->record.len - 32, bad, n))
		return got(arg, STORE_GOT_ABSENT, id, NULL, 0);
	return got(arg, STORE_GOT_RECORD, id, o->record.data, o->record.len);
}

static const struct store_ops stub_ops = {
    .have = stub_have,
    .have_files = stub_have_files,
    .put = stub_put,
    .get = stub_get,
    .get_other = stub_get_other,
    .commit = stub_commit,
    .snapshots = stub_snapshots,
    .mounts = stub_mounts,
    .report = stub_report,
    .close = stub_close,
};

int
stub_store_open(struct store **out, void *arg, const struct account_mount *m)
{
	struct stub_world *w = arg;
	struct stub *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return err_nomem(sizeof(*st));
	st->base.ops = &stub_ops;
	st->w = w;
	memcpy(st->base.info.vault, m->vault, STORE_NAME_BYTES);
	memcpy(st->base.info.mount, m->mount, STORE_NAME_BYTES);
	memcpy(st->base.info.generation, w->generation, STORE_GENERATION_BYTES);
	st->base.info.has_parent = w->nsnapshots > 0;
	st->base.info.parent_client_seq = w->nsnapshots;
	st->base.info.parent_server_seq = w->nsnapshots;
	pool_lock_enter(&w->lock);
	w->opened++;
	pool_lock_leave(&w->lock);
	*out = &st->base;
	return 0;
}

void
stub_record(
    struct buf *out, uint8_t id[STORE_ID_BYTES], uint64_t number, size_t len)
{
	fixture_id(id, number);
	fixture_data(out, id, NULL, 0, len);
}
