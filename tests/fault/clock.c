/*
 * Other clocks: a library for LD_PRELOAD.
 *
 * CLOCKS says "WALL BOOT": by how many seconds the wall clock and the one that
 * counts since the machine's start are ahead.  "WALL BOOT AT": the wall clock
 * stands still at AT seconds since 1970, and WALL means nothing.  "WALL BOOT
 * each N": it is ahead for N seconds, then right for N, and so on.  With a
 * slash in it, CLOCKS names a file that says so; that is read at each call, so
 * that a test can let time go by for all processes at once.  No other clock is
 * touched, and no file's time.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* What CLOCKS says, or "". */
static void
read_words(char text[80])
{
	const char *from = getenv("CLOCKS");
	ssize_t n;
	int fd;

	text[0] = '\0';
	if (from == NULL || strchr(from, '/') == NULL) {
		(void)snprintf(text, 80, "%s", from == NULL ? "" : from);
		return;
	}
	fd = open(from, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, text, 79);
	text[n > 0 ? n : 0] = '\0';
	close(fd);
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);
	long long wall = 0, boot = 0, at = 0, each = 0;
	struct timespec mono;
	char text[80];
	int ret, got;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	ret = real(id, ts);
	if (id != CLOCK_REALTIME && id != CLOCK_BOOTTIME &&
	    id != CLOCK_REALTIME_COARSE)
		return ret;
	read_words(text);
	got = sscanf(text, "%lld %lld %lld", &wall, &boot, &at);
	if (got < 2)
		return ret;
	if (sscanf(text, "%*d %*d each %lld", &each) == 1 && each > 0 &&
	    real(CLOCK_MONOTONIC, &mono) == 0 && mono.tv_sec / each % 2 != 0)
		wall = 0;
	if (id == CLOCK_BOOTTIME) {
		ts->tv_sec += boot;
	} else if (got == 3) {
		ts->tv_sec = at;
		ts->tv_nsec = 0;
	} else {
		ts->tv_sec += wall;
	}
	return ret;
}

time_t
time(time_t *out)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (out != NULL)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
