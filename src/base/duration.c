#include "base/duration.h"

#include "base/err.h"

#include <stdio.h>
#include <string.h>

#define MINUTE 60
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define WEEK (7 * DAY)

static int
malformed(const char *text)
{
	return err_set(
	    ERR_USAGE, "'%s' is no duration: write 30s, 5m, 2h, 7d or 0", text);
}

/* Seconds of a unit; 0 when it is none. */
static int64_t
unit_seconds(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return MINUTE;
	case 'h':
		return HOUR;
	case 'd':
		return DAY;
	case 'w':
		return WEEK;
	default:
		return 0;
	}
}

int
duration_parse(int64_t *seconds, const char *text)
{
	const char *p = text;
	int64_t sum = 0;

	if (strcmp(text, "0") == 0) {
		*seconds = 0;
		return 0;
	}
	do {
		const char *digits = p;
		int64_t n = 0, unit;

		for (; *p >= '0' && *p <= '9'; p++) {
			n = 10 * n + (*p - '0');
			if (n > DURATION_SECONDS_MAX)
				return malformed(text);
		}
		unit = unit_seconds(*p);
		if (p == digits || unit == 0)
			return malformed(text);
		p++;
		if (n > (DURATION_SECONDS_MAX - sum) / unit)
			return malformed(text);
		sum += n * unit;
	} while (*p != '\0');
	*seconds = sum;
	return 0;
}

const char *
duration_words(char out[32], int64_t seconds)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{365 * DAY, "year"}, {DAY, "day"}, {HOUR, "hour"},
	    {MINUTE, "minute"}, {1, "second"}};
	int64_t n;
	size_t i = 0;

	if (seconds < 0)
		seconds = 0;
	while (units[i].seconds > 1 && seconds < units[i].seconds)
		i++;
	n = seconds / units[i].seconds;
	/* Nineteen digits and a word fit. */
	(void)snprintf(out, 32, "%lld %s%s", (long long)n, units[i].name,
	    n == 1 ? "" : "s");
	return out;
}

const char *
duration_clock(char out[32], int64_t seconds)
{
	long long s = seconds < 0 ? 0 : seconds;

	/* Two numbers of nineteen digits do not come together. */
	if (s >= DAY)
		(void)snprintf(out, 32, "%lldd %lldh", s / DAY, s % DAY / HOUR);
	else if (s >= HOUR)
		(void)snprintf(out, 32, "%lld:%02lld:%02lld", s / HOUR,
		    s % HOUR / MINUTE, s % MINUTE);
	else
		(void)snprintf(out, 32, "%lld:%02lld", s / MINUTE, s % MINUTE);
	return out;
}
