#include "chunk/prf.h"

#include "base/bytes.h"
#include "chunk/prf_arm64.h"
#include "chunk/prf_x86.h"
#include "hash/hash.h"

/* Enough that the beginning of a lane costs little ... */
#define LANES_MAX 4096u
#define LANES_MIN 512u
/* ... and not much is tested behind a cut: part of the mean distance. */
#define LANES_SHIFT 5

int
prf_path_there(enum prf_path path)
{
	switch (path) {
	case PRF_PORTABLE:
		return 1;
	case PRF_AESNI:
		return prf_x86_has_aesni();
	case PRF_VAES:
		return prf_x86_has_vaes();
	case PRF_ARM64:
		return prf_arm64_has_aes();
	default:
		return 0;
	}
}

enum prf_path
prf_path_best(void)
{
	static const enum prf_path order[] = {PRF_VAES, PRF_AESNI, PRF_ARM64};
	unsigned i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (prf_path_there(order[i]))
			return order[i];
	return PRF_PORTABLE;
}

const char *
prf_path_name(enum prf_path path)
{
	static const char *const names[PRF_PATHS] = {
	    "portable", "aes-ni", "vaes-avx512", "arm64-aes"};

	return names[path];
}

void
prf_init(struct prf *c, const uint8_t key[32], uint64_t threshold)
{
	uint8_t keys[AES_KEY_BYTES + TOEPLITZ_KEY_BYTES];
	uint64_t mean = threshold > 0 ? UINT64_MAX / threshold : UINT64_MAX;
	uint64_t lanes = mean >> LANES_SHIFT;

	hash_derive(keys, sizeof(keys), "hashstore 2026 private chunker v1",
	    key, HASH_BYTES);
	aes_init(&c->aes, keys);
	toeplitz_init(&c->toeplitz, keys + AES_KEY_BYTES);
	hash_wipe(keys, sizeof(keys));
	c->threshold = threshold;
	c->lanes_max = lanes > LANES_MAX ? LANES_MAX : (size_t)lanes;
	if (c->lanes_max < LANES_MIN)
		c->lanes_max = LANES_MIN;
	c->path = prf_path_best();
}

static uint64_t
value(const struct prf *c, const uint64_t digest[TOEPLITZ_HALVES])
{
	uint8_t block[AES_BLOCK_BYTES];

	bytes_put64(block, digest[0]);
	bytes_put64(block + 8, digest[1]);
	aes_encrypt(&c->aes, block, block);
	return bytes_get64(block);
}

uint64_t
prf_value(const struct prf *c, const uint8_t p[PRF_WINDOW_BYTES])
{
	uint64_t digest[TOEPLITZ_HALVES];

	toeplitz_digest(digest, &c->toeplitz, p);
	return value(c, digest);
}

static size_t
scan_portable(const struct prf *c, const uint8_t *p, size_t from, size_t end)
{
	uint64_t digest[TOEPLITZ_HALVES];
	size_t n = from;

	toeplitz_digest(digest, &c->toeplitz, p + n - PRF_WINDOW_BYTES);
	while (value(c, digest) >= c->threshold && ++n <= end)
		toeplitz_roll(digest, &c->toeplitz, p[n - 1],
		    p[n - 1 - PRF_WINDOW_BYTES]);
	return n;
}

size_t
prf_scan(const struct prf *c, const uint8_t *p, size_t from, size_t end)
{
	switch (c->path) {
	case PRF_AESNI:
		return prf_x86_scan_aesni(c, p, from, end);
	case PRF_VAES:
		return prf_x86_scan_vaes(c, p, from, end);
	case PRF_ARM64:
		return prf_arm64_scan(c, p, from, end);
	default:
		return scan_portable(c, p, from, end);
	}
}
