#include "cli/meter.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/pool.h"
#include "cli/cli.h"
#include "cli/mode.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 256
#define COLUMNS_DEFAULT 80
#define TICK_NS (1000000000l / METER_PER_SECOND)
/* The rate is that of the last so many ticks: five seconds. */
#define TICKS 25
/* Short commands end before there is anything to see. */
#define FIRST_NS 500000000ll

struct meter {
	const char *verb, *noun;
	meter_read_fn *read;
	void *arg;
	struct pool_thread *thread;
	atomic_int stop;
	atomic_ullong total;
	int draws; /* stderr is a terminal */
	/* Of the last ticks; the oldest is overwritten next. */
	int64_t then_ns[TICKS];
	uint64_t then_bytes[TICKS];
	unsigned nthen;
};

enum part { VERB, FILES, BYTES, RATE, SHARE, LEFT, PARTS };

/* What is left out first. */
static const enum part dispensable[PARTS] = {
    VERB, FILES, RATE, LEFT, BYTES, SHARE};

static void
fill_parts(char part[PARTS][64], const struct meter_state *s)
{
	char text[32];
	unsigned percent = 0;

	memset(part, 0, PARTS * sizeof(part[0]));
	(void)snprintf(part[VERB], 64, "%s", s->verb); /* all of these fit */
	(void)snprintf(part[FILES], 64, "%llu %s",
	    (unsigned long long)s->now.files, s->noun);
	(void)cli_size(part[BYTES], s->now.bytes);
	if (s->rate > 0)
		(void)snprintf(part[RATE], 64, "%s/s", cli_size(text, s->rate));
	/* More than there was the last time: nobody knows how much more. */
	if (s->bytes_total == 0 || s->now.bytes > s->bytes_total)
		return;
	percent =
	    (unsigned)((double)s->now.bytes * 100 / (double)s->bytes_total);
	(void)snprintf(part[SHARE], 64, "%u %%", percent);
	if (s->rate > 0)
		(void)snprintf(part[LEFT], 64, "%s left",
		    duration_clock(text,
			(int64_t)((s->bytes_total - s->now.bytes) / s->rate)));
}

/* The parts that are there, after the verb with a colon. */
static size_t
join(char *out, size_t cap, char part[PARTS][64])
{
	size_t i, used = 0;

	out[0] = '\0';
	for (i = 0; i < PARTS; i++) {
		const char *before = used == 0                     ? ""
				     : part[VERB][0] && i <= FILES ? ": "
								   : ", ";

		if (part[i][0] != '\0')
			used += (size_t)snprintf(
			    out + used, cap - used, "%s%s", before, part[i]);
	}
	return used;
}

void
meter_line(char *out, size_t cap, unsigned columns, const struct meter_state *s)
{
	char part[PARTS][64], text[LINE_BYTES + PARTS * 64];
	size_t i, len;

	fill_parts(part, s);
	len = join(text, sizeof(text), part);
	/* The last one stays, and is cut. */
	for (i = 0; i + 1 < PARTS && len > columns; i++) {
		part[dispensable[i]][0] = '\0';
		if (join(text, sizeof(text), part) > 0)
			len = strlen(text);
	}
	(void)snprintf(out, cap, "%.*s", (int)columns, text); /* meant */
}

/* Columns of the terminal that may be filled without a line's end. */
static unsigned
columns(void)
{
	struct winsize w;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0)
		return COLUMNS_DEFAULT - 1;
	return w.ws_col - 1u;
}

/* Nonzero when the terminal is another job's just now. */
static int
is_background(void)
{
	pid_t group = tcgetpgrp(STDERR_FILENO);

	return group > 0 && group != getpgrp();
}

/* Look, and remember: the rate is that since the oldest look. */
static void
look(struct meter_state *s, struct meter *m, int remember)
{
	int64_t now = clock_mono_ns();
	unsigned oldest = m->nthen < TICKS ? 0 : m->nthen % TICKS;
	uint64_t before = m->then_bytes[oldest];
	double seconds = (double)(now - m->then_ns[oldest]) / 1e9;

	memset(s, 0, sizeof(*s));
	s->verb = m->verb;
	s->noun = m->noun;
	m->read(m->arg, &s->now);
	s->bytes_total = atomic_load(&m->total);
	/* A second walk counts anew. */
	if (s->now.bytes > before && seconds > 0.1)
		s->rate = (uint64_t)((double)(s->now.bytes - before) / seconds);
	if (!remember)
		return;
	m->then_ns[m->nthen % TICKS] = now;
	m->then_bytes[m->nthen % TICKS] = s->now.bytes;
	m->nthen++;
}

static void
run(void *arg)
{
	const struct timespec tick = {.tv_nsec = TICK_NS};
	struct meter *m = arg;
	int64_t start = clock_mono_ns();
	char line[LINE_BYTES];
	struct meter_state s;
	sigset_t set;
	int sig;

	(void)sigemptyset(&set); /* cannot fail, as the next */
	(void)sigaddset(&set, SIGUSR1);
	look(&s, m, 1);
	for (;;) {
		sig = m->draws ? sigtimedwait(&set, NULL, &tick)
			       : sigwaitinfo(&set, NULL);
		if (atomic_load(&m->stop))
			break;
		look(&s, m, m->draws && sig != SIGUSR1);
		if (sig == SIGUSR1) {
			meter_line(line, sizeof(line), sizeof(line) - 1, &s);
			log_warn("%s", line);
		} else if (m->draws && clock_mono_ns() - start > FIRST_NS &&
			   !is_background()) {
			meter_line(line, sizeof(line), columns(), &s);
			log_foot(line);
		}
	}
	log_foot(NULL);
}

void
meter_start(struct meter **out, const char *verb, const char *noun,
    meter_read_fn *read, void *arg)
{
	struct meter *m = calloc(1, sizeof(*m));
	sigset_t set;

	*out = NULL;
	/* From now on in all threads: the meter's waits for it. */
	(void)sigemptyset(&set); /* cannot fail, as the next two */
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	if (m == NULL)
		return;
	m->verb = verb;
	m->noun = noun;
	m->read = read;
	m->arg = arg;
	m->draws = !mode.quiet && isatty(STDERR_FILENO);
	atomic_init(&m->stop, 0);
	atomic_init(&m->total, 0);
	if (pool_thread_start(&m->thread, run, m) != 0) {
		free(m);
		return;
	}
	*out = m;
}

void
meter_total(struct meter *m, uint64_t bytes)
{
	if (m != NULL)
		atomic_store(&m->total, bytes);
}

void
meter_stop(struct meter *m)
{
	if (m == NULL)
		return;
	atomic_store(&m->stop, 1);
	/* Blocked everywhere, so only its thread takes it. */
	(void)kill(getpid(), SIGUSR1); /* cannot fail for ourselves */
	pool_thread_join(m->thread);
	free(m);
}
