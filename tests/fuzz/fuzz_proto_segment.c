/*
 * An answer in segments: size of the pieces u8 (odd: payloads are items with
 * records), bytes.  Nobody guesses a MAC, so nothing may ever be handed out.
 */

#include "fuzz/fuzz.h"
#include "proto/segment.h"

#include <stdlib.h>

static int
found(void *arg, const uint8_t *payload, size_t len, uint32_t flags)
{
	(void)arg;
	(void)payload;
	(void)len;
	(void)flags;
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct mac_session s = {.answer_key = {1}};
	struct segment_key k = {.session = &s, .number = 1, .status = 200};
	struct segment_reader r;
	size_t step, n;
	int ret = 0;

	if (len < 1)
		return 0;
	step = p[0] + 1u;
	k.records = p[0] & 1;
	segment_reader_init(&r, &k, 1 << 16);
	for (p++, len--; len > 0 && ret == 0; p += n, len -= n) {
		n = len < step ? len : step;
		ret = segment_reader_feed(&r, p, n, found, NULL);
	}
	if (ret == 0 && segment_reader_end(&r) == 0)
		abort();
	segment_reader_release(&r);
	return 0;
}
