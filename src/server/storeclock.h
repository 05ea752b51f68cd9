#ifndef HS_SERVER_STORECLOCK_H
#define HS_SERVER_STORECLOCK_H

/*
 * Store time: what retention counts in, because the wall clock may jump by ten
 * years, stand still or go back, and a deletion must not follow it.
 *
 * It is a number of nanoseconds that begins as the wall clock's and then
 *  1. never decreases;
 *  2. while the machine runs, advances by what the monotonic clock has (which
 *     counts a suspended machine, too): also between two processes of one boot;
 *  3. over a restart of the machine, where no clock tells how long it was off,
 *     advances by what the wall clock claims to have gone beyond the highest
 *     wall clock ever noted, and by at most STORECLOCK_STEP_NS.
 * By 3 a wall clock that jumps forward at a restart gains one step, and none
 * again until it is beyond that; one that goes back or stands still gains
 * nothing.  A store that was off for a week thinks that it was a day: it keeps
 * things for longer, never for shorter.
 *
 * Durable in STORE/clock.json, written by rename (docs/protocol.md 7): at the
 * start, every few minutes and before anything durable mentions a store time,
 * so what is stamped is never in the future of a later process.  When the file
 * is lost, the highest stamp of the store takes its place
 * (storeclock_meet()).
 *
 * Thread use: any thread may call anything.
 */

#include "base/os.h"

#include <stdint.h>

#define STORECLOCK_STEP_NS 86400000000000ll
/* Times beyond this, in the year 2116, are damage. */
#define STORECLOCK_MAX_NS (1ll << 62)

struct storeclock;

/* The other clocks at one moment. */
struct storeclock_reading {
	int64_t mono_ns;
	int64_t wall_ns; /* of one that was noted: the highest so far */
	char boot[OS_BOOT_ID_LEN + 1]; /* empty: not known */
};

/* By how much store time advanced from `then` to `now`: rules 2 and 3. */
int64_t storeclock_elapsed(const struct storeclock_reading *then,
    const struct storeclock_reading *now);

/*
 * Take up the clock of the store in `dir`, whose lock the caller has.  A file
 * that is damaged counts as lost, with a warning.
 * Returns 0 and what storeclock_close() ends; ERR_IO; ERR_NOMEM.
 */
int storeclock_open(struct storeclock **out, const char *dir);
/* NULL is fine.  Does not save. */
void storeclock_close(struct storeclock *c);

int64_t storeclock_now(struct storeclock *c);
/* The store time that was durable when the clock was taken up; 0: none. */
int64_t storeclock_from(const struct storeclock *c);
/* Nonzero while no file and no storeclock_meet() said what time it is. */
int storeclock_is_unset(struct storeclock *c);
/* A durable store time, or for an unset clock a first one: go on from there if
 * it is in the future. */
void storeclock_meet(struct storeclock *c, int64_t ns);
/* Make it durable.  Returns 0; ERR_NOSPACE; ERR_IO; ERR_NOMEM. */
int storeclock_save(struct storeclock *c);

#endif
