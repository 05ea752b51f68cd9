#ifndef HS_SERVER_KEEP_H
#define HS_SERVER_KEEP_H

/*
 * Which snapshots of one mount a policy keeps.  Pure: numbers in, reasons out.
 * All times are store time (server/storeclock.h), which the store stamped when
 * it received them; nothing that a client says counts.
 *
 * The rule.  Let the snapshots be in the order of their numbers, so that their
 * stamps never decrease.  A snapshot is kept if one of these is true:
 *  1. the policy is empty: everything is kept;
 *  2. it is damaged: nobody can say what it is;
 *  3. it is one of the two newest that are not damaged;
 *  4. it is younger than the floor;
 *  5. it is younger than `within`;
 *  6. among the *old* ones, those that 2 and 4 do not keep, it is
 *     - one of the `last` newest, or
 *     - the oldest of its hour (day, week, month, year), and that period is one
 *       of the `hourly` (`daily`...) newest periods that have an old snapshot.
 *
 * What a flood can do.  Let somebody who has a mount's key make any number of
 * snapshots from the store time T on.
 *  a. None of them is old before T + floor.  Rule 6 looks at old ones only, so
 *     until then it keeps exactly what it would keep without them, and rules 4
 *     and 5 do not depend on other snapshots: before T + floor they push
 *     nothing out.  (Rule 3 only ever adds two.)
 *  b. Of a period it is the oldest that is chosen.  Stamps do not decrease, so
 *     a later snapshot never takes the place of the chosen one.
 *  c. A period falls out of `daily` N only when N later days have an old
 *     snapshot, which takes N days of store time, however many snapshots each
 *     has: as honest daily backups would do.  The same for the others.
 *  d. `last` counts snapshots, so after T + floor a flood does push out by it
 *     what only `last` keeps; then the grace begins.  Who wants more than floor
 *     and grace to notice, uses periods.
 */

#include <stddef.h>
#include <stdint.h>

/* The kinds of counts, from `last` to `yearly`. */
enum keep_count {
	KEEP_LAST,
	KEEP_HOURLY,
	KEEP_DAILY,
	KEEP_WEEKLY,
	KEEP_MONTHLY,
	KEEP_YEARLY,
	KEEP_COUNTS
};

#define KEEP_COUNT_MAX 1000000
#define KEEP_NS_PER_DAY 86400000000000ll

struct keep_policy {
	uint32_t count[KEEP_COUNTS]; /* 0: that rule keeps nothing */
	int64_t within_ns; /* 0: none */
};

/* Reasons: bit i < KEEP_COUNTS is the count of that kind. */
#define KEEP_BY_COUNT(i) (1u << (i))
#define KEEP_BY_WITHIN 64u
#define KEEP_BY_FLOOR 128u
#define KEEP_BY_NEWEST 256u
#define KEEP_BY_DAMAGE 512u
#define KEEP_BY_EMPTY 1024u /* there is no policy */

struct keep_item {
	int64_t stamp_ns;
	int damaged;
	unsigned reasons; /* out; 0: not kept */
};

/* Nonzero when the policy keeps everything. */
int keep_is_empty(const struct keep_policy *p);

/*
 * Fill in `reasons` of the `n` live snapshots of one mount, which are in the
 * order of their numbers.  A stamp below that of the one before counts as that.
 */
void keep_apply(struct keep_item *items, size_t n, const struct keep_policy *p,
    int64_t floor_ns, int64_t now_ns);

/* The number of the period of that kind (not KEEP_LAST) that a time lies in;
 * by the calendar of UTC, weeks begin on Monday. */
int64_t keep_period(enum keep_count kind, int64_t ns);

/* "last", "hourly"... */
const char *keep_name(enum keep_count kind);
/* "daily, monthly" in `out`: the reasons in words. */
#define KEEP_WORDS_BYTES 128
const char *keep_words(char out[KEEP_WORDS_BYTES], unsigned reasons);

#endif
