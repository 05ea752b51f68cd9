/*
 * A form u8 (0 client part, 1 file without its checksum), bytes.  The store
 * and the client read the same format with code of their own: both must say
 * the same.
 */

#include "fuzz/fuzz.h"
#include "hash/hash.h"
#include "object/snapshot.h"
#include "store/envelope.h"

#include <stdlib.h>
#include <string.h>

static void
check(int ok)
{
	if (!ok)
		abort();
}

static void
compare(const struct envelope *e, const struct snapshot_envelope *s)
{
	check(e->epoch == s->epoch && e->client_seq == s->client_seq);
	check(memcmp(e->vault, s->vault, 16) == 0);
	check(memcmp(e->mount, s->mount, 16) == 0);
	check(memcmp(e->previous, s->previous, HASH_BYTES) == 0);
	check(memcmp(e->id, s->id, 32) == 0);
	check(e->files == s->files && e->bytes == s->bytes);
	check(e->nrefs == s->nrefs && e->refs == s->refs);
	check(e->client + e->client_len - ENVELOPE_SIGNATURE_BYTES ==
	      s->signature);
}

static void
client(const uint8_t *p, size_t len)
{
	struct snapshot_envelope s;
	struct envelope e;
	int a = envelope_decode_client(&e, p, len);
	int b = snapshot_decode_client(&s, p, len);

	check((a == 0) == (b == 0));
	if (a == 0)
		compare(&e, &s);
}

static void
file(const uint8_t *p, size_t len)
{
	uint8_t *whole = malloc(len + HASH_BYTES), one[32], two[32];
	struct snapshot_envelope s;
	struct envelope e;
	int a, b;

	check(whole != NULL);
	memcpy(whole, p, len);
	hash_bytes(whole + len, p, len);
	a = envelope_decode_file(&e, whole, len + HASH_BYTES);
	b = snapshot_decode_file(&s, whole, len + HASH_BYTES);
	check((a == 0) == (b == 0));
	if (a == 0) {
		compare(&e, &s);
		check(e.receive_ns == s.receive_ns &&
		      e.server_seq == s.server_seq);
		envelope_hash(one, &e);
		check(snapshot_hash(two, whole, len + HASH_BYTES) == 0);
		check(memcmp(one, two, sizeof(one)) == 0);
	}
	free(whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	if (len < 1)
		return 0;
	if (p[0] == 0)
		client(p + 1, len - 1);
	else
		file(p + 1, len - 1);
	return 0;
}
