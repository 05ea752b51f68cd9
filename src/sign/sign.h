#ifndef HS_SIGN_SIGN_H
#define HS_SIGN_SIGN_H

/*
 * Identities and sessions: Ed25519 signatures, X25519 key agreement (both by
 * libsodium) and keyed-BLAKE3 message authentication; docs/protocol.md 3.
 */

#include <stddef.h>
#include <stdint.h>

#define SIGN_SEED_BYTES 32 /* the secret that is stored */
#define SIGN_PUBLIC_BYTES 32
#define SIGN_BYTES 64 /* a signature */
#define SIGN_DH_BYTES 32 /* X25519 secret, public and shared alike */
#define SIGN_MAC_BYTES 32

/* Must be called once before all else; ERR_FAIL when there is no generator. */
int sign_start(void);

/* A new random seed. */
void sign_seed(uint8_t seed[SIGN_SEED_BYTES]);
void sign_public(
    uint8_t pub[SIGN_PUBLIC_BYTES], const uint8_t seed[SIGN_SEED_BYTES]);

/*
 * Sign `len` bytes under `context` (a constant, at most 64 bytes; it goes in
 * front of the message with its length, so no signature serves two purposes).
 */
void sign_make(uint8_t sig[SIGN_BYTES], const uint8_t seed[SIGN_SEED_BYTES],
    const char *context, const void *p, size_t len);
/* Returns 0, or ERR_REFUSED (message set). */
int sign_check(const uint8_t sig[SIGN_BYTES],
    const uint8_t pub[SIGN_PUBLIC_BYTES], const char *context, const void *p,
    size_t len);

/* An ephemeral X25519 pair. */
void sign_dh_pair(uint8_t secret[SIGN_DH_BYTES], uint8_t pub[SIGN_DH_BYTES]);
/* Returns 0, or ERR_REFUSED for a point of small order. */
int sign_dh(uint8_t shared[SIGN_DH_BYTES], const uint8_t secret[SIGN_DH_BYTES],
    const uint8_t peer[SIGN_DH_BYTES]);

#endif
