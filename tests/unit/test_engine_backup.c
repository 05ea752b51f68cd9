/* What a backup puts into a store is the directory, once, and a store's error
 * never becomes a snapshot. */

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
	char *dir;
	struct notes_counts counts;
	unsigned warnings;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	engine_vault_open(&f->v);
	f->dir = tempdir_new();
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	engine_vault_close(&f->v);
	tempdir_free(f->dir);
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

static int
backup(struct fixture *f)
{
	static const char *const tags[] = {"one", "two"};
	struct backup_options o = {.walk = {.path = f->dir},
	    .mount_seed = f->v.seed,
	    .host = "host",
	    .dir = "/somewhere",
	    .tags = tags,
	    .ntags = 2,
	    .warn = warn,
	    .warn_arg = f,
	    .counts = &f->counts};
	uint8_t address[HASH_BYTES];
	struct backup_result res;
	int r;

	memset(&f->counts, 0, sizeof(f->counts));
	f->warnings = 0;
	r = backup_run(&res, &f->v.base, &f->v.keys, &o);
	if (r == 0 && f->counts.unstable == 0 && f->counts.unreadable == 0) {
		source_tree_address(address, f->dir);
		assert_memory_equal(res.address, address, HASH_BYTES);
	}
	return r;
}

static void
test_everything_twice(void **state)
{
	struct fixture *f = *state;

	source_tree_make(f->dir);
	assert_int_equal(backup(f), 0);
	assert_int_equal(f->counts.sockets, 1);
	assert_int_equal(f->warnings, 0);
	assert_true(f->counts.objects > 20);
	assert_int_equal(engine_vault_check(&f->v, f->dir), 1);
	/* The same again: nothing is put. */
	engine_vault_again(&f->v);
	assert_int_equal(backup(f), 0);
	assert_int_equal(f->v.puts, 0);
	assert_int_equal(f->counts.objects, 0);
	assert_int_equal(engine_vault_check(&f->v, f->dir), 2);
	/* One file more: itself, its directory, the root. */
	engine_vault_again(&f->v);
	source_tree_file(f->dir, "sub/many/new one", 5000, 999);
	assert_int_equal(backup(f), 0);
	assert_true(f->counts.objects > 0 && f->counts.objects < 8);
	assert_true(f->v.put_bytes < 400000);
	assert_int_equal(engine_vault_check(&f->v, f->dir), 3);
}

static void
test_empty(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(backup(f), 0);
	assert_int_equal(engine_vault_check(&f->v, f->dir), 1);
}

/* Many copies of few contents: each is stored once though most are met before
 * the first is in the store. */
static void
test_duplicates(void **state)
{
	struct fixture *f = *state;
	char name[64];
	unsigned i;

	for (i = 0; i < 400; i++) {
		(void)snprintf(name, sizeof(name), "file-%u", i);
		source_tree_file(f->dir, name, 60001, 1 + i % 4 * 2);
	}
	for (i = 0; i < 8; i++) {
		(void)snprintf(name, sizeof(name), "large-%u", i);
		source_tree_file(f->dir, name, 3u << 20, 11);
	}
	assert_int_equal(backup(f), 0);
	assert_true(f->v.put_bytes < 4u * 60001 + (3u << 20) + 100000);
	assert_int_equal(engine_vault_check(&f->v, f->dir), 1);
}

/* Few of the slots are small files: bundles are closed by the window. */
static void
test_window(void **state)
{
	struct fixture *f = *state;
	char name[64], *path;
	unsigned i;

	source_tree_file(f->dir, "0 a small file", 5000, 1);
	for (i = 0; i < 22000; i++) {
		(void)snprintf(name, sizeof(name), "1-%u", i);
		path = fs_join(f->dir, name);
		assert_non_null(path);
		assert_int_equal(symlink("target", path), 0);
		free(path);
	}
	source_tree_file(f->dir, "2 a small file", 5000, 3);
	assert_int_equal(backup(f), 0);
	assert_int_equal(engine_vault_check(&f->v, f->dir), 1);
}

/* A map over many chunks with holes between them. */
static void
test_large_sparse(void **state)
{
	struct fixture *f = *state;
	char *path = fs_join(f->dir, "image");
	uint64_t data[1024], i;
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	for (i = 0; i < 1200; i++) {
		memset(data, 0, sizeof(data));
		data[0] = i;
		assert_int_equal(
		    fs_pwrite_all(fd, data, sizeof(data), i * 65536), 0);
	}
	assert_int_equal(close(fd), 0);
	assert_int_equal(backup(f), 0);
	assert_int_equal(engine_vault_check(&f->v, f->dir), 1);
	engine_vault_again(&f->v);
	assert_int_equal(backup(f), 0);
	assert_int_equal(f->v.puts, 0);
	free(path);
}

static void
test_faults(void **state)
{
	/* Which have_files, have or put fails, and how. */
	static const unsigned faults[][3] = {
	    {0, 0, 1}, {1, 0, 0}, {0, 1, 0}, {0, 2, 0}, {2, 0, 0}};
	static const int codes[] = {
	    ERR_UNREACHABLE, ERR_STALE, ERR_IO, ERR_NOSPACE, ERR_STALE};
	struct fixture *f = *state;
	unsigned i, done = 0;
	int r;

	source_tree_make(f->dir);
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		engine_vault_again(&f->v);
		f->v.fail_have_files = faults[i][0];
		f->v.fail_have = faults[i][1];
		f->v.fail_put = faults[i][2];
		f->v.fail_code = codes[i];
		r = backup(f);
		/* Questions are put together while an answer is on its way:
		 * on a slow machine there is no second question. */
		if (r == 0 && (f->v.asked_files < faults[i][0] ||
				  f->v.asked < faults[i][1])) {
			done++;
			continue;
		}
		assert_int_equal(r, codes[i]);
		assert_int_equal(f->v.commits, 0);
	}
	assert_int_equal(engine_vault_check(&f->v, f->dir), done);
	engine_vault_again(&f->v);
	assert_int_equal(backup(f), 0);
	assert_int_equal(engine_vault_check(&f->v, f->dir), done + 1);
}

static void
test_missing(void **state)
{
	struct fixture *f = *state;

	source_tree_make(f->dir);
	/* A second walk makes it good. */
	f->v.missing = 1;
	assert_int_equal(backup(f), 0);
	assert_int_equal(f->v.commits, 2);
	assert_int_equal(engine_vault_check(&f->v, f->dir), 1);
	/* There is no third one. */
	engine_vault_again(&f->v);
	f->v.missing = 100;
	assert_int_equal(backup(f), ERR_MISSING);
	assert_int_equal(f->v.commits, 2);
	assert_int_equal(engine_vault_check(&f->v, f->dir), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_everything_twice, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_duplicates, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_window, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_large_sparse, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
