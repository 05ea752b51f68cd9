#include "store/tomb.h"

#include "base/bytes.h"
#include "base/err.h"

#include <string.h>

#define MAGIC "HST1"
#define SIGNED_BYTES (TOMB_BYTES - SIGN_BYTES - HASH_BYTES)

_Static_assert(SIGNED_BYTES == 120, "format.md 8.3");

void
tomb_encode(uint8_t out[TOMB_BYTES], const struct tomb *t,
    const uint8_t seed[SIGN_SEED_BYTES])
{
	memcpy(out, MAGIC, 4);
	bytes_put32(out + 4, t->reason);
	memcpy(out + 8, t->vault, 16);
	memcpy(out + 24, t->mount, 16);
	bytes_put64(out + 40, t->server_seq);
	bytes_put64(out + 48, t->client_seq);
	memcpy(out + 56, t->hash, HASH_BYTES);
	bytes_put64(out + 88, (uint64_t)t->receive_ns);
	bytes_put64(out + 96, (uint64_t)t->stamp_ns);
	bytes_put64(out + 104, (uint64_t)t->retired_ns);
	bytes_put64(out + 112, (uint64_t)t->wall_ns);
	sign_make(out + SIGNED_BYTES, seed, TOMB_CONTEXT, out, SIGNED_BYTES);
	hash_bytes(out + TOMB_BYTES - HASH_BYTES, out, TOMB_BYTES - HASH_BYTES);
}

int
tomb_decode(struct tomb *out, const uint8_t *p, size_t len)
{
	uint8_t sum[HASH_BYTES];
	struct bytes_reader r;
	struct tomb t;

	if (len != TOMB_BYTES)
		return err_set(ERR_DAMAGED, "a tombstone of a wrong length");
	hash_bytes(sum, p, TOMB_BYTES - HASH_BYTES);
	if (memcmp(p, MAGIC, 4) != 0 ||
	    memcmp(sum, p + TOMB_BYTES - HASH_BYTES, HASH_BYTES) != 0)
		return err_set(ERR_DAMAGED, "not a tombstone");
	bytes_reader_init(&r, p + 4, SIGNED_BYTES - 4);
	t.reason = bytes_read32(&r);
	memcpy(t.vault, bytes_read(&r, 16), 16);
	memcpy(t.mount, bytes_read(&r, 16), 16);
	t.server_seq = bytes_read64(&r);
	t.client_seq = bytes_read64(&r);
	memcpy(t.hash, bytes_read(&r, HASH_BYTES), HASH_BYTES);
	t.receive_ns = (int64_t)bytes_read64(&r);
	t.stamp_ns = (int64_t)bytes_read64(&r);
	t.retired_ns = (int64_t)bytes_read64(&r);
	t.wall_ns = (int64_t)bytes_read64(&r);
	if (t.server_seq == 0)
		return err_set(ERR_DAMAGED, "a tombstone of no snapshot");
	*out = t;
	return 0;
}

int
tomb_check_signature(
    const uint8_t p[TOMB_BYTES], const uint8_t store_public[SIGN_PUBLIC_BYTES])
{
	return sign_check(
	    p + SIGNED_BYTES, store_public, TOMB_CONTEXT, p, SIGNED_BYTES);
}
