/* Restoring what a hostile or broken store and a racer on this machine make
 * of a tree: nothing outside of the destination changes, nothing wrong comes
 * back under its name, everything else does. */

#include "base/err.h"
#include "base/fs.h"
#include "base/limits.h"
#include "lib/fill.h"
#include "lib/planter.h"
#include "lib/restored.h"

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

#define MEMBER 3000u

struct fixture {
	struct memory_store *m;
	struct planter p;
	struct restored r;
	struct entry root;
	uint8_t data[400000];
	/* patch(): replace these bytes in trees */
	const char *from, *to;
	size_t patch_len;
	int patched;
	/* the racer */
	unsigned at_get;
	void (*race)(struct fixture *f);
};

static void
patch(void *arg, struct object *o)
{
	struct fixture *f = arg;
	uint8_t *at;

	if (o->type != OBJECT_TREE || f->from == NULL)
		return;
	at = memmem(o->payload.data, o->payload.len, f->from, f->patch_len);
	if (at == NULL)
		return;
	memcpy(at, f->to, f->patch_len);
	f->patched++;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->m = memory_store_new();
	planter_init(&f->p, f->m);
	f->p.patch = patch;
	f->p.arg = f;
	restored_init(&f->r, f->m);
	planter_meta(&f->root, "", ADDRESS_DIR);
	fill_random(f->data, sizeof(f->data), 5);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	restored_release(&f->r);
	planter_release(&f->p);
	memory_store_free(f->m);
	free(f);
	return 0;
}

static void
file(struct fixture *f, const char *name, size_t len)
{
	struct entry e;

	planter_meta(&e, name, ADDRESS_FILE);
	planter_file(&f->p, &e, f->data, len);
}

static void
dir(struct fixture *f, const char *name)
{
	struct entry e;

	planter_meta(&e, name, ADDRESS_DIR);
	planter_enter(&f->p, &e);
}

/* A good file beside the bad thing, which must come back. */
static void
commit(struct fixture *f)
{
	dir(f, "zz-good");
	file(f, "good", 1000);
	planter_leave(&f->p);
	planter_commit(&f->p, &f->root);
}

static void
restores_damaged(struct fixture *f, unsigned damaged)
{
	assert_int_equal(ERR_DAMAGED, restored_run(&f->r, NULL));
	assert_int_equal(damaged, f->r.result.damaged);
	assert_int_equal(0, f->r.result.failed);
	restored_has(&f->r, "zz-good/good", f->data, 1000);
}

static void
patched_name(struct fixture *f, const char *from, const char *to, size_t len)
{
	struct entry e;

	dir(f, "bad");
	planter_meta(&e, from, ADDRESS_SYMLINK);
	planter_symlink(&f->p, &e, "../..");
	f->from = from;
	f->to = to;
	f->patch_len = len;
	planter_leave(&f->p);
	f->from = NULL;
	assert_int_equal(1, f->patched);
	commit(f);
	restores_damaged(f, 1);
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
	struct fixture *f = *state;
	struct entry e;

	/* A symlink to the outside, then a directory of that name. */
	planter_meta(&e, "evik", ADDRESS_SYMLINK);
	planter_symlink(&f->p, &e, "../..");
	dir(f, "evil");
	file(f, "canary", 500);
	planter_leave(&f->p);
	f->from = "evik";
	f->to = "evil";
	f->patch_len = 4;
	planter_commit(&f->p, &f->root);
	assert_int_equal(1, f->patched);
	assert_int_equal(ERR_DAMAGED, restored_run(&f->r, NULL));
}

static void
address_of_a_file(void **state)
{
	struct fixture *f = *state;
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
	commit(f);
	restores_damaged(f, 3);
	restored_warned(&f->r, "wrong: its content has another address");
	restored_lacks(&f->r, "wrong");
	restored_lacks(&f->r, "wrong-link");
	restored_lacks(&f->r, "wrong-device");
}

static void
address_of_a_directory(void **state)
{
	struct fixture *f = *state;
	struct entry e;

	dir(f, "changed");
	/* The name stands in the address, so a renamed entry is another. */
	planter_meta(&e, "name", ADDRESS_FIFO);
	planter_fifo(&f->p, &e);
	f->from = "name";
	f->to = "nami";
	f->patch_len = 4;
	planter_leave(&f->p);
	f->from = NULL;
	commit(f);
	restores_damaged(f, 1);
	restored_warned(
	    &f->r, "changed: the directory's content has another address");
}

/* Extents that do not fit what they lead to. */
static void
lengths_of_extents(void **state)
{
	struct fixture *f = *state;
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
	commit(f);
	restores_damaged(f, 3);
	restored_lacks(&f->r, "longer");
	restored_lacks(&f->r, "shorter");
	restored_lacks(&f->r, "swapped");
	restored_has(&f->r, "right", f->data, 200000);
}

/* A bundle of three, found as the only data object besides the good one. */
static void
plant_bundle(struct fixture *f, uint8_t id[32])
{
	size_t i, before = memory_store_count(f->m);

	dir(f, "dir");
	assert_int_equal(0, before);
	file(f, "one", MEMBER);
	file(f, "two", MEMBER + 1);
	file(f, "three", MEMBER + 2);
	planter_leave(&f->p);
	for (i = 0; i < memory_store_count(f->m); i++) {
		memcpy(id, memory_store_id(f->m, i), 32);
		if (memory_store_record(f->m, id)->len > MEMBER)
			return;
	}
	fail();
}

static void
members_of_bundles(void **state)
{
	struct fixture *f = *state;
	struct entry e;
	uint8_t id[32];

	plant_bundle(f, id);
	planter_meta(&e, "none", ADDRESS_FILE);
	memcpy(e.id, id, 32);
	e.location = ENTRY_AT_BUNDLE;
	e.member = 3;
	e.size = MEMBER;
	planter_add(&f->p, &e);
	e.name = "size";
	e.member = 0;
	e.size = MEMBER + 1;
	planter_add(&f->p, &e);
	/* As a chunk, under the bundle's id. */
	e.name = "type";
	e.location = ENTRY_AT_EXTENTS;
	e.nextents = 1;
	memcpy(e.extents[0].id, id, 32);
	e.extents[0].length = e.size;
	planter_add(&f->p, &e);
	commit(f);
	restores_damaged(f, 3);
	restored_has(&f->r, "dir/two", f->data, MEMBER + 1);
	restored_lacks(&f->r, "none");
	restored_lacks(&f->r, "size");
	restored_lacks(&f->r, "type");
}

static void
missing_object(void **state)
{
	struct fixture *f = *state;
	uint8_t id[32];

	plant_bundle(f, id);
	commit(f);
	memory_store_lose(f->m, id);
	restores_damaged(f, 3);
	restored_warned(&f->r, "dir/one: object ");
	restored_warned(&f->r, ": missing");
	restored_lacks(&f->r, "dir/one");
	restored_lacks(&f->r, "dir/three");
	assert_int_equal(0, f->m->reports);
}

static void
flipped_bytes(void **state)
{
	struct fixture *f = *state;
	uint8_t id[32];
	struct buf *b;
	size_t i;

	plant_bundle(f, id);
	commit(f);
	b = memory_store_record(f->m, id);
	/* The checksum at its end is the store's to compare. */
	for (i = 0; i < b->len - HASH_BYTES; i += b->len / 7) {
		b->data[i] ^= 4;
		f->m->reports = 0;
		restores_damaged(f, 3);
		restored_lacks(&f->r, "dir/one");
		assert_int_equal(1, f->m->reports);
		assert_memory_equal(id, f->m->reported, 32);
		b->data[i] ^= 4;
		restored_clear(&f->r);
	}
	b->len--;
	restores_damaged(f, 3);
	b->len++;
	restored_clear(&f->r);
	assert_int_equal(0, restored_run(&f->r, NULL));
}

static void
exchanged_records(void **state)
{
	struct fixture *f = *state;
	uint8_t id[32];
	struct buf *a, *b, keep;
	size_t i;

	plant_bundle(f, id);
	commit(f);
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
	struct fixture *f = *state;
	struct entry e;

	planter_meta(&e, "lost", ADDRESS_DIR);
	e.location = ENTRY_AT_TREE;
	e.size = 7;
	e.mode = 0711;
	memset(e.id, 3, sizeof(e.id));
	planter_add(&f->p, &e);
	commit(f);
	restores_damaged(f, 1);
	restored_warned(&f->r, "lost: object 0303");
	assert_int_equal(0, rmdir(restored_path(&f->r, "lost")));
}

static void
missing_map(void **state)
{
	struct fixture *f = *state;
	struct entry e;

	planter_meta(&e, "lost", ADDRESS_FILE);
	e.location = ENTRY_AT_MAP;
	e.size = 70000000;
	memset(e.id, 3, sizeof(e.id));
	planter_add(&f->p, &e);
	commit(f);
	restores_damaged(f, 1);
	restored_lacks(&f->r, "lost");
}

/* Forty trees that stand for 2^40 files. */
static void
explosion(void **state)
{
	struct fixture *f = *state;
	struct tree_writer *w;
	struct tree_result r;
	struct entry e;
	int i;

	dir(f, "0");
	file(f, "f", 1);
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
	struct fixture *f = *state;
	unsigned i;

	for (i = 0; i <= LIMIT_DEPTH; i++)
		dir(f, "d");
	for (i = 0; i <= LIMIT_DEPTH; i++)
		planter_leave(&f->p);
	commit(f);
	restores_damaged(f, 1);
	restored_warned(&f->r, "nested too deeply");
}

static void
links_of_two_kinds(void **state)
{
	struct fixture *f = *state;
	struct entry e;
	struct stat st;

	planter_meta(&e, "1-symlink", ADDRESS_SYMLINK);
	e.flags = ENTRY_HARDLINK;
	planter_symlink(&f->p, &e, "../../canary");
	planter_meta(&e, "2-file", ADDRESS_FILE);
	e.flags = ENTRY_HARDLINK;
	planter_file(&f->p, &e, f->data, MEMBER);
	commit(f);
	assert_int_equal(0, restored_run(&f->r, NULL));
	restored_warned(&f->r, "2-file: changed while it was backed up");
	restored_has(&f->r, "2-file", f->data, MEMBER);
	assert_int_equal(0, lstat(restored_path(&f->r, "2-file"), &st));
	assert_int_equal(1, st.st_nlink);
}

/* The first of a link group is damaged: the next one holds the content. */
static void
link_to_what_failed(void **state)
{
	struct fixture *f = *state;
	struct entry e;
	struct stat st;
	uint8_t id[32];

	plant_bundle(f, id);
	planter_meta(&e, "1st", ADDRESS_FILE);
	e.flags = ENTRY_HARDLINK;
	hash_bytes(e.address, f->data, MEMBER);
	e.location = ENTRY_AT_BUNDLE;
	memcpy(e.id, id, 32);
	e.size = MEMBER;
	e.member = 2; /* not it */
	planter_add(&f->p, &e);
	e.name = "2nd";
	e.member = 0;
	for (int i = 0; i < 3; i++) {
		dir(f, i == 0 ? "l0" : i == 1 ? "l1" : "l2");
		planter_add(&f->p, &e);
		planter_leave(&f->p);
	}
	commit(f);
	restores_damaged(f, 1);
	restored_warned(&f->r, "1st: a part has another length");
	restored_lacks(&f->r, "1st");
	restored_has(&f->r, "l0/2nd", f->data, MEMBER);
	restored_has(&f->r, "l2/2nd", f->data, MEMBER);
	assert_int_equal(0, lstat(restored_path(&f->r, "l1/2nd"), &st));
	assert_int_equal(3, st.st_nlink);
}

static void
store_fails(void **state)
{
	struct fixture *f = *state;
	char name[8];
	unsigned i;

	for (i = 0; i < 50; i++) {
		(void)snprintf(name, sizeof(name), "f%u", i);
		file(f, name, 1000 + i);
	}
	planter_meta(&f->root, "", ADDRESS_DIR);
	file(f, "large", 400000);
	commit(f);
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
	struct fixture *f = arg;

	if (f->m->gets == f->at_get)
		f->race(f);
}

static void
race(struct fixture *f, unsigned at_get, void (*run)(struct fixture *))
{
	f->at_get = at_get;
	f->race = run;
	f->m->on_get = on_get;
	f->m->arg = f;
}

static void
interrupt_now(struct fixture *f)
{
	f->r.interrupt = 1;
}

static void
interrupted(void **state)
{
	struct fixture *f = *state;

	file(f, "file", 10000);
	file(f, "large", 400000);
	commit(f);
	assert_int_equal(0, restored_run(&f->r, NULL));
	restored_clear(&f->r);
	race(f, 2 * f->m->gets, interrupt_now);
	assert_int_equal(ERR_INTR, restored_run(&f->r, NULL));
	restored_lacks(&f->r, "large");
}

static void
plant_obstacles(struct fixture *f)
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
	struct fixture *f = *state;

	dir(f, "dir");
	file(f, "1-link", MEMBER);
	file(f, "2-fifo", MEMBER);
	file(f, "3-dir", MEMBER);
	file(f, "4-file", MEMBER);
	planter_leave(&f->p);
	commit(f);
	assert_int_equal(0, restored_run(&f->r, NULL));
	restored_clear(&f->r);
	race(f, 2 * f->m->gets, plant_obstacles);
	assert_int_equal(ERR_FAIL, restored_run(&f->r, NULL));
	assert_int_equal(3, f->r.result.failed);
	restored_warned(&f->r, "dir/1-link: cannot make the file");
	restored_has(&f->r, "dir/4-file", f->data, MEMBER);
}

static void
swap_directories(struct fixture *f)
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
	struct fixture *f = *state;
	char name[8];
	unsigned i;

	for (i = 0; i < 400; i++) {
		(void)snprintf(name, sizeof(name), "d%03u", i);
		dir(f, name);
		file(f, "canary", MEMBER);
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
	restored_has(&f->r, "d399/canary", f->data, MEMBER);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
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
