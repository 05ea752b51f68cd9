#include "base/ticker.h"

#include "base/clock.h"
#include "base/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PERIOD_MS 20u
#define NEVER_MS 3600000u

struct work {
	struct pool_lock lock;
	struct pool_cond done;
	struct ticker *ticker;
	int calls, kicked;
	int gate; /* a call waits while it is closed */
};

static void
count(void *arg, int kicked)
{
	struct work *w = arg;

	pool_lock_enter(&w->lock);
	w->calls++;
	w->kicked += kicked;
	pool_cond_wake_all(&w->done);
	while (w->gate && !ticker_is_halted(w->ticker))
		(void)pool_cond_wait_ms(&w->done, &w->lock, PERIOD_MS);
	pool_lock_leave(&w->lock);
}

static void
wait_for(struct work *w, int calls)
{
	pool_lock_enter(&w->lock);
	while (w->calls < calls)
		pool_cond_wait(&w->done, &w->lock);
	pool_lock_leave(&w->lock);
}

static void
begin(struct work *w, unsigned period_ms)
{
	*w = (struct work){0};
	pool_lock_init(&w->lock);
	pool_cond_init(&w->done);
	assert_int_equal(0, ticker_start(&w->ticker, count, w, period_ms));
}

static void
end(struct work *w)
{
	ticker_stop(w->ticker);
	pool_cond_release(&w->done);
	pool_lock_release(&w->lock);
}

static void
test_periods(void **state)
{
	int64_t start = clock_mono_ns();
	struct work w;

	(void)state;
	begin(&w, PERIOD_MS);
	wait_for(&w, 3);
	/* Never earlier than asked. */
	assert_true(clock_mono_ns() - start >= 3 * PERIOD_MS * 1000000ll);
	assert_int_equal(0, w.kicked);
	end(&w);
}

static void
test_kicks(void **state)
{
	struct work w;

	(void)state;
	begin(&w, NEVER_MS);
	w.gate = 1;
	ticker_kick(w.ticker);
	wait_for(&w, 1);
	/* However many come while it works, they make one call. */
	ticker_kick(w.ticker);
	ticker_kick(w.ticker);
	ticker_kick(w.ticker);
	pool_lock_enter(&w.lock);
	assert_int_equal(1, w.calls);
	w.gate = 0;
	pool_cond_wake_all(&w.done);
	pool_lock_leave(&w.lock);
	wait_for(&w, 2);
	assert_int_equal(2, w.kicked);
	end(&w);
	assert_int_equal(2, w.calls);
}

/* It ends at once though it would sleep for an hour; long work is told. */
static void
test_halt(void **state)
{
	struct work w;

	(void)state;
	begin(&w, NEVER_MS);
	assert_false(ticker_is_halted(w.ticker));
	end(&w);
	assert_int_equal(0, w.calls);

	begin(&w, NEVER_MS);
	w.gate = 1;
	ticker_kick(w.ticker);
	wait_for(&w, 1);
	ticker_kick(w.ticker);
	ticker_halt(w.ticker);
	end(&w);
	assert_int_equal(1, w.calls);

	ticker_halt(NULL);
	ticker_stop(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_periods),
	    cmocka_unit_test(test_kicks),
	    cmocka_unit_test(test_halt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
