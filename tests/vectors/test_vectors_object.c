/*
 * The examples of docs/format.md 2.2, 6.2, 6.3, 7 and 8: ids, bundle, chunk
 * map, tree, snapshot.
 */

#include "hash/address.h"
#include "lib/vectors.h"
#include "object/bundle.h"
#include "object/snapshot.h"
#include "object/tree.h"
#include "seal/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HELLO "hello\n"
#define HELLO_BYTES 6
#define MIDNIGHT_S 1767225600 /* 2026-01-01 00:00:00 UTC */
#define NS_PER_S 1000000000

static struct vectors *vectors;
static struct keys keys;

/* The examples' master key is the bytes 00, 01, ... 1f; the epoch is 0. */
static int
start(void **state)
{
	uint8_t master[KEYS_BYTES];
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(master); i++)
		master[i] = (uint8_t)i;
	keys_derive(&keys, master, 0);
	vectors = vectors_open("docs/format.md");
	return sign_start();
}

static int
stop(void **state)
{
	(void)state;
	vectors_close(vectors);
	return 0;
}

static void
check_buf(const char *name, const struct buf *b)
{
	vectors_check(vectors, name, b->data, b->len);
}

static void
add(struct buf *b, const void *p, size_t len)
{
	assert_int_equal(buf_append(b, p, len), 0);
}

static void
hello_chunk(uint8_t id[OBJECT_ID_BYTES])
{
	object_id(id, keys.id, OBJECT_CHUNK, NULL, 0, (const uint8_t *)HELLO,
	    HELLO_BYTES);
}

static void
file_id(uint8_t id[OBJECT_ID_BYTES], const char *content)
{
	uint8_t address[HASH_BYTES];

	hash_bytes(address, content, strlen(content));
	object_file_id(id, keys.file, address);
}

/* The leaf of a directory without entries. */
static void
empty_tree(uint8_t id[OBJECT_ID_BYTES])
{
	static const uint8_t payload[8];

	object_id(id, keys.id, OBJECT_TREE, NULL, 0, payload, sizeof(payload));
}

static void
test_ids(void **state)
{
	struct buf b = BUF_INIT;
	uint8_t id[OBJECT_ID_BYTES];

	(void)state;
	hello_chunk(id);
	add(&b, id, sizeof(id));
	empty_tree(id);
	add(&b, id, sizeof(id));
	file_id(id, HELLO);
	add(&b, id, sizeof(id));
	check_buf("object id", &b);
	buf_release(&b);
}

static void
test_bundle(void **state)
{
	struct bundle b;
	struct object o;
	struct buf all = BUF_INIT;
	uint8_t id[OBJECT_ID_BYTES];
	int closed;

	(void)state;
	bundle_init(&b);
	object_init(&o, OBJECT_BUNDLE);
	file_id(id, HELLO);
	assert_int_equal(
	    bundle_add(&closed, &b, id, (const uint8_t *)HELLO, HELLO_BYTES),
	    0);
	file_id(id, "hi\n");
	assert_int_equal(
	    bundle_add(&closed, &b, id, (const uint8_t *)"hi\n", 3), 0);
	assert_int_equal(bundle_finish(&o, &b), 0);
	object_name(&o, keys.id);
	add(&all, o.members.data, o.members.len);
	add(&all, o.payload.data, o.payload.len);
	add(&all, o.id, sizeof(o.id));
	check_buf("bundle", &all);
	buf_release(&all);
	object_release(&o);
	bundle_release(&b);
}

/* Appends refs, payload and id of what is emitted to the buf `arg`. */
static int
emit(void *arg, struct object *o)
{
	object_name(o, keys.id);
	add(arg, o->refs.data, o->refs.len);
	add(arg, o->payload.data, o->payload.len);
	add(arg, o->id, sizeof(o->id));
	return 0;
}

/* 17 extents are the fewest that need a map. */
static void
test_map(void **state)
{
	struct buf b = BUF_INIT;
	struct extent_writer *w;
	struct extent_result r;
	unsigned i;

	(void)state;
	assert_int_equal(extent_writer_new(&w, emit, &b), 0);
	for (i = 0; i < 17; i++) {
		struct extent e = {.hole = i % 2 == 1};

		e.length = e.hole ? 4096 : HELLO_BYTES;
		if (!e.hole)
			hello_chunk(e.id);
		assert_int_equal(extent_writer_add(w, &e), 0);
	}
	assert_int_equal(extent_writer_finish(&r, w), 0);
	assert_int_equal(r.count, 0);
	assert_int_equal(r.level, 0);
	check_buf("chunk map", &b);
	extent_writer_free(w);
	buf_release(&b);
}

/* What the example's entries have in common. */
static void
owned(struct entry *e, const char *name, enum address_kind kind,
    enum entry_location location, uint16_t mode)
{
	memset(e, 0, sizeof(*e));
	e->kind = kind;
	e->location = location;
	e->name = name;
	e->name_len = strlen(name);
	e->mode = mode;
	e->uid = e->gid = 1000;
	e->mtime_s = MIDNIGHT_S;
	e->mtime_ns = 123456789;
	e->user = "alice";
	e->user_len = 5;
	e->group = "users";
	e->group_len = 5;
}

/* The directory of section 4: a.txt, b and c. */
static void
write_tree(struct buf *out, struct tree_result *r, uint8_t dir[HASH_BYTES])
{
	struct tree_writer *w;
	struct entry e;
	struct hash h, empty;

	assert_int_equal(tree_writer_new(&w, keys.split, emit, out), 0);
	address_dir_init(&h);

	owned(&e, "a.txt", ADDRESS_FILE, ENTRY_AT_INLINE, 0644);
	e.size = HELLO_BYTES;
	e.data = (const uint8_t *)HELLO;
	hash_bytes(e.address, HELLO, HELLO_BYTES);
	address_dir_add(&h, e.kind, e.name, e.name_len, e.address);
	assert_int_equal(tree_writer_add(w, &e), 0);

	owned(&e, "b", ADDRESS_SYMLINK, ENTRY_AT_TARGET, 0777);
	e.size = 5;
	e.data = (const uint8_t *)"a.txt";
	address_symlink(e.address, "a.txt", 5);
	address_dir_add(&h, e.kind, e.name, e.name_len, e.address);
	assert_int_equal(tree_writer_add(w, &e), 0);

	owned(&e, "c", ADDRESS_DIR, ENTRY_AT_TREE, 0755);
	empty_tree(e.id);
	address_dir_init(&empty);
	address_dir_final(&empty, e.address);
	address_dir_add(&h, e.kind, e.name, e.name_len, e.address);
	assert_int_equal(tree_writer_add(w, &e), 0);

	assert_int_equal(tree_writer_finish(r, w), 0);
	address_dir_final(&h, dir);
	tree_writer_free(w);
}

static void
test_tree(void **state)
{
	struct buf b = BUF_INIT;
	struct tree_result r;
	uint8_t dir[HASH_BYTES];

	(void)state;
	write_tree(&b, &r, dir);
	assert_int_equal(r.level, 0);
	assert_int_equal(r.entries, 3);
	check_buf("tree", &b);
	buf_release(&b);
}

static void
test_extra(void **state)
{
	static const uint8_t items[] = {1, 0xff, 3, 0, 'a', 'b', 'c'};
	struct buf b = BUF_INIT;
	struct refs refs;
	struct entry e;

	(void)state;
	owned(&e, "p", ADDRESS_FIFO, ENTRY_AT_NONE, 0644);
	e.flags = ENTRY_EXTRA;
	e.extra = items;
	e.extra_len = sizeof(items);
	hash_bytes(e.address, "", 0);
	refs_init(&refs);
	assert_int_equal(entry_encode(&b, &refs, &e), 0);
	check_buf("entry with an extra item", &b);
	refs_release(&refs);
	buf_release(&b);
}

/* The payload of the first snapshot of that directory. */
static void
make_payload(struct object *o, struct snapshot_info *s)
{
	struct buf b = BUF_INIT;
	struct tree_result r;
	unsigned i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < sizeof(s->mount); i++)
		s->mount[i] = (uint8_t)(0xa0 + i);
	s->client_seq = 1;
	s->start_ns = (int64_t)MIDNIGHT_S * NS_PER_S;
	s->end_ns = s->start_ns + NS_PER_S;
	s->files = 2;
	s->dirs = 2;
	s->bytes = HELLO_BYTES;
	s->host = "desktop";
	s->host_len = 7;
	s->dir = "/home/alice/work";
	s->dir_len = 16;
	s->ntags = 1;
	s->tags[0] = "daily";
	s->tag_len[0] = 5;
	owned(&s->root, "", ADDRESS_DIR, ENTRY_AT_TREE, 0755);
	write_tree(&b, &r, s->root.address);
	memcpy(s->root.id, r.id, sizeof(r.id));
	s->root.size = r.entries;
	s->root.level = r.level;
	assert_int_equal(snapshot_info_encode(o, s), 0);
	object_name(o, keys.id);
	buf_release(&b);
}

/*
 * The sealed payload: the document's when it opens to the right bytes, for
 * another version of zstd may make others; else a fresh one.
 */
static void
seal_payload(struct buf *out, const struct object *o)
{
	static const struct seal_options options = {.level = 3, .pad = 1};
	struct seal_bind bind = {.type = OBJECT_SNAPSHOT};
	struct snapshot_envelope e;
	struct buf plain = BUF_INIT;
	struct seal *seal;
	const uint8_t *p;
	size_t len;

	bind.id = o->id;
	bind.refs = o->refs.data;
	bind.nrefs = object_nrefs(o);
	assert_int_equal(seal_new(&seal, &keys, &options), 0);
	p = vectors_get(&len, vectors, "snapshot");
	if (snapshot_decode_file(&e, p, len) == 0 &&
	    seal_unwrap(&plain, seal, &bind, e.sealed, e.sealed_len) == 0) {
		assert_int_equal(plain.len, o->payload.len);
		assert_memory_equal(plain.data, o->payload.data, plain.len);
		add(out, e.sealed, e.sealed_len);
	} else {
		assert_int_equal(seal_wrap(out, seal, &bind, o->payload.data,
				     o->payload.len),
		    0);
	}
	buf_release(&plain);
	seal_free(seal);
}

static void
test_snapshot(void **state)
{
	struct snapshot_envelope e;
	struct snapshot_info s;
	struct object o;
	struct buf file = BUF_INIT, sealed = BUF_INIT;
	uint8_t seed[SIGN_SEED_BYTES], hash[HASH_BYTES], sig[SIGN_BYTES];
	unsigned i;

	(void)state;
	object_init(&o, OBJECT_SNAPSHOT);
	make_payload(&o, &s);
	check_buf("snapshot payload", &o.payload);
	seal_payload(&sealed, &o);
	memset(&e, 0, sizeof(e));
	memcpy(e.vault, keys.vault, sizeof(e.vault));
	memcpy(e.mount, s.mount, sizeof(e.mount));
	e.client_seq = s.client_seq;
	e.files = s.files;
	e.bytes = s.bytes;
	memcpy(e.id, o.id, sizeof(e.id));
	e.refs = o.refs.data;
	e.nrefs = object_nrefs(&o);
	e.sealed = sealed.data;
	e.sealed_len = (uint32_t)sealed.len;
	assert_int_equal(snapshot_encode(&file, &e), 0);
	for (i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)(0x20 + i);
	sign_make(sig, seed, SNAPSHOT_CONTEXT, file.data, file.len);
	add(&file, sig, sizeof(sig));
	assert_int_equal(snapshot_seal_file(&file, s.end_ns + NS_PER_S, 1), 0);
	check_buf("snapshot", &file);
	assert_int_equal(snapshot_hash(hash, file.data, file.len), 0);
	vectors_check(vectors, "snapshot hash", hash, sizeof(hash));
	object_release(&o);
	buf_release(&file);
	buf_release(&sealed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ids),
	    cmocka_unit_test(test_bundle),
	    cmocka_unit_test(test_map),
	    cmocka_unit_test(test_tree),
	    cmocka_unit_test(test_extra),
	    cmocka_unit_test(test_snapshot),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
