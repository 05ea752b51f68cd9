#ifndef HS_CLI_METER_H
#define HS_CLI_METER_H

/*
 * The progress line of a long command: on a terminal at the foot of stderr,
 * redrawn METER_PER_SECOND times a second, gone before any message and at the
 * end.  SIGUSR1 prints it as a line of its own at any time, also where stderr
 * is no terminal, --quiet or not.
 *
 * Thread use: one meter in a process; meter_total() from any thread.
 */

#include <stddef.h>
#include <stdint.h>

#define METER_PER_SECOND 5

struct meter;

/* How far the work is. */
struct meter_sample {
	uint64_t files; /* or whatever the work counts */
	uint64_t bytes;
};

/* Tells it; called from the meter's thread at any time. */
typedef void meter_read_fn(void *arg, struct meter_sample *out);

/*
 * Begin, before other threads.  SIGUSR1 stays blocked afterwards, for good.
 * `verb` ("backup") and `noun` ("files") outlive the meter.  Without
 * memory or a thread there is no progress line, and `*out` is NULL.
 */
void meter_start(struct meter **out, const char *verb, const char *noun,
    meter_read_fn *read, void *arg);
/* What it will come to, as soon as that is known; 0 bytes: it is not. */
void meter_total(struct meter *m, uint64_t bytes); /* NULL is fine */
/* Clear the line and end; NULL is fine. */
void meter_stop(struct meter *m);

/* What meter_line() puts into words. */
struct meter_state {
	const char *verb, *noun;
	struct meter_sample now;
	uint64_t bytes_total; /* 0: not known */
	uint64_t rate; /* bytes a second; 0: not known */
};

/*
 * One line of at most `columns` characters, all of them ASCII, in `out` of
 * `cap` bytes: what matters least is left out until the rest fits.
 */
void meter_line(
    char *out, size_t cap, unsigned columns, const struct meter_state *s);

#endif
