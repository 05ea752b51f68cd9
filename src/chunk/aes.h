#ifndef HS_CHUNK_AES_H
#define HS_CHUNK_AES_H

/*
 * AES-128 (FIPS 197), as the pseudorandom function behind a private cut: the
 * key schedule, which every code path shares, and the path for processors
 * without AES instructions.  That one looks up in tables, so its timing tells
 * something to whoever runs code on the same machine; the store does not see
 * it.  Nothing else here is encrypted with it.
 */

#include <stdint.h>

#define AES_KEY_BYTES 16
#define AES_BLOCK_BYTES 16
#define AES_ROUNDS 10

struct aes {
	/* Round keys in the order of the standard's bytes. */
	_Alignas(16) uint8_t keys[AES_ROUNDS + 1][AES_BLOCK_BYTES];
	uint32_t words[AES_ROUNDS + 1][4]; /* the same, for aes_encrypt() */
};

void aes_init(struct aes *a, const uint8_t key[AES_KEY_BYTES]);
/* One block; `out` may be `in`. */
void aes_encrypt(const struct aes *a, uint8_t out[AES_BLOCK_BYTES],
    const uint8_t in[AES_BLOCK_BYTES]);

#endif
