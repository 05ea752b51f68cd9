#ifndef HS_BASE_DURATION_H
#define HS_BASE_DURATION_H

/*
 * Spans of time as users write and read them: "30s", "5m", "2h", "7d", "4w",
 * and several of them, "1h30m".
 */

#include <stdint.h>

/* A century: no sum of a clock and a duration overflows. */
#define DURATION_SECONDS_MAX (36525ll * 86400)

/*
 * Seconds of `text`: digits and a unit, once or more; "0" needs no unit.
 * Returns 0; ERR_USAGE with a message that shows how it is written.
 */
int duration_parse(int64_t *seconds, const char *text);

/*
 * For people, rounded down to one unit: "1 second", "5 minutes", "3 days".
 * `out` has 32 bytes; returns it.  What is negative counts as none.
 */
const char *duration_words(char out[32], int64_t seconds);

/* As a clock shows it: "0:07", "12:34", "5:02:00", from a day on "3d 4h".
 * `out` has 32 bytes; returns it. */
const char *duration_clock(char out[32], int64_t seconds);

#endif
