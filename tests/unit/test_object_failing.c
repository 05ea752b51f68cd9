/*
 * Every allocation that the codecs of objects make fails once: that is said,
 * nothing leaks, and the next writing gives the same bytes as one that nothing
 * disturbed.
 */

#include "base/bytes.h"
#include "base/err.h"
#include "fault/failing.h"
#include "lib/object_fixture.h"
#include "object/bundle.h"
#include "object/extent.h"
#include "object/snapshot.h"
#include "object/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ENTRIES 2500u
#define EXTENTS 9000u

/* Writes or reads something; `sum` tells what came out of it. */
typedef int step(struct hash *sum);

/* The fixture makes others each time. */
static struct entry all[OBJECT_FIXTURE_ENTRIES];

static void
each_place(step *run, unsigned least)
{
	uint8_t want[HASH_BYTES], got[HASH_BYTES];
	struct hash h;
	int ret;

	hash_init(&h);
	ret = run(&h);
	assert_int_equal(ret, 0);
	hash_final(&h, want);
	while (failing_more()) {
		hash_init(&h);
		failing_arm();
		ret = run(&h);
		failing_disarm();
		failing_check(ret, 0);
		if (failing_blocks() != 0)
			failing_fail("%d blocks leak", failing_blocks());
		if (ret == 0) {
			hash_final(&h, got);
			assert_memory_equal(got, want, HASH_BYTES);
		}
		hash_init(&h);
		assert_int_equal(run(&h), 0);
		hash_final(&h, got);
		assert_memory_equal(got, want, HASH_BYTES);
	}
	failing_check_count(least);
}

/* What a writer emits becomes a part of the sum. */
static int
emit(void *arg, struct object *o)
{
	object_name(o, object_fixture_id_key);
	hash_update(arg, o->id, OBJECT_ID_BYTES);
	return 0;
}

static int
write_tree(struct hash *sum)
{
	struct tree_writer *w;
	struct tree_result r;
	struct entry e;
	uint8_t leaf[OBJECT_ID_BYTES];
	char name[40];
	unsigned i;
	int ret =
	    tree_writer_new(&w, object_fixture_split_key, emit, (void *)sum);

	if (ret < 0)
		return ret;
	for (i = 0; i < ENTRIES && ret == 0; i++) {
		(void)snprintf(name, sizeof(name), "a name of a file %08u",
		    i); /* it fits */
		object_fixture_plain(&e, name);
		ret = tree_writer_add(w, &e);
	}
	/* A leaf that an earlier writing made. */
	object_fixture_id(leaf, 1);
	if (ret == 0 && tree_writer_at_cut(w))
		ret = tree_writer_add_leaf(w, leaf, 100, "b", 1);
	if (ret == 0)
		ret = tree_writer_finish(&r, w);
	if (ret == 0) {
		assert_true(r.level >= 1);
		hash_update(sum, r.id, sizeof(r.id));
	}
	tree_writer_free(w);
	return ret;
}

/* One of each kind, with refs, and all of them read again. */
static int
write_and_read(struct hash *sum)
{
	struct entry e;
	struct bytes_reader reader;
	struct refs_check check;
	struct refs refs;
	struct buf payload = BUF_INIT, ids = BUF_INIT;
	unsigned i;
	int ret = 0, checking = 0;

	refs_init(&refs);
	for (i = 0; i < OBJECT_FIXTURE_ENTRIES && ret == 0; i++)
		ret = entry_encode(&payload, &refs, all + i);
	if (ret == 0)
		ret = refs_finish(&ids, &refs, &payload);
	if (ret == 0)
		ret = refs_check_init(
		    &check, ids.data, (uint32_t)(ids.len / OBJECT_ID_BYTES));
	checking = ret == 0;
	bytes_reader_init(&reader, payload.data, payload.len);
	for (i = 0; i < OBJECT_FIXTURE_ENTRIES && ret == 0; i++) {
		ret = entry_decode(&e, &reader, &check, ids.data, 0);
		if (ret == 0) {
			assert_int_equal(e.name_len, all[i].name_len);
			assert_int_equal(e.location, all[i].location);
		}
	}
	if (ret == 0)
		ret = refs_check_done(&check);
	if (checking)
		refs_check_release(&check);
	if (ret == 0) {
		hash_update(sum, payload.data, payload.len);
		hash_update(sum, ids.data, ids.len);
	}
	refs_release(&refs);
	buf_release(&payload);
	buf_release(&ids);
	return ret;
}

static void
test_tree(void **state)
{
	(void)state;
	failing_start_ways(FAILING_MEMORY);
	each_place(write_tree, 20);
	failing_start_ways(FAILING_MEMORY);
	each_place(write_and_read, 30);
}

static int
add_extents(struct extent_writer *w, unsigned n)
{
	struct extent e = {0};
	unsigned i;
	int ret = 0;

	for (i = 0; i < n && ret == 0; i++) {
		object_fixture_id(e.id, i);
		e.hole = i % 50 == 7;
		e.length = 1000 + i;
		ret = extent_writer_add(w, &e);
	}
	return ret;
}

/* A short list, a map, and again with the same writer. */
static int
write_extents(struct hash *sum)
{
	struct extent_writer *w;
	struct extent_result r;
	int ret = extent_writer_new(&w, emit, (void *)sum);

	if (ret < 0)
		return ret;
	ret = add_extents(w, 5);
	if (ret == 0)
		ret = extent_writer_finish(&r, w);
	if (ret == 0) {
		assert_int_equal(r.count, 5);
		extent_writer_reset(w);
		ret = add_extents(w, EXTENTS);
	}
	if (ret == 0)
		ret = extent_writer_finish(&r, w);
	if (ret == 0) {
		assert_int_equal(r.count, 0);
		assert_true(r.level >= 1);
		hash_update(sum, r.map, sizeof(r.map));
	}
	extent_writer_free(w);
	return ret;
}

struct kept {
	struct object o;
};

static int
keep(void *arg, struct object *o)
{
	struct kept *k = arg;
	struct object swap = k->o;

	object_name(o, object_fixture_id_key);
	memcpy(swap.id, o->id, sizeof(swap.id));
	k->o = *o;
	*o = swap;
	return 0;
}

/* The extents of a map come out as they went in. */
static int
read_map(struct hash *sum)
{
	struct extent_writer *w;
	struct extent_result r;
	struct kept k = {0};
	struct buf out = BUF_INIT;
	uint64_t length = 0;
	unsigned i, n = 40;
	int ret = extent_writer_new(&w, keep, &k);

	if (ret < 0)
		return ret;
	object_init(&k.o, OBJECT_MAP);
	ret = add_extents(w, n);
	for (i = 0; i < n; i++)
		length += 1000 + i;
	if (ret == 0)
		ret = extent_writer_finish(&r, w);
	if (ret == 0) {
		assert_int_equal(r.level, 0);
		ret = extent_map_decode(&out, 0, length, k.o.refs.data,
		    object_nrefs(&k.o), k.o.payload.data, k.o.payload.len);
	}
	if (ret == 0) {
		assert_int_equal(out.len, n * sizeof(struct extent));
		hash_update(sum, k.o.payload.data, k.o.payload.len);
	} else {
		assert_int_equal(out.len, 0);
	}
	buf_release(&out);
	object_release(&k.o);
	extent_writer_free(w);
	return ret;
}

static void
test_extents(void **state)
{
	(void)state;
	failing_start_ways(FAILING_MEMORY);
	each_place(write_extents, 15);
	failing_start_ways(FAILING_MEMORY);
	each_place(read_map, 8);
}

static int
write_bundle(struct hash *sum)
{
	static const uint8_t bytes[3000];
	struct bundle b;
	struct object o;
	const uint8_t *member;
	uint8_t id[OBJECT_ID_BYTES];
	size_t len;
	unsigned i;
	int ret = 0, closed;

	bundle_init(&b);
	object_init(&o, OBJECT_BUNDLE);
	for (i = 0; i < 20 && ret == 0; i++) {
		object_fixture_id(id, i);
		ret = bundle_add(&closed, &b, id, bytes, 100 * i + 1);
	}
	if (ret == 0)
		ret = bundle_finish(&o, &b);
	if (ret == 0)
		ret = bundle_check(20, o.payload.data, o.payload.len);
	if (ret == 0)
		ret = bundle_member(
		    &member, &len, 19, o.payload.data, o.payload.len);
	if (ret == 0) {
		assert_int_equal(len, 1901);
		object_name(&o, object_fixture_id_key);
		hash_update(sum, o.id, sizeof(o.id));
	}
	object_release(&o);
	bundle_release(&b);
	return ret;
}

static void
test_bundle(void **state)
{
	(void)state;
	failing_start_ways(FAILING_MEMORY);
	each_place(write_bundle, 6);
}

static int
write_xattrs(struct hash *sum)
{
	struct entry_xattr x = {.name = "user.a",
			       .name_len = 6,
			       .value = (const uint8_t *)"value",
			       .value_len = 5},
			   back;
	struct buf block = BUF_INIT;
	size_t pos = 0;
	int ret = entry_xattr_begin(&block);

	if (ret == 0)
		ret = entry_xattr_add(&block, &x);
	x.name = "user.b";
	if (ret == 0)
		ret = entry_xattr_add(&block, &x);
	if (ret == 0)
		ret = entry_xattr_next(&back, &pos, block.data, block.len);
	if (ret == 0) {
		assert_memory_equal(back.name, "user.a", 6);
		hash_update(sum, block.data, block.len);
	}
	buf_release(&block);
	return ret;
}

static void
test_xattrs(void **state)
{
	(void)state;
	failing_start_ways(FAILING_MEMORY);
	each_place(write_xattrs, 5);
}

/* A snapshot's payload, and the envelope around it. */
static int
write_snapshot(struct hash *sum)
{
	struct snapshot_envelope e = {.epoch = 1, .client_seq = 7}, back;
	struct snapshot_info info = {.client_seq = 7,
				 .host = "host",
				 .host_len = 4,
				 .dir = "/dir",
				 .dir_len = 4,
				 .ntags = 1,
				 .tags = {"tag"},
				 .tag_len = {3}},
			     read;
	static const uint8_t signature[SNAPSHOT_SIGNATURE_BYTES];
	struct object o;
	struct buf file = BUF_INIT;
	unsigned i;
	int ret;

	for (i = 0; i < OBJECT_FIXTURE_ENTRIES; i++) {
		if (all[i].kind == ADDRESS_DIR)
			info.root = all[i];
	}
	assert_int_equal(info.root.kind, ADDRESS_DIR);
	info.root.name = "";
	info.root.name_len = 0;
	object_init(&o, OBJECT_SNAPSHOT);
	ret = snapshot_info_encode(&o, &info);
	if (ret == 0)
		ret = snapshot_info_decode(&read, o.refs.data, object_nrefs(&o),
		    o.payload.data, o.payload.len);
	if (ret == 0) {
		object_name(&o, object_fixture_id_key);
		memcpy(e.id, o.id, sizeof(e.id));
		e.refs = o.refs.data;
		e.nrefs = object_nrefs(&o);
		e.sealed = o.payload.data;
		e.sealed_len = (uint32_t)o.payload.len;
		ret = snapshot_encode(&file, &e);
	}
	if (ret == 0)
		ret = buf_append(&file, signature, sizeof(signature));
	if (ret == 0)
		ret = snapshot_decode_client(&back, file.data, file.len);
	if (ret == 0)
		ret = snapshot_seal_file(&file, 5, 6);
	if (ret == 0)
		ret = snapshot_decode_file(&back, file.data, file.len);
	if (ret == 0) {
		assert_int_equal(back.server_seq, 6);
		hash_update(sum, file.data, file.len);
	}
	buf_release(&file);
	object_release(&o);
	return ret;
}

static void
test_snapshot(void **state)
{
	(void)state;
	failing_start_ways(FAILING_MEMORY);
	each_place(write_snapshot, 15);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tree),
	    cmocka_unit_test(test_extents),
	    cmocka_unit_test(test_bundle),
	    cmocka_unit_test(test_xattrs),
	    cmocka_unit_test(test_snapshot),
	};

	object_fixture_entries(all);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
