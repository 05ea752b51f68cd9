/* A chunk map: level u8, number of refs u8, bytes covered u64, payload. */

#include "base/bytes.h"
#include "fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct again_bytes a = {0};

	if (len < 10)
		return 0;
	a.level = p[0];
	a.nrefs = p[1];
	a.length = bytes_get64(p + 2);
	a.refs = fuzz_refs();
	/* An error is a good answer; wrong ones abort. */
	(void)again_map(&a, p + 10, len - 10);
	return 0;
}
