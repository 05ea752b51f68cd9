/* A scan comes to the address that a plain reading of everything gives, at
 * any depth and width, and names what it cannot read. */

#include "base/err.h"
#include "base/fs.h"
#include "base/pool.h"
#include "engine/chooser.h"
#include "engine/scan.h"
#include "lib/source_tree.h"
#include "lib/tempdir.h"

#include "hash/address.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LEVELS 4000u
#define NOBODY 65534u

static char warned[4096];

static void
warn(void *arg, const char *path, size_t len, const char *text)
{
	(void)arg;
	(void)text;
	assert_true(strlen(warned) + len + 2 < sizeof(warned));
	(void)strncat(warned, path, len);
	(void)strncat(warned, "\n", 2);
}

static int
scan(uint8_t out[HASH_BYTES], struct notes_counts *counts,
    struct scan_options *o)
{
	struct scan_result r;
	int rc;

	memset(counts, 0, sizeof(*counts));
	warned[0] = '\0';
	o->warn = warn;
	o->counts = counts;
	rc = scan_run(&r, o);
	if (rc == 0)
		memcpy(out, r.address, HASH_BYTES);
	return rc;
}

static void
test_everything(void **state)
{
	char *dir = tempdir_new();
	struct scan_options o = {.walk = {.path = dir}};
	uint8_t expected[HASH_BYTES], address[HASH_BYTES];
	struct notes_counts counts;

	(void)state;
	source_tree_make(dir);
	source_tree_address(expected, dir);
	assert_int_equal(scan(address, &counts, &o), 0);
	assert_memory_equal(address, expected, HASH_BYTES);
	assert_string_equal(warned, "");
	assert_int_equal(counts.dirs, 5);
	assert_int_equal(counts.files, 10 + 1500 + 8);
	assert_int_equal(counts.sockets, 1);
	assert_int_equal(counts.unreadable, 0);
	assert_int_equal(counts.unstable, 0);
	tempdir_free(dir);
}

static void
test_empty_and_absent(void **state)
{
	char *dir = tempdir_new();
	struct scan_options o = {.walk = {.path = dir}};
	uint8_t expected[HASH_BYTES], address[HASH_BYTES];
	struct notes_counts counts;
	struct hash h;

	(void)state;
	address_dir_init(&h);
	address_dir_final(&h, expected);
	assert_int_equal(scan(address, &counts, &o), 0);
	assert_memory_equal(address, expected, HASH_BYTES);
	o.walk.path = "/nowhere at all";
	assert_int_equal(scan(address, &counts, &o), ERR_NOENT);
	tempdir_free(dir);
}

static void
write_at(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "z", 1), 1);
	assert_int_equal(close(fd), 0);
}

/* Far more levels than descriptors; each has a file behind its directory. */
static void
test_deep(void **state)
{
	char *dir = tempdir_new(), command[256];
	struct scan_options o = {.walk = {.path = dir}};
	uint8_t expected[HASH_BYTES], z[HASH_BYTES], address[HASH_BYTES];
	struct rlimit old, low;
	struct notes_counts counts;
	struct hash h;
	unsigned i;
	int fd = open(dir, O_RDONLY | O_DIRECTORY), next;

	(void)state;
	assert_true(fd >= 0);
	for (i = 0; i < LEVELS; i++) {
		write_at(fd, "z");
		assert_int_equal(mkdirat(fd, "dir", 0755), 0);
		next = openat(fd, "dir", O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		assert_int_equal(close(fd), 0);
		fd = next;
	}
	assert_int_equal(close(fd), 0);
	hash_bytes(z, "z", 1);
	address_dir_init(&h);
	address_dir_final(&h, expected);
	for (i = 0; i < LEVELS; i++) {
		address_dir_init(&h);
		address_dir_add(&h, ADDRESS_DIR, "dir", 3, expected);
		address_dir_add(&h, ADDRESS_FILE, "z", 1, z);
		address_dir_final(&h, expected);
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 256;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(scan(address, &counts, &o), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_memory_equal(address, expected, HASH_BYTES);
	assert_string_equal(warned, "");
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
	free(dir);
}

static void
test_unreadable(void **state)
{
	char *dir = tempdir_new(), path[256];
	struct scan_options o = {.walk = {.path = dir}};
	uint8_t expected[HASH_BYTES], address[HASH_BYTES];
	struct notes_counts counts;

	(void)state;
	source_tree_file(dir, "readable", 500, 1);
	source_tree_address(expected, dir);
	source_tree_file(dir, "secret", 500, 1);
	(void)snprintf(path, sizeof(path), "%s/closed", dir);
	assert_int_equal(mkdir(path, 0), 0);
	(void)snprintf(path, sizeof(path), "%s/secret", dir);
	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	if (geteuid() == 0)
		assert_int_equal(seteuid(NOBODY), 0);
	assert_int_equal(scan(address, &counts, &o), 0);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	/* What cannot be read is left out, and the rest is right. */
	assert_memory_equal(address, expected, HASH_BYTES);
	assert_int_equal(counts.unreadable, 2);
	assert_non_null(strstr(warned, "secret\n"));
	assert_non_null(strstr(warned, "closed\n"));
	tempdir_free(dir);
}

static char excluded[100];

static void
tell(void *arg, enum walk_news news, const char *path, size_t len)
{
	(void)arg;
	if (news == WALK_EXCLUDED)
		(void)snprintf(excluded + strlen(excluded),
		    sizeof(excluded) - strlen(excluded), "%.*s\n", (int)len,
		    path);
}

static void
test_chooser(void **state)
{
	static const char *const exclude[] = {"sub/many/", "/large"};
	const struct chooser_options c = {.exclude = exclude, .nexclude = 2};
	char *dir = tempdir_new(), command[256];
	struct scan_options o = {.walk = {.path = dir, .tell = tell}};
	uint8_t expected[HASH_BYTES], address[HASH_BYTES];
	struct notes_counts counts;

	(void)state;
	source_tree_make(dir);
	assert_int_equal(chooser_new(&o.walk.chooser, &c), 0);
	assert_int_equal(scan(address, &counts, &o), 0);
	assert_int_equal(counts.excluded, 2);
	assert_string_equal(excluded, "large\nsub/many\n");
	chooser_free(o.walk.chooser);
	(void)snprintf(command, sizeof(command),
	    "rm -rf '%s/sub/many' '%s/large'", dir, dir);
	assert_int_equal(system(command), 0);
	source_tree_address(expected, dir);
	assert_memory_equal(address, expected, HASH_BYTES);
	tempdir_free(dir);
}

struct writer {
	int fd;
	atomic_int stop;
};

static void
keep_writing(void *arg)
{
	struct writer *w = arg;

	while (!atomic_load(&w->stop))
		assert_int_equal(pwrite(w->fd, "x", 1, 5), 1);
}

/* A file that changes all the time is taken as it is, and named. */
static void
test_unstable(void **state)
{
	char *dir = tempdir_new(), *path = fs_join(dir, "changing");
	struct scan_options o = {.walk = {.path = dir}};
	uint8_t address[HASH_BYTES];
	struct notes_counts counts;
	struct pool_thread *thread;
	struct writer w;
	int i;

	(void)state;
	source_tree_file(dir, "changing", 64u << 20, 2);
	source_tree_file(dir, "other", 5000, 2);
	w.fd = open(path, O_WRONLY);
	assert_true(w.fd >= 0);
	atomic_init(&w.stop, 0);
	assert_int_equal(pool_thread_start(&thread, keep_writing, &w), 0);
	/* A busy machine may let the writer sleep through a whole scan. */
	counts.unstable = 0;
	for (i = 0; i < 50 && counts.unstable == 0; i++)
		assert_int_equal(scan(address, &counts, &o), 0);
	atomic_store(&w.stop, 1);
	pool_thread_join(thread);
	assert_int_equal(close(w.fd), 0);
	assert_int_equal(counts.unstable, 1);
	assert_int_equal(counts.files, 2);
	assert_int_equal(counts.unreadable, 0);
	assert_string_equal(warned, "changing\n");
	free(path);
	tempdir_free(dir);
}

static void
test_interrupt(void **state)
{
	char *dir = tempdir_new();
	atomic_int stop = 1;
	struct scan_options o = {.walk = {.path = dir}, .interrupt = &stop};
	uint8_t address[HASH_BYTES];
	struct notes_counts counts;

	(void)state;
	source_tree_make(dir);
	assert_int_equal(scan(address, &counts, &o), ERR_INTR);
	tempdir_free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_everything),
	    cmocka_unit_test(test_empty_and_absent),
	    cmocka_unit_test(test_deep),
	    cmocka_unit_test(test_unreadable),
	    cmocka_unit_test(test_chooser),
	    cmocka_unit_test(test_unstable),
	    cmocka_unit_test(test_interrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
