#include "seal/cipher.h"

#include "base/err.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <sodium.h>

/* What HChaCha20 takes of the nonce; ChaCha20 gets the rest. */
#define HCHACHA_BYTES 16
#define IV_BYTES 12

_Static_assert(HCHACHA_BYTES == crypto_core_hchacha20_INPUTBYTES &&
		   CIPHER_KEY_BYTES == crypto_core_hchacha20_OUTPUTBYTES,
    "HChaCha20 makes a key of a key and 16 bytes");

struct cipher {
	EVP_CIPHER *algorithm;
	/* Kept, since OpenSSL 3 takes long to look up an algorithm. */
	EVP_CIPHER_CTX *encrypt;
	EVP_CIPHER_CTX *decrypt;
};

/* Words what OpenSSL says, and leaves nothing in its queue for others. */
static int
openssl_failed(const char *what)
{
	int reason = ERR_GET_REASON(ERR_peek_error()); /* the first */

	ERR_clear_error();
	if (reason == ERR_R_MALLOC_FAILURE)
		return err_set(ERR_NOMEM, "no memory for OpenSSL");
	return err_set(ERR_FAIL, "OpenSSL cannot %s", what);
}

int
cipher_new(struct cipher **out)
{
	struct cipher *c = calloc(1, sizeof(*c));
	int err = 0;

	if (c == NULL)
		return err_nomem(sizeof(*c));
	if (sodium_init() < 0) {
		err = err_set(ERR_FAIL, "libsodium does not start");
		goto out;
	}
	c->algorithm = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
	c->encrypt = EVP_CIPHER_CTX_new();
	c->decrypt = EVP_CIPHER_CTX_new();
	if (c->algorithm == NULL || c->encrypt == NULL || c->decrypt == NULL ||
	    !EVP_EncryptInit_ex2(c->encrypt, c->algorithm, NULL, NULL, NULL) ||
	    !EVP_DecryptInit_ex2(c->decrypt, c->algorithm, NULL, NULL, NULL)) {
		err = openssl_failed("set up ChaCha20-Poly1305");
		goto out;
	}
	*out = c;
	c = NULL;
out:
	cipher_free(c);
	return err;
}

void
cipher_free(struct cipher *c)
{
	if (c == NULL)
		return;
	/* These wipe the last key. */
	EVP_CIPHER_CTX_free(c->encrypt);
	EVP_CIPHER_CTX_free(c->decrypt);
	EVP_CIPHER_free(c->algorithm);
	free(c);
}

/* Key and position of one message, and its authenticated parts. */
static int
begin(EVP_CIPHER_CTX *ctx, const struct cipher_message *m)
{
	uint8_t key[CIPHER_KEY_BYTES], iv[IV_BYTES];
	size_t i;
	int done, ok;

	/* Cannot fail with the built-in constant. */
	(void)crypto_core_hchacha20(key, m->nonce, m->key, NULL);
	memset(iv, 0, sizeof(iv));
	memcpy(iv + 4, m->nonce + HCHACHA_BYTES, 8);
	ok = EVP_CipherInit_ex2(ctx, NULL, key, iv, -1, NULL);
	sodium_memzero(key, sizeof(key));
	for (i = 0; ok && i < m->nparts; i++) {
		assert(m->parts[i].len <= INT_MAX);
		if (m->parts[i].len > 0)
			ok = EVP_CipherUpdate(ctx, NULL, &done, m->parts[i].p,
			    (int)m->parts[i].len);
	}
	return ok ? 0 : openssl_failed("start a message");
}

int
cipher_encrypt(struct cipher *c, const struct cipher_message *m, uint8_t *p,
    size_t len, uint8_t tag[CIPHER_TAG_BYTES])
{
	uint8_t rest[16];
	int done, err;

	assert(len <= INT_MAX);
	err = begin(c->encrypt, m);
	if (err)
		return err;
	if ((len > 0 &&
		(!EVP_EncryptUpdate(c->encrypt, p, &done, p, (int)len) ||
		    done != (int)len)) ||
	    !EVP_EncryptFinal_ex(c->encrypt, rest, &done) || done != 0 ||
	    !EVP_CIPHER_CTX_ctrl(
		c->encrypt, EVP_CTRL_AEAD_GET_TAG, CIPHER_TAG_BYTES, tag))
		return openssl_failed("encrypt");
	return 0;
}

int
cipher_decrypt(uint8_t *out, struct cipher *c, const struct cipher_message *m,
    const uint8_t *p, size_t len, const uint8_t tag[CIPHER_TAG_BYTES])
{
	uint8_t expected[CIPHER_TAG_BYTES], rest[16];
	int done, err;

	assert(len <= INT_MAX);
	err = begin(c->decrypt, m);
	if (err)
		return err;
	/* A copy, since OpenSSL does not take the tag as const. */
	memcpy(expected, tag, sizeof(expected));
	if (!EVP_CIPHER_CTX_ctrl(c->decrypt, EVP_CTRL_AEAD_SET_TAG,
		CIPHER_TAG_BYTES, expected) ||
	    (len > 0 &&
		(!EVP_DecryptUpdate(c->decrypt, out, &done, p, (int)len) ||
		    done != (int)len)))
		return openssl_failed("decrypt");
	if (!EVP_DecryptFinal_ex(c->decrypt, rest, &done)) {
		ERR_clear_error();
		return err_set(ERR_DAMAGED, "a sealed payload is not genuine");
	}
	return 0;
}
