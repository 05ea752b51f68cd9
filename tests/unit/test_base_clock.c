#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void
test_wall_clock_agrees_with_time(void **state)
{
	int64_t before = (int64_t)time(NULL), now = clock_wall_ns();

	(void)state;
	assert_true(now / 1000000000 >= before - 1);
	assert_true(now / 1000000000 <= before + 60);
}

static void
test_monotonic_clock_goes_on(void **state)
{
	int64_t start = clock_mono_ns(), now, last = start;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		now = clock_mono_ns();
		assert_true(now >= last);
		last = now;
	}
	usleep(2000);
	assert_true(clock_mono_ns() - start >= 2000000);
}

static void
test_cpu_clock_counts_work(void **state)
{
	int64_t start = clock_cpu_ns();

	(void)state;
	assert_true(start >= 0);
	/* Ends only if the clock moves. */
	while (clock_cpu_ns() - start < 1000000)
		continue;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wall_clock_agrees_with_time),
	    cmocka_unit_test(test_monotonic_clock_goes_on),
	    cmocka_unit_test(test_cpu_clock_counts_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
