/*
 * A tombstone without its checksum, which is made right: bytes.  What decodes
 * is encoded to the same, the signature apart, which nobody guesses.
 */

#include "fuzz/fuzz.h"
#include "store/tomb.h"

#include <stdlib.h>
#include <string.h>

#define SIGNED_BYTES (TOMB_BYTES - SIGN_BYTES - HASH_BYTES)

static void
check(int ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const uint8_t seed[SIGN_SEED_BYTES] = {1};
	uint8_t again[TOMB_BYTES], public_key[SIGN_PUBLIC_BYTES];
	uint8_t *whole = malloc(len + HASH_BYTES);
	struct tomb t;

	check(whole != NULL);
	memcpy(whole, p, len);
	hash_bytes(whole + len, p, len);
	if (tomb_decode(&t, whole, len + HASH_BYTES) == 0) {
		sign_public(public_key, seed);
		tomb_encode(again, &t, seed);
		check(memcmp(again, whole, SIGNED_BYTES) == 0);
		check(tomb_check_signature(again, public_key) == 0);
		check(tomb_check_signature(whole, public_key) != 0 ||
		      memcmp(again, whole, TOMB_BYTES) == 0);
	}
	free(whole);
	return 0;
}
