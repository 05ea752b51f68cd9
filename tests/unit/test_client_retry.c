#include "client/retry.h"

#include "base/clock.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct waits {
	unsigned n;
	unsigned left_ms; /* the last time */
};

static void
note(void *arg, unsigned left_ms)
{
	struct waits *w = arg;

	if (w->n > 0)
		assert_true(left_ms <= w->left_ms);
	w->n++;
	w->left_ms = left_ms;
}

static void
test_which_errors(void **state)
{
	const struct retry_policy p = {
	    .for_ms = 1000, .pause_ms = 1, .pause_ms_max = 1};
	static const int final[] = {0, ERR_REFUSED, ERR_STALE, ERR_DAMAGED,
	    ERR_NOSPACE, ERR_USAGE, ERR_INTR, 1};
	struct retry t;
	size_t i;
	int r;

	(void)state;
	retry_init(&t, &p);
	for (i = 0; i < sizeof(final) / sizeof(final[0]); i++) {
		r = final[i];
		assert_int_equal(retry_again(&t, &r), 0);
		assert_int_equal(r, final[i]);
	}
	r = ERR_UNREACHABLE;
	assert_int_equal(retry_again(&t, &r), 1);
	r = ERR_BUSY;
	assert_int_equal(retry_again(&t, &r), 1);
}

static void
test_time(void **state)
{
	struct waits w = {0};
	const struct retry_policy p = {.for_ms = 1200,
	    .pause_ms = 10,
	    .pause_ms_max = 400,
	    .waiting = note,
	    .arg = &w};
	int64_t start = clock_mono_ns();
	struct retry t;
	int r;

	(void)state;
	retry_init(&t, &p);
	do
		r = err_set(ERR_UNREACHABLE, "no answer");
	while (retry_again(&t, &r));
	assert_int_equal(r, ERR_UNREACHABLE);
	assert_string_equal(err_text(), "gave up after 1 second: no answer");
	assert_true(clock_mono_ns() - start >= 1200000000);
	/* 10, 20, 40, 80, 160, 320, 400 and what is left. */
	assert_true(w.n > 0 && w.n <= 8);
	/* What goes on has its time again. */
	retry_reset(&t);
	r = ERR_UNREACHABLE;
	w.n = 0;
	assert_int_equal(retry_again(&t, &r), 1);
	assert_int_equal(w.left_ms, 1200);
}

static void
test_never(void **state)
{
	struct waits w = {0};
	const struct retry_policy p = {.for_ms = 0,
	    .pause_ms = 10,
	    .pause_ms_max = 10,
	    .waiting = note,
	    .arg = &w};
	struct retry t;
	int r = err_set(ERR_UNREACHABLE, "no answer");

	(void)state;
	retry_init(&t, &p);
	assert_int_equal(retry_again(&t, &r), 0);
	assert_string_equal(err_text(), "no answer");
	assert_int_equal(w.n, 0);
}

static void
test_interrupt(void **state)
{
	atomic_int interrupted = 0;
	const struct retry_policy p = {.for_ms = 1000000,
	    .pause_ms = 1,
	    .pause_ms_max = 1000000,
	    .interrupt = &interrupted};
	struct retry t;
	int r = ERR_UNREACHABLE;

	(void)state;
	retry_init(&t, &p);
	assert_int_equal(retry_again(&t, &r), 1);
	interrupted = 1;
	assert_int_equal(retry_again(&t, &r), 0);
	assert_int_equal(r, ERR_INTR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_which_errors),
	    cmocka_unit_test(test_time),
	    cmocka_unit_test(test_never),
	    cmocka_unit_test(test_interrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
