/* A listing is sorted by raw bytes, whether in memory or through runs on
 * disk, and holds every name once. */

#include "engine/listing.h"
#include "lib/source_tree.h"
#include "lib/tempdir.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NAMES 1000u

static int
order(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return c != 0 ? c : (a_len > b_len) - (a_len < b_len);
}

/* List `dir` and check the order; returns the number of names. */
static size_t
check(const char *dir, size_t names_max)
{
	struct listing *l = NULL;
	struct listing_name n;
	char last[256] = "";
	size_t count = 0, last_len = 0;
	int fd = open(dir, O_RDONLY | O_DIRECTORY), r;

	assert_true(fd >= 0);
	assert_int_equal(listing_new(&l, fd, dir, names_max), 0);
	assert_true(listing_held(l) <= names_max);
	while ((r = listing_next(&n, l)) == 0) {
		assert_int_equal(strlen(n.name), n.len);
		assert_true(
		    count == 0 || order(last, last_len, n.name, n.len) < 0);
		memcpy(last, n.name, n.len);
		last_len = n.len;
		count++;
	}
	assert_int_equal(r, 1);
	listing_free(l);
	assert_int_equal(close(fd), 0);
	return count;
}

static void
test_order(void **state)
{
	char *dir = tempdir_new();
	char name[64];
	size_t i;

	(void)state;
	assert_int_equal(check(dir, 16), 0);
	for (i = 0; i < NAMES; i++) {
		/* Prefixes of each other, and bytes above 127. */
		(void)snprintf(name, sizeof(name), "%.*s%zu\xc3%s",
		    (int)(i % 5), "aaaa-", i * 7919 % NAMES,
		    i % 3 == 0 ? "" : "\x01");
		source_tree_file(dir, name, 0, 0);
	}
	assert_int_equal(check(dir, LISTING_NAMES_MAX), NAMES);
	/* Runs of 7, of exactly all, of all but one. */
	assert_int_equal(check(dir, 7), NAMES);
	assert_int_equal(check(dir, 2), NAMES);
	assert_int_equal(check(dir, NAMES), NAMES);
	assert_int_equal(check(dir, NAMES - 1), NAMES);
	tempdir_free(dir);
}

static void
test_no_directory(void **state)
{
	struct listing *l = NULL;
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_true(fd >= 0);
	assert_true(listing_new(&l, fd, NULL, 16) < 0);
	assert_null(l);
	assert_int_equal(close(fd), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_no_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
