#ifndef HS_CHUNK_TOEPLITZ_H
#define HS_CHUNK_TOEPLITZ_H

/*
 * A universal hash of 64 bytes that rolls: H. Krawczyk's Toeplitz hash made by
 * a shift register ("LFSR-based Hashing and Authentication", CRYPTO '94), one
 * for each of a byte's 8 bits, all on the same fixed irreducible polynomial.
 * docs/format.md 6.1.2.
 *
 * A half of the digest is the sum of x^(63 - j) K[k] over all set bits, k
 * being the bit's number in its byte, j the byte's, in the field of
 * polynomials over GF(2) modulo x^64 + x^4 + x^3 + x + 1.  Two windows that
 * differ do so in some bit k: their digests differ by K[k], which is secret
 * and random, times a polynomial of degree 63 at most that is not zero, plus
 * terms without K[k].  So they are equal with probability 2^-64 exactly, and
 * both halves, whose K are independent, with 2^-128: one half alone would let
 * windows collide by chance after a few GiB.
 */

#include <stddef.h>
#include <stdint.h>

#define TOEPLITZ_WINDOW_BYTES 64u
#define TOEPLITZ_HALVES 2
#define TOEPLITZ_KEY_BYTES (8 * 8 * TOEPLITZ_HALVES)
/* x^64 modulo the polynomial. */
#define TOEPLITZ_REDUCE 0x1bu

struct toeplitz {
	/* What a byte adds when it comes, and when it leaves: x^64 times as
	 * much.  An entry is a vector register. */
	_Alignas(16) uint64_t in[256][TOEPLITZ_HALVES];
	_Alignas(16) uint64_t out[256][TOEPLITZ_HALVES];
};

void toeplitz_init(struct toeplitz *t, const uint8_t key[TOEPLITZ_KEY_BYTES]);

/* Times x. */
static inline uint64_t
toeplitz_times_x(uint64_t v)
{
	return v << 1 ^ (v >> 63) * TOEPLITZ_REDUCE;
}

/* The digest of the 64 bytes at `p`. */
void toeplitz_digest(uint64_t digest[TOEPLITZ_HALVES], const struct toeplitz *t,
    const uint8_t *p);

/* The window moves on by a byte. */
static inline void
toeplitz_roll(uint64_t digest[TOEPLITZ_HALVES], const struct toeplitz *t,
    uint8_t in, uint8_t out)
{
	unsigned i;

	for (i = 0; i < TOEPLITZ_HALVES; i++)
		digest[i] =
		    toeplitz_times_x(digest[i]) ^ t->in[in][i] ^ t->out[out][i];
}

#endif
