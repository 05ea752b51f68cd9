#include "lib/memory_store.h"

#include "base/err.h"
#include "base/random.h"
#include "seal/seal.h"
#include "store/gather.h"
#include "store/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct memory_record {
	uint8_t id[32];
	struct buf bytes;
};

static size_t
count(const struct buf *b, size_t size)
{
	return b->len / size;
}

static struct memory_record *
records(const struct memory_store *m)
{
	return (struct memory_record *)(void *)m->records.data;
}

size_t
memory_store_count(const struct memory_store *m)
{
	return count(&m->records, sizeof(struct memory_record));
}

const uint8_t *
memory_store_id(const struct memory_store *m, size_t i)
{
	return records(m)[i].id;
}

/* Position of the first record not below `id`: the array is sorted. */
static size_t
position(const struct memory_store *m, const uint8_t *id)
{
	size_t low = 0, high = memory_store_count(m), mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (memcmp(records(m)[mid].id, id, 32) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct buf *
memory_store_record(struct memory_store *m, const uint8_t id[32])
{
	size_t i = position(m, id);

	if (i == memory_store_count(m) || memcmp(records(m)[i].id, id, 32) != 0)
		return NULL;
	return &records(m)[i].bytes;
}

void
memory_store_lose(struct memory_store *m, const uint8_t id[32])
{
	struct memory_record *r = records(m);
	size_t i = position(m, id), n = memory_store_count(m);

	assert_true(i < n);
	buf_release(&r[i].bytes);
	memmove(&r[i], &r[i + 1], (n - i - 1) * sizeof(*r));
	m->records.len -= sizeof(*r);
}

/* Seal `o` as `o->id`, and make a record of it at the end of `out`. */
static void
seal_record(struct buf *out, struct memory_store *m, const struct object *o)
{
	static const uint8_t no_key[16];
	struct buf sealed = BUF_INIT;
	struct seal_bind bind;
	struct record record;
	struct seal *seal;

	memset(&bind, 0, sizeof(bind));
	bind.epoch = m->keys.epoch;
	bind.type = (uint8_t)o->type;
	bind.id = o->id;
	bind.refs = o->refs.data;
	bind.nrefs = object_nrefs(o);
	bind.members = o->members.data;
	bind.nmembers = object_nmembers(o);
	assert_int_equal(0, seal_new(&seal, &m->keys, &seal_default));
	assert_int_equal(0,
	    seal_wrap(&sealed, seal, &bind, o->payload.data, o->payload.len));
	seal_free(seal);

	memset(&record, 0, sizeof(record));
	record.class = (enum record_class)object_class(o->type);
	record.epoch = m->keys.epoch;
	record.nrefs = bind.nrefs;
	record.nmembers = bind.nmembers;
	record.sealed_len = (uint32_t)sealed.len;
	record.key_id = no_key;
	record.id = o->id;
	record.refs = bind.refs;
	record.members = bind.members;
	record.sealed = sealed.data;
	assert_int_equal(0, record_encode(out, &record));
	buf_release(&sealed);
}

void
memory_store_put(struct memory_store *m, struct object *o)
{
	struct memory_record r;
	uint8_t *grown;
	size_t i;

	object_name(o, m->keys.id);
	if (memory_store_record(m, o->id) != NULL)
		return;
	memcpy(r.id, o->id, 32);
	buf_init(&r.bytes);
	seal_record(&r.bytes, m, o);

	i = position(m, o->id);
	assert_int_equal(0, buf_extend(&grown, &m->records, sizeof(r)));
	memmove(records(m) + i + 1, records(m) + i,
	    (memory_store_count(m) - 1 - i) * sizeof(r));
	records(m)[i] = r;
}

void
memory_store_forge(
    struct memory_store *m, struct object *o, const uint8_t id[32])
{
	struct buf *b = memory_store_record(m, id);

	assert_non_null(b);
	memcpy(o->id, id, 32);
	buf_reset(b);
	seal_record(b, m, o);
}

static struct memory_store *
self(struct store *s)
{
	return (struct memory_store *)(void *)s;
}

static int
get(struct store *s, const uint8_t *ids, uint32_t n, store_got_fn *got,
    void *arg)
{
	struct memory_store *m = self(s);
	const struct buf *b;
	const uint8_t *id;
	uint32_t i, step = 7919;
	unsigned number = ++m->gets;
	int rc;

	if (m->on_get != NULL)
		m->on_get(m->arg);
	if (number == m->fail_get)
		return err_set(m->fail_code, "the store fails as told");
	while (n % step == 0 && n > 0 && step > 1)
		step = 1;
	for (i = 0; i < n; i++) {
		/* 7919 is a prime: each position comes once. */
		id = ids + (size_t)((uint64_t)i * step % n) * 32;
		b = memory_store_record(m, id);
		rc = b != NULL ? got(arg, STORE_GOT_RECORD, id, b->data, b->len)
			       : got(arg, STORE_GOT_ABSENT, id, NULL, 0);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* What a get_sealed() hands on. */
struct way {
	const struct memory_store *m;
	store_got_fn *got;
	void *arg;
};

static int
on_its_way(void *arg, enum store_got got, const uint8_t id[STORE_ID_BYTES],
    const uint8_t *record, size_t len)
{
	const struct way *w = arg;
	struct buf b = BUF_INIT;
	int rc;

	if (got != STORE_GOT_RECORD || w->m->flip == 0)
		return w->got(w->arg, got, id, record, len);
	assert_int_equal(0, buf_append(&b, record, len));
	b.data[len - 1 - w->m->flip % len] ^= 1;
	rc = w->got(w->arg, got, id, b.data, len);
	buf_release(&b);
	return rc;
}

static int
get_sealed(struct store *s, const uint8_t *ids, uint32_t n, store_got_fn *got,
    void *arg)
{
	struct way w = {self(s), got, arg};

	return get(s, ids, n, on_its_way, &w);
}

/* The further record that a test may have put beside the first. */
static int
get_other(struct store *s, const uint8_t id[STORE_ID_BYTES], const uint8_t *bad,
    uint32_t n, store_got_fn *got, void *arg)
{
	struct memory_store *m = self(s);
	const struct buf *b = &m->other;

	m->others++;
	if (b->len == 0 || memcmp(m->other_id, id, 32) != 0 ||
	    gather_among(b->data + b->len - 32, bad, n))
		return got(arg, STORE_GOT_ABSENT, id, NULL, 0);
	return got(arg, STORE_GOT_RECORD, id, b->data, b->len);
}

static int
snapshots(struct store *s, const uint8_t mount[STORE_NAME_BYTES],
    store_snapshot_fn *found, void *arg)
{
	struct memory_store *m = self(s);
	size_t i, n = count(&m->snapshots, sizeof(struct buf));
	struct store_snapshot snapshot;
	struct snapshot_envelope e;
	struct buf *b;
	int rc;

	(void)mount; /* there is only one */
	for (i = 0; i < n; i++) {
		b = memory_store_snapshot(m, i);
		memcpy(snapshot.mount, s->info.mount, sizeof(snapshot.mount));
		snapshot.seq = i + 1;
		/* Tests move files about. */
		if (snapshot_decode_file(&e, b->data, b->len) == 0) {
			memcpy(snapshot.mount, e.mount, sizeof(e.mount));
			snapshot.seq = e.server_seq;
		}
		snapshot.file = b->data;
		snapshot.len = b->len;
		rc = found(arg, &snapshot);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
mounts(struct store *s, store_mount_fn *found, void *arg)
{
	struct memory_store *m = self(s);

	return found(arg, m->store.info.mount, m->mount_public, "desk");
}

static int
report(struct store *s, const uint8_t id[STORE_ID_BYTES])
{
	struct memory_store *m = self(s);

	m->reports++;
	memcpy(m->reported, id, 32);
	return 0;
}

struct memory_store *
memory_store_new(void)
{
	static const struct store_ops ops = {.get = get,
	    .get_sealed = get_sealed,
	    .get_other = get_other,
	    .snapshots = snapshots,
	    .mounts = mounts,
	    .report = report};
	struct memory_store *m = calloc(1, sizeof(*m));
	uint8_t master[KEYS_BYTES];

	assert_non_null(m);
	assert_int_equal(0, sign_start());
	keys_make_master(master);
	keys_derive(&m->keys, master, 1);
	m->store.ops = &ops;
	memcpy(m->store.info.vault, m->keys.vault, STORE_NAME_BYTES);
	random_bytes(m->store.info.mount, STORE_NAME_BYTES);
	sign_seed(m->mount_seed);
	sign_public(m->mount_public, m->mount_seed);
	return m;
}

void
memory_store_free(struct memory_store *m)
{
	size_t i;

	for (i = 0; i < memory_store_count(m); i++)
		buf_release(&records(m)[i].bytes);
	for (i = 0; i < count(&m->snapshots, sizeof(struct buf)); i++)
		buf_release(memory_store_snapshot(m, i));
	buf_release(&m->records);
	buf_release(&m->snapshots);
	buf_release(&m->other);
	keys_wipe(&m->keys);
	free(m);
}

struct buf *
memory_store_snapshot(struct memory_store *m, size_t i)
{
	return (struct buf *)(void *)m->snapshots.data + i;
}

void
memory_store_commit(struct memory_store *m, struct snapshot_info *info)
{
	size_t n = count(&m->snapshots, sizeof(struct buf));
	struct snapshot_envelope e;
	struct buf sealed = BUF_INIT, file = BUF_INIT;
	uint8_t signature[SIGN_BYTES];
	struct seal_bind bind;
	struct seal *seal;
	struct object o;

	memcpy(info->mount, m->store.info.mount, STORE_NAME_BYTES);
	info->client_seq = n + 1 - m->passed_over;
	memcpy(info->previous, m->last_hash, HASH_BYTES);
	object_init(&o, OBJECT_SNAPSHOT);
	assert_int_equal(0, snapshot_info_encode(&o, info));
	object_name(&o, m->keys.id);
	memset(&bind, 0, sizeof(bind));
	bind.epoch = m->keys.epoch;
	bind.type = OBJECT_SNAPSHOT;
	bind.id = o.id;
	bind.refs = o.refs.data;
	bind.nrefs = object_nrefs(&o);
	assert_int_equal(0, seal_new(&seal, &m->keys, &seal_default));
	assert_int_equal(
	    0, seal_wrap(&sealed, seal, &bind, o.payload.data, o.payload.len));
	seal_free(seal);

	memset(&e, 0, sizeof(e));
	e.epoch = m->keys.epoch;
	memcpy(e.vault, m->keys.vault, sizeof(e.vault));
	memcpy(e.mount, info->mount, sizeof(e.mount));
	e.client_seq = info->client_seq;
	memcpy(e.previous, info->previous, HASH_BYTES);
	e.files = info->files;
	e.bytes = info->bytes;
	memcpy(e.id, o.id, sizeof(e.id));
	e.refs = o.refs.data;
	e.nrefs = bind.nrefs;
	e.sealed = sealed.data;
	e.sealed_len = (uint32_t)sealed.len;
	assert_int_equal(0, snapshot_encode(&file, &e));
	sign_make(
	    signature, m->mount_seed, SNAPSHOT_CONTEXT, file.data, file.len);
	assert_int_equal(0, buf_append(&file, signature, sizeof(signature)));
	assert_int_equal(
	    0, snapshot_seal_file(&file, 1000000000 * (int64_t)(n + 1), n + 1));
	assert_int_equal(0, snapshot_hash(m->last_hash, file.data, file.len));
	assert_int_equal(0, buf_append(&m->snapshots, &file, sizeof(file)));
	buf_release(&sealed);
	object_release(&o);
}
