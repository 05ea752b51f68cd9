/*
 * Other clocks: a library for LD_PRELOAD.
 *
 * The file that CLOCKS names has "WALL BOOT": by how many seconds the wall
 * clock and the one that counts since the machine's start are ahead; or
 * "WALL BOOT AT": the wall clock stands still at AT seconds since 1970, and
 * WALL means nothing.  It is read at each call, so that a test can let time go
 * by for all processes at once.  No other clock is touched, and no file's time.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);
	long long wall = 0, boot = 0, at = 0;
	const char *path = getenv("CLOCKS");
	char text[80];
	ssize_t n = 0;
	int ret, fd, got;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	ret = real(id, ts);
	if (path == NULL || (id != CLOCK_REALTIME && id != CLOCK_BOOTTIME &&
				id != CLOCK_REALTIME_COARSE))
		return ret;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	got = sscanf(text, "%lld %lld %lld", &wall, &boot, &at);
	if (got < 2)
		return ret;
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
