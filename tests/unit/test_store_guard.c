/* store/guard: what the reserve and a failed sync do to who wants to write. */

#include "base/err.h"
#include "base/fs.h"
#include "lib/store_fixture.h"
#include "store/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void
test_reserve(void **state)
{
	char *folder = fixture_folder(), *file = fs_join(folder, "reserve/0");
	struct guard *g;

	(void)state;
	assert_int_equal(guard_open(&g, folder), 0);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(guard_put(g, 1000), 0);
	/* More than the disk has. */
	assert_int_equal(guard_put(g, UINT64_MAX / 2), ERR_NOSPACE);
	assert_int_equal(guard_put(g, 1000), 0);
	/* Lent, nested. */
	guard_release(g);
	assert_int_equal(access(file, F_OK), -1);
	guard_release(g);
	assert_int_equal(guard_put(g, 0), ERR_NOSPACE);
	guard_restore(g);
	assert_int_equal(access(file, F_OK), -1);
	assert_int_equal(guard_put(g, 0), ERR_NOSPACE);
	guard_restore(g);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(guard_put(g, 0), 0);
	guard_close(g);
	/* Who dies in between is made good. */
	assert_int_equal(unlink(file), 0);
	assert_int_equal(guard_open(&g, folder), 0);
	assert_int_equal(access(file, F_OK), 0);
	guard_close(g);
	free(file);
	fixture_remove(folder);
}

static void
test_no_room_for_it(void **state)
{
	struct guard *g;

	(void)state;
	assert_int_equal(guard_open(&g, "/proc/self/none"), 0);
	assert_int_equal(guard_put(g, 0), ERR_IO);
	guard_close(g);
	assert_int_equal(guard_open(&g, "/proc/self"), 0);
	assert_int_equal(guard_put(g, 0), ERR_NOSPACE);
	guard_release(g);
	guard_restore(g);
	guard_close(g);
}

static void
test_stop(void **state)
{
	char *folder = fixture_folder();
	struct guard *g;

	(void)state;
	assert_int_equal(guard_open(&g, folder), 0);
	assert_int_equal(guard_check(g), 0);
	guard_stop(g);
	assert_int_equal(guard_check(g), ERR_READONLY);
	assert_int_equal(guard_put(g, 0), ERR_READONLY);
	guard_close(g);
	/* None guards nothing. */
	guard_stop(NULL);
	guard_release(NULL);
	guard_restore(NULL);
	assert_int_equal(guard_check(NULL), 0);
	assert_int_equal(guard_put(NULL, 1), 0);
	guard_close(NULL);
	fixture_remove(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reserve),
	    cmocka_unit_test(test_no_room_for_it),
	    cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
