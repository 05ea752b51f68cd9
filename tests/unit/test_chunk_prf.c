/*
 * The private chunker: AES against the standard and a textbook, the hash bit
 * by bit, and every code path against both.
 */

#include "base/bytes.h"
#include "chunk/chunker.h"
#include "hash/hash.h"
#include "lib/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define MIB (1u << 20)

static const uint8_t key[32] = {1, 2, 3};

/* Product in the field of AES: FIPS 197, 4.2. */
static uint8_t
times(uint8_t a, uint8_t b)
{
	uint8_t sum = 0;

	for (; b != 0; b >>= 1) {
		sum ^= b & 1 ? a : 0;
		a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1b : 0));
	}
	return sum;
}

/* FIPS 197, 5.1.1: the inverse, then the sum with its own rotations. */
static uint8_t
substitute(uint8_t b)
{
	unsigned inverse = 0, i, s;

	for (i = 1; i < 256; i++)
		if (times(b, (uint8_t)i) == 1)
			inverse = i;
	for (s = 0x63, i = 0; i < 5; i++)
		s ^= (inverse << i | inverse >> (8 - i)) & 0xff;
	return (uint8_t)s;
}

/* FIPS 197, 5.1 and 5.2, step by step. */
static void
textbook(uint8_t out[16], const uint8_t k[16], const uint8_t in[16])
{
	uint8_t s[16], t[16], w[176], sbox[256], constant = 1;
	unsigned i, round, c, r;

	for (i = 0; i < 256; i++)
		sbox[i] = substitute((uint8_t)i);
	memcpy(w, k, 16);
	for (i = 16; i < 176; i += 4) {
		memcpy(w + i, w + i - 4, 4);
		if (i % 16 == 0) {
			for (r = 0; r < 4; r++)
				w[i + r] = sbox[w[i - 4 + (r + 1) % 4]];
			w[i] ^= constant;
			constant = times(constant, 2);
		}
		for (r = 0; r < 4; r++)
			w[i + r] ^= w[i + r - 16];
	}
	for (i = 0; i < 16; i++)
		s[i] = in[i] ^ w[i];
	for (round = 1; round <= 10; round++) {
		for (c = 0; c < 4; c++)
			for (r = 0; r < 4; r++)
				t[4 * c + r] = sbox[s[4 * ((c + r) % 4) + r]];
		for (c = 0; c < 4; c++)
			for (r = 0; r < 4; r++)
				s[4 * c + r] =
				    times(t[4 * c + r], 2) ^
				    times(t[4 * c + (r + 1) % 4], 3) ^
				    t[4 * c + (r + 2) % 4] ^
				    t[4 * c + (r + 3) % 4];
		if (round == 10)
			memcpy(s, t, sizeof(s));
		for (i = 0; i < 16; i++)
			s[i] ^= w[16 * round + i];
	}
	memcpy(out, s, sizeof(s));
}

/* FIPS 197, appendices A.1, B and C.1. */
static void
test_standard(void **state)
{
	static const struct {
		uint8_t key[16], in[16], out[16];
	} v[] = {{{0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7,
		      0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c},
		     {0x32, 0x43, 0xf6, 0xa8, 0x88, 0x5a, 0x30, 0x8d, 0x31,
			 0x31, 0x98, 0xa2, 0xe0, 0x37, 0x07, 0x34},
		     {0x39, 0x25, 0x84, 0x1d, 0x02, 0xdc, 0x09, 0xfb, 0xdc,
			 0x11, 0x85, 0x97, 0x19, 0x6a, 0x0b, 0x32}},
	    {{0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a,
		 0x0b, 0x0c, 0x0d, 0x0e, 0x0f},
		{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
		    0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff},
		{0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30, 0xd8, 0xcd,
		    0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a}}};
	static const uint8_t last_key[16] = {0xd0, 0x14, 0xf9, 0xa8, 0xc9, 0xee,
	    0x25, 0x89, 0xe1, 0x3f, 0x0c, 0xc8, 0xb6, 0x63, 0x0c, 0xa6};
	struct aes a;
	uint8_t out[16];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		aes_init(&a, v[i].key);
		if (i == 0)
			assert_memory_equal(a.keys[10], last_key, 16);
		aes_encrypt(&a, out, v[i].in);
		assert_memory_equal(out, v[i].out, 16);
		textbook(out, v[i].key, v[i].in);
		assert_memory_equal(out, v[i].out, 16);
	}
}

static void
test_textbook(void **state)
{
	struct aes a;
	uint8_t k[16], block[16], out[16];
	unsigned i;

	(void)state;
	for (i = 0; i < 50; i++) {
		fill_random(k, sizeof(k), 2 * i);
		fill_random(block, sizeof(block), 2 * i + 1);
		textbook(out, k, block);
		aes_init(&a, k);
		aes_encrypt(&a, block, block);
		assert_memory_equal(block, out, sizeof(out));
	}
}

/* What docs/format.md 6.1.2 says, word by word and bit by bit. */
struct slow {
	uint8_t aes[16];
	/* x^(63 - j) K[k][half] as [j][k][half] */
	uint64_t terms[64][8][2];
};

static void
slow_init(struct slow *s, const uint8_t k[32])
{
	uint8_t derived[16 + 128];
	uint64_t v;
	unsigned bit, half;
	int j;

	hash_derive(derived, sizeof(derived),
	    "hashstore 2026 private chunker v1", k, 32);
	memcpy(s->aes, derived, 16);
	for (bit = 0; bit < 8; bit++) {
		for (half = 0; half < 2; half++) {
			v = bytes_get64(derived + 16 + 16 * bit + 8 * half);
			for (j = 63; j >= 0; j--) {
				s->terms[j][bit][half] = v;
				/* x^64 is x^4 + x^3 + x + 1 */
				v = v >> 63 ? v << 1 ^ 27 : v << 1;
			}
		}
	}
}

static void
slow_digest(uint64_t digest[2], const struct slow *s, const uint8_t window[64])
{
	unsigned j, bit;

	digest[0] = digest[1] = 0;
	for (j = 0; j < 64; j++) {
		for (bit = 0; bit < 8; bit++) {
			if ((window[j] >> bit & 1) == 0)
				continue;
			digest[0] ^= s->terms[j][bit][0];
			digest[1] ^= s->terms[j][bit][1];
		}
	}
}

static uint64_t
slow_value(const struct slow *s, const uint8_t window[64])
{
	uint64_t digest[2];
	uint8_t block[16];
	struct aes a;

	slow_digest(digest, s, window);
	bytes_put64(block, digest[0]);
	bytes_put64(block + 8, digest[1]);
	aes_init(&a, s->aes);
	aes_encrypt(&a, block, block);
	return bytes_get64(block);
}

static void
test_digest(void **state)
{
	struct prf c;
	struct slow s;
	uint8_t *p = malloc(3000);
	uint64_t a[2], b[2];
	size_t n;

	(void)state;
	assert_non_null(p);
	prf_init(&c, key, 1);
	slow_init(&s, key);
	fill_random(p, 3000, 1);
	memset(p + 1000, 0, 200);
	memset(p + 1200, 0xff, 200);
	toeplitz_digest(a, &c.toeplitz, p);
	for (n = 64; n < 3000; n++) {
		slow_digest(b, &s, p + n - 64);
		assert_true(a[0] == b[0] && a[1] == b[1]);
		toeplitz_digest(b, &c.toeplitz, p + n - 64);
		assert_true(a[0] == b[0] && a[1] == b[1]);
		assert_true(
		    prf_value(&c, p + n - 64) == slow_value(&s, p + n - 64));
		toeplitz_roll(a, &c.toeplitz, p[n], p[n - 64]);
	}
	free(p);
}

/* One bit that differs, wherever it is, changes both halves. */
static void
test_every_bit(void **state)
{
	struct toeplitz t;
	uint8_t k[TOEPLITZ_KEY_BYTES], p[64];
	uint64_t a[2], b[2];
	unsigned i;

	(void)state;
	fill_random(k, sizeof(k), 2);
	fill_random(p, sizeof(p), 3);
	toeplitz_init(&t, k);
	toeplitz_digest(a, &t, p);
	for (i = 0; i < 512; i++) {
		p[i / 8] ^= (uint8_t)(1 << i % 8);
		toeplitz_digest(b, &t, p);
		assert_true(a[0] != b[0] && a[1] != b[1]);
		p[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

/*
 * `len` bytes that end where memory ends, so that a path that reads on dies.
 */
struct edge {
	uint8_t *map;
	size_t mapped;
	uint8_t *p;
};

static void
edge_init(struct edge *e, size_t len)
{
	e->mapped = (len + 4095) / 4096 * 4096 + 4096;
	e->map = mmap(NULL, e->mapped, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(e->map, MAP_FAILED);
	assert_int_equal(
	    mprotect(e->map + e->mapped - 4096, 4096, PROT_NONE), 0);
	e->p = e->map + e->mapped - 4096 - len;
}

/* The first value below the threshold, from a list of them all. */
static size_t
expected(const uint64_t *values, uint64_t threshold, size_t from, size_t end)
{
	size_t n;

	for (n = from; n <= end && values[n] >= threshold; n++)
		;
	return n;
}

enum { SCANNED = 20000 };

static void
check_path(struct prf *c, const uint8_t *p, const uint64_t *values)
{
	struct fill f;
	size_t from, end, i;

	fill_init(&f, c->path);
	for (i = 0; i < 6000; i++) {
		from = 64 + fill_below(&f, i % 2 ? 300 : SCANNED - 64);
		end = from + fill_below(&f, SCANNED - from + 1);
		if (i % 3 == 0 && from + 100 < SCANNED)
			end = from + fill_below(&f, 100);
		/* From everywhere to nowhere a cut. */
		c->threshold = UINT64_MAX >> fill_below(&f, 16);
		if (i % 5 == 0)
			c->threshold = i % 2 ? 0 : UINT64_MAX;
		c->lanes_max = 512u << fill_below(&f, 4);
		assert_int_equal(prf_scan(c, p, from, end),
		    expected(values, c->threshold, from, end));
	}
	/* At the end of memory, every length. */
	c->threshold = 0;
	for (i = 0; i < 1200; i++)
		assert_int_equal(
		    prf_scan(c, p, SCANNED - i, SCANNED), SCANNED + 1);
	/* Each position alone, in the middle of every kind of remainder. */
	for (i = 64; i < 1500; i++) {
		c->threshold = values[i] + 1;
		assert_int_equal(prf_scan(c, p, i, SCANNED), i);
		for (from = i > 400 ? i - 300 : 64; from < i; from += 7)
			assert_int_equal(prf_scan(c, p, from, SCANNED),
			    expected(values, c->threshold, from, SCANNED));
	}
}

/* Every path that is there finds what the definition says. */
static void
test_paths(void **state)
{
	struct edge e;
	struct prf c;
	struct slow s;
	uint64_t *values = calloc(SCANNED + 1, sizeof(*values));
	unsigned path, kind, tested = 0;
	size_t n;

	(void)state;
	assert_non_null(values);
	edge_init(&e, SCANNED);
	slow_init(&s, key);
	prf_init(&c, key, 1);
	for (kind = 0; kind < 3; kind++) {
		if (kind == 0)
			fill_random(e.p, SCANNED, 4);
		else if (kind == 1)
			fill_text(e.p, SCANNED, 5);
		else
			memset(e.p + 500, 0, SCANNED - 1000);
		for (n = 64; n <= SCANNED; n++)
			values[n] = slow_value(&s, e.p + n - 64);
		for (path = 0; path < PRF_PATHS; path++) {
			if (!prf_path_there((enum prf_path)path))
				continue;
			c.path = (enum prf_path)path;
			check_path(&c, e.p, values);
			tested++;
		}
	}
	assert_true(tested >= 3);
	free(values);
	assert_int_equal(munmap(e.map, e.mapped), 0);
}

/* The same chunks of megabytes, at the sizes that are in use. */
static void
test_paths_cut_alike(void **state)
{
	static const struct chunker_params params = {
	    CHUNKER_PRIVATE, {64u << 10, 32u << 10, 256u << 10}};
	struct chunker c;
	uint8_t *p = malloc(8 * MIB);
	size_t at, n, passed = 0, count[PRF_PATHS] = {0};
	struct hash h;
	uint8_t sum[PRF_PATHS][HASH_BYTES];
	unsigned path;

	(void)state;
	assert_non_null(p);
	fill_random(p, 8 * MIB, 6);
	assert_int_equal(chunker_init(&c, key, &params), 0);
	for (path = 0; path < PRF_PATHS; path++) {
		if (!prf_path_there((enum prf_path)path))
			continue;
		c.by.prf.path = (enum prf_path)path;
		hash_init(&h);
		for (at = 0; at < 8 * MIB; at += n) {
			n = chunker_cut(&c, &passed, p + at, 8 * MIB - at, 1);
			hash_update(&h, &n, sizeof(n));
			count[path]++;
		}
		hash_final(&h, sum[path]);
		assert_int_equal(count[path], count[PRF_PORTABLE]);
		assert_memory_equal(sum[path], sum[PRF_PORTABLE], HASH_BYTES);
	}
	assert_in_range(count[PRF_PORTABLE], 64, 256);
	free(p);
}

/* Does the system say that the processor has this? */
static int
cpuinfo(const char *feature)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[8192], *word, *rest;
	int found = 0;

	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "flags", 5) != 0 &&
		    strncmp(line, "Features", 8) != 0)
			continue;
		for (rest = line; (word = strsep(&rest, " \t\n")) != NULL;)
			found |= strcmp(word, feature) == 0;
	}
	assert_int_equal(fclose(f), 0);
	return found;
}

/* A slow path where the processor has a fast one is an error. */
static void
test_best_path(void **state)
{
	enum prf_path best = PRF_PORTABLE;
	struct prf c;

	(void)state;
#if defined(__x86_64__)
	if (cpuinfo("aes"))
		best = PRF_AESNI;
	if (cpuinfo("vaes") && cpuinfo("avx512f") && cpuinfo("avx512dq"))
		best = PRF_VAES;
#elif defined(__aarch64__)
	if (cpuinfo("aes"))
		best = PRF_ARM64;
#else
	(void)cpuinfo;
#endif
	assert_string_equal(
	    prf_path_name(prf_path_best()), prf_path_name(best));
	prf_init(&c, key, 1);
	assert_int_equal(c.path, best);
	assert_true(prf_path_there(PRF_PORTABLE));
	assert_false(prf_path_there(PRF_PATHS));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_standard),
	    cmocka_unit_test(test_textbook),
	    cmocka_unit_test(test_digest),
	    cmocka_unit_test(test_every_bit),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_paths_cut_alike),
	    cmocka_unit_test(test_best_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
