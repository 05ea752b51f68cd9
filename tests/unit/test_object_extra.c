/* Areas of typed items: docs/format.md 7.5. */

#include "object/extra.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Nothing; "ab"; a type above 255. */
static const uint8_t three[] = {
    0, 0, 0, 0, 7, 0, 2, 0, 'a', 'b', 0, 1, 1, 0, 'c'};

static int
first(const uint8_t *area, size_t len)
{
	struct extra x;
	size_t pos = 0;

	return extra_next(&x, &pos, area, len);
}

static void
test_items_come_in_order(void **state)
{
	struct extra x;
	size_t pos = 0;

	(void)state;
	assert_int_equal(extra_next(&x, &pos, three, sizeof(three)), 0);
	assert_int_equal(x.type, 0);
	assert_int_equal(x.len, 0);
	assert_int_equal(extra_next(&x, &pos, three, sizeof(three)), 0);
	assert_int_equal(x.type, 7);
	assert_int_equal(x.len, 2);
	assert_memory_equal(x.value, "ab", 2);
	assert_int_equal(extra_next(&x, &pos, three, sizeof(three)), 0);
	assert_int_equal(x.type, 256);
	assert_int_equal(x.len, 1);
	assert_memory_equal(x.value, "c", 1);
	assert_int_equal(extra_next(&x, &pos, three, sizeof(three)), 1);
	assert_int_equal(first(NULL, 0), 1);
}

/* Cut anywhere but between items, the first call already says so. */
static void
test_cut(void **state)
{
	size_t len;

	(void)state;
	for (len = 1; len < sizeof(three); len++)
		assert_int_equal(
		    first(three, len), len == 4 || len == 10 ? 0 : ERR_DAMAGED);
}

static void
test_order(void **state)
{
	static const uint8_t twice[] = {7, 0, 0, 0, 7, 0, 0, 0};
	static const uint8_t down[] = {7, 0, 0, 0, 6, 0, 0, 0};
	uint8_t *most = calloc(1, EXTRA_BYTES_MAX + 1);

	(void)state;
	assert_int_equal(first(twice, sizeof(twice)), ERR_DAMAGED);
	assert_int_equal(first(down, sizeof(down)), ERR_DAMAGED);
	assert_non_null(most);
	bytes_put16(most + 2, EXTRA_BYTES_MAX - 4);
	assert_int_equal(first(most, EXTRA_BYTES_MAX), 0);
	assert_int_equal(first(most, EXTRA_BYTES_MAX + 1), ERR_DAMAGED);
	free(most);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_items_come_in_order),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
