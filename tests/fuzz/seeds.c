/*
 * Writes inputs that decode, for the fuzz targets to start from.
 *
 * usage: seeds FOLDER        (makes FOLDER/NAME for each target)
 */

#include "backend/mem.h"
#include "base/bytes.h"
#include "base/kv.h"
#include "engine/cache_record.h"
#include "fuzz/seeds.h"
#include "lib/object_fixture.h"
#include "lib/planted.h"
#include "lib/store_fixture.h"
#include "object/bundle.h"
#include "object/snapshot.h"
#include "proto/body.h"
#include "proto/enroll.h"
#include "proto/hello.h"
#include "proto/login.h"
#include "proto/segment.h"
#include "seal/frame.h"
#include "store/backend.h"
#include "store/index.h"
#include "store/pack.h"
#include "store/tomb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *top;

static void
check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

void
seeds_put(const char *target, const void *head, size_t head_len, const void *p,
    size_t len)
{
	static unsigned number;
	char path[4096];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", top, target); /* fits */
	check(mkdir(path, 0777) == 0 || errno == EEXIST, path);
	(void)snprintf(path, sizeof(path), "%s/%s/seed%u", top, target,
	    number++); /* fits */
	f = fopen(path, "w");
	check(f != NULL, path);
	check(fwrite(head, 1, head_len, f) == head_len, path);
	check(fwrite(p, 1, len, f) == len, path);
	check(fclose(f) == 0, path);
}

static void
put_object(const char *target, unsigned first, const struct object *o)
{
	uint8_t head[2] = {(uint8_t)first, (uint8_t)object_nrefs(o)};

	seeds_put(target, head, sizeof(head), o->payload.data, o->payload.len);
}

static int
emit_tree(void *arg, struct object *o)
{
	(void)arg;
	object_name(o, object_fixture_id_key);
	put_object("tree", o->payload.data[0], o);
	return 0;
}

static void
trees(void)
{
	static const uint8_t xattrs[] = {
	    1, 0, 6, 'u', 's', 'e', 'r', '.', 'a', 2, 0, 0, 0, 'x', 'y'};
	static const uint8_t is_xattrs[] = {255, 0};
	struct entry in[OBJECT_FIXTURE_ENTRIES];
	struct tree_writer *w;
	struct tree_result r;
	uint8_t id[32];
	unsigned i, n;

	object_fixture_entries(in);
	check(
	    tree_writer_new(&w, object_fixture_split_key, emit_tree, NULL) == 0,
	    "tree");
	for (n = 0; n <= OBJECT_FIXTURE_ENTRIES; n += 4) {
		tree_writer_reset(w);
		for (i = 0; i < n; i++)
			check(tree_writer_add(w, &in[i]) == 0, "tree");
		check(tree_writer_finish(&r, w) == 0, "tree");
	}
	tree_writer_reset(w);
	for (i = 0; i < OBJECT_FIXTURE_ENTRIES; i++) {
		object_fixture_id(id, i);
		check(tree_writer_add_leaf(
			  w, id, 9, in[i].name, in[i].name_len) == 0,
		    "tree");
	}
	check(tree_writer_finish(&r, w) == 0, "tree");
	tree_writer_free(w);
	seeds_put("tree", is_xattrs, sizeof(is_xattrs), xattrs, sizeof(xattrs));
}

static int
emit_map(void *arg, struct object *o)
{
	uint64_t *length = arg;
	uint8_t head[10];

	object_name(o, object_fixture_id_key);
	head[0] = o->payload.data[0];
	head[1] = (uint8_t)object_nrefs(o);
	bytes_put64(head + 2, *length);
	seeds_put("map", head, sizeof(head), o->payload.data, o->payload.len);
	return 0;
}

static void
maps(void)
{
	struct extent_writer *w;
	struct extent_result r;
	uint64_t length;
	unsigned i, n;

	check(extent_writer_new(&w, emit_map, &length) == 0, "map");
	for (n = 17; n < 40; n += 10) {
		extent_writer_reset(w);
		for (i = 0, length = 0; i < n; i++) {
			struct extent e = {.hole = i % 3 == 1, .length = n};

			object_fixture_id(e.id, i % 7);
			length += n;
			check(extent_writer_add(w, &e) == 0, "map");
		}
		check(extent_writer_finish(&r, w) == 0, "map");
	}
	extent_writer_free(w);
}

static void
bundles(void)
{
	static const uint8_t bytes[100] = "what the members hold";
	struct bundle b;
	struct object o;
	uint32_t i, n;
	int closed;

	bundle_init(&b);
	object_init(&o, OBJECT_BUNDLE);
	for (n = 1; n < 10; n += 4) {
		for (i = 0; i < n; i++)
			check(bundle_add(&closed, &b, bytes, bytes, 1 + i) == 0,
			    "bundle");
		check(bundle_finish(&o, &b) == 0, "bundle");
		seeds_put("bundle", "", 0, o.payload.data, o.payload.len);
	}
	object_release(&o);
	bundle_release(&b);
}

static void
snapshots(void)
{
	static const uint8_t is_client[] = {0, 0}, is_file[] = {1, 0};
	static const uint8_t zero[SNAPSHOT_SIGNATURE_BYTES];
	static const uint8_t extra[] = {1, 0, 2, 0, 'a', 'b'};
	struct entry in[OBJECT_FIXTURE_ENTRIES];
	struct snapshot_envelope e = {.client_seq = 1};
	struct snapshot_info s = {.client_seq = 1, .host = "h", .host_len = 1};
	struct object o;
	struct buf b = BUF_INIT;

	object_fixture_entries(in);
	s.dir = "/home";
	s.dir_len = 5;
	s.ntags = 2;
	s.tags[0] = s.tags[1] = "tag";
	s.tag_len[0] = s.tag_len[1] = 3;
	s.extra = extra;
	s.extra_len = sizeof(extra);
	s.root = in[5]; /* the directory */
	s.root.name_len = 0;
	object_init(&o, OBJECT_SNAPSHOT);
	check(snapshot_info_encode(&o, &s) == 0, "snapshot");
	put_object("snapshot", 2, &o);
	e.refs = o.refs.data;
	e.nrefs = object_nrefs(&o);
	e.sealed = o.payload.data;
	e.sealed_len = (uint32_t)o.payload.len;
	check(snapshot_encode(&b, &e) == 0, "snapshot");
	check(buf_append(&b, zero, sizeof(zero)) == 0, "snapshot");
	seeds_put("snapshot", is_client, sizeof(is_client), b.data, b.len);
	seeds_put("envelope", is_client, 1, b.data, b.len);
	check(snapshot_seal_file(&b, 1, 1) == 0, "snapshot");
	seeds_put(
	    "snapshot", is_file, sizeof(is_file), b.data, b.len - HASH_BYTES);
	seeds_put("envelope", is_file, 1, b.data, b.len - HASH_BYTES);
	object_release(&o);
	buf_release(&b);
}

/* Records of one class, as a stream, one by one, and as a pack. */
static void packs(enum record_class class)
{
	static const uint8_t vault[PACK_VAULT_BYTES], forms[] = {0, 1};
	struct buf all = BUF_INIT, file = BUF_INIT;
	struct pack_writer *w;
	struct backend *b;
	struct record r;
	uint8_t id[32], ids[3 * 32], name[HASH_BYTES], *to;
	char path[PACK_PATH_BYTES];
	uint32_t i, offset;
	uint64_t size;

	for (i = 0; i < 3; i++)
		fixture_id(ids + (size_t)i * 32, i);
	check(backend_mem_open(&b, 1) == 0, "pack");
	check(pack_writer_open(&w, b, class, vault) == 0, "pack");
	for (i = 0; i < 4; i++) {
		size_t at = all.len;

		fixture_id(id, 10 + i);
		if (class == RECORD_META)
			fixture_meta(&all, id, ids, i, 61);
		else
			fixture_data(&all, id, ids, i, 61);
		check(record_decode(&r, all.data + at, all.len - at) == 0,
		    "record");
		seeds_put("record", &forms[1], 1, r.bytes, r.len - HASH_BYTES);
		check(pack_writer_add(&offset, w, &r) == 0, "pack");
	}
	seeds_put("record", &forms[0], 1, all.data, all.len);
	check(pack_writer_commit(name, w) == 0, "pack");
	pack_path(path, name);
	check(b->ops->size(&size, b, path) == 0, "pack");
	check(buf_extend(&to, &file, (size_t)size) == 0, "pack");
	check(b->ops->get(b, path, to, (size_t)size, 0) == 0, "pack");
	seeds_put("pack", "", 0, file.data, file.len);
	b->ops->close(b);
	buf_release(&all);
	buf_release(&file);
}

/* The head of a message's input, and what was encoded. */
static void
put_message(
    const char *target, unsigned which, unsigned count, int r, struct buf *b)
{
	uint8_t head[2] = {(uint8_t)which, (uint8_t)count};

	check(r == 0, target);
	seeds_put(target, head, strcmp(target, "proto_body") == 0 ? 2 : 1,
	    b->data, b->len);
	buf_reset(b);
}

static void
messages(void)
{
	struct enroll_request er = {
	    .has_invitation = 1, .mode = ENROLL_JOIN, .label = "desktop"};
	struct login_answer la = {.has_parent = 1, .parent_server_seq = 3};
	struct login_request lr = {.nonce = {1}};
	struct enroll_answer ea = {.created = 1};
	struct hello h = {.insecure = 1};
	struct buf b = BUF_INIT;

	put_message("proto_json", 0, 0, hello_encode(&b, &h), &b);
	put_message("proto_json", 1, 0, enroll_request_encode(&b, &er), &b);
	put_message("proto_json", 2, 0, enroll_answer_encode(&b, &ea), &b);
	put_message("proto_json", 3, 0, login_request_encode(&b, &lr), &b);
	put_message("proto_json", 4, 0, login_answer_encode(&b, &la), &b);
	put_message("proto_json", 5, 0,
	    buf_printf(&b, "{\"error\":\"stale\",\"text\":\"x\"}"), &b);
	buf_release(&b);
}

static void
bodies(void)
{
	static const uint8_t ids[64] = {1, 2, 3};
	struct body_member members[9] = {[3] = {.found = 1, .member = 5}};
	struct body_commit c = {.missing = 1, .count = 2, .ids = ids};
	struct body_file f = {.seq = 7, .file = ids, .len = 64};
	struct body_mount m = {.label = "desktop"};
	struct buf b = BUF_INIT;

	put_message(
	    "proto_body", 0, 0, body_have_encode(&b, BODY_FILES, ids, 2), &b);
	put_message("proto_body", 1, 0, body_get_encode(&b, ids, 2), &b);
	put_message("proto_body", 2, 0, body_snapshots_encode(&b, ids, 1), &b);
	put_message(
	    "proto_body", 3, 9, body_have_answer_encode(&b, ids, 9), &b);
	put_message(
	    "proto_body", 4, 9, body_files_answer_encode(&b, members, 9), &b);
	put_message("proto_body", 5, 0,
	    body_item_encode(&b, BODY_ITEM_RECORD, ids, ids, 64), &b);
	put_message("proto_body", 6, 0, body_file_encode(&b, &f), &b);
	put_message("proto_body", 7, 0, body_mount_encode(&b, &m), &b);
	put_message("proto_body", 8, 0, body_commit_encode(&b, &c), &b);
	c.missing = 0;
	put_message("proto_body", 8, 0, body_commit_encode(&b, &c), &b);
	put_message("proto_body", 9, 0, body_other_encode(&b, ids, ids, 2), &b);
	buf_release(&b);
}

static void
rules(void)
{
	static const char *const paths[] = {"a/b c/[d].o", "src/main.c"};
	static const char *const texts[] = {
	    "# objects\n*.o\n!keep.o\n/build/\n",
	    "**/b*/**\n[[:alpha:][!x-z]?\\ \r\nsrc/**/*.[ch]\n",
	    "!src/\na/**/\\[d\\].o\n[]-]*a*a*a*b"};
	uint8_t head[2 + UINT8_MAX];
	size_t i, n, len;

	for (i = 0; i < 2; i++) {
		len = strlen(paths[i]);
		head[0] = (uint8_t)len;
		head[1] = (uint8_t)i;
		memcpy(head + 2, paths[i], len);
		for (n = 0; n < 3; n++)
			seeds_put("ignore", head, 2 + len, texts[n],
			    strlen(texts[n]));
	}
}

/* Of another session than the target's, which must take none of it. */
static void
segments(void)
{
	struct mac_session s = {.answer_key = {2}};
	struct segment_key k = {.session = &s, .number = 1, .status = 200};
	static const uint8_t steps[] = {0, 10, 255};
	struct buf b = BUF_INIT;
	unsigned i;

	for (i = 0; i < 3; i++) {
		check(segment_append(&b, &k, 0, steps, i) == 0, "segment");
		check(segment_append(&b, &k, SEGMENT_LAST, steps, 3) == 0,
		    "segment");
		seeds_put("proto_segment", &steps[i], 1, b.data, b.len);
	}
	buf_release(&b);
}

static void
tombs(void)
{
	static const uint8_t seed[SIGN_SEED_BYTES] = {1};
	struct tomb t = {.reason = TOMB_POLICY, .server_seq = 2};
	uint8_t b[TOMB_BYTES];

	tomb_encode(b, &t, seed);
	seeds_put("tomb", "", 0, b, sizeof(b) - HASH_BYTES);
	t.reason = 77;
	t.wall_ns = -1;
	tomb_encode(b, &t, seed);
	seeds_put("tomb", "", 0, b, sizeof(b) - HASH_BYTES);
}

/* Of the mount and vault zero. */
static void
stamps(void)
{
	uint8_t b[72] = "HSC1";

	bytes_put32(b + 4, 2);
	bytes_put64(b + 40, 1);
	bytes_put64(b + 48, 1000);
	bytes_put64(b + 56, 3);
	bytes_put64(b + 64, 2000);
	seeds_put("stamps", "", 0, b, sizeof(b));
	bytes_put32(b + 4, 1);
	seeds_put("stamps", "", 0, b, 56);
}

static void
frames(void)
{
	static const char text[] = "what compresses, compresses, compresses, "
				   "compresses, compresses and compresses";
	static const uint8_t forms[] = {0, 1, 2, 3, 4};
	struct buf b = BUF_INIT;
	struct frame *f;
	unsigned i;

	check(frame_new(&f, 0, 1) == 0, "frame");
	for (i = 0; i < FRAME_KINDS; i++) {
		seeds_put("frame", &forms[1 + i], 1, text, sizeof(text));
		buf_reset(&b);
		check(
		    frame_pack(&b, f, (enum frame_kind)i, (const uint8_t *)text,
			i == 0 ? 9 : sizeof(text)) == 0,
		    "frame");
		seeds_put("frame", &forms[0], 1, b.data, b.len);
	}
	seeds_put("frame", &forms[4], 1, b.data, b.len);
	frame_free(f);
	buf_release(&b);
}

/* A record of the stat cache, without its check. */
static void
put_cached(uint8_t which, int r, const struct buf *b)
{
	check(r == 0, "cache_record");
	seeds_put(
	    "cache_record", &which, 1, b->data, b->len - CACHE_CHECK_BYTES);
}

static int
emit_leaf(void *arg, struct object *o)
{
	static const uint8_t key[HASH_BYTES], stats[64 * CACHE_STAT_BYTES];
	struct cache_leaf l = {.id = key, .stats = stats, .entries = 64};
	struct buf b = BUF_INIT;

	(void)arg;
	object_name(o, object_fixture_id_key);
	l.refs = o->refs.data;
	l.nrefs = object_nrefs(o);
	l.payload = o->payload.data;
	l.payload_len = (uint32_t)o->payload.len;
	if (o->payload.data[0] == 0)
		put_cached(
		    0, cache_record_leaf_encode(&b, &l, key, key, 4), &b);
	buf_release(&b);
	return 0;
}

static void
cached(void)
{
	static const uint8_t key[HASH_BYTES];
	struct cache_dir d = {.level = 1, .entries = 3};
	struct cache_bundle bundle = {.bytes = 5, .sparse = 1};
	struct cache_head head = {.crowded = 1};
	struct entry in[OBJECT_FIXTURE_ENTRIES];
	struct buf b = BUF_INIT;
	struct tree_writer *w;
	struct tree_result r;
	unsigned i;

	put_cached(1, cache_record_dir_encode(&b, &d, key, key, 4), &b);
	put_cached(2, cache_record_bundle_encode(&b, &bundle, key, key, 4), &b);
	put_cached(3, cache_record_head_encode(&b, &head, key, key, 4), &b);
	buf_release(&b);
	object_fixture_entries(in);
	check(
	    tree_writer_new(&w, object_fixture_split_key, emit_leaf, NULL) == 0,
	    "cache_record");
	for (i = 0; i < OBJECT_FIXTURE_ENTRIES; i++)
		check(tree_writer_add(w, &in[i]) == 0, "cache_record");
	check(tree_writer_finish(&r, w) == 0, "cache_record");
	tree_writer_free(w);
}

/* A row of each table, of the length that it must have. */
static void
rows(void)
{
	static const struct {
		uint8_t table, key, value;
	} lens[] = {{INDEX_OBJ, 32, 24}, {INDEX_REFS, 4, 8}, {INDEX_NUM, 4, 32},
	    {INDEX_FILE, 32, 8}, {INDEX_PACK, 4, 48}, {INDEX_PACK, 4, 72},
	    {INDEX_PACKNAME, 32, 4}, {INDEX_OPEN_IDS, 32, 0},
	    {INDEX_HEAD, 16, 8}, {INDEX_PENDING, 4, 1}, {INDEX_OTHER, 40, 12},
	    {INDEX_META, 10, 32}};
	uint8_t all[sizeof(lens) / sizeof(lens[0]) * (3 + 40 + 72)] = {0};
	size_t n = 0, i, begin;

	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		begin = n;
		memcpy(all + n, &lens[i], 3);
		n += 3;
		if (lens[i].table == INDEX_META)
			memcpy(all + n, "generation", lens[i].key);
		n += (size_t)lens[i].key + lens[i].value;
		seeds_put("index", "", 0, all + begin, n - begin);
	}
	seeds_put("index", "", 0, all, n);
}

/* Each environment as it is, and one that another is made of; a whole file. */
static void
environments(void)
{
	static const char *const names[] = {"text"};
	static const uint8_t changes[] = {2, 0, 0, 1,
	    0xff, /* a page's number */
	    1, 10, 0, 2, 8, 0, /* its flags */
	    3, 0xf0, 0x0f, 4, 1, 2, 3, 4, /* the end of its nodes */
	    4, 0, 0, 1u << 6 | 5, /* a copy */
	    5, 0, 1, 3u << 6, /* zeros */
	    6, 0, 2, 2u << 6}; /* the end */
	static const size_t ends[] = {5, 11, 19, 23, 27, 31};
	struct buf file = BUF_INIT;
	size_t begin = 0, i;
	struct kv_txn *t;
	struct kv *kv;
	uint8_t base;
	char *path = planted_path("env");

	for (base = 1; base <= 3; base++)
		seeds_put("kvpages", &base, 1, changes, 0);
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		base = (uint8_t)(1 + i % 3);
		seeds_put(
		    "kvpages", &base, 1, changes + begin, ends[i] - begin);
		begin = ends[i];
	}
	check(kv_open(&kv, path, names, NULL, 1, KV_CREATE | KV_NOSYNC) == 0 &&
		  kv_begin(&t, kv, 1) == 0 &&
		  kv_put(t, 0, "key", 3, "value", 5) == 0 && kv_commit(t) == 0,
	    path);
	kv_close(kv);
	planted_read(&file, "env/" KV_DATA_NAME);
	base = 0;
	seeds_put("kvpages", &base, 1, file.data, file.len);
	buf_release(&file);
	free(path);
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		(void)fputs("usage: seeds FOLDER\n", stderr); /* exit says it */
		return 2;
	}
	top = argv[1];
	check(mkdir(top, 0777) == 0 || errno == EEXIST, top);
	trees();
	maps();
	bundles();
	snapshots();
	packs(RECORD_DATA);
	packs(RECORD_META);
	messages();
	bodies();
	rules();
	segments();
	frames();
	cached();
	tombs();
	stamps();
	rows();
	environments();
	seeds_text();
	return 0;
}
