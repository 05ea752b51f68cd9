/* The stat cache: records that fail their check do not count, edits replace
 * exactly what they should, and only the pinned parent is current. */

#include "base/bytes.h"
#include "base/fs.h"
#include "engine/cache.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t check_key[32] = {1, 2, 3};

struct fixture {
	char dir[64];
	struct cache_head head;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	memcpy(f->dir, "/tmp/cache.XXXXXX", 18);
	assert_non_null(mkdtemp(f->dir));
	memset(f->head.vault, 7, sizeof(f->head.vault));
	memset(f->head.generation, 8, sizeof(f->head.generation));
	memset(f->head.snapshot, 9, sizeof(f->head.snapshot));
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fs_remove_tree(f->dir), 0);
	free(f);
	return 0;
}

static struct cache *
open_cache(struct fixture *f)
{
	struct cache *c = NULL;

	assert_int_equal(cache_open(&c, f->dir, check_key, &f->head), 0);
	return c;
}

/* A leaf whose payload is its name, with one stat. */
static void
put_leaf(struct cache *c, struct cache_edit *e, const char *name)
{
	uint8_t id[32] = {0}, stats[CACHE_STAT_BYTES] = {0};
	struct cache_leaf l = {.id = id,
	    .payload = (const uint8_t *)name,
	    .payload_len = (uint32_t)strlen(name),
	    .stats = stats,
	    .entries = 1};

	id[0] = (uint8_t)name[0];
	assert_int_equal(cache_edit_leaf(c, e, &l, name, strlen(name)), 0);
}

static void
expect_leaf(struct cache *c, uint64_t ino, const char *from, const char *name)
{
	struct cache_leaf l;
	int rc = cache_leaf(&l, c, 1, ino, from, strlen(from));

	if (name == NULL) {
		assert_int_equal(rc, 1);
		return;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(l.payload_len, strlen(name));
	assert_memory_equal(l.payload, name, l.payload_len);
	assert_int_equal(l.entries, 1);
}

static void
fill(struct fixture *f, uint64_t ino, const char *const *names)
{
	struct cache *c = open_cache(f);
	struct cache_edit e;
	struct cache_dir d = {.entries = 3};

	cache_edit_begin(&e, 1, ino);
	for (; *names != NULL; names++)
		put_leaf(c, &e, *names);
	assert_int_equal(cache_edit_end(c, &e, &d), 0);
	assert_int_equal(cache_finish(c, f->head.snapshot, f->head.snapshot,
			     f->head.generation),
	    0);
	cache_close(c);
}

static const char *const abc[] = {"apple", "berry", "cherry", NULL};

static void
round_trip(void **state)
{
	struct fixture *f = *state;
	struct cache *c = open_cache(f);
	struct cache_dir d;

	assert_null(cache_root(c));
	cache_close(c);
	fill(f, 5, abc);
	fill(f, 6, abc);
	c = open_cache(f);
	assert_non_null(cache_root(c));
	assert_int_equal(cache_dir(&d, c, 1, 5), 0);
	assert_int_equal(d.entries, 3);
	assert_int_equal(cache_dir(&d, c, 1, 4), 1);
	assert_int_equal(cache_dir(&d, c, 2, 5), 1);
	expect_leaf(c, 5, "", "apple");
	expect_leaf(c, 5, "b", "berry");
	expect_leaf(c, 5, "berry", "berry");
	expect_leaf(c, 5, "berry2", "cherry");
	expect_leaf(c, 5, "d", NULL); /* not the next directory's */
	cache_close(c);
}

static void
edits(void **state)
{
	struct fixture *f = *state;
	struct cache_edit e;
	struct cache_dir d = {.entries = 2};
	struct cache *c;

	fill(f, 5, abc);
	fill(f, 6, abc);
	c = open_cache(f);
	d.tree[0] = 1;
	cache_edit_begin(&e, 1, 5);
	assert_int_equal(cache_edit_keep(c, &e, "apple", 5), 0);
	assert_false(e.changed);
	put_leaf(c, &e, "bread");
	put_leaf(c, &e, "dates");
	assert_int_equal(cache_edit_end(c, &e, &d), 0);
	/* The run itself sees what was there when it began. */
	expect_leaf(c, 5, "b", "berry");
	assert_int_equal(cache_finish(c, f->head.snapshot, f->head.snapshot,
			     f->head.generation),
	    0);
	cache_close(c);
	c = open_cache(f);
	expect_leaf(c, 5, "", "apple");
	expect_leaf(c, 5, "b", "bread");
	expect_leaf(c, 5, "bread0", "dates");
	expect_leaf(c, 5, "e", NULL);
	expect_leaf(c, 6, "b", "berry");
	assert_int_equal(cache_dir(&d, c, 1, 5), 0);
	assert_int_equal(d.entries, 2);
	cache_close(c);
}

static void
unfinished_edit_has_no_directory(void **state)
{
	struct fixture *f = *state;
	struct cache_edit e;
	struct cache_dir d;
	struct cache *c;

	fill(f, 5, abc);
	c = open_cache(f);
	cache_edit_begin(&e, 1, 5);
	put_leaf(c, &e, "banana");
	/* The batch becomes durable, the edit never ends. */
	assert_int_equal(cache_finish(c, f->head.snapshot, f->head.snapshot,
			     f->head.generation),
	    0);
	cache_close(c);
	c = open_cache(f);
	assert_int_equal(cache_dir(&d, c, 1, 5), 1);
	expect_leaf(c, 5, "", "banana");
	cache_close(c);
}

static void
empty_directory(void **state)
{
	struct fixture *f = *state;
	uint8_t id[32] = {3};
	struct cache_leaf l = {.id = id};
	struct cache_dir d = {.level = 0};
	struct cache_edit e;
	struct cache *c;

	fill(f, 5, abc);
	c = open_cache(f);
	cache_edit_begin(&e, 1, 5);
	assert_int_equal(cache_edit_leaf(c, &e, &l, "", 0), 0);
	assert_int_equal(cache_edit_end(c, &e, &d), 0);
	assert_int_equal(cache_finish(c, f->head.snapshot, f->head.snapshot,
			     f->head.generation),
	    0);
	cache_close(c);
	c = open_cache(f);
	assert_int_equal(cache_leaf(&l, c, 1, 5, "", 0), 0);
	assert_int_equal(l.entries, 0);
	assert_int_equal(l.id[0], 3);
	expect_leaf(c, 5, "a", NULL);
	cache_close(c);
}

static void
other_binding_empties(void **state)
{
	struct fixture *f = *state;
	struct cache_dir d;
	struct cache *c;

	fill(f, 5, abc);
	f->head.snapshot[0] ^= 1;
	c = open_cache(f); /* another parent: not current, but kept */
	assert_null(cache_root(c));
	assert_int_equal(cache_dir(&d, c, 1, 5), 0);
	cache_close(c);
	f->head.snapshot[0] ^= 1;
	f->head.generation[3] ^= 1;
	c = open_cache(f);
	assert_null(cache_root(c));
	cache_close(c);
	f->head.generation[3] ^= 1;
	f->head.machine[0] ^= 1; /* a copy on another machine */
	c = open_cache(f);
	assert_null(cache_root(c));
	assert_int_equal(cache_dir(&d, c, 1, 5), 1);
	cache_close(c);
}

static void
broken_environment_begins_anew(void **state)
{
	struct fixture *f = *state;
	struct cache_dir d;
	struct cache *c;
	char *path;

	fill(f, 5, abc);
	path = fs_join(f->dir, "data.mdb");
	assert_non_null(path);
	assert_int_equal(
	    fs_write_file(AT_FDCWD, path, "rubbish", 7, 0600, 0), 0);
	free(path);
	c = open_cache(f);
	assert_int_equal(cache_dir(&d, c, 1, 5), 1);
	cache_close(c);
}

/* Another value for the byte at `at` of a file of the cache. */
static void
flip_file(const struct fixture *f, const char *name, size_t at)
{
	char *path = fs_join(f->dir, name);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(fs_pread_all(fd, &byte, 1, at), 0);
	byte ^= 0x10;
	assert_int_equal(fs_pwrite_all(fd, &byte, 1, at), 0);
	close(fd);
	free(path);
}

static void
remove_file(const struct fixture *f, const char *name)
{
	char *path = fs_join(f->dir, name);

	assert_int_equal(unlink(path), 0);
	free(path);
}

/* Without a word on the last snapshot nothing is current, and nothing lost. */
static void
last_is_checked(void **state)
{
	struct fixture *f = *state;
	struct cache_dir d;
	struct cache *c;
	size_t i;

	fill(f, 5, abc);
	for (i = 0; i <= CACHE_HEAD_BYTES + CACHE_CHECK_BYTES; i += 11) {
		if (i < CACHE_HEAD_BYTES + CACHE_CHECK_BYTES)
			flip_file(f, "last", i);
		else
			remove_file(f, "last");
		c = open_cache(f);
		assert_null(cache_root(c));
		assert_int_equal(cache_dir(&d, c, 1, 5), 0);
		cache_close(c);
		fill(f, 5, abc);
		c = open_cache(f);
		assert_non_null(cache_root(c));
		cache_close(c);
	}
}

/* Pages that LMDB would stumble on are never used, however the run ended. */
static void
pages_are_checked(void **state)
{
	struct fixture *f = *state;
	char *path = fs_join(f->dir, "data.mdb");
	struct cache_dir d;
	struct cache *c;
	struct stat st;
	off_t at;

	fill(f, 5, abc);
	assert_int_equal(stat(path, &st), 0);
	free(path);
	/* Where the nodes of a page begin; two heads stand before them. */
	for (at = 2 * 4096; at < st.st_size; at += 4096)
		flip_file(f, "data.mdb", (size_t)at + 14);
	assert_int_equal(cache_look(&c, f->dir, check_key, &f->head), 1);
	c = open_cache(f);
	assert_int_equal(cache_dir(&d, c, 1, 5), 1);
	cache_close(c);
}

/* Every flipped bit of every kind of record is noticed. */
static void
flips(void **state)
{
	uint8_t id[32] = {1}, stats[2 * CACHE_STAT_BYTES] = {2};
	struct cache_leaf l = {.id = id,
			      .refs = id,
			      .nrefs = 1,
			      .payload = (const uint8_t *)"payload",
			      .payload_len = 7,
			      .stats = stats,
			      .entries = 2},
			  l2;
	struct cache_dir d = {.level = 1}, d2;
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	assert_int_equal(cache_record_leaf_encode(
			     &b, &l, check_key, (const uint8_t *)"k", 1),
	    0);
	assert_int_equal(cache_record_leaf_decode(&l2, check_key,
			     (const uint8_t *)"k", 1, b.data, b.len),
	    0);
	assert_int_equal(l2.entries, 2);
	assert_int_not_equal(cache_record_leaf_decode(&l2, check_key,
				 (const uint8_t *)"K", 1, b.data, b.len),
	    0);
	for (i = 0; i < 8 * b.len; i++) {
		b.data[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(
		    cache_record_leaf_decode(
			&l2, check_key, (const uint8_t *)"k", 1, b.data, b.len),
		    0);
		b.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (i = 0; i < b.len; i++)
		assert_int_not_equal(cache_record_leaf_decode(&l2, check_key,
					 (const uint8_t *)"k", 1, b.data, i),
		    0);
	assert_int_equal(
	    cache_record_dir_encode(&b, &d, check_key, (const uint8_t *)"k", 1),
	    0);
	for (i = 0; i < 8 * b.len; i++) {
		b.data[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(
		    cache_record_dir_decode(
			&d2, check_key, (const uint8_t *)"k", 1, b.data, b.len),
		    0);
		b.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	buf_release(&b);
}

static void
stats_differ(void **state)
{
	struct stat st = {.st_size = 5, .st_ino = 77};
	struct cache_stat a, b;
	struct buf buf = BUF_INIT;

	(void)state;
	st.st_mtim.tv_nsec = 3;
	cache_record_stat_from(&a, &st, 1, 0);
	assert_int_equal(cache_record_stat_encode(&buf, &a), 0);
	assert_int_equal(buf.len, CACHE_STAT_BYTES);
	cache_record_stat_decode(&b, buf.data);
	assert_true(cache_record_stat_same(&b, &a));
	b.ctime_ns++;
	assert_false(cache_record_stat_same(&b, &a));
	b = a;
	b.dirty = 1;
	assert_false(cache_record_stat_same(&b, &a));
	assert_true(cache_record_stat_same(&a, &b));
	b = a;
	b.kind = 3;
	assert_false(cache_record_stat_same(&b, &a));
	buf_release(&buf);
}

/* Records of directories that are gone are removed when they are most. */
static void
crowd(void **state)
{
	struct fixture *f = *state;
	struct cache_dir d = {.entries = 1};
	struct cache_edit e;
	struct cache *c = open_cache(f);
	struct cache_leaf l;
	uint64_t i;
	int run, rc;

	for (i = 0; i < 6000; i++) {
		assert_int_equal(cache_visit(c, 1, i), 0);
		cache_edit_begin(&e, 1, i);
		put_leaf(c, &e, "apple");
		put_leaf(c, &e, "berry");
		assert_int_equal(cache_edit_end(c, &e, &d), 0);
	}
	for (run = 0; run < 3; run++) {
		assert_int_equal(cache_finish(c, f->head.snapshot,
				     f->head.snapshot, f->head.generation),
		    0);
		cache_close(c);
		c = open_cache(f);
		for (i = 0; i < 6000; i++) {
			rc = run < 2 || i % 100 == 0 ? 0 : 1;
			assert_int_equal(cache_dir(&d, c, 1, i), rc);
			assert_int_equal(cache_leaf(&l, c, 1, i, "b", 1), rc);
		}
		for (i = 0; i < 6000; i += 100)
			assert_int_equal(cache_visit(c, 1, i), 0);
	}
	cache_close(c);
}

/* A look makes and empties nothing, whoever the cache belongs to. */
static void
look_only(void **state)
{
	struct fixture *f = *state;
	char *absent = fs_join(f->dir, "absent");
	struct cache_dir d;
	struct cache *c;

	assert_int_equal(cache_look(&c, absent, check_key, &f->head), 1);
	assert_int_equal(access(absent, F_OK), -1);
	fill(f, 5, abc);
	assert_int_equal(cache_look(&c, f->dir, check_key, &f->head), 0);
	assert_non_null(cache_root(c));
	assert_int_equal(cache_dir(&d, c, 1, 5), 0);
	expect_leaf(c, 5, "a", abc[0]);
	cache_close(c);
	f->head.machine[0] ^= 1;
	assert_int_equal(cache_look(&c, f->dir, check_key, &f->head), 1);
	f->head.machine[0] ^= 1;
	c = open_cache(f);
	assert_int_equal(cache_dir(&d, c, 1, 5), 0);
	cache_close(c);
	free(absent);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(round_trip, setup, teardown),
	    cmocka_unit_test_setup_teardown(edits, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		unfinished_edit_has_no_directory, setup, teardown),
	    cmocka_unit_test_setup_teardown(empty_directory, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		other_binding_empties, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		broken_environment_begins_anew, setup, teardown),
	    cmocka_unit_test_setup_teardown(last_is_checked, setup, teardown),
	    cmocka_unit_test_setup_teardown(pages_are_checked, setup, teardown),
	    cmocka_unit_test_setup_teardown(crowd, setup, teardown),
	    cmocka_unit_test_setup_teardown(look_only, setup, teardown),
	    cmocka_unit_test(flips),
	    cmocka_unit_test(stats_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
