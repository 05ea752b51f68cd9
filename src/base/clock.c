#include "base/clock.h"

#include <assert.h>
#include <time.h>

static int64_t
read_clock(clockid_t id)
{
	struct timespec ts;
	int r = clock_gettime(id, &ts);

	/* The three clocks below exist on every kernel that we run on. */
	assert(r == 0);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t
clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t
clock_mono_ns(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

int64_t
clock_cpu_ns(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}
