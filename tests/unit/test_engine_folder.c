/* A backup with the stat cache stores what one without it stores, and reads
 * and asks no more than it must. */

#include "base/err.h"
#include "base/fs.h"
#include "engine/backup.h"
#include "lib/engine_vault.h"
#include "lib/source_tree.h"
#include "lib/tempdir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct engine_vault v;
	char *dir; /* the source */
	char *state;
	char *cache;
	struct notes_counts counts;
	unsigned warnings;
	uint64_t random;
	uint8_t root[HASH_BYTES];
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	engine_vault_open(&f->v);
	f->dir = tempdir_new();
	f->state = tempdir_new();
	f->cache = fs_join(f->state, "cache");
	f->random = 1;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	engine_vault_close(&f->v);
	tempdir_free(f->dir);
	tempdir_free(f->state);
	free(f->cache);
	free(f);
	return 0;
}

static void
warn(void *arg, const char *path, size_t len, const char *text)
{
	struct fixture *f = arg;

	(void)path;
	(void)len;
	(void)text;
	f->warnings++;
}

/* In a session of its own. */
static int
backup(struct fixture *f, const char *cache)
{
	struct backup_options o = {.walk = {.path = f->dir},
	    .state_path = f->state,
	    .cache_path = cache,
	    .mount_seed = f->v.seed,
	    .warn = warn,
	    .warn_arg = f,
	    .counts = &f->counts};
	uint8_t address[HASH_BYTES];
	struct backup_result res;
	int r;

	memset(&f->counts, 0, sizeof(f->counts));
	f->warnings = 0;
	r = backup_run(&res, &f->v.base, &f->v.keys, &o);
	if (r == 0) {
		source_tree_address(address, f->dir);
		assert_memory_equal(res.address, address, HASH_BYTES);
	}
	return r;
}

/* Back up with the cache, and make sure that it made no difference. */
static void
backup_right(struct fixture *f)
{
	struct notes_counts with;

	engine_vault_again(&f->v);
	assert_int_equal(backup(f, f->cache), 0);
	(void)engine_vault_check(&f->v, f->dir);
	with = f->counts;
	engine_vault_again(&f->v);
	assert_int_equal(backup(f, NULL), 0);
	assert_int_equal(f->v.puts, 0);
	assert_int_equal(f->counts.files, with.files);
	assert_int_equal(f->counts.dirs, with.dirs);
	assert_int_equal(f->counts.bytes, with.bytes);
	assert_true(with.files_read <= f->counts.files_read);
	f->counts = with;
	/* The parent is another snapshot now than the cache's. */
}

/* So that what there is can be trusted. */
static void
grow_old(void)
{
	struct timespec t = {2, 50000000};

	assert_int_equal(nanosleep(&t, NULL), 0);
}

static unsigned
dice(struct fixture *f, unsigned n)
{
	f->random =
	    f->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (unsigned)(f->random >> 33) % n;
}

static void
make_many(struct fixture *f, const char *dir, unsigned n)
{
	char name[64], *path = fs_join(f->dir, dir);
	unsigned i;

	assert_int_equal(mkdir(path, 0755), 0);
	free(path);
	for (i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "%s/file-%u", dir, i * 7);
		source_tree_file(f->dir, name, i % 300, i);
	}
}

static void
test_unchanged(void **state)
{
	struct fixture *f = *state;
	uint64_t files, dirs, bytes;

	source_tree_make(f->dir);
	make_many(f, "thousands", 3000);
	grow_old();
	assert_int_equal(backup(f, f->cache), 0);
	assert_true(f->counts.files_read > 3000);
	files = f->counts.files;
	dirs = f->counts.dirs;
	bytes = f->counts.bytes;
	engine_vault_again(&f->v);
	assert_int_equal(backup(f, f->cache), 0);
	assert_int_equal(f->counts.files_read, 0);
	assert_int_equal(f->counts.files, files);
	assert_int_equal(f->counts.dirs, dirs);
	assert_int_equal(f->counts.bytes, bytes);
	/* The parent vouches for everything. */
	assert_int_equal(f->v.asked, 0);
	assert_int_equal(f->v.asked_files, 0);
	assert_int_equal(f->v.puts, 0);
	assert_int_equal(engine_vault_check(&f->v, f->dir), 2);
	/* Another parent: one question about the root says the same. */
	backup_right(f);
	engine_vault_again(&f->v);
	assert_int_equal(backup(f, f->cache), 0);
	assert_int_equal(f->counts.files_read, 0);
	assert_int_equal(f->v.asked, 1);
	assert_int_equal(f->v.puts, 0);
}

static void
test_renamed_directory(void **state)
{
	struct fixture *f = *state;
	char *from = fs_join(f->dir, "before"), *to = fs_join(f->dir, "sub/b");
	char *sub = fs_join(f->dir, "sub");

	make_many(f, "before", 1000);
	assert_int_equal(mkdir(sub, 0755), 0);
	grow_old();
	backup_right(f);
	assert_int_equal(rename(from, to), 0);
	backup_right(f);
	assert_int_equal(f->counts.files_read, 0);
	assert_true(f->counts.objects <= 3);
	free(from);
	free(to);
	free(sub);
}

/* One random change somewhere. */
static void
change(struct fixture *f)
{
	static const char *const dirs[] = {"", "a/", "a/b/", "wide/", "c/"};
	char name[64], other[64], *path, *to;
	int done = 0;

	(void)snprintf(
	    name, sizeof(name), "%sfile-%u", dirs[dice(f, 5)], dice(f, 9000));
	(void)snprintf(
	    other, sizeof(other), "%sfile-%u", dirs[dice(f, 5)], dice(f, 9000));
	path = fs_join(f->dir, name);
	to = fs_join(f->dir, other);
	switch (dice(f, 8)) {
	case 0:
	case 1:
		source_tree_file(f->dir, name, dice(f, 2000), f->random);
		break;
	case 2:
		done = unlink(path);
		break;
	case 3:
		done = rename(path, to);
		break;
	case 4:
		done = link(path, to);
		break;
	case 5:
		done = chmod(path, 0600);
		break;
	case 6:
		done = symlink(name, to);
		break;
	case 7:
		(void)snprintf(
		    other, sizeof(other), "wide/dir-%u", dice(f, 20));
		free(to);
		to = fs_join(f->dir, other);
		done = mkdir(to, 0700);
		if (done != 0)
			done = rmdir(to);
		break;
	}
	(void)done; /* some of it fails, which is fine */
	free(path);
	free(to);
}

static void
test_changes(void **state)
{
	struct fixture *f = *state;
	char *inner = fs_join(f->dir, "a/b");
	unsigned i, n;

	make_many(f, "wide", 1200);
	make_many(f, "a", 10);
	make_many(f, "c", 300);
	assert_int_equal(mkdir(inner, 0755), 0);
	free(inner);
	grow_old();
	backup_right(f);
	for (i = 0; i < 30; i++) {
		for (n = dice(f, 12); n > 0; n--)
			change(f);
		backup_right(f);
		/* What is too young is read again for a while. */
		assert_true(f->counts.files_read < 400);
	}
}

/* The same size and modification time, in the tick of the clock. */
static void
test_overwritten_at_once(void **state)
{
	struct fixture *f = *state;
	char *path = fs_join(f->dir, "file");
	struct timespec times[2];
	struct stat st;
	unsigned i;

	source_tree_file(f->dir, "file", 200, 1);
	assert_int_equal(stat(path, &st), 0);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	for (i = 2; i < 12; i++) {
		engine_vault_again(&f->v);
		assert_int_equal(backup(f, f->cache), 0);
		source_tree_file(f->dir, "file", 200, i);
		assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	}
	grow_old();
	backup_right(f);
	/* Old by now: only the time of the change of its inode tells. */
	source_tree_file(f->dir, "file", 200, i);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	backup_right(f);
	/* Another file, perhaps of the same inode number. */
	assert_int_equal(unlink(path), 0);
	source_tree_file(f->dir, "file", 200, i + 1);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	backup_right(f);
	free(path);
}

/* What one run could not finish the next one does. */
static void
test_interrupted(void **state)
{
	struct fixture *f = *state;
	unsigned i;

	source_tree_make(f->dir);
	make_many(f, "thousands", 3000);
	grow_old();
	for (i = 1; i < 4; i++) {
		f->v.fail_put = i % 2;
		f->v.fail_have = i / 2 * 2;
		assert_int_equal(backup(f, f->cache), ERR_IO);
		engine_vault_again(&f->v);
	}
	assert_int_equal(backup(f, f->cache), 0);
	assert_int_equal(engine_vault_check(&f->v, f->dir), 1);
	backup_right(f);
}

/* A commit that misses something: all is asked for. */
static void
test_missing(void **state)
{
	struct fixture *f = *state;

	source_tree_make(f->dir);
	grow_old();
	backup_right(f);
	engine_vault_again(&f->v);
	f->v.missing = 1;
	assert_int_equal(backup(f, f->cache), 0);
	assert_true(f->v.asked > 0);
	assert_int_equal(f->v.commits, 2);
	backup_right(f);
	engine_vault_again(&f->v);
	f->v.missing = 2;
	assert_int_equal(backup(f, f->cache), ERR_MISSING);
	backup_right(f);
}

/* The store is another one, or an empty copy: the cache is no proof. */
static void
test_lost_store(void **state)
{
	struct fixture *f = *state;

	source_tree_make(f->dir);
	make_many(f, "thousands", 500);
	grow_old();
	backup_right(f);
	engine_vault_close(&f->v);
	engine_vault_open(&f->v);
	assert_int_equal(backup(f, f->cache), 0);
	assert_int_equal(engine_vault_check(&f->v, f->dir), 1);
	backup_right(f);
	assert_int_equal(f->counts.files_read, 0);
}

/* What is left of a bundle is laid anew when something is uploaded anyway. */
static void
test_sparse_bundle(void **state)
{
	struct fixture *f = *state;
	char name[64], *path;
	unsigned i;

	for (i = 0; i < 24; i++) {
		(void)snprintf(name, sizeof(name), "file-%u", i);
		source_tree_file(f->dir, name, 20000, i + 1);
	}
	grow_old();
	backup_right(f);
	for (i = 6; i < 24; i++) {
		(void)snprintf(name, sizeof(name), "file-%u", i);
		path = fs_join(f->dir, name);
		assert_int_equal(unlink(path), 0);
		free(path);
	}
	backup_right(f);
	assert_int_equal(f->counts.files_read, 0);
	/* An unchanged tree never does it. */
	backup_right(f);
	assert_int_equal(f->counts.files_read, 0);
	source_tree_file(f->dir, "new", 10, 1);
	engine_vault_again(&f->v);
	assert_int_equal(backup(f, f->cache), 0);
	/* Itself in each of two walks, as long as it is young, and the six. */
	assert_in_range(f->counts.files_read, 7, 8);
	assert_int_equal(f->counts.files, 7);
	assert_in_range(f->v.put_bytes, 6 * 10000, 7 * 20000);
	(void)engine_vault_check(&f->v, f->dir);
	source_tree_file(f->dir, "newer", 10, 1);
	engine_vault_again(&f->v);
	assert_int_equal(backup(f, f->cache), 0);
	assert_true(f->counts.files_read <= 2);
	assert_true(f->v.put_bytes < 10000);
	(void)engine_vault_check(&f->v, f->dir);
}

static uint8_t *
random_bytes(struct fixture *f, size_t len)
{
	uint8_t *p = malloc(len);
	size_t i;

	assert_non_null(p);
	for (i = 0; i < len; i++)
		p[i] = (uint8_t)dice(f, 256);
	return p;
}

static void
write_at(struct fixture *f, const uint8_t *p, size_t len, uint64_t at)
{
	char *path = fs_join(f->dir, "image");
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fs_pwrite_all(fd, p, len, at), 0);
	assert_int_equal(close(fd), 0);
	free(path);
}

/* The old chunks make no difference either, but to how many are asked for:
 * backup_right() says so. */
static void
test_old_chunks(void **state)
{
	struct fixture *f = *state;
	const size_t len = 24u << 20, small = 1u << 20;
	uint8_t *p = random_bytes(f, len);
	char *path = fs_join(f->dir, "image");
	unsigned i;

	write_at(f, p, len, 0);
	backup_right(f);
	/* A byte here and there. */
	for (i = 0; i < 4; i++) {
		write_at(f, p, 1 + i * 700000, dice(f, (unsigned)len));
		engine_vault_again(&f->v);
		assert_int_equal(backup(f, f->cache), 0);
		assert_true(f->v.asked_ids < 40);
		backup_right(f);
	}
	/* Everything is shifted. */
	write_at(f, p, 12345, 0);
	write_at(f, p, len, 12345);
	backup_right(f);
	/* The end is cut off, continued, cut off at an old cut. */
	assert_int_equal(truncate(path, (off_t)(len - 3333333)), 0);
	backup_right(f);
	write_at(f, p, small, len - 3333333);
	backup_right(f);
	/* Holes come and go. */
	assert_int_equal(truncate(path, (off_t)(len + 8 * small)), 0);
	backup_right(f);
	write_at(f, p, small, len + 4 * small);
	backup_right(f);
	write_at(f, p, 9 * small, len);
	backup_right(f);
	/* A list without a map. */
	assert_int_equal(truncate(path, (off_t)(2 * small)), 0);
	backup_right(f);
	write_at(f, p, 1, small);
	backup_right(f);
	write_at(f, p, small, 2 * small);
	backup_right(f);
	free(path);
	free(p);
}

/* A cache that cannot be used is said once, and does no harm. */
static void
test_no_cache(void **state)
{
	struct fixture *f = *state;
	char *path = fs_join(f->state, "file/cache");

	assert_non_null(path);
	source_tree_make(f->dir);
	source_tree_file(f->state, "file", 10, 1);
	assert_int_equal(backup(f, path), 0);
	assert_int_equal(f->warnings, 1);
	assert_int_equal(engine_vault_check(&f->v, f->dir), 1);
	free(path);
}

/* What stands in its place and is none is no loss. */
static void
test_file_for_cache(void **state)
{
	struct fixture *f = *state;

	source_tree_make(f->dir);
	source_tree_file(f->state, "cache", 10, 1);
	backup_right(f);
	assert_int_equal(f->warnings, 0);
	backup_right(f);
	assert_int_equal(f->warnings, 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_unchanged),
	    CASE(test_renamed_directory),
	    CASE(test_changes),
	    CASE(test_overwritten_at_once),
	    CASE(test_interrupted),
	    CASE(test_missing),
	    CASE(test_lost_store),
	    CASE(test_sparse_bundle),
	    CASE(test_old_chunks),
	    CASE(test_no_cache),
	    CASE(test_file_for_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
