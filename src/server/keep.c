#include "server/keep.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_HOUR 3600000000000ll
/* Two of each mount stay whatever the policy says. */
#define NEWEST 2

static const char *const names[KEEP_COUNTS] = {
    "last", "hourly", "daily", "weekly", "monthly", "yearly"};

const char *
keep_name(enum keep_count kind)
{
	return names[kind];
}

int
keep_is_empty(const struct keep_policy *p)
{
	int i;

	for (i = 0; i < KEEP_COUNTS; i++)
		if (p->count[i] > 0)
			return 0;
	return p->within_ns <= 0;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/*
 * Months since year 0 of the day `days` since 1970-01-01, in the proleptic
 * Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms", civil_from_days): years begin with March, so that the leap day
 * is the last of its year.
 */
static int64_t
month_of(int64_t days)
{
	int64_t z = days + 719468, era = floor_div(z, 146097);
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153; /* 0: March */

	return 12 * (yoe + era * 400) + mp + 2;
}

int64_t
keep_period(enum keep_count kind, int64_t ns)
{
	int64_t days = floor_div(ns, KEEP_NS_PER_DAY);

	switch (kind) {
	case KEEP_HOURLY:
		return floor_div(ns, NS_PER_HOUR);
	case KEEP_WEEKLY:
		return floor_div(days + 3, 7); /* 1970 began on a Thursday */
	case KEEP_MONTHLY:
		return month_of(days);
	case KEEP_YEARLY:
		return floor_div(month_of(days), 12);
	default:
		return days;
	}
}

/* Rule 6 for one kind of period: backwards, from the newest period on. */
static void
choose_periods(
    struct keep_item *items, size_t old, enum keep_count kind, uint32_t count)
{
	struct keep_item *first = NULL; /* the oldest seen of the period */
	int64_t period = 0, at;
	uint32_t periods = 0;
	size_t i;

	for (i = old; i-- > 0;) {
		if (items[i].damaged)
			continue;
		at = keep_period(kind, items[i].stamp_ns);
		if (first == NULL || at != period) {
			if (first != NULL)
				first->reasons |= KEEP_BY_COUNT(kind);
			first = NULL;
			if (periods == count)
				return;
			periods++;
			period = at;
		}
		first = &items[i];
	}
	if (first != NULL)
		first->reasons |= KEEP_BY_COUNT(kind);
}

static void
choose_last(struct keep_item *items, size_t old, uint32_t count)
{
	size_t i;

	for (i = old; i-- > 0 && count > 0;) {
		if (items[i].damaged)
			continue;
		items[i].reasons |= KEEP_BY_COUNT(KEEP_LAST);
		count--;
	}
}

/* Rules 2 to 5.  Returns how many at the front are older than the floor. */
static size_t
keep_young(struct keep_item *items, size_t n, const struct keep_policy *p,
    int64_t floor_ns, int64_t now_ns)
{
	size_t i, old = 0, newest = 0;
	int64_t age;

	for (i = 0; i < n; i++) {
		if (i > 0 && items[i].stamp_ns < items[i - 1].stamp_ns)
			items[i].stamp_ns = items[i - 1].stamp_ns;
		age = now_ns - items[i].stamp_ns;
		items[i].reasons = items[i].damaged ? KEEP_BY_DAMAGE : 0;
		if (age < floor_ns)
			items[i].reasons |= KEEP_BY_FLOOR;
		else
			old = i + 1;
		if (p->within_ns > 0 && age < p->within_ns)
			items[i].reasons |= KEEP_BY_WITHIN;
	}
	for (i = n; i-- > 0 && newest < NEWEST;) {
		if (items[i].damaged)
			continue;
		items[i].reasons |= KEEP_BY_NEWEST;
		newest++;
	}
	return old;
}

void
keep_apply(struct keep_item *items, size_t n, const struct keep_policy *p,
    int64_t floor_ns, int64_t now_ns)
{
	size_t i, old;
	int kind;

	if (keep_is_empty(p)) {
		for (i = 0; i < n; i++)
			items[i].reasons = KEEP_BY_EMPTY;
		return;
	}
	old = keep_young(items, n, p, floor_ns, now_ns);
	choose_last(items, old, p->count[KEEP_LAST]);
	for (kind = KEEP_HOURLY; kind < KEEP_COUNTS; kind++)
		choose_periods(
		    items, old, (enum keep_count)kind, p->count[kind]);
}

const char *
keep_words(char out[KEEP_WORDS_BYTES], unsigned reasons)
{
	static const struct {
		unsigned reason;
		const char *word;
	} others[] = {
	    {KEEP_BY_WITHIN, "within"},
	    {KEEP_BY_FLOOR, "floor"},
	    {KEEP_BY_NEWEST, "newest"},
	    {KEEP_BY_DAMAGE, "damaged"},
	    {KEEP_BY_EMPTY, "no policy"},
	};
	size_t i, at = 0;
	const char *word;

	out[0] = '\0';
	for (i = 0; i < KEEP_COUNTS + sizeof(others) / sizeof(others[0]); i++) {
		if (i < KEEP_COUNTS)
			word = reasons & KEEP_BY_COUNT(i) ? names[i] : NULL;
		else
			word = reasons & others[i - KEEP_COUNTS].reason
				   ? others[i - KEEP_COUNTS].word
				   : NULL;
		/* All of them together fit. */
		if (word != NULL)
			at += (size_t)snprintf(out + at, KEEP_WORDS_BYTES - at,
			    "%s%s", at == 0 ? "" : ", ", word);
	}
	return out;
}
