#ifndef HS_TESTS_SEEDED_H
#define HS_TESTS_SEEDED_H

/*
 * Random bytes and clocks that a seed decides, in programs that are linked
 * with them in the place of base/random.h and base/clock.h (the Makefile's
 * SEEDED): a failure comes again with its seed, down to the names of packs.
 *
 * With CLOCK=+10y or -10y in the environment the wall clock is so far off in
 * every other stretch of 7 ms, with frozen it stands still; how often it jumped
 * is printed when the program ends.
 */

#include <stdint.h>

/* Begin anew.  The wall clock begins in 2010, and goes on by itself. */
void seeded_start(uint64_t seed);
/* Move the wall clock, forth or back; the monotonic one does not jump. */
void seeded_move_wall(int64_t ns);
/* Time goes by, on both clocks. */
void seeded_pass(int64_t ns);
/* By how much each look at a clock moves it on; seeded_start() says 1 ms. */
void seeded_tick(int64_t ns);

#endif
