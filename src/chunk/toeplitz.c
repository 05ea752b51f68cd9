#include "chunk/toeplitz.h"

#include "base/bytes.h"

#include <string.h>

void
toeplitz_init(struct toeplitz *t, const uint8_t key[TOEPLITZ_KEY_BYTES])
{
	uint64_t k, gone;
	unsigned bit, half, i, b;

	memset(t, 0, sizeof(*t));
	for (bit = 0; bit < 8; bit++) {
		for (half = 0; half < TOEPLITZ_HALVES; half++) {
			k = bytes_get64(
			    key + 8 * (bit * TOEPLITZ_HALVES + half));
			gone = k;
			for (i = 0; i < TOEPLITZ_WINDOW_BYTES; i++)
				gone = toeplitz_times_x(gone);
			for (b = 0; b < 256; b++) {
				if ((b >> bit & 1) == 0)
					continue;
				t->in[b][half] ^= k;
				t->out[b][half] ^= gone;
			}
		}
	}
}

void
toeplitz_digest(uint64_t digest[TOEPLITZ_HALVES], const struct toeplitz *t,
    const uint8_t *p)
{
	unsigned i, half;

	memset(digest, 0, TOEPLITZ_HALVES * sizeof(digest[0]));
	for (i = 0; i < TOEPLITZ_WINDOW_BYTES; i++)
		for (half = 0; half < TOEPLITZ_HALVES; half++)
			digest[half] =
			    toeplitz_times_x(digest[half]) ^ t->in[p[i]][half];
}
