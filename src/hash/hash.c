#include "hash/hash.h"

#include <string.h>

#include <blake3.h>

_Static_assert(sizeof(blake3_hasher) <= HASH_STATE_BYTES,
    "HASH_STATE_BYTES is too small for this BLAKE3");
_Static_assert(_Alignof(blake3_hasher) <= _Alignof(struct hash),
    "struct hash is not aligned for this BLAKE3");
_Static_assert(HASH_BYTES == BLAKE3_OUT_LEN, "HASH_BYTES is not BLAKE3's");
_Static_assert(HASH_BYTES == BLAKE3_KEY_LEN, "HASH_BYTES is not its key's");

/*
 * Internal to BLAKE3, and the only way to learn what its dispatcher chose.
 * Weak, because a shared library hides it.
 */
extern size_t blake3_simd_degree(void) __attribute__((weak));

static blake3_hasher *
hasher(struct hash *h)
{
	return (blake3_hasher *)(void *)h->state;
}

static const blake3_hasher *
hasher_const(const struct hash *h)
{
	return (const blake3_hasher *)(const void *)h->state;
}

/*
 * BLAKE3's dispatcher notes the processor's features at its first use,
 * without a lock: have that behind us before there are threads.
 */
__attribute__((constructor)) static void
first_use(void)
{
	uint8_t out[HASH_BYTES];

	hash_bytes(out, "", 0);
}

void
hash_init(struct hash *h)
{
	blake3_hasher_init(hasher(h));
}

void
hash_init_keyed(struct hash *h, const uint8_t key[HASH_BYTES])
{
	blake3_hasher_init_keyed(hasher(h), key);
}

void
hash_init_derive(struct hash *h, const char *context)
{
	blake3_hasher_init_derive_key(hasher(h), context);
}

void
hash_update(struct hash *h, const void *p, size_t len)
{
	if (len > 0)
		blake3_hasher_update(hasher(h), p, len);
}

void
hash_final(const struct hash *h, uint8_t out[HASH_BYTES])
{
	blake3_hasher_finalize(hasher_const(h), out, HASH_BYTES);
}

void
hash_final_len(const struct hash *h, uint8_t *out, size_t len)
{
	blake3_hasher_finalize(hasher_const(h), out, len);
}

void
hash_bytes(uint8_t out[HASH_BYTES], const void *p, size_t len)
{
	struct hash h;

	hash_init(&h);
	hash_update(&h, p, len);
	hash_final(&h, out);
}

void
hash_keyed(uint8_t out[HASH_BYTES], const uint8_t key[HASH_BYTES],
    const void *p, size_t len)
{
	struct hash h;

	hash_init_keyed(&h, key);
	hash_update(&h, p, len);
	hash_final(&h, out);
	hash_wipe(&h, sizeof(h)); /* holds the key */
}

void
hash_derive(uint8_t *out, size_t out_len, const char *context, const void *p,
    size_t len)
{
	struct hash h;

	hash_init_derive(&h, context);
	hash_update(&h, p, len);
	hash_final_len(&h, out, out_len);
	/* Short inputs, master keys among them, stay in the state as given. */
	hash_wipe(&h, sizeof(h));
}

/* The choice of BLAKE3's dispatcher, where it cannot be asked. */
/* uncovered: the library that we build can be asked */
static unsigned
guess_degree(void)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512vl"))
		return 16;
	if (__builtin_cpu_supports("avx2"))
		return 8;
	return 4; /* SSE2 belongs to x86-64 */
#elif defined(__aarch64__)
	return 4;
#else
	return 1;
#endif
}

unsigned
hash_simd_degree(void)
{
	if (blake3_simd_degree != NULL)
		return (unsigned)blake3_simd_degree();
	/* uncovered: as above */
	return guess_degree();
}

const char *
hash_simd_name(void)
{
	unsigned degree = hash_simd_degree();

	/* The degree decides: a portable build must not look better. */
	if (degree <= 1)
		return "portable";
#if defined(__x86_64__)
	if (degree >= 16)
		return "avx512";
	if (degree >= 8)
		return "avx2";
	return __builtin_cpu_supports("sse4.1") ? "sse4.1" : "sse2";
#else
	return "neon";
#endif
}

int
hash_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
	/* volatile: the loop must not be cut short at a difference. */
	volatile uint8_t diff = 0;
	size_t i;

	for (i = 0; i < len; i++)
		diff |= a[i] ^ b[i];
	return diff == 0;
}

void
hash_wipe(void *p, size_t len)
{
	if (len > 0) /* an empty buf has no memory */
		explicit_bzero(p, len);
}
