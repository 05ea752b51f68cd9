/*
 * What lets calls fail does so: each place once, or for ever, or in half, or in
 * every way, and what it counts is right.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "fault/failing.h"
#include "lib/tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Whom the optimizer cannot see through, and a count that it does not know. */
static void *(*volatile allocate)(size_t) = malloc;
static void *(*volatile reallocate)(void *, size_t) = realloc;
static volatile int rounds = 4;

/* Two places, one of them met three times; leaks what it had at a failure. */
static int
take(void *out[4])
{
	int i;

	out[0] = allocate(16);
	if (out[0] == NULL)
		return err_nomem(16);
	for (i = 1; i < rounds; i++) {
		out[i] = allocate(32);
		if (out[i] == NULL)
			return err_nomem(32);
	}
	return 0;
}

static void
test_every_place_fails_once(void **state)
{
	static const int blocks[] = {0, 1, 4};
	void *out[4];
	int i, rc, pass = 0;

	(void)state;
	failing_start(FAILING_MEMORY);
	failing_tests_too();
	while (failing_more()) {
		memset(out, 0, sizeof(out));
		failing_arm();
		rc = take(out);
		assert_int_equal(failing_disarm(), pass < 2);
		failing_check(rc, 0);
		assert_int_equal(rc, pass < 2 ? ERR_NOMEM : 0);
		assert_int_equal(failing_kind(), pass < 2 ? FAILING_MEMORY : 0);
		assert_int_equal(failing_blocks(), blocks[pass]);
		for (i = 0; i < 4; i++)
			free(out[i]);
		assert_int_equal(failing_blocks(), 0);
		pass++;
	}
	assert_int_equal(pass, 3);
	assert_int_equal(failing_count(), 2);
}

static void
test_only_some(void **state)
{
	void *p;
	int pass = 0;

	(void)state;
	failing_start(FAILING_FILES);
	failing_tests_too();
	while (failing_more()) {
		failing_arm();
		p = allocate(1);
		assert_false(failing_disarm());
		assert_non_null(p);
		free(p);
		pass++;
	}
	assert_int_equal(pass, 1);
	failing_start(FAILING_ALL);
	failing_tests_too();
	failing_only("realloc");
	assert_true(failing_more());
	failing_arm();
	p = allocate(1);
	assert_non_null(p);
	assert_null(reallocate(p, 2));
	assert_true(failing_disarm());
	assert_string_equal(failing_name(), "realloc");
	/* Nothing fails that is not armed. */
	p = reallocate(p, 2);
	assert_non_null(p);
	free(p);
}

static void
test_for_ever(void **state)
{
	void *p[3];
	int i;

	(void)state;
	failing_start_forever(FAILING_MEMORY);
	failing_tests_too();
	failing_only("malloc");
	assert_true(failing_more());
	failing_arm();
	for (i = 0; i < 3; i++)
		p[i] = allocate(1);
	assert_true(failing_disarm());
	for (i = 0; i < 3; i++)
		assert_null(p[i]);
}

/* A test's own calls do not fail, unless it says so. */
static void
test_not_the_test(void **state)
{
	void *p;

	(void)state;
	failing_start(FAILING_MEMORY);
	failing_arm();
	p = allocate(1);
	assert_int_equal(failing_blocks(), 0);
	assert_false(failing_disarm());
	assert_non_null(p);
	free(p);
}

/* Writes that stop in the middle are gone on with. */
static void
test_in_half(void **state)
{
	char *dir = tempdir_new(), text[] = "a file's content";
	struct buf b;
	int fd = open(dir, O_RDONLY | O_DIRECTORY), rc, files;

	(void)state;
	assert_true(fd >= 0);
	files = failing_descriptors();
	buf_init(&b);
	failing_start_short();
	while (failing_more()) {
		failing_arm();
		rc = fs_write_file(fd, "f", text, sizeof(text), 0600, 0);
		failing_disarm();
		assert_int_equal(rc, 0);
		buf_reset(&b);
		failing_arm();
		rc = fs_read_file(&b, fd, "f", 100);
		failing_disarm();
		assert_int_equal(rc, 0);
		assert_int_equal(b.len, sizeof(text));
		assert_memory_equal(b.data, text, sizeof(text));
		assert_int_equal(failing_descriptors(), files);
	}
	assert_true(failing_count() >= 2);
	buf_release(&b);
	assert_int_equal(failing_descriptors(), files);
	close(fd);
	tempdir_free(dir);
}

static void
test_the_errno(void **state)
{
	char *dir = tempdir_new();
	int rc;

	(void)state;
	failing_start(FAILING_FILES);
	failing_errno(EDQUOT);
	failing_only("fsync");
	failing_arm();
	rc = fs_sync_dir(AT_FDCWD, dir);
	assert_int_equal(errno, EDQUOT);
	assert_true(failing_disarm());
	assert_true(rc < 0);
	failing_start(FAILING_FILES);
	failing_only("fsync");
	failing_arm();
	rc = fs_sync_dir(AT_FDCWD, dir);
	assert_int_equal(errno, EIO);
	assert_true(failing_disarm());
	assert_int_equal(rc, ERR_IO);
	tempdir_free(dir);
}

/* All that grows a buf fails before it changed anything. */
static void
test_buf(void **state)
{
	struct buf b;
	int rc = 0;

	(void)state;
	failing_start(FAILING_MEMORY);
	failing_tests_too();
	while (failing_more()) {
		buf_init(&b);
		assert_int_equal(buf_reserve(&b, 1000), 0);
		failing_arm();
		rc = buf_append8(&b, 1);
		if (rc == 0)
			rc = buf_printf(
			    &b, "%d %d %d %d %d %s", 1, 2, 3, 4, 5, "six");
		if (rc == 0)
			rc = buf_append(&b, "x", 1);
		failing_disarm();
		failing_check(rc, 0);
		assert_int_equal(failing_blocks(), 0);
		assert_true(
		    b.len == 0 || b.len == 1 || b.len == 14 || b.len == 15);
		if (rc == 0)
			assert_memory_equal(b.data,
			    "\1"
			    "1 2 3 4 5 sixx",
			    15);
		buf_release(&b);
	}
	assert_int_equal(rc, 0);
	assert_int_equal(failing_count(), 3);
}

static ssize_t (*volatile read_some)(int, void *, size_t) = read;
static int (*volatile unlink_it)(const char *) = unlink;

/* Let one call fail in each way; count the errors, and [0] what does half. */
static void
each_way(unsigned seen[200], int moves)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC), got;
	char text[8];

	memset(seen, 0, 200 * sizeof(seen[0]));
	assert_true(fd >= 0);
	failing_start_ways(FAILING_FILES);
	failing_tests_too();
	while (failing_more()) {
		failing_arm();
		got = moves ? (int)read_some(fd, text, sizeof(text))
			    : unlink_it("/nothing/there");
		if (!failing_disarm())
			continue;
		assert_int_equal(got, got == 4 ? 4 : -1);
		seen[got == 4 ? 0 : errno % 200]++;
	}
	close(fd);
}

static void
test_every_way(void **state)
{
	static const int errnos[] = {EIO, ENOSPC, EMFILE, ENOMEM};
	unsigned passes = 0, seen[200];
	size_t i;
	void *p;

	(void)state;
	/* Once and for ever. */
	each_way(seen, 1);
	for (i = 0; i < 4; i++)
		assert_int_equal(seen[errnos[i]], 2);
	assert_int_equal(seen[0], 2);
	assert_int_equal(seen[EINTR], 1);
	assert_int_equal(failing_count(), 11);
	each_way(seen, 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(seen[errnos[i]], 2);
	assert_int_equal(failing_count(), 8);
	/* Memory wants in one way only, once and for ever. */
	failing_start_ways(FAILING_MEMORY);
	failing_tests_too();
	while (failing_more()) {
		failing_arm();
		p = allocate(1);
		assert_int_equal(failing_disarm(), passes < 2);
		assert_int_equal(p == NULL, passes < 2);
		free(p);
		passes++;
	}
	assert_int_equal(passes, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_place_fails_once),
	    cmocka_unit_test(test_only_some),
	    cmocka_unit_test(test_for_ever),
	    cmocka_unit_test(test_not_the_test),
	    cmocka_unit_test(test_in_half),
	    cmocka_unit_test(test_the_errno),
	    cmocka_unit_test(test_buf),
	    cmocka_unit_test(test_every_way),
	};

	/* All of them, whatever is wanted of the others. */
	(void)setenv("FAILING_WAYS", "1", 1);
	(void)unsetenv("FAILING_PART");
	(void)unsetenv("FAILING_PLACE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
