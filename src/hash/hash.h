#ifndef HS_HASH_HASH_H
#define HS_HASH_HASH_H

/*
 * BLAKE3 (https://github.com/BLAKE3-team/BLAKE3-specs): plain, keyed and
 * key derivation.  The one place that knows the library.  docs/format.md 2
 * lists every context string.
 */

#include <stddef.h>
#include <stdint.h>

#define HASH_BYTES 32
#define HASH_STATE_BYTES 1984 /* room for the library's state */

struct hash {
	_Alignas(64) uint8_t state[HASH_STATE_BYTES];
};

void hash_init(struct hash *h);
void hash_init_keyed(struct hash *h, const uint8_t key[HASH_BYTES]);
/* `context` is a constant string of the program, unique per purpose. */
void hash_init_derive(struct hash *h, const char *context);
void hash_update(struct hash *h, const void *p, size_t len);
void hash_final(const struct hash *h, uint8_t out[HASH_BYTES]);
/* Any number of output bytes (the extendable output). */
void hash_final_len(const struct hash *h, uint8_t *out, size_t len);

/* One-shot forms. */
void hash_bytes(uint8_t out[HASH_BYTES], const void *p, size_t len);
void hash_keyed(uint8_t out[HASH_BYTES], const uint8_t key[HASH_BYTES],
    const void *p, size_t len);
void hash_derive(uint8_t *out, size_t out_len, const char *context,
    const void *p, size_t len);

/* Bytes hashed at once by the code in use here: 1 means no SIMD. */
unsigned hash_simd_degree(void);
/* Name of that code: "avx512", "avx2", "sse4.1", "sse2", "neon", "portable". */
const char *hash_simd_name(void);

/* Constant time: nonzero when equal. */
int hash_equal(const uint8_t *a, const uint8_t *b, size_t len);
/* Erase a secret; not optimised away. */
void hash_wipe(void *p, size_t len);

#endif
