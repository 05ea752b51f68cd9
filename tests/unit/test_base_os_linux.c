#include "base/os.h"

#include "lib/tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
test_cpus(void **state)
{
	(void)state;
	assert_in_range(os_cpus(), 1, 65536);
}

static void
test_boot_id_is_the_same_twice(void **state)
{
	char a[OS_BOOT_ID_LEN + 1], b[OS_BOOT_ID_LEN + 1];

	(void)state;
	assert_int_equal(os_boot_id(a), 0);
	assert_int_equal(os_boot_id(b), 0);
	assert_string_equal(a, b);
	assert_int_equal(strlen(a), OS_BOOT_ID_LEN);
}

static void
test_addresses(void **state)
{
	(void)state;
	assert_true(os_can_map((size_t)1 << 20));
	assert_false(os_can_map((size_t)1 << 60));
}

/* SEEK_DATA passes over what was only reserved; where neither is known, both
 * say that there is nothing. */
static void
test_next_extent(void **state)
{
	char *dir = tempdir_new();
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY), fd;
	uint64_t begin = 7, end = 7;

	(void)state;
	fd = openat(dirfd, "a", O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 9 << 20), 0);
	assert_int_equal(os_next_extent(&begin, &end, fd, 0), 1);
	assert_true(begin == 7 && end == 7);
	if (fallocate(fd, 0, 2 << 20, 1 << 20) == 0 &&
	    os_next_extent(&begin, &end, fd, 0) == 0) {
		assert_true(begin == 2 << 20);
		assert_in_range(end, begin + 1, 3 << 20);
		assert_int_equal(
		    os_next_extent(&begin, &end, fd, (2 << 20) + 5), 0);
		assert_true(begin <= (2 << 20) + 5 && end > (2 << 20) + 5);
		assert_int_equal(os_next_extent(&begin, &end, fd, 3 << 20), 1);
	}
	close(fd);
	assert_int_equal(os_next_extent(&begin, &end, -1, 0), 1);
	close(dirfd);
	tempdir_free(dir);
}

static void
test_rename_new(void **state)
{
	char *dir = tempdir_new();
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY), fd;

	(void)state;
	assert_true(dirfd >= 0);
	fd = openat(dirfd, "a", O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(os_rename_new(dirfd, "a", "b"), 0);
	fd = openat(dirfd, "a", O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(os_rename_new(dirfd, "a", "b"), -1);
	assert_int_equal(errno, EEXIST);
	close(dirfd);
	tempdir_free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cpus),
	    cmocka_unit_test(test_boot_id_is_the_same_twice),
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_next_extent),
	    cmocka_unit_test(test_rename_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
