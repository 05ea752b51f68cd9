#include "proto/mac.h"

#include "base/bytes.h"
#include "hash/hash.h"

#include <assert.h>
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

/* Everything of a request but its body; end with hash_final(), then wipe. */
static void
begin_request(struct hash *h, const struct mac_session *s, uint64_t number,
    enum route route, size_t len)
{
	uint8_t head[IDENT_BYTES + 8 + 4 + 8];

	memcpy(head, s->session, IDENT_BYTES);
	bytes_put64(head + IDENT_BYTES, number);
	bytes_put32(head + IDENT_BYTES + 8, (uint32_t)route);
	bytes_put64(head + IDENT_BYTES + 12, len);

	hash_init_keyed(h, s->request_key);
	hash_update(h, REQUEST_CONTEXT, sizeof(REQUEST_CONTEXT));
	hash_update(h, head, sizeof(head));
}

void
mac_request(uint8_t out[SIGN_MAC_BYTES], const struct mac_session *s,
    uint64_t number, enum route route, const uint8_t *body, size_t len)
{
	struct hash h;

	assert(route != ROUTE_PUT);
	begin_request(&h, s, number, route, len);
	hash_update(&h, body, len);
	hash_final(&h, out);
	hash_wipe(&h, sizeof(h));
}

int
mac_put(uint8_t out[SIGN_MAC_BYTES], const struct mac_session *s,
    uint64_t number, const uint8_t *body, size_t len, mac_feed_fn *feed)
{
	struct hash h;
	int r;

	begin_request(&h, s, number, ROUTE_PUT, len);
	r = feed(&h, body, len);
	if (r == 0)
		hash_final(&h, out);
	hash_wipe(&h, sizeof(h));
	return r;
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
