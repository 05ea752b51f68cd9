#include "cli/cli.h"

#include "base/err.h"
#include "base/log.h"
#include "cli/jsonl.h"
#include "cli/mode.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

atomic_int cli_interrupted;

static void
on_signal(int number)
{
	(void)number;
	cli_interrupted = 1;
}

void
cli_catch_interrupts(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	/* No SA_RESTART: a blocking call ends and the flag is seen.  A second
	 * signal ends the process: nothing here needs a last word. */
	sa.sa_flags = (int)SA_RESETHAND;
	(void)sigemptyset(&sa.sa_mask); /* cannot fail */
	(void)sigaction(SIGINT, &sa, NULL); /* numbers are valid */
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGHUP, &sa, NULL);
}

int
cli_print(const char *fmt, ...)
{
	va_list ap;
	int n, rc = 0;

	log_foot(NULL);
	flockfile(stdout); /* warnings come from any thread */
	va_start(ap, fmt);
	n = vprintf(fmt, ap);
	va_end(ap);
	if (n < 0 || putchar('\n') == EOF || fflush(stdout) != 0)
		rc = err_errno(ERR_IO, "cannot write to stdout");
	funlockfile(stdout);
	return rc;
}

const char *
cli_size(char out[16], unsigned long long bytes)
{
	static const char *const units[] = {
	    "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 1024 && u < 6) {
		v /= 1024;
		u++;
	}
	(void)snprintf(out, 16, u == 0 ? "%.0f %s" : "%.1f %s", v, units[u]);
	return out; /* at most "1023.9 KiB" */
}

const char *
cli_count(char out[48], unsigned long long n, const char *one, const char *many)
{
	(void)snprintf(out, 48, "%llu %s", n, n == 1 ? one : many); /* cut */
	return out;
}

const char *
cli_time(char out[32], int64_t ns)
{
	time_t s = (time_t)(ns / 1000000000);
	struct tm tm;

	if (localtime_r(&s, &tm) == NULL ||
	    strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)snprintf(out, 32, "%lld", (long long)s);
	return out;
}

int64_t
cli_age(int64_t now_ns, int64_t then_ns)
{
	return now_ns > then_ns ? (now_ns - then_ns) / 1000000000 : 0;
}

const char *
cli_name(char out[CLI_NAME_BYTES], const char *name)
{
	return log_escape(out, CLI_NAME_BYTES, name, strlen(name));
}

/* The same for a program that reads; the line was printed for people. */
static void
warn_json(const char *path, size_t len, const char *text)
{
	struct jsonl l;

	jsonl_begin(&l, "warning");
	if (path != NULL)
		jsonl_bytes(&l, "path", path, len);
	jsonl_text(&l, "message", text);
	(void)jsonl_print(&l); /* what comes last meets the same error */
}

void
cli_warn_line(void *arg, const char *text)
{
	(void)arg; /* the shape is the engine's */
	log_warn("%s", text);
	if (mode.json)
		warn_json(NULL, 0, text);
}

void
cli_warn_path(void *arg, const char *path, size_t len, const char *text)
{
	char name[LOG_NAME_MAX];
	size_t cut = len < sizeof(name) ? len : sizeof(name) - 1;

	(void)arg; /* the shape is the engine's */
	(void)snprintf(name, sizeof(name), "%.*s", (int)cut, path);
	log_warn("%s: %s", name, text);
	if (mode.json)
		warn_json(path, len, text);
}
