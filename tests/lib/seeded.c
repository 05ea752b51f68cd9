#include "lib/seeded.h"

#include "base/clock.h"
#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALL_NS (14610ll * 86400 * 1000000000)
#define TICK_NS 1000000 /* by which each look at a clock moves it on */
#define YEARS_NS (3650ll * 86400 * 1000000000)
#define STRETCH_NS (7ll * 1000000) /* until it is off, or right, again */

static uint64_t state = 1;
static int64_t mono_ns, wall_offset_ns = WALL_NS, tick_ns = TICK_NS;

/* What the linker's --wrap makes of the calls. */
void __wrap_random_bytes(uint8_t *out, size_t len);
int64_t __wrap_clock_wall_ns(void);
int64_t __wrap_clock_mono_ns(void);

void
seeded_start(uint64_t seed)
{
	state = seed * 0x2545f4914f6cdd1du + 1;
	mono_ns = 0;
	wall_offset_ns = WALL_NS;
	tick_ns = TICK_NS;
}

void
seeded_tick(int64_t ns)
{
	tick_ns = ns;
}

void
seeded_move_wall(int64_t ns)
{
	wall_offset_ns += ns;
}

void
seeded_pass(int64_t ns)
{
	__atomic_add_fetch(&mono_ns, ns, __ATOMIC_RELAXED);
}

/* splitmix64.  Threads that take turns see one sequence; others only need it
 * to be whole. */
void
__wrap_random_bytes(uint8_t *out, size_t len)
{
	uint64_t z;
	size_t n;

	for (; len > 0; out += n, len -= n) {
		z = __atomic_add_fetch(
		    &state, 0x9e3779b97f4a7c15u, __ATOMIC_RELAXED);
		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		z = (z ^ z >> 27) * 0x94d049bb133111ebu;
		z ^= z >> 31;
		n = len < sizeof(z) ? len : sizeof(z);
		memcpy(out, &z, n);
	}
}

int64_t
__wrap_clock_mono_ns(void)
{
	return __atomic_add_fetch(&mono_ns, tick_ns, __ATOMIC_RELAXED);
}

/* ---- CLOCK ---- */

static unsigned long long looks, jumps;

static void
report(void)
{
	printf("# CLOCK=%s: %llu looks at the wall clock, %llu jumps\n",
	    getenv("CLOCK"), looks, jumps);
}

/* By how much the wall clock is off now. */
static int64_t
off_ns(int64_t now_ns)
{
	static int64_t before_ns;
	const char *how = getenv("CLOCK");
	int64_t ns = 0;

	if (how == NULL || *how == '\0')
		return 0;
	if (looks++ == 0 && atexit(report) != 0)
		abort();
	if (strcmp(how, "frozen") == 0)
		ns = -now_ns;
	else if (strcmp(how, "+10y") != 0 && strcmp(how, "-10y") != 0)
		abort();
	else if (now_ns / STRETCH_NS % 2 == 0)
		ns = *how == '-' ? -YEARS_NS : YEARS_NS;
	jumps += ns != before_ns && *how != 'f';
	before_ns = ns;
	return ns;
}

int64_t
__wrap_clock_wall_ns(void)
{
	int64_t now_ns = __wrap_clock_mono_ns();

	return now_ns + wall_offset_ns + off_ns(now_ns);
}
