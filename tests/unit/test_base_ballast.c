/* base/ballast: blocks and files are really taken, and really given back. */

#include "base/ballast.h"
#include "base/err.h"
#include "base/fs.h"
#include "lib/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t
blocks(const char *dir, const char *name)
{
	char *path = fs_join(dir, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	free(path);
	return (uint64_t)st.st_blocks * 512;
}

static void
test_hold_and_drop(void **state)
{
	char *folder = fixture_folder(), *dir = fs_join(folder, "held");
	char *one = fs_join(dir, "1");

	(void)state;
	assert_int_equal(ballast_hold(dir, 3, 65536), 0);
	assert_true(blocks(dir, "0") >= 65536);
	assert_true(blocks(dir, "2") >= 65536);
	/* One that a copy left without blocks gets them; more come along. */
	assert_int_equal(truncate(one, 0), 0);
	assert_int_equal(truncate(one, 65536), 0);
	assert_true(blocks(dir, "1") < 65536);
	assert_int_equal(ballast_hold(dir, 4, 65536), 0);
	assert_true(blocks(dir, "1") >= 65536);
	assert_true(blocks(dir, "3") >= 65536);
	assert_int_equal(ballast_drop(dir), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(ballast_drop(dir), 0);
	free(one);
	free(dir);
	fixture_remove(folder);
}

static void
test_blocks_keep_the_length(void **state)
{
	char *folder = fixture_folder(), *path = fs_join(folder, "map");
	struct stat st;

	(void)state;
	assert_int_equal(ballast_blocks(folder, "map", 65536), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_true((uint64_t)st.st_blocks * 512 >= 65536);
	assert_int_equal(ballast_blocks("/proc/self", "map", 65536), ERR_IO);
	free(path);
	fixture_remove(folder);
}

static void
test_room(void **state)
{
	struct ballast_room room;

	(void)state;
	assert_int_equal(ballast_room(&room, "/"), 0);
	assert_true(room.bytes_all >= room.bytes && room.bytes_all > 0);
	assert_int_equal(ballast_room(&room, "/nowhere"), ERR_IO);
	/* No limit of ours: more than any disk has. */
	assert_int_equal(ballast_hold("/proc/self/none", 1, 4096), ERR_IO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hold_and_drop),
	    cmocka_unit_test(test_blocks_keep_the_length),
	    cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
