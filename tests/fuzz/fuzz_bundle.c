/* A bundle's payload. */

#include "fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct again_bytes a = {0};

	/* An error is a good answer; wrong ones abort. */
	(void)again_bundle(&a, p, len);
	return 0;
}
