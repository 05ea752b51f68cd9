#include "base/buf.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

static void
test_appending(void **state)
{
	static const uint8_t want[] = {1, 3, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11,
	    10, 9, 8, 'a', 'b', 0, 0, 0, 'n', '=', '5'};
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(buf_append8(&b, 1), 0);
	assert_int_equal(buf_append16(&b, 0x0203), 0);
	assert_int_equal(buf_append32(&b, 0x04050607), 0);
	assert_int_equal(buf_append64(&b, 0x08090a0b0c0d0e0fu), 0);
	assert_int_equal(buf_append(&b, "ab", 2), 0);
	assert_int_equal(buf_append_zeros(&b, 3), 0);
	assert_int_equal(buf_printf(&b, "n=%d", 5), 0);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));
	buf_release(&b);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_append8(&b, 1), 0);
	buf_release(&b);
}

static void
test_growing_keeps_the_content(void **state)
{
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b);
	for (i = 0; i < 100000; i++)
		assert_int_equal(buf_append8(&b, (uint8_t)(i * 7)), 0);
	for (i = 0; i < 100000; i++)
		assert_int_equal(b.data[i], (uint8_t)(i * 7));
	buf_reset(&b);
	assert_int_equal(b.len, 0);
	assert_true(b.cap >= 100000);
	buf_release(&b);
}

static void
test_nothing_is_fine(void **state)
{
	struct buf b = BUF_INIT;
	uint8_t *p;

	(void)state;
	assert_int_equal(buf_append(&b, NULL, 0), 0);
	assert_int_equal(buf_append_zeros(&b, 0), 0);
	assert_int_equal(buf_reserve(&b, 0), 0);
	assert_int_equal(buf_extend(&p, &b, 0), 0);
	assert_int_equal(buf_printf(&b, "%s", ""), 0);
	assert_int_equal(b.len, 0);
	buf_release(&b);
}

static void
test_too_much_changes_nothing(void **state)
{
	struct buf b = BUF_INIT;
	uint8_t *p = NULL;

	(void)state;
	assert_int_equal(buf_append(&b, "abc", 3), 0);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), ERR_NOMEM);
	assert_int_equal(buf_extend(&p, &b, SIZE_MAX - 2), ERR_NOMEM);
	assert_int_equal(buf_append_zeros(&b, SIZE_MAX / 2), ERR_NOMEM);
	assert_null(p);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "abc", 3);
	buf_release(&b);
}

static void
test_printf_of_long_text(void **state)
{
	struct buf b = BUF_INIT;
	char text[5000];

	(void)state;
	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(buf_printf(&b, "<%s>", text), 0);
	assert_int_equal(b.len, sizeof(text) + 1);
	assert_int_equal(b.data[0], '<');
	assert_int_equal(b.data[b.len - 1], '>');
	buf_release(&b);
}

/* A wide character that is none cannot be formatted. */
static void
test_printf_that_cannot_be(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(buf_append(&b, "abc", 3), 0);
	assert_true(buf_printf(&b, "def%lc", (wint_t)0xd800) < 0);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "abc", 3);
	buf_release(&b);
}

static void
test_trim(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_trim(&b);
	assert_null(b.data);
	assert_int_equal(buf_reserve(&b, 1000), 0);
	buf_trim(&b);
	assert_null(b.data);
	assert_int_equal(b.cap, 0);
	assert_int_equal(buf_reserve(&b, 1000), 0);
	assert_int_equal(buf_append(&b, "abc", 3), 0);
	buf_trim(&b);
	assert_int_equal(b.len, 3);
	assert_int_equal(b.cap, 3);
	assert_memory_equal(b.data, "abc", 3);
	assert_int_equal(buf_append(&b, "d", 1), 0);
	assert_memory_equal(b.data, "abcd", 4);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_appending),
	    cmocka_unit_test(test_growing_keeps_the_content),
	    cmocka_unit_test(test_nothing_is_fine),
	    cmocka_unit_test(test_too_much_changes_nothing),
	    cmocka_unit_test(test_printf_of_long_text),
	    cmocka_unit_test(test_printf_that_cannot_be),
	    cmocka_unit_test(test_trim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
