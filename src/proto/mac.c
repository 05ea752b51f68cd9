#include "proto/mac.h"

#include "base/bytes.h"
#include "hash/hash.h"

#include <string.h>

#define REQUEST_CONTEXT "hashstore request v1"
#define REFUSAL_CONTEXT "hashstore refusal v1"

/* session, number, status, hash of the body */
#define REFUSAL_BYTES (IDENT_BYTES + 8 + 4 + HASH_BYTES)

void
mac_wipe(struct mac_session *s)
{
	hash_wipe(s, sizeof(*s));
}

void
mac_request(uint8_t out[SIGN_MAC_BYTES], const struct mac_session *s,
    uint64_t number, enum route route, const uint8_t *body, size_t len)
{
	uint8_t head[IDENT_BYTES + 8 + 4 + 8];
	struct hash h;

	memcpy(head, s->session, IDENT_BYTES);
	bytes_put64(head + IDENT_BYTES, number);
	bytes_put32(head + IDENT_BYTES + 8, (uint32_t)route);
	bytes_put64(head + IDENT_BYTES + 12, len);

	hash_init_keyed(&h, s->request_key);
	hash_update(&h, REQUEST_CONTEXT, sizeof(REQUEST_CONTEXT));
	hash_update(&h, head, sizeof(head));
	hash_update(&h, body, len);
	hash_final(&h, out);
	hash_wipe(&h, sizeof(h));
}

static void
refusal_bytes(uint8_t out[REFUSAL_BYTES], const uint8_t session[IDENT_BYTES],
    uint64_t number, unsigned status, const uint8_t *body, size_t len)
{
	memcpy(out, session, IDENT_BYTES);
	bytes_put64(out + IDENT_BYTES, number);
	bytes_put32(out + IDENT_BYTES + 8, status);
	hash_bytes(out + IDENT_BYTES + 12, body, len);
}

void
mac_refusal_make(uint8_t out[SIGN_BYTES],
    const uint8_t store_seed[SIGN_SEED_BYTES],
    const uint8_t session[IDENT_BYTES], uint64_t number, unsigned status,
    const uint8_t *body, size_t len)
{
	uint8_t m[REFUSAL_BYTES];

	refusal_bytes(m, session, number, status, body, len);
	sign_make(out, store_seed, REFUSAL_CONTEXT, m, sizeof(m));
}

int
mac_refusal_check(const uint8_t sig[SIGN_BYTES],
    const uint8_t store_public[SIGN_PUBLIC_BYTES],
    const uint8_t session[IDENT_BYTES], uint64_t number, unsigned status,
    const uint8_t *body, size_t len)
{
	uint8_t m[REFUSAL_BYTES];

	refusal_bytes(m, session, number, status, body, len);
	return sign_check(sig, store_public, REFUSAL_CONTEXT, m, sizeof(m));
}
