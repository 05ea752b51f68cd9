#include "chunk/prf_arm64.h"

#include "chunk/prf.h"
#include "chunk/unroll.h"

#if defined(__aarch64__) && defined(__linux__) && !defined(__AARCH64EB__)

#include <arm_neon.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>

#define BATCH 8u

int
prf_arm64_has_aes(void)
{
	return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
}

/*
 * Assembly, since clang 14 has the intrinsics only in programs that are for
 * such processors alone.  The first adds the round's key before the bytes are
 * substituted, where the standard adds it last, so the last key comes alone;
 * with the second right behind it, processors run both as one.
 */
static inline uint8x16_t
aese(uint8x16_t b, uint8x16_t key)
{
	__asm__(".arch_extension aes\n\t"
		"aese %0.16b, %1.16b"
		: "+w"(b)
		: "w"(key));
	return b;
}

static inline uint8x16_t
aese_aesmc(uint8x16_t b, uint8x16_t key)
{
	__asm__(".arch_extension aes\n\t"
		"aese %0.16b, %1.16b\n\t"
		"aesmc %0.16b, %0.16b"
		: "+w"(b)
		: "w"(key));
	return b;
}

static inline uint64x2_t
times_x(uint64x2_t h)
{
	uint64x2_t top =
	    vreinterpretq_u64_s64(vshrq_n_s64(vreinterpretq_s64_u64(h), 63));

	return veorq_u64(
	    vshlq_n_u64(h, 1), vandq_u64(top, vdupq_n_u64(TOEPLITZ_REDUCE)));
}

static inline uint64x2_t
roll(uint64x2_t h, const struct toeplitz *t, uint8_t in, uint8_t out)
{
	return veorq_u64(times_x(h),
	    veorq_u64(vld1q_u64(t->in[in]), vld1q_u64(t->out[out])));
}

/* The value that is compared. */
static inline uint64_t
encrypt(const struct prf *c, uint64x2_t digest)
{
	uint8x16_t b = vreinterpretq_u8_u64(digest);
	unsigned i;

	for (i = 0; i + 1 < AES_ROUNDS; i++)
		b = aese_aesmc(b, vld1q_u8(c->aes.keys[i]));
	b = aese(b, vld1q_u8(c->aes.keys[AES_ROUNDS - 1]));
	b = veorq_u8(b, vld1q_u8(c->aes.keys[AES_ROUNDS]));
	return vgetq_lane_u64(vreinterpretq_u64_u8(b), 0);
}

/*
 * Eight positions from `n` on, whose last one's digest becomes *h.  Returns
 * the number of the first cut among them; BATCH without one.
 */
static inline unsigned
batch(uint64x2_t *h, const struct prf *c, const uint8_t *p, size_t n)
{
	const uint64x2_t limit = vdupq_n_u64(c->threshold);
	const uint8_t *in = p + n - 1, *out = in - PRF_WINDOW_BYTES;
	uint8x16_t b0, b1, b2, b3, b4, b5, b6, b7, key;
	uint64_t hits[BATCH], any = 0;
	unsigned i;

#define ROLL(i) \
	*h = roll(*h, &c->toeplitz, in[i], out[i]); \
	b##i = vreinterpretq_u8_u64(*h)
#define ROUND(i) b##i = aese_aesmc(b##i, key)
#define LAST(i) b##i = aese(b##i, key)
#define WHITEN(i) b##i = veorq_u8(b##i, key)
#define BELOW(i) \
	hits[i] = \
	    vgetq_lane_u64(vcltq_u64(vreinterpretq_u64_u8(b##i), limit), 0); \
	any |= hits[i]
	UNROLL8(ROLL);
	for (i = 0; i + 1 < AES_ROUNDS; i++) {
		key = vld1q_u8(c->aes.keys[i]);
		UNROLL8(ROUND);
	}
	key = vld1q_u8(c->aes.keys[AES_ROUNDS - 1]);
	UNROLL8(LAST);
	key = vld1q_u8(c->aes.keys[AES_ROUNDS]);
	UNROLL8(WHITEN);
	UNROLL8(BELOW);
#undef ROLL
#undef ROUND
#undef LAST
#undef WHITEN
#undef BELOW
	if (any == 0)
		return BATCH;
	for (i = 0; hits[i] == 0; i++)
		;
	return i;
}

size_t
prf_arm64_scan(const struct prf *c, const uint8_t *p, size_t from, size_t end)
{
	uint64_t digest[TOEPLITZ_HALVES];
	uint64x2_t h;
	size_t n = from;
	unsigned i;

	toeplitz_digest(digest, &c->toeplitz, p + n - PRF_WINDOW_BYTES);
	h = vld1q_u64(digest);
	if (encrypt(c, h) < c->threshold)
		return n;
	for (n++; n + BATCH <= end + 1; n += BATCH) {
		i = batch(&h, c, p, n);
		if (i < BATCH)
			return n + i;
	}
	for (; n <= end; n++) {
		h = roll(
		    h, &c->toeplitz, p[n - 1], p[n - 1 - PRF_WINDOW_BYTES]);
		if (encrypt(c, h) < c->threshold)
			return n;
	}
	return n;
}

#else

int
prf_arm64_has_aes(void)
{
	return 0;
}

/* uncovered: never called, for prf_path_there() said no */
size_t
prf_arm64_scan(const struct prf *c, const uint8_t *p, size_t from, size_t end)
{
	(void)c;
	(void)p;
	(void)from;
	return end + 1;
}

#endif
