/*
 * A pack whose name and header hash are made right, for no mutation would find
 * them: bytes.
 */

#include "base/bytes.h"
#include "fuzz/fuzz.h"
#include "hash/hash.h"
#include "store/pack.h"

#include <stdlib.h>
#include <string.h>

#define SECTION_BYTES 8

static void
check(int ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	uint8_t name[HASH_BYTES] = {0}, *copy;
	struct pack k = PACK_INIT;
	struct pack_entry e;
	uint64_t at = 0, end = PACK_HEADER_BYTES;
	uint32_t i;

	if (len < PACK_HEADER_BYTES + PACK_TRAILER_BYTES)
		return 0;
	copy = malloc(len);
	check(copy != NULL);
	memcpy(copy, p, len);
	at = bytes_get64(copy + len - PACK_TRAILER_BYTES);
	if (at <= len - PACK_TRAILER_BYTES) {
		if (len - PACK_TRAILER_BYTES - at >= SECTION_BYTES + HASH_BYTES)
			hash_bytes(
			    copy + at + SECTION_BYTES, copy, PACK_HEADER_BYTES);
		hash_bytes(name, copy + at, len - PACK_TRAILER_BYTES - at);
	}
	if (pack_decode(&k, name, copy, len, copy + 8) == 0) {
		for (i = 0; i < k.count; i++) {
			pack_entry(&e, &k, i);
			check(e.offset == end && e.length <= at - end);
			end += e.length;
			/* Either answer is right. */
			(void)pack_check_record(
			    NULL, &e, copy + e.offset, e.length);
		}
		check(k.end == end);
		pack_release(&k);
	}
	free(copy);
	return 0;
}
