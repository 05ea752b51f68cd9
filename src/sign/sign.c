#include "sign/sign.h"

#include "base/err.h"
#include "base/random.h"
#include "hash/hash.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#define CONTEXT_BYTES_MAX 64

_Static_assert(SIGN_SEED_BYTES == crypto_sign_SEEDBYTES &&
		   SIGN_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES &&
		   SIGN_BYTES == crypto_sign_BYTES &&
		   SIGN_DH_BYTES == crypto_scalarmult_BYTES &&
		   SIGN_DH_BYTES == crypto_scalarmult_SCALARBYTES &&
		   SIGN_MAC_BYTES == HASH_BYTES,
    "the sizes in sign.h are not those of the libraries");

int
sign_start(void)
{
	if (sodium_init() < 0)
		return err_set(ERR_FAIL, "libsodium does not start");
	return 0;
}

void
sign_seed(uint8_t seed[SIGN_SEED_BYTES])
{
	random_bytes(seed, SIGN_SEED_BYTES);
}

/* The pair of a seed; `secret` is to be wiped. */
static void
pair_of(uint8_t pub[SIGN_PUBLIC_BYTES],
    uint8_t secret[crypto_sign_SECRETKEYBYTES],
    const uint8_t seed[SIGN_SEED_BYTES])
{
	/* Documented never to fail. */
	(void)crypto_sign_seed_keypair(pub, secret, seed);
}

void
sign_public(uint8_t pub[SIGN_PUBLIC_BYTES], const uint8_t seed[SIGN_SEED_BYTES])
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];

	pair_of(pub, secret, seed);
	sodium_memzero(secret, sizeof(secret));
}

/*
 * What Ed25519 signs: length of the context, context, BLAKE3 of the message;
 * docs/format.md 2.3.  Hashing first keeps large messages out of libsodium,
 * which passes over them twice.
 */
struct signed_bytes {
	uint8_t p[1 + CONTEXT_BYTES_MAX + HASH_BYTES];
	size_t len;
};

static void
signed_bytes_of(
    struct signed_bytes *s, const char *context, const void *p, size_t len)
{
	size_t context_len = strlen(context);

	assert(context_len <= CONTEXT_BYTES_MAX);
	s->p[0] = (uint8_t)context_len;
	memcpy(s->p + 1, context, context_len);
	hash_bytes(s->p + 1 + context_len, p, len);
	s->len = 1 + context_len + HASH_BYTES;
}

void
sign_make(uint8_t sig[SIGN_BYTES], const uint8_t seed[SIGN_SEED_BYTES],
    const char *context, const void *p, size_t len)
{
	struct signed_bytes s;
	uint8_t pub[SIGN_PUBLIC_BYTES];
	uint8_t secret[crypto_sign_SECRETKEYBYTES];

	signed_bytes_of(&s, context, p, len);
	pair_of(pub, secret, seed);
	/* Documented never to fail. */
	(void)crypto_sign_detached(sig, NULL, s.p, s.len, secret);
	sodium_memzero(secret, sizeof(secret));
}

int
sign_check(const uint8_t sig[SIGN_BYTES], const uint8_t pub[SIGN_PUBLIC_BYTES],
    const char *context, const void *p, size_t len)
{
	struct signed_bytes s;

	signed_bytes_of(&s, context, p, len);
	if (crypto_sign_verify_detached(sig, s.p, s.len, pub) != 0)
		return err_set(ERR_REFUSED, "wrong signature");
	return 0;
}

void
sign_dh_pair(uint8_t secret[SIGN_DH_BYTES], uint8_t pub[SIGN_DH_BYTES])
{
	random_bytes(secret, SIGN_DH_BYTES);
	/* The base point is fine with every scalar. */
	(void)crypto_scalarmult_base(pub, secret);
}

int
sign_dh(uint8_t shared[SIGN_DH_BYTES], const uint8_t secret[SIGN_DH_BYTES],
    const uint8_t peer[SIGN_DH_BYTES])
{
	uint8_t q[SIGN_DH_BYTES];

	if (crypto_scalarmult(q, secret, peer) != 0)
		return err_set(
		    ERR_REFUSED, "the other side sent a weak session key");
	memcpy(shared, q, sizeof(q));
	sodium_memzero(q, sizeof(q));
	return 0;
}
