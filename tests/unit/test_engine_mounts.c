/* File systems and their clocks, as a walk meets them. */

#include "base/clock.h"
#include "engine/fsclock.h"
#include "engine/mounts.h"
#include "lib/tempdir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int
open_dir(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, st), 0);
	return fd;
}

static void
is_old(void **state)
{
	const struct timespec young = {100, 5};

	(void)state;
	assert_true(fsclock_is_old(&young, 99, 999999999));
	assert_true(fsclock_is_old(&young, 100, 4));
	assert_false(fsclock_is_old(&young, 100, 5));
	assert_false(fsclock_is_old(&young, 101, 0));
	assert_true(fsclock_is_old(&young, -5, 0));
}

/* The moment is the tick before a file that is made now, with and without a
 * place of ours on the file system; nothing is left behind in it. */
static void
clocks(void **state)
{
	char *dir = tempdir_new();
	struct timespec young;
	struct stat st, after;
	int fd = open_dir(dir, &st), i;
	int64_t diff;

	(void)state;
	for (i = 0; i < 3; i++) {
		const char *place = i == 0 ? dir : i == 1 ? NULL : "/proc";

		fsclock_young(&young, st.st_dev, fd, place);
		diff = clock_wall_ns() / 1000000000 - young.tv_sec;
		assert_in_range(diff, FSCLOCK_TICK_S, FSCLOCK_TICK_S + 30);
	}
	assert_int_equal(fstat(fd, &after), 0);
	assert_int_equal(after.st_nlink, st.st_nlink);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	(void)close(fd);
	tempdir_free(dir);
}

static void
mounts(void **state)
{
	char *dir = tempdir_new();
	const struct mount *a, *b, *again;
	struct mounts m;
	struct stat st, other;
	int fd = open_dir(dir, &st), proc = open_dir("/proc", &other);

	(void)state;
	mounts_init(&m, dir);
	assert_int_equal(mounts_find(&a, &m, fd, st.st_dev), 0);
	assert_int_equal(mounts_find(&b, &m, proc, other.st_dev), 0);
	assert_int_equal(mounts_find(&again, &m, fd, st.st_dev), 0);
	assert_ptr_equal(a, again);
	assert_ptr_not_equal(a, b);
	assert_int_equal(a->key, a->fsid);
	assert_true(a->fsid != b->fsid);
	/* The same device through another mount. */
	assert_int_equal(mounts_find(&again, &m, proc, st.st_dev), 0);
	if (again->mount_id != 0) {
		assert_ptr_not_equal(a, again);
		assert_true(again->key != again->fsid);
	}
	mounts_release(&m);
	(void)close(fd);
	(void)close(proc);
	tempdir_free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_old),
	    cmocka_unit_test(clocks),
	    cmocka_unit_test(mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
