#ifndef HS_SEAL_CIPHER_H
#define HS_SEAL_CIPHER_H

/*
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): HChaCha20 of libsodium
 * makes the message's key, OpenSSL's ChaCha20-Poly1305 does the bulk at three
 * times the speed of libsodium's own.  The one place that knows OpenSSL.
 *
 * Thread use: one cipher per thread.
 */

#include <stddef.h>
#include <stdint.h>

#define CIPHER_KEY_BYTES 32
#define CIPHER_NONCE_BYTES 24
#define CIPHER_TAG_BYTES 16

struct cipher;

int cipher_new(struct cipher **out); /* 0, ERR_NOMEM, ERR_FAIL */
void cipher_free(struct cipher *c); /* NULL is fine */

/* A piece of what is authenticated without being encrypted. */
struct cipher_part {
	const uint8_t *p;
	size_t len;
};

struct cipher_message {
	const uint8_t *key; /* CIPHER_KEY_BYTES */
	const uint8_t *nonce; /* CIPHER_NONCE_BYTES, never twice per key */
	const struct cipher_part *parts;
	size_t nparts;
};

/* Encrypt the `len` bytes at `p` in place.  Returns 0 or ERR_FAIL. */
int cipher_encrypt(struct cipher *c, const struct cipher_message *m, uint8_t *p,
    size_t len, uint8_t tag[CIPHER_TAG_BYTES]);

/*
 * Decrypt `len` bytes from `p` to `out`, whose content is worthless unless
 * this returns 0.  ERR_DAMAGED when the tag does not fit; ERR_FAIL.
 */
int cipher_decrypt(uint8_t *out, struct cipher *c,
    const struct cipher_message *m, const uint8_t *p, size_t len,
    const uint8_t tag[CIPHER_TAG_BYTES]);

#endif
