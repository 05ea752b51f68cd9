#include "base/err.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

static void
test_message_and_code(void **state)
{
	(void)state;
	assert_int_equal(err_set(ERR_IO, "disk %d", 3), ERR_IO);
	assert_string_equal(err_text(), "disk 3");
	assert_int_equal(err_prefix(ERR_FAIL, "pack %s", "ab"), ERR_FAIL);
	assert_string_equal(err_text(), "pack ab: disk 3");
	assert_int_equal(err_nomem(17), ERR_NOMEM);
	assert_string_equal(err_text(), "out of memory (17 bytes)");
}

static void
test_errno_is_told_and_kept(void **state)
{
	(void)state;
	errno = ENOSPC;
	assert_int_equal(err_errno(ERR_NOSPACE, "write %s", "x"), ERR_NOSPACE);
	assert_string_equal(err_text(), "write x: No space left on device");
	assert_int_equal(errno, ENOSPC);
}

static void
test_message_may_quote_itself(void **state)
{
	(void)state;
	err_set(ERR_IO, "inner");
	err_set(ERR_FAIL, "outer (%s)", err_text());
	assert_string_equal(err_text(), "outer (inner)");
	err_prefix(ERR_FAIL, "%s", err_text());
	assert_string_equal(err_text(), "outer (inner): outer (inner)");
}

/* A wide character that is none cannot be formatted: the code is still told,
 * and no older message stands in for it. */
static void
test_what_cannot_be_worded(void **state)
{
	(void)state;
	err_set(ERR_IO, "older");
	assert_int_equal(err_set(ERR_FAIL, "%lc", (wint_t)0xd800), ERR_FAIL);
	assert_string_equal(err_text(), "");
}

static void
test_long_messages_are_cut(void **state)
{
	char text[3 * ERR_TEXT_MAX];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(ERR_FAIL, "%s", text);
	assert_int_equal(strlen(err_text()), ERR_TEXT_MAX - 1);
	err_prefix(ERR_FAIL, "front");
	assert_int_equal(strlen(err_text()), ERR_TEXT_MAX - 1);
	assert_memory_equal(err_text(), "front: xxx", 10);
	err_prefix(ERR_FAIL, "%s", text);
	assert_int_equal(strlen(err_text()), ERR_TEXT_MAX - 1);
	errno = EIO;
	err_errno(ERR_FAIL, "%s", text);
	assert_int_equal(strlen(err_text()), ERR_TEXT_MAX - 1);
}

static void *
other_thread(void *arg)
{
	err_set(ERR_FAIL, "other");
	*(int *)arg = strcmp(err_text(), "other") == 0;
	return NULL;
}

static void
test_message_belongs_to_the_thread(void **state)
{
	pthread_t id;
	int ok = 0;

	(void)state;
	err_set(ERR_FAIL, "mine");
	assert_int_equal(pthread_create(&id, NULL, other_thread, &ok), 0);
	assert_int_equal(pthread_join(id, NULL), 0);
	assert_true(ok);
	assert_string_equal(err_text(), "mine");
}

static void
test_exit_codes(void **state)
{
	static const int want[][2] = {{0, 0}, {1, 1}, {ERR_FAIL, 1},
	    {ERR_NOMEM, 1}, {ERR_IO, 1}, {ERR_USAGE, 2}, {ERR_NOSTORE, 10},
	    {ERR_UNREACHABLE, 11}, {ERR_REFUSED, 12}, {ERR_DAMAGED, 13},
	    {ERR_NOENT, 14}, {ERR_NOSPACE, 1}, {ERR_LIMIT, 1}, {ERR_EXIST, 1},
	    {ERR_STALE, 1}, {ERR_MISSING, 1}, {ERR_BUSY, 1}, {ERR_INTR, 130},
	    {ERR_SOURCE, 3}, {ERR_READONLY, 1}, {-1000, 1}};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_int_equal(err_exit_code(want[i][0]), want[i][1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_message_and_code),
	    cmocka_unit_test(test_errno_is_told_and_kept),
	    cmocka_unit_test(test_message_may_quote_itself),
	    cmocka_unit_test(test_what_cannot_be_worded),
	    cmocka_unit_test(test_long_messages_are_cut),
	    cmocka_unit_test(test_message_belongs_to_the_thread),
	    cmocka_unit_test(test_exit_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
