#ifndef HS_TESTS_FUZZ_H
#define HS_TESTS_FUZZ_H

/*
 * What the fuzz targets share.  Each takes a few bytes of arguments off the
 * front of its input; tests/fuzz/seeds.c writes inputs that decode.
 * `make fuzz F=NAME T=SECONDS` runs tests/fuzz/fuzz_NAME.c.
 */

#include "lib/object_again.h"

#include <stddef.h>
#include <stdint.h>

#define FUZZ_REFS 256u

/* Sorted unique ids: only positions matter to a decoder. */
static inline const uint8_t *
fuzz_refs(void)
{
	static uint8_t refs[FUZZ_REFS * 32];
	unsigned i;

	for (i = 0; i < FUZZ_REFS; i++)
		refs[i * 32] = (uint8_t)i;
	return refs;
}

/* The entry point that libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

#endif
