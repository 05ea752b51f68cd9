#ifndef HS_BASE_CLOCK_H
#define HS_BASE_CLOCK_H

/* Clocks.  Labels use the wall clock; decisions use the monotonic one. */

#include <stdint.h>

/* Nanoseconds since 1970, from the wall clock. */
int64_t clock_wall_ns(void);
/* Nanoseconds of a clock that never jumps and counts suspended time. */
int64_t clock_mono_ns(void);
/* CPU nanoseconds used by this process so far. */
int64_t clock_cpu_ns(void);

#endif
