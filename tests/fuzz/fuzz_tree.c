/* A leaf or node: level u8, number of refs u8, payload.  Level 255 means a
 * block of extended attributes. */

#include "fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct again_bytes a = {0};

	if (len < 2)
		return 0;
	a.level = p[0];
	a.nrefs = p[1];
	a.refs = fuzz_refs();
	/* An error is a good answer; wrong ones abort. */
	if (a.level == 255)
		(void)again_xattrs(&a, p + 2, len - 2);
	else
		(void)again_tree(&a, p + 2, len - 2);
	return 0;
}
