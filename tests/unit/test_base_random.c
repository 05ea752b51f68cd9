#include "base/random.h"

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
test_fills_all_and_differs(void **state)
{
	static uint8_t a[100000], b[100000];
	unsigned counts[256] = {0};
	size_t i;

	(void)state;
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_true(memcmp(a, b, sizeof(a)) != 0);
	/* A stretch left alone would show as zeros. */
	for (i = 0; i < sizeof(a); i += 1000)
		assert_false(bytes_are_zero(a + i, 1000));
	for (i = 0; i < sizeof(a); i++)
		counts[a[i]]++;
	/* 390 expected; a hundred away is five deviations. */
	for (i = 0; i < 256; i++)
		assert_in_range(counts[i], 240, 540);
}

static void
test_keeps_to_its_bounds(void **state)
{
	uint8_t p[4] = {1, 2, 3, 4};

	(void)state;
	random_bytes(p + 2, 0);
	assert_memory_equal(p, "\1\2\3\4", 4);
	random_bytes(p + 1, 2);
	assert_int_equal(p[0], 1);
	assert_int_equal(p[3], 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fills_all_and_differs),
	    cmocka_unit_test(test_keeps_to_its_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
