/*
 * The times of snapshots without their checksum, which is made right: bytes.
 * What decodes is in order and as much as the length says.
 */

#include "base/bytes.h"
#include "fuzz/fuzz.h"
#include "hash/hash.h"
#include "store/stamps.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 40 /* format.md 9.3 */
#define LAST_SEQ 1000000

static void
check(int ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const uint8_t zero[STORE_NAME_BYTES];
	const struct stamp *s;
	struct buf out = BUF_INIT;
	uint8_t *whole = malloc(len + HASH_BYTES);
	size_t i, n;

	check(whole != NULL);
	if (len > 0)
		memcpy(whole, p, len);
	hash_bytes(whole + len, p, len);
	if (stamps_decode(
		&out, whole, len + HASH_BYTES, zero, zero, LAST_SEQ) == 0) {
		s = (const struct stamp *)(const void *)out.data;
		n = out.len / sizeof(*s);
		check(n > 0 && n == bytes_get32(p + 4));
		check(len == HEAD_BYTES + 16 * n);
		for (i = 0; i < n; i++) {
			check(s[i].ns >= 0 && s[i].seq <= LAST_SEQ);
			check(s[i].seq > (i > 0 ? s[i - 1].seq : 0));
		}
	}
	buf_release(&out);
	free(whole);
	return 0;
}
