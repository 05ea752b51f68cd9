#ifndef HS_TESTS_SETTING_H
#define HS_TESTS_SETTING_H

/* What the environment says of a test's seed, counts and parts. */

#include <stdint.h>

/* The number in the variable `name`; `otherwise` when it is not set. */
uint64_t setting(const char *name, uint64_t otherwise);

#endif
