/* Restoring what a hostile or broken store and a racer on this machine make
 * of a tree: nothing outside of the destination changes, nothing wrong comes
 * back under its name, everything else does. */

#include "base/err.h"
#include "base/fs.h"
#include "base/limits.h"
#include "lib/restoring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Of the test that runs. */
static struct {
	/* patch(): replace these bytes in trees */
	const char *from, *to;
	size_t patch_len;
	int patched;
	/* the racer */
	unsigned at_get;
	void (*race)(struct restoring *f);
} now;

static void
patch(void *arg, struct object *o)
{
	uint8_t *at;

	(void)arg; /* all is in `now` */
	if (o->type != OBJECT_TREE || now.from == NULL)
		return;
	at = memmem(o->payload.data, o->payload.len, now.from, now.patch_len);
	if (at == NULL)
		return;
	memcpy(at, now.to, now.patch_len);
	now.patched++;
}

static int
setup(void **state)
{
	struct restoring *f;

	memset(&now, 0, sizeof(now));
	(void)restoring_setup(state); /* asserts */
	f = *state;
	f->p.patch = patch;
	return 0;
}

static void
patched_name(struct restoring *f, const char *from, const char *to, size_t len)
{
	struct entry e;

	restoring_dir(f, "bad");
	planter_meta(&e, from, ADDRESS_SYMLINK);
	planter_symlink(&f->p, &e, "../..");
	now.from = from;
	now.to = to;
	now.patch_len = len;
	planter_leave(&f->p);
	now.from = NULL;
	assert_int_equal(1, now.patched);
	restoring_commit(f);
	restoring_damaged(f, 1);
	restored_warned(&f->r, "bad: ");
	assert_int_equal(0, rmdir(restored_path(&f->r, "bad")));
}

#define NAME_TEST(function, from, to, len) \
	static void function(void **state) \
	{ \
		patched_name(*state, from, to, len); \
	}
NAME_TEST(dot_is_no_name, "q", ".", 1)
NAME_TEST(dotdot_is_no_name, "qq", "..", 2)
NAME_TEST(slash_is_no_name, "qqq", "q/q", 3)
NAME_TEST(nul_is_no_name, "qqq", "q\0q", 3)
NAME_TEST(state_folder_is_no_name, "qqqqqq", ".shamo", 6)

static void
names_twice(void **state)
{
	struct restoring *f = *state;
	struct entry e;

	/* A symlink to the outside, then a directory of that name. */
	planter_meta(&e, "evik", ADDRESS_SYMLINK);
	planter_symlink(&f->p, &e, "../..");
	restoring_dir(f, "evil");
	restoring_file(f, "canary", 500);
	planter_leave(&f->p);
	now.from = "evik";
	now.to = "evil";
	now.patch_len = 4;
	planter_commit(&f->p, &f->root);
	assert_int_equal(1, now.patched);
	assert_int_equal(ERR_DAMAGED, restored_run(&f->r, NULL));
}

static void
address_of_a_file(void **state)
{
	struct restoring *f = *state;
	struct entry e;

	planter_meta(&e, "wrong", ADDRESS_FILE);
	hash_bytes(e.address, "other", 5);
	e.location = ENTRY_AT_INLINE;
	e.size = 5;
	e.data = (const uint8_t *)"these";
	planter_add(&f->p, &e);
	planter_meta(&e, "wrong-link", ADDRESS_SYMLINK);
	e.location = ENTRY_AT_TARGET;
	e.size = 5;
	e.data = (const uint8_t *)"these";
	planter_add(&f->p, &e);
	planter_meta(&e, "wrong-device", ADDRESS_CHARDEV);
	e.location = ENTRY_AT_DEVICE;
	planter_add(&f->p, &e);
	restoring_commit(f);
	restoring_damaged(f, 3);
	restored_warned(&f->r, "wrong: its content has another address");
	restored_lacks(&f->r, "wrong");
	restored_lacks(&f->r, "wrong-link");
	restored_lacks(&f->r, "wrong-device");
}

static void
address_of_a_directory(void **state)
{
	struct restoring *f = *state;
	struct entry e;

	restoring_dir(f, "changed");
	/* The name stands in the address, so a renamed entry is another. */
	planter_meta(&e, "name", ADDRESS_FIFO);
	planter_fifo(&f->p, &e);
	now.from = "name";
	now.to = "nami";
	now.patch_len = 4;
	planter_leave(&f->p);
	now.from = NULL;
	restoring_commit(f);
	restoring_damaged(f, 1);
	restored_warned(
	    &f->r, "changed: the directory's content has another address");
}

/* Extents that do not fit what they lead to. */
static void
lengths_of_extents(void **state)
{
	struct restoring *f = *state;
	const uint8_t *parts[1] = {f->data};
	size_t lengths[1] = {200000};
	struct entry e, bad;

	planter_meta(&e, "right", ADDRESS_FILE);
	planter_extents(&f->p, &e, parts, lengths, 1, 0);
	bad = e;
	bad.name = "longer";
	bad.name_len = 6;
	bad.size = bad.extents[0].length = 200001;
	planter_add(&f->p, &bad);
	bad.name = "shorter";
	bad.name_len = 7;
	bad.size = bad.extents[0].length = 199999;
	planter_add(&f->p, &bad);
	bad.name = "swapped";
	bad.size = bad.extents[0].length = 200000;
	bad.address[5] ^= 1;
	planter_add(&f->p, &bad);
	restoring_commit(f);
	restoring_damaged(f, 3);
	restored_lacks(&f->r, "longer");
	restored_lacks(&f->r, "shorter");
	restored_lacks(&f->r, "swapped");
	restored_has(&f->r, "right", f->data, 200000);
}

static void
members_of_bundles(void **state)
{
	struct restoring *f = *state;
	struct entry e;
	uint8_t id[32];

	restoring_bundle(f, id);
	planter_meta(&e, "none", ADDRESS_FILE);
	memcpy(e.id, id, 32);
	e.location = ENTRY_AT_BUNDLE;
	e.member = 3;
	e.size = RESTORING_MEMBER;
	planter_add(&f->p, &e);
	e.name = "size";
	e.member = 0;
	e.size = RESTORING_MEMBER + 1;
	planter_add(&f->p, &e);
	/* As a chunk, under the bundle's id. */
	e.name = "type";
	e.location = ENTRY_AT_EXTENTS;
	e.nextents = 1;
	memcpy(e.extents[0].id, id, 32);
	e.extents[0].length = e.size;
	planter_add(&f->p, &e);
	restoring_commit(f);
	restoring_damaged(f, 3);
	restored_has(&f->r, "dir/two", f->data, RESTORING_MEMBER + 1);
	restored_lacks(&f->r, "none");
	restored_lacks(&f->r, "size");
	restored_lacks(&f->r, "type");
}

static void
missing_object(void **state)
{
	struct restoring *f = *state;
	uint8_t id[32];

	restoring_bundle(f, id);
	restoring_commit(f);
	memory_store_lose(f->m, id);
	restoring_damaged(f, 3);
	restored_warned(&f->r, "dir/one: object ");
	restored_warned(&f->r, ": missing");
	restored_lacks(&f->r, "dir/one");
	restored_lacks(&f->r, "dir/three");
	assert_int_equal(0, f->m->reports);
}

static void
flipped_bytes(void **state)
{
	struct restoring *f = *state;
	uint8_t id[32];
	struct buf *b;
	size_t i;

	restoring_bundle(f, id);
	restoring_commit(f);
	b = memory_store_record(f->m, id);
	/* The checksum at its end is the store's to compare. */
	for (i = 0; i < b->len - HASH_BYTES; i += b->len / 7) {
		b->data[i] ^= 4;
		f->m->reports = 0;
		restoring_damaged(f, 3);
		restored_lacks(&f->r, "dir/one");
		assert_int_equal(1, f->m->reports);
		assert_memory_equal(id, f->m->reported, 32);
		b->data[i] ^= 4;
		restored_clear(&f->r);
	}
	b->len--;
	restoring_damaged(f, 3);
	b->len++;
	restored_clear(&f->r);
	assert_int_equal(0, restored_run(&f->r, NULL));
}

static void
exchanged_records(void **state)
{
	struct restoring *f = *state;
	uint8_t id[32];
	struct buf *a, *b, keep;
	size_t i;

	restoring_bundle(f, id);
	restoring_commit(f);
	a = memory_store_record(f->m, id);
	for (i = 0; i < memory_store_count(f->m); i++) {
		b = memory_store_record(f->m, memory_store_id(f->m, i));
		if (b == a)
			continue;
		keep = *a;
		*a = *b;
		assert_int_equal(ERR_DAMAGED, restored_run(&f->r, NULL));
		restored_lacks(&f->r, "dir/one");
		*a = keep;
		restored_clear(&f->r);
	}
}

static void
missing_tree(void **state)
{
	struct restoring *f = *state;
	struct entry e;

	planter_meta(&e, "lost", ADDRESS_DIR);
	e.location = ENTRY_AT_TREE;
	e.size = 7;
	e.mode = 0711;
	memset(e.id, 3, sizeof(e.id));
	planter_add(&f->p, &e);
	restoring_commit(f);
	restoring_damaged(f, 1);
	restored_warned(&f->r, "lost: object 0303");
	assert_int_equal(0, rmdir(restored_path(&f->r, "lost")));
}

static void
missing_map(void **state)
{
	struct restoring *f = *state;
	struct entry e;

	planter_meta(&e, "lost", ADDRESS_FILE);
	e.location = ENTRY_AT_MAP;
	e.size = 70000000;
	memset(e.id, 3, sizeof(e.id));
	planter_add(&f->p, &e);
	restoring_commit(f);
	restoring_damaged(f, 1);
	restored_lacks(&f->r, "lost");
}

/* Forty trees that stand for 2^40 files. */
static void
explosion(void **state)
{
	struct restoring *f = *state;
	struct tree_writer *w;
	struct tree_result r;
	struct entry e;
	int i;

	restoring_dir(f, "0");
	restoring_file(f, "f", 1);
	planter_leave(&f->p);
	planter_meta(&e, "boom", ADDRESS_DIR);
	e.location = ENTRY_AT_TREE;
	/* Any tree will do as the lowest: here the one of "0". */
	memcpy(e.id, memory_store_id(f->m, 0), 32);
	e.size = 1;
	for (i = 0; i < 40; i++) {
		assert_int_equal(0,
		    tree_writer_new(&w, f->m->keys.split, planter_emit, &f->p));
		e.name = "a";
		e.name_len = 1;
		assert_int_equal(0, tree_writer_add(w, &e));
		e.name = "b";
		assert_int_equal(0, tree_writer_add(w, &e));
		assert_int_equal(0, tree_writer_finish(&r, w));
		tree_writer_free(w);
		memcpy(e.id, r.id, 32);
		e.size = 2;
	}
	planter_add(&f->p, &e);
	planter_commit(&f->p, &f->root);
	assert_int_equal(ERR_DAMAGED, restored_run(&f->r, NULL));
	assert_non_null(strstr(err_text(), "more entries than it says"));
}

static void
nested_too_deeply(void **state)
{
	struct restoring *f = *state;
	unsigned i;

	for (i = 0; i <= LIMIT_DEPTH; i++)
		restoring_dir(f, "d");
	for (i = 0; i <= LIMIT_DEPTH; i++)
		planter_leave(&f->p);
	restoring_commit(f);
	restoring_damaged(f, 1);
	restored_warned(&f->r, "nested too deeply");
}

static void
links_of_two_kinds(void **state)
{
	struct restoring *f = *state;
	struct entry e;
	struct stat st;

	planter_meta(&e, "1-symlink", ADDRESS_SYMLINK);
	e.flags = ENTRY_HARDLINK;
	planter_symlink(&f->p, &e, "../../canary");
	planter_meta(&e, "2-file", ADDRESS_FILE);
	e.flags = ENTRY_HARDLINK;
	planter_file(&f->p, &e, f->data, RESTORING_MEMBER);
	restoring_commit(f);
	assert_int_equal(0, restored_run(&f->r, NULL));
	restored_warned(&f->r, "2-file: changed while it was backed up");
	restored_has(&f->r, "2-file", f->data, RESTORING_MEMBER);
	assert_int_equal(0, lstat(restored_path(&f->r, "2-file"), &st));
	assert_int_equal(1, st.st_nlink);
}

/* The first of a link group is damaged: the next one holds the content. */
static void
link_to_what_failed(void **state)
{
	struct restoring *f = *state;
	struct entry e;
	struct stat st;
	uint8_t id[32];

	restoring_bundle(f, id);
	planter_meta(&e, "1st", ADDRESS_FILE);
	e.flags = ENTRY_HARDLINK;
	hash_bytes(e.address, f->data, RESTORING_MEMBER);
	e.location = ENTRY_AT_BUNDLE;
	memcpy(e.id, id, 32);
	e.size = RESTORING_MEMBER;
	e.member = 2; /* not it */
	planter_add(&f->p, &e);
	e.name = "2nd";
	e.member = 0;
	for (int i = 0; i < 3; i++) {
		restoring_dir(f, i == 0 ? "l0" : i == 1 ? "l1" : "l2");
		planter_add(&f->p, &e);
		planter_leave(&f->p);
	}
	restoring_commit(f);
	restoring_damaged(f, 1);
	restored_warned(&f->r, "1st: a part has another length");
	restored_lacks(&f->r, "1st");
	restored_has(&f->r, "l0/2nd", f->data, RESTORING_MEMBER);
	restored_has(&f->r, "l2/2nd", f->data, RESTORING_MEMBER);
	assert_int_equal(0, lstat(restored_path(&f->r, "l1/2nd"), &st));
	assert_int_equal(3, st.st_nlink);
}

static void
store_fails(void **state)
{
	struct restoring *f = *state;
	char name[8];
	unsigned i;

	for (i = 0; i < 50; i++) {
		(void)snprintf(name, sizeof(name), "f%u", i);
		restoring_file(f, name, 1000 + i);
	}
	planter_meta(&f->root, "", ADDRESS_DIR);
	restoring_file(f, "large", 400000);
	restoring_commit(f);
	for (i = 1; i <= 3; i++) {
		f->m->gets = 0;
		f->m->fail_get = i;
		f->m->fail_code = ERR_UNREACHABLE;
		assert_int_equal(ERR_UNREACHABLE, restored_run(&f->r, NULL));
		assert_string_equal("the store fails as told", err_text());
		restored_clear(&f->r);
	}
}

static void
on_get(void *arg)
{
	struct restoring *f = arg;

	if (f->m->gets == now.at_get)
		now.race(f);
}

static void
race(struct restoring *f, unsigned at_get, void (*run)(struct restoring *))
{
	now.at_get = at_get;
	now.race = run;
	f->m->on_get = on_get;
	f->m->arg = f;
}

static void
interrupt_now(struct restoring *f)
{
	f->r.interrupt = 1;
}

static void
interrupted(void **state)
{
	struct restoring *f = *state;

	restoring_file(f, "file", 10000);
	restoring_file(f, "large", 400000);
	restoring_commit(f);
	assert_int_equal(0, restored_run(&f->r, NULL));
	restored_clear(&f->r);
	race(f, 2 * f->m->gets, interrupt_now);
	assert_int_equal(ERR_INTR, restored_run(&f->r, NULL));
	restored_lacks(&f->r, "large");
}

static void
plant_obstacles(struct restoring *f)
{
	assert_int_equal(
	    0, symlink("../../../canary", restored_path(&f->r, "dir/1-link")));
	assert_int_equal(0, mkfifo(restored_path(&f->r, "dir/2-fifo"), 0600));
	assert_int_equal(0, mkdir(restored_path(&f->r, "dir/3-dir"), 0700));
}

/* Somebody makes entries where files are about to be written. */
static void
names_taken(void **state)
{
	struct restoring *f = *state;

	restoring_dir(f, "dir");
	restoring_file(f, "1-link", RESTORING_MEMBER);
	restoring_file(f, "2-fifo", RESTORING_MEMBER);
	restoring_file(f, "3-dir", RESTORING_MEMBER);
	restoring_file(f, "4-file", RESTORING_MEMBER);
	planter_leave(&f->p);
	restoring_commit(f);
	assert_int_equal(0, restored_run(&f->r, NULL));
	restored_clear(&f->r);
	race(f, 2 * f->m->gets, plant_obstacles);
	assert_int_equal(ERR_FAIL, restored_run(&f->r, NULL));
	assert_int_equal(3, f->r.result.failed);
	restored_warned(&f->r, "dir/1-link: cannot make the file");
	restored_has(&f->r, "dir/4-file", f->data, RESTORING_MEMBER);
}

static void
swap_directories(struct restoring *f)
{
	char from[4096];

	(void)snprintf(from, sizeof(from), "%s", restored_path(&f->r, "d000"));
	assert_int_equal(0, rename(from, restored_path(&f->r, "moved0")));
	assert_int_equal(0, symlink("../..", restored_path(&f->r, "d000")));
	(void)snprintf(from, sizeof(from), "%s", restored_path(&f->r, "d001"));
	assert_int_equal(0, rename(from, restored_path(&f->r, "moved1")));
	assert_int_equal(0, mkdir(restored_path(&f->r, "d001"), 0700));
}

/* Somebody exchanges directories that are opened a second time: by then so
 * many others were open that these had to be closed. */
static void
directories_swapped(void **state)
{
	struct restoring *f = *state;
	char name[8];
	unsigned i;

	for (i = 0; i < 400; i++) {
		(void)snprintf(name, sizeof(name), "d%03u", i);
		restoring_dir(f, name);
		restoring_file(f, "canary", RESTORING_MEMBER);
		planter_leave(&f->p);
	}
	planter_commit(&f->p, &f->root);
	/* How many trees there are depends on the keys; files come last. */
	assert_int_equal(0, restored_run(&f->r, NULL));
	restored_clear(&f->r);
	race(f, 2 * f->m->gets, swap_directories);
	assert_int_equal(ERR_FAIL, restored_run(&f->r, NULL));
	restored_warned(&f->r, "d000");
	restored_warned(&f->r, "d001");
	restored_lacks(&f->r, "d001/canary");
	restored_has(&f->r, "d399/canary", f->data, RESTORING_MEMBER);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, restoring_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(dot_is_no_name),
	    TEST(dotdot_is_no_name),
	    TEST(slash_is_no_name),
	    TEST(nul_is_no_name),
	    TEST(state_folder_is_no_name),
	    TEST(names_twice),
	    TEST(address_of_a_file),
	    TEST(address_of_a_directory),
	    TEST(lengths_of_extents),
	    TEST(members_of_bundles),
	    TEST(missing_object),
	    TEST(flipped_bytes),
	    TEST(exchanged_records),
	    TEST(missing_tree),
	    TEST(missing_map),
	    TEST(explosion),
	    TEST(nested_too_deeply),
	    TEST(links_of_two_kinds),
	    TEST(link_to_what_failed),
	    TEST(store_fails),
	    TEST(interrupted),
	    TEST(names_taken),
	    TEST(directories_swapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
