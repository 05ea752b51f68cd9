#include "lib/seeded.h"

#include "base/clock.h"
#include "base/random.h"

#include <string.h>

#define WALL_NS (14610ll * 86400 * 1000000000)
#define TICK_NS 1000000 /* by which each look at a clock moves it on */

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

int64_t
__wrap_clock_wall_ns(void)
{
	return __wrap_clock_mono_ns() + wall_offset_ns;
}
