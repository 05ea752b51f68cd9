#include "base/marker.h"

#include "base/fs.h"

#include "lib/tempdir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int
check(const char *dir)
{
	struct marker *m = NULL;
	int r;

	assert_int_equal(marker_new(&m, dir), 0);
	r = marker_check(m);
	assert_false(marker_is_ours(m));
	marker_free(m);
	return r;
}

static void
test_this_boot_is_fine(void **state)
{
	char *dir = tempdir_new(), *path = fs_join(dir, "unsynced");
	struct marker *m = NULL;

	(void)state;
	assert_int_equal(check(dir), 0);
	assert_int_equal(marker_new(&m, dir), 0);
	assert_int_equal(marker_put(m), 0);
	assert_true(marker_is_ours(m));
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(check(dir), 0);
	/* Somebody else removed it: it comes back. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(marker_put(m), 0);
	assert_int_equal(access(path, F_OK), 0);
	marker_remove(m);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_false(marker_is_ours(m));
	marker_free(m);
	marker_free(NULL);
	free(path);
	tempdir_free(dir);
}

static void
test_another_boot_is_not(void **state)
{
	static const char *const texts[] = {"",
	    "00000000-0000-0000-0000-000000000000", "x",
	    "00000000-0000-0000-0000-000000000000 and more"};
	char *dir = tempdir_new(), *path = fs_join(dir, "unsynced");
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(fs_write_file(AT_FDCWD, path, texts[i],
				     strlen(texts[i]), 0600, FS_NOSYNC),
		    0);
		assert_int_equal(check(dir), 1);
	}
	free(path);
	tempdir_free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_this_boot_is_fine),
	    cmocka_unit_test(test_another_boot_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
