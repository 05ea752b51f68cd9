/*
 * A form u8 (0 client part, 1 file without its checksum, 2 payload), number of
 * refs u8 (payload), bytes.
 */

#include "fuzz/fuzz.h"
#include "hash/hash.h"
#include "object/snapshot.h"

#include <stdlib.h>
#include <string.h>

/* Give a file the checksum that no mutation would find. */
static void
with_checksum(const struct again_bytes *a, const uint8_t *p, size_t len)
{
	uint8_t *file = malloc(len + HASH_BYTES);
	uint8_t hash[HASH_BYTES];

	if (file == NULL)
		abort();
	memcpy(file, p, len);
	hash_bytes(file + len, file, len);
	/* An error is a good answer; wrong ones abort. */
	(void)again_file(a, file, len + HASH_BYTES);
	(void)snapshot_hash(hash, file, len + HASH_BYTES);
	free(file);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct again_bytes a = {0};

	if (len < 2)
		return 0;
	a.nrefs = p[1];
	a.refs = fuzz_refs();
	switch (p[0]) {
	case 0:
		(void)again_client(&a, p + 2, len - 2); /* as above */
		break;
	case 1:
		with_checksum(&a, p + 2, len - 2);
		break;
	case 2:
		(void)again_info(&a, p + 2, len - 2); /* as above */
		break;
	default:
		break;
	}
	return 0;
}
