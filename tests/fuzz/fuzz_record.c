/*
 * A form u8 (0 a stream of records, 1 one record without its checksum), bytes.
 */

#include "fuzz/fuzz.h"
#include "hash/hash.h"
#include "store/record.h"

#include <stdlib.h>
#include <string.h>

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* What decodes is encoded to the same bytes. */
static void
one(const uint8_t *p, size_t len)
{
	uint8_t *whole = malloc(len + HASH_BYTES);
	struct buf again = BUF_INIT;
	struct record r;

	check(whole != NULL);
	memcpy(whole, p, len);
	hash_bytes(whole + len, p, len);
	if (record_decode(&r, whole, len + HASH_BYTES) == 0) {
		check(record_encode(&again, &r) == 0);
		check(again.len == r.len);
		check(memcmp(again.data, whole, r.len) == 0);
	}
	buf_release(&again);
	free(whole);
}

static void
stream(const uint8_t *p, size_t len)
{
	struct record r;

	while (len > 0 && record_parse(&r, p, len) == 0) {
		check(r.len <= len && r.len >= RECORD_BYTES_MIN);
		check(r.checksum + HASH_BYTES == p + r.len);
		(void)record_check(&r); /* either answer is right */
		p += r.len;
		len -= r.len;
	}
	/* Heads of what is cut. */
	if (record_parse_head(&r, p, len, SIZE_MAX) == 0)
		check(r.members + (size_t)r.nmembers * 32 <= p + len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	if (len < 1)
		return 0;
	if (p[0] == 0)
		stream(p + 1, len - 1);
	else
		one(p + 1, len - 1);
	return 0;
}
