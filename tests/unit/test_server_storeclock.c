/*
 * Store time: what it makes of the other clocks, whatever they do, and of its
 * file.
 */

#include "base/clock.h"
#include "base/fs.h"
#include "lib/store_fixture.h"
#include "server/storeclock.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND 1000000000ll
#define DAY STORECLOCK_STEP_NS
#define YEAR (365 * DAY)

static uint64_t seed = 1;

static uint64_t
draw(uint64_t below)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % below;
}

static int64_t
gone(const char *boot1, int64_t mono1, int64_t wall1, const char *boot2,
    int64_t mono2, int64_t wall2)
{
	struct storeclock_reading a = {mono1, wall1, ""},
				  b = {mono2, wall2, ""};

	memcpy(a.boot, boot1, strlen(boot1) + 1);
	memcpy(b.boot, boot2, strlen(boot2) + 1);
	return storeclock_elapsed(&a, &b);
}

static void
test_elapsed(void **state)
{
	(void)state;
	/* The same boot: the monotonic clock alone. */
	assert_int_equal(gone("x", 5, 100, "x", 9, 100 + 10 * YEAR), 4);
	assert_int_equal(gone("x", 5, 100, "x", 9, 0), 4);
	assert_int_equal(gone("x", 5, 100, "x", 5 + 9 * DAY, 100), 9 * DAY);
	/* Another one: the wall clock, forward, at most a day. */
	assert_int_equal(gone("x", 5, 100, "y", 9, 350), 250);
	assert_int_equal(gone("x", 5, 100, "y", 9 + YEAR, 350), 250);
	assert_int_equal(gone("x", 5, 100, "y", 9, 100 + 10 * YEAR), DAY);
	assert_int_equal(gone("x", 5, 10 * YEAR, "y", 9, 100), 0);
	assert_int_equal(gone("x", 5, 100, "y", 9, 100), 0);
	/* A boot that nobody knows is another one; so is a clock gone back. */
	assert_int_equal(gone("", 5, 100, "", 9 + YEAR, 350), 250);
	assert_int_equal(gone("x", 500, 100, "x", 9, 350), 250);
	assert_int_equal(gone("x", 0, 0, "y", 0, INT64_MAX), DAY);
}

/*
 * Machines that restart at random while their wall clocks do what they like:
 * store time never goes back, never advances by more than what really went by
 * and a day for each restart, and what a wall clock gains it in all is not more
 * than the way from its lowest to its highest.
 */
static void
test_histories(void **state)
{
	int64_t store, wall, mono, before, lowest, highest, step;
	struct storeclock_reading then, now;
	int64_t running, boots;
	int round, i;

	(void)state;
	for (round = 0; round < 2000; round++) {
		memset(&then, 0, sizeof(then));
		wall = 50 * YEAR + (int64_t)draw(YEAR);
		mono = (int64_t)draw(DAY);
		then.mono_ns = mono;
		then.wall_ns = lowest = highest = wall;
		then.boot[0] = 'a';
		store = wall;
		running = boots = 0;
		for (i = 0; i < 50; i++) {
			step = (int64_t)draw(draw(5) ? DAY : 30 * DAY);
			memset(&now, 0, sizeof(now));
			now.boot[0] = then.boot[0];
			if (draw(3) == 0) { /* off, and on again */
				now.boot[0] =
				    (char)('a' +
					   (now.boot[0] != 'z') * (i % 25 + 1));
				boots += now.boot[0] != then.boot[0];
				mono = (int64_t)draw(SECOND);
			} else {
				mono += step;
				running += step;
			}
			switch (draw(6)) {
			case 0:
				wall += 10 * YEAR;
				break;
			case 1:
				wall -= 10 * YEAR;
				break;
			case 2:
				break; /* frozen */
			case 3:
				wall = 0;
				break;
			default:
				wall += step;
			}
			if (wall < 0 || wall > 150 * YEAR)
				wall = 0;
			now.mono_ns = mono;
			now.wall_ns = wall;
			before = store;
			store += storeclock_elapsed(&then, &now);
			assert_true(store >= before);
			assert_true(
			    store - before <= (step > DAY ? step : DAY));
			if (wall > highest)
				highest = wall;
			/* As the file does it: the highest that was noted. */
			if (now.wall_ns < then.wall_ns)
				now.wall_ns = then.wall_ns;
			then = now;
		}
		assert_true(store - 50 * YEAR <=
			    YEAR + running + boots * DAY + 50 * DAY);
		assert_true(store <= lowest + running + (highest - lowest) +
					 50 * SECOND);
	}
}

static void
test_file(void **state)
{
	char *folder = fixture_folder(), *path = fs_join(folder, "clock.json");
	struct storeclock *c;
	int64_t first, second;
	int fd;

	(void)state;
	assert_int_equal(storeclock_open(&c, folder), 0);
	assert_true(storeclock_is_unset(c));
	assert_int_equal(storeclock_from(c), 0);
	storeclock_meet(c, 1000 * SECOND);
	assert_false(storeclock_is_unset(c));
	first = storeclock_now(c);
	assert_true(first >= 1000 * SECOND && first < 1100 * SECOND);
	/* What is in the past changes nothing. */
	storeclock_meet(c, 900 * SECOND);
	assert_true(storeclock_now(c) >= first);
	storeclock_meet(c, 5000 * SECOND);
	assert_true(storeclock_now(c) >= 5000 * SECOND);
	assert_int_equal(storeclock_save(c), 0);
	second = storeclock_now(c);
	storeclock_close(c);
	/* It goes on, by the time in between. */
	assert_int_equal(storeclock_open(&c, folder), 0);
	assert_false(storeclock_is_unset(c));
	assert_true(storeclock_from(c) >= 5000 * SECOND);
	assert_true(storeclock_from(c) <= second);
	first = storeclock_now(c);
	assert_true(first >= storeclock_from(c) && first < 5100 * SECOND);
	storeclock_close(c);
	/* A damaged one is none. */
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 40), 1);
	close(fd);
	assert_int_equal(storeclock_open(&c, folder), 0);
	assert_true(storeclock_is_unset(c));
	storeclock_close(c);
	free(path);
	fixture_remove(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_elapsed),
	    cmocka_unit_test(test_histories),
	    cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
