/*
 * Which snapshots a policy keeps: against a second, slow implementation in
 * other words (below), over thousands of random histories, and what floods
 * can do.  The calendar against that of the C library.
 */

#include "server/keep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define DAY KEEP_NS_PER_DAY
#define HOUR (DAY / 24)
#define MAX 400
/* 2026-01-01 */
#define T0 (20454 * DAY)

static uint64_t seed = 1;

static uint64_t
draw(uint64_t below)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % below;
}

/* The period of a time as text, by the C library. */
static void
period_text(char out[64], int kind, int64_t ns)
{
	static const char *const form[] = {
	    NULL, "%Y-%m-%d %H", "%Y-%m-%d", "%G-W%V", "%Y-%m", "%Y"};
	time_t t = (time_t)(ns / 1000000000);
	struct tm tm;

	assert_non_null(gmtime_r(&t, &tm));
	assert_true(strftime(out, 64, form[kind], &tm) > 0);
}

static void
test_calendar(void **state)
{
	char a[64], b[64];
	int64_t x, y;
	int i, kind;

	(void)state;
	for (i = 0; i < 20000; i++) {
		x = (int64_t)draw(100 * 365) * DAY + (int64_t)draw(DAY);
		/* Close, so that they are often in one period. */
		y = x + (int64_t)draw((uint64_t)(i % 3 ? 40 * DAY : 2 * HOUR));
		for (kind = KEEP_HOURLY; kind < KEEP_COUNTS; kind++) {
			period_text(a, kind, x);
			period_text(b, kind, y);
			assert_int_equal(
			    keep_period((enum keep_count)kind, x) ==
				keep_period((enum keep_count)kind, y),
			    strcmp(a, b) == 0);
			assert_true(keep_period((enum keep_count)kind, x) <=
				    keep_period((enum keep_count)kind, y));
		}
	}
}

/*
 * The second implementation: of one snapshot at a time, by counting over all
 * pairs, with texts for periods.  `k` holds nondecreasing stamps.
 */
static int
is_old(const struct keep_item *k, int64_t floor_ns, int64_t now)
{
	return !k->damaged && k->stamp_ns <= now - floor_ns;
}

static int
first_of_period(const struct keep_item *k, size_t i, int kind, int64_t floor_ns,
    int64_t now)
{
	char mine[64], other[64];
	size_t j;

	period_text(mine, kind, k[i].stamp_ns);
	for (j = 0; j < i; j++) {
		period_text(other, kind, k[j].stamp_ns);
		if (is_old(&k[j], floor_ns, now) && strcmp(mine, other) == 0)
			return 0;
	}
	return 1;
}

static int
model_keeps(const struct keep_item *k, size_t n, size_t i,
    const struct keep_policy *p, int64_t floor_ns, int64_t now)
{
	uint32_t newer = 0, old_newer = 0, periods;
	size_t j;
	int kind;

	if (k[i].damaged)
		return 1;
	for (j = i + 1; j < n; j++) {
		newer += !k[j].damaged;
		old_newer += is_old(&k[j], floor_ns, now) != 0;
	}
	if (newer < 2 || k[i].stamp_ns > now - floor_ns ||
	    (p->within_ns > 0 && k[i].stamp_ns > now - p->within_ns))
		return 1;
	if (old_newer < p->count[KEEP_LAST])
		return 1;
	for (kind = KEEP_HOURLY; kind < KEEP_COUNTS; kind++) {
		if (p->count[kind] == 0 ||
		    !first_of_period(k, i, kind, floor_ns, now))
			continue;
		periods = 0;
		for (j = i + 1; j < n; j++)
			periods += is_old(&k[j], floor_ns, now) &&
				   first_of_period(k, j, kind, floor_ns, now);
		if (periods < p->count[kind])
			return 1;
	}
	return 0;
}

/* A history whose clock may stand still, run and jump forward. */
static size_t
random_history(struct keep_item *k, int64_t *now)
{
	size_t n = draw(40) + (draw(10) == 0 ? draw(60) : 0), i;
	int64_t t = T0;

	memset(k, 0, MAX * sizeof(*k));
	for (i = 0; i < n; i++) {
		switch (draw(5)) {
		case 0:
			break; /* frozen, or a flood */
		case 1:
			t += (int64_t)draw(2 * HOUR);
			break;
		case 2:
			t += (int64_t)draw(DAY);
			break;
		case 3:
			t += DAY;
			break;
		default:
			t += (int64_t)draw(draw(20) == 0 ? 400 : 10) * DAY;
		}
		k[i].stamp_ns = t;
		k[i].damaged = draw(15) == 0;
	}
	*now = t + (int64_t)draw(60) * DAY;
	return n;
}

static void
random_policy(struct keep_policy *p)
{
	int i;

	memset(p, 0, sizeof(*p));
	for (i = 0; i < KEEP_COUNTS; i++)
		if (draw(3) == 0)
			p->count[i] = (uint32_t)draw(9);
	if (draw(4) == 0)
		p->within_ns = (int64_t)draw(60) * DAY;
}

static void
test_model(void **state)
{
	static struct keep_item k[MAX];
	struct keep_policy p;
	uint64_t kept = 0, dropped = 0;
	int64_t now, floor_ns;
	size_t i, n;
	int round;

	(void)state;
	for (round = 0; round < 6000; round++) {
		n = random_history(k, &now);
		random_policy(&p);
		floor_ns = (int64_t)(draw(2) ? draw(40) : 0) * DAY;
		keep_apply(k, n, &p, floor_ns, now);
		for (i = 0; i < n; i++) {
			if (keep_is_empty(&p)) {
				assert_int_equal(k[i].reasons, KEEP_BY_EMPTY);
				continue;
			}
			assert_int_equal(k[i].reasons != 0,
			    model_keeps(k, n, i, &p, floor_ns, now));
			kept += k[i].reasons != 0;
			dropped += k[i].reasons == 0;
		}
	}
	assert_true(kept > 10000);
	assert_true(dropped > 10000);
}

/*
 * From some time on somebody adds any number of snapshots.  What was kept
 * before and would be kept without them is kept, until the flood is as old as
 * the floor; and by periods it is never worse than one snapshot in each.
 */
static void
test_flood(void **state)
{
	static struct keep_item with[MAX], without[MAX], honest[MAX];
	struct keep_policy p;
	int64_t now, floor_ns, t, end;
	size_t i, n, m, h;
	int round;

	(void)state;
	for (round = 0; round < 3000; round++) {
		n = random_history(without, &now);
		random_policy(&p);
		if (keep_is_empty(&p))
			p.count[KEEP_DAILY] = 3;
		floor_ns = (int64_t)(7 + draw(40)) * DAY;
		memcpy(with, without, sizeof(with));
		t = now;
		end = now + floor_ns - 1;
		for (m = n; m < MAX; m++) {
			with[m].stamp_ns = t;
			with[m].damaged = draw(20) == 0;
			with[m].reasons = 0;
			if (draw(3) == 0)
				t += (int64_t)draw(DAY);
			if (t > end)
				t = end;
		}
		/* a.  The two newest change places, nothing else does. */
		keep_apply(with, m, &p, floor_ns, end);
		keep_apply(without, n, &p, floor_ns, end);
		for (i = 0; i < n; i++)
			if ((without[i].reasons & ~KEEP_BY_NEWEST) != 0)
				assert_int_not_equal(with[i].reasons, 0);
		/* c.  At any later time: as honest backups in each hour. */
		p.count[KEEP_LAST] = 0;
		memcpy(honest, without, sizeof(honest));
		h = n;
		for (i = n; i < m; i++)
			if (i == n || with[i].stamp_ns / HOUR !=
					  with[i - 1].stamp_ns / HOUR) {
				honest[h] = with[i];
				honest[h++].damaged = 0;
			}
		now = end + (int64_t)draw(3000) * DAY;
		keep_apply(with, m, &p, floor_ns, now);
		keep_apply(honest, h, &p, floor_ns, now);
		for (i = 0; i < n; i++)
			if ((honest[i].reasons & ~KEEP_BY_NEWEST) != 0)
				assert_int_not_equal(with[i].reasons, 0);
	}
}

/* Once chosen of its period, a snapshot stays chosen as others come. */
static void
test_stable(void **state)
{
	static struct keep_item k[MAX];
	struct keep_policy p = {.count = {[KEEP_MONTHLY] = 1000}};
	static int dropped[MAX];
	size_t i, n, m;
	int round;
	int64_t now;

	(void)state;
	for (round = 0; round < 300; round++) {
		n = random_history(k, &now);
		memset(dropped, 0, sizeof(dropped));
		for (m = 3; m <= n; m++) {
			keep_apply(k, m, &p, 0, k[m - 1].stamp_ns);
			for (i = 0; i < m; i++) {
				if (dropped[i])
					assert_int_equal(k[i].reasons, 0);
				dropped[i] = k[i].reasons == 0;
			}
		}
	}
}

/* Stamps that go back, which nothing should have made, count as the last. */
static void
test_backwards(void **state)
{
	struct keep_item k[4] = {{.stamp_ns = T0 + 40 * DAY}, {.stamp_ns = T0},
	    {.stamp_ns = T0 + 41 * DAY}, {.stamp_ns = T0 + 42 * DAY}};
	struct keep_policy p = {.count = {[KEEP_DAILY] = 1}};
	char words[KEEP_WORDS_BYTES];

	(void)state;
	keep_apply(k, 4, &p, 30 * DAY, T0 + 50 * DAY);
	assert_int_equal(k[1].stamp_ns, T0 + 40 * DAY);
	assert_int_equal(k[1].reasons, KEEP_BY_FLOOR);
	assert_string_equal(keep_words(words, k[3].reasons), "floor, newest");
	assert_true(
	    strlen(keep_words(words, 0xffffffffu)) < KEEP_WORDS_BYTES - 1);
	/* A clock that is behind the stamps makes all of them young. */
	keep_apply(k, 4, &p, 30 * DAY, 0);
	assert_int_not_equal(k[0].reasons & KEEP_BY_FLOOR, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_calendar),
	    cmocka_unit_test(test_model),
	    cmocka_unit_test(test_flood),
	    cmocka_unit_test(test_stable),
	    cmocka_unit_test(test_backwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
