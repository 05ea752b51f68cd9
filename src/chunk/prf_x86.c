#include "chunk/prf_x86.h"

#include "chunk/prf.h"
#include "chunk/unroll.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

/* Registers of blocks under way at once: a round takes several times as long
 * as the processor needs to begin the next one. */
#define BATCH 8u
/* Half of them belong to each of two digests that roll side by side, since
 * each step of one waits for the step before. */
#define STEPS (BATCH / 2)

#define TARGET_AESNI __attribute__((target("aes,sse4.2")))
#define TARGET_VAES __attribute__((target("aes,sse4.2,avx512f,avx512dq,vaes")))
/* gcc would make calls of the steps. */
#define STEP static inline __attribute__((always_inline))

int
prf_x86_has_aesni(void)
{
	return __builtin_cpu_supports("aes") &&
	       __builtin_cpu_supports("sse4.2");
}

int
prf_x86_has_vaes(void)
{
	unsigned a, b, c, d;

	/* clang 14 knows no "vaes" here; the other two ask the system as well
	 * whether the registers may be used. */
	return prf_x86_has_aesni() && __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512dq") &&
	       __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 &&
	       (c & bit_VAES) != 0;
}

/* Both halves of a digest, times x. */
TARGET_AESNI STEP __m128i
times_x(__m128i h)
{
	__m128i top = _mm_cmpgt_epi64(_mm_setzero_si128(), h);

	return _mm_xor_si128(_mm_add_epi64(h, h),
	    _mm_and_si128(top, _mm_set1_epi64x(TOEPLITZ_REDUCE)));
}

TARGET_AESNI STEP __m128i
entry(const uint64_t t[TOEPLITZ_HALVES])
{
	return _mm_load_si128((const __m128i *)(const void *)t);
}

/* The window moves on, to end with the byte at `in`. */
TARGET_AESNI STEP __m128i
roll(__m128i h, const struct toeplitz *t, const uint8_t *in)
{
	const uint8_t out = *(in - PRF_WINDOW_BYTES);

	return _mm_xor_si128(
	    times_x(h), _mm_xor_si128(entry(t->in[*in]), entry(t->out[out])));
}

/* The digest of the window that ends with the byte at `last`. */
TARGET_AESNI static __m128i
digest(const struct toeplitz *t, const uint8_t *last)
{
	const uint8_t *p = last - (PRF_WINDOW_BYTES - 1);
	__m128i h = entry(t->in[*p]);

	while (p < last)
		h = _mm_xor_si128(times_x(h), entry(t->in[*++p]));
	return h;
}

TARGET_AESNI STEP __m128i
round_key(const struct prf *c, unsigned i)
{
	return _mm_load_si128((const __m128i *)(const void *)c->aes.keys[i]);
}

TARGET_AESNI static uint64_t
value(const struct prf *c, __m128i b)
{
	unsigned i;

	b = _mm_xor_si128(b, round_key(c, 0));
	for (i = 1; i < AES_ROUNDS; i++)
		b = _mm_aesenc_si128(b, round_key(c, i));
	b = _mm_aesenclast_si128(b, round_key(c, AES_ROUNDS));
	return (uint64_t)_mm_cvtsi128_si64(b);
}

/* Which of the values in two blocks are below: bits, as signed numbers. */
TARGET_AESNI STEP __m128i
below(__m128i a, __m128i b, __m128i sign, __m128i limit)
{
	__m128i v = _mm_unpacklo_epi64(a, b);

	return _mm_cmpgt_epi64(limit, _mm_xor_si128(v, sign));
}

/*
 * The positions to test are divided into lanes: lane i has `lane` of them, the
 * first being n + i * lane, and all roll on at the same time.  Here are two.
 *
 * The values of the digests at `next` (even: first lane) and meanwhile, between
 * the rounds, the digests of the next batch in their place: processors do not
 * look so far ahead by themselves.  `h` holds both lanes' digests in front of
 * that batch, then its last; the first lane's bytes begin at `in`.  Nonzero
 * when positions are cuts: a bit for each digest.
 */
TARGET_AESNI STEP unsigned
batch(__m128i next[BATCH], __m128i h[2], const struct prf *c, const uint8_t *in,
    size_t lane)
{
	const __m128i sign = _mm_set1_epi64x(INT64_MIN);
	const __m128i limit =
	    _mm_xor_si128(_mm_set1_epi64x((long long)c->threshold), sign);
	__m128i b0, b1, b2, b3, b4, b5, b6, b7, key = round_key(c, 0);

#define WHITEN(i) b##i = _mm_xor_si128(next[i], key)
#define ROUND(i) b##i = _mm_aesenc_si128(b##i, key)
#define LAST(i) b##i = _mm_aesenclast_si128(b##i, key)
#define ROLL(i) \
	do { \
		key = round_key(c, i + 1); \
		UNROLL8(ROUND); \
		h[i % 2] = next[i] = \
		    roll(h[i % 2], &c->toeplitz, in + i / 2 + i % 2 * lane); \
	} while (0)
	UNROLL8(WHITEN);
	ROLL(0);
	ROLL(1);
	ROLL(2);
	ROLL(3);
	ROLL(4);
	ROLL(5);
	ROLL(6);
	ROLL(7);
	key = round_key(c, BATCH + 1);
	UNROLL8(ROUND);
	key = round_key(c, AES_ROUNDS);
	UNROLL8(LAST);
#undef WHITEN
#undef ROUND
#undef LAST
#undef ROLL
	b0 = below(b0, b1, sign, limit);
	b2 = below(b2, b3, sign, limit);
	b4 = below(b4, b5, sign, limit);
	b6 = below(b6, b7, sign, limit);
	b1 = _mm_or_si128(_mm_or_si128(b0, b2), _mm_or_si128(b4, b6));
	if (__builtin_expect(_mm_testz_si128(b1, b1), 1))
		return 0;
	return (unsigned)_mm_movemask_pd(_mm_castsi128_pd(b0)) |
	       (unsigned)_mm_movemask_pd(_mm_castsi128_pd(b2)) << 2 |
	       (unsigned)_mm_movemask_pd(_mm_castsi128_pd(b4)) << 4 |
	       (unsigned)_mm_movemask_pd(_mm_castsi128_pd(b6)) << 6;
}

_Static_assert(BATCH + 2 == AES_ROUNDS, "a roll between rounds, two without");

/*
 * The first cut of two lanes from `n` on; SIZE_MAX without one.  `lane` is a
 * multiple of STEPS.
 */
TARGET_AESNI static size_t
span(const struct prf *c, const uint8_t *p, size_t n, size_t lane)
{
	const uint8_t *in = p + n - 1;
	__m128i h[2], next[BATCH];
	size_t first = SIZE_MAX, at, i;
	unsigned hits, j;

	for (j = 0; j < 2; j++)
		h[j] = digest(&c->toeplitz, in - 1 + j * lane);
	for (j = 0; j < BATCH; j++)
		h[j % 2] = next[j] =
		    roll(h[j % 2], &c->toeplitz, in + j / 2 + j % 2 * lane);
	for (i = 0; i < lane; i += STEPS) {
		/* Behind the last batch is nothing: it rolls in vain. */
		in += i + STEPS < lane ? STEPS : 0;
		hits = batch(next, h, c, in, lane);
		for (; hits != 0; hits &= hits - 1) {
			j = (unsigned)__builtin_ctz(hits);
			at = n + i + j / 2 + j % 2 * lane;
			first = at < first ? at : first;
		}
		/* What the first lane has found is in front of all else. */
		if (first < n + lane)
			break;
	}
	return first;
}

/* As many positions as a lane of `lanes` shall have before `end`. */
static size_t
lane_length(const struct prf *c, size_t n, size_t end, size_t lanes)
{
	size_t lane = (end + 1 - n) / lanes;

	if (lane > c->lanes_max / lanes)
		lane = c->lanes_max / lanes;
	return lane & ~(size_t)(STEPS - 1);
}

TARGET_AESNI size_t
prf_x86_scan_aesni(
    const struct prf *c, const uint8_t *p, size_t from, size_t end)
{
	size_t n = from, lane, cut;
	__m128i h = digest(&c->toeplitz, p + n - 1);

	if (value(c, h) < c->threshold)
		return n;
	for (n++; n <= end; n += 2 * lane) {
		lane = lane_length(c, n, end, 2);
		if (lane == 0)
			break;
		cut = span(c, p, n, lane);
		if (cut != SIZE_MAX)
			return cut;
	}
	for (h = digest(&c->toeplitz, p + n - 2); n <= end; n++) {
		h = roll(h, &c->toeplitz, p + n - 1);
		if (value(c, h) < c->threshold)
			return n;
	}
	return n;
}

/*
 * The same with eight lanes, four to a register.
 */

/* The table's entries for the bytes of four lanes at `p`. */
TARGET_VAES STEP __m512i
entries(const uint64_t t[256][TOEPLITZ_HALVES], const uint8_t *p, size_t lane)
{
	__m512i v = _mm512_castsi128_si512(entry(t[p[0]]));

	v = _mm512_inserti64x2(v, entry(t[p[lane]]), 1);
	v = _mm512_inserti64x2(v, entry(t[p[2 * lane]]), 2);
	return _mm512_inserti64x2(v, entry(t[p[3 * lane]]), 3);
}

TARGET_VAES STEP __m512i
times_x_wide(__m512i h)
{
	/* a ^ (b & c), whose truth table is 0x78 */
	return _mm512_ternarylogic_epi64(_mm512_add_epi64(h, h),
	    _mm512_srai_epi64(h, 63), _mm512_set1_epi64(TOEPLITZ_REDUCE), 0x78);
}

TARGET_VAES STEP __m512i
roll_wide(__m512i h, const struct toeplitz *t, const uint8_t *in, size_t lane)
{
	/* a ^ b ^ c: 0x96 */
	return _mm512_ternarylogic_epi64(times_x_wide(h),
	    entries(t->in, in, lane),
	    entries(t->out, in - PRF_WINDOW_BYTES, lane), 0x96);
}

/* The digests of the windows that end with the bytes at `last`. */
TARGET_VAES static void
digest_wide(
    __m512i h[2], const struct toeplitz *t, const uint8_t *last, size_t lane)
{
	const uint8_t *p = last - (PRF_WINDOW_BYTES - 1);

	h[0] = entries(t->in, p, lane);
	h[1] = entries(t->in, p + 4 * lane, lane);
	while (p < last) {
		p++;
		h[0] = _mm512_xor_si512(
		    times_x_wide(h[0]), entries(t->in, p, lane));
		h[1] = _mm512_xor_si512(
		    times_x_wide(h[1]), entries(t->in, p + 4 * lane, lane));
	}
}

TARGET_VAES STEP __m512i
min4(__m512i a, __m512i b, __m512i c, __m512i d)
{
	return _mm512_min_epu64(_mm512_min_epu64(a, b), _mm512_min_epu64(c, d));
}

/*
 * What batch() is for two lanes; odd registers have the last four.  Nonzero
 * when positions are cuts; then `hits` has a mask for each register, two bits
 * a lane.
 */
TARGET_VAES STEP int
batch_wide(__mmask8 hits[BATCH], __m512i next[BATCH], __m512i h[2],
    const __m512i keys[AES_ROUNDS + 1], __m512i limit, const struct toeplitz *t,
    const uint8_t *in, size_t lane)
{
	__m512i b0, b1, b2, b3, b4, b5, b6, b7, least;

#define WHITEN(i) b##i = _mm512_xor_si512(next[i], keys[0])
#define ROUND(i) b##i = _mm512_aesenc_epi128(b##i, key)
#define LAST(i) b##i = _mm512_aesenclast_epi128(b##i, keys[AES_ROUNDS])
#define ROUNDS(r) \
	do { \
		const __m512i key = keys[r]; \
		UNROLL8(ROUND); \
	} while (0)
#define ROLL(i) \
	do { \
		ROUNDS(i + 1); \
		h[i % 2] = next[i] = roll_wide( \
		    h[i % 2], t, in + i / 2 + i % 2 * 4 * lane, lane); \
	} while (0)
#define HITS(i) hits[i] = _mm512_cmplt_epu64_mask(b##i, limit)
	UNROLL8(WHITEN);
	ROLL(0);
	ROLL(1);
	ROLL(2);
	ROLL(3);
	ROLL(4);
	ROLL(5);
	ROLL(6);
	ROLL(7);
	ROUNDS(9);
	UNROLL8(LAST);
	least = _mm512_min_epu64(min4(b0, b1, b2, b3), min4(b4, b5, b6, b7));
	if (__builtin_expect(_mm512_cmplt_epu64_mask(least, limit) == 0, 1))
		return 0;
	UNROLL8(HITS);
	return 1;
#undef WHITEN
#undef ROUND
#undef LAST
#undef ROUNDS
#undef ROLL
#undef HITS
}

/* The first cut of eight lanes from `n` on, as span(). */
TARGET_VAES static size_t
span_wide(const struct prf *c, const uint8_t *p, size_t n, size_t lane)
{
	const struct toeplitz *t = &c->toeplitz;
	/* Only the lower half of each block counts: nothing is below 0. */
	const __m512i limit =
	    _mm512_maskz_set1_epi64(0x55, (long long)c->threshold);
	const uint8_t *in = p + n - 1;
	__m512i keys[AES_ROUNDS + 1], h[2], next[BATCH];
	size_t first = SIZE_MAX, at, i;
	__mmask8 hits[BATCH];
	unsigned j;

	for (j = 0; j <= AES_ROUNDS; j++)
		keys[j] = _mm512_broadcast_i32x4(round_key(c, j));
	digest_wide(h, t, in - 1, lane);
	for (j = 0; j < BATCH; j++)
		h[j % 2] = next[j] =
		    roll_wide(h[j % 2], t, in + j / 2 + j % 2 * 4 * lane, lane);
	for (i = 0; i < lane; i += STEPS) {
		in += i + STEPS < lane ? STEPS : 0;
		if (!batch_wide(hits, next, h, keys, limit, t, in, lane))
			continue;
		for (j = 0; j < BATCH; j++) {
			if (hits[j] == 0)
				continue;
			at = n + i + j / 2 +
			     lane * (j % 2 * 4 +
					(unsigned)__builtin_ctz(hits[j]) / 2);
			first = at < first ? at : first;
		}
		if (first < n + lane)
			break;
	}
	return first;
}

TARGET_VAES size_t
prf_x86_scan_vaes(
    const struct prf *c, const uint8_t *p, size_t from, size_t end)
{
	size_t n = from, lane, cut;

	if (value(c, digest(&c->toeplitz, p + n - 1)) < c->threshold)
		return n;
	for (n++; n <= end; n += 8 * lane) {
		lane = lane_length(c, n, end, 8);
		if (lane == 0)
			return prf_x86_scan_aesni(c, p, n, end);
		cut = span_wide(c, p, n, lane);
		if (cut != SIZE_MAX)
			return cut;
	}
	return n;
}

#else

int
prf_x86_has_aesni(void)
{
	return 0;
}

int
prf_x86_has_vaes(void)
{
	return 0;
}

size_t
prf_x86_scan_aesni(
    const struct prf *c, const uint8_t *p, size_t from, size_t end)
{
	(void)c; /* never called: prf_path_there() said no */
	(void)p;
	(void)from;
	return end + 1;
}

size_t
prf_x86_scan_vaes(
    const struct prf *c, const uint8_t *p, size_t from, size_t end)
{
	return prf_x86_scan_aesni(c, p, from, end);
}

#endif
