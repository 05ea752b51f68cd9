#include "client/retry.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/err.h"

#include <time.h>

/* An interrupt is seen after so long at most. */
#define SLICE_MS 100

void
retry_init(struct retry *t, const struct retry_policy *p)
{
	t->policy = p;
	retry_reset(t);
}

void
retry_reset(struct retry *t)
{
	t->since_ns = 0;
	t->pause_ms = t->policy->pause_ms;
}

static int
is_interrupted(const struct retry *t)
{
	return t->policy->interrupt != NULL && *t->policy->interrupt;
}

/* Sleep, unless interrupted. */
static void
sleep_ms(const struct retry *t, unsigned ms)
{
	while (ms > 0 && !is_interrupted(t)) {
		unsigned n = ms < SLICE_MS ? ms : SLICE_MS;
		struct timespec ts = {.tv_nsec = (long)n * 1000000l};

		(void)nanosleep(&ts, NULL); /* shorter is fine, too */
		ms -= n;
	}
}

/* The end of the time for it. */
static int
give_up(const struct retry *t, int r)
{
	char words[32];

	if (t->policy->for_ms < 1000)
		return r;
	return err_prefix(r, "gave up after %s",
	    duration_words(words, t->policy->for_ms / 1000));
}

int
retry_again(struct retry *t, int *r)
{
	int64_t now = clock_mono_ns(), spent_ms;
	unsigned left, pause;

	if (*r != ERR_UNREACHABLE && *r != ERR_BUSY)
		return 0;
	if (is_interrupted(t)) {
		*r = err_set(ERR_INTR, "interrupted");
		return 0;
	}
	if (t->policy->for_ms == 0)
		return 0;
	if (t->since_ns == 0)
		t->since_ns = now;
	spent_ms = (now - t->since_ns) / 1000000;
	if (spent_ms >= t->policy->for_ms) {
		*r = give_up(t, *r);
		return 0;
	}
	left = t->policy->for_ms - (unsigned)spent_ms;
	pause = t->pause_ms < left ? t->pause_ms : left;
	if (t->policy->waiting != NULL)
		t->policy->waiting(t->policy->arg, left);
	sleep_ms(t, pause);
	if (is_interrupted(t)) {
		*r = err_set(ERR_INTR, "interrupted");
		return 0;
	}
	t->pause_ms = t->pause_ms < t->policy->pause_ms_max / 2
			  ? 2 * t->pause_ms
			  : t->policy->pause_ms_max;
	return 1;
}
