/* BLAKE3 against the official b3sum program and known values. */

#include "hash/hash.h"

#include "base/hex.h"
#include "lib/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Key, context and input pattern of the official test vectors. */
#define KEY "whats the Elvish word for friend"
#define CONTEXT "BLAKE3 2019-12-27 16:29:52 test vectors context"
#define OUT_BYTES 131
#define INPUT_BYTES_MAX 102400

static const size_t lengths[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 63, 64, 65, 127,
    128, 129, 1023, 1024, 1025, 2048, 2049, 3072, 3073, 4000, 4096, 4097, 5120,
    5121, 6144, 6145, 7168, 7169, 8192, 8193, 16384, 16385, 31744, 65536, 65537,
    100000, INPUT_BYTES_MAX};
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

static uint8_t input[INPUT_BYTES_MAX];

static int
fill_input(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)(i % 251);
	return 0;
}

/* Run b3sum over the first `len` input bytes; `mode` is shell text. */
static void
oracle(uint8_t out[OUT_BYTES], const char *mode, size_t len)
{
	char dir[] = "/tmp/hashstore-test-XXXXXX", command[1024];
	char digits[2 * OUT_BYTES + 2];
	FILE *f;
	int n;

	assert_non_null(mkdtemp(dir));
	n = snprintf(command, sizeof(command), "%s/in", dir);
	assert_true(n > 0 && (size_t)n < sizeof(command));
	f = fopen(command, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(input, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	n = snprintf(command, sizeof(command),
	    "cd %s && printf %%s '" KEY "' | "
	    "b3sum --no-names --length %d %s in >out",
	    dir, OUT_BYTES, mode);
	assert_true(n > 0 && (size_t)n < sizeof(command));
	assert_int_equal(system(command), 0);
	n = snprintf(command, sizeof(command), "%s/out", dir);
	assert_true(n > 0 && (size_t)n < sizeof(command));
	f = fopen(command, "r");
	assert_non_null(f);
	assert_non_null(fgets(digits, sizeof(digits), f));
	assert_int_equal(fclose(f), 0);
	assert_int_equal(
	    hex_decode(out, OUT_BYTES, digits, 2 * (size_t)OUT_BYTES), 0);
	n = snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_true(n > 0 && (size_t)n < sizeof(command));
	assert_int_equal(system(command), 0);
}

static void
test_plain(void **state)
{
	uint8_t expected[OUT_BYTES], got[OUT_BYTES], one[HASH_BYTES];
	struct hash h;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTHS; i++) {
		oracle(expected, "", lengths[i]);
		hash_init(&h);
		hash_update(&h, input, lengths[i]);
		hash_final_len(&h, got, sizeof(got));
		assert_memory_equal(got, expected, sizeof(got));
		hash_final(&h, one);
		assert_memory_equal(one, expected, sizeof(one));
		hash_bytes(one, input, lengths[i]);
		assert_memory_equal(one, expected, sizeof(one));
	}
}

static void
test_keyed(void **state)
{
	uint8_t expected[OUT_BYTES], got[OUT_BYTES], one[HASH_BYTES];
	struct hash h;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTHS; i++) {
		oracle(expected, "--keyed", lengths[i]);
		hash_init_keyed(&h, (const uint8_t *)KEY);
		hash_update(&h, input, lengths[i]);
		hash_final_len(&h, got, sizeof(got));
		assert_memory_equal(got, expected, sizeof(got));
		hash_keyed(one, (const uint8_t *)KEY, input, lengths[i]);
		assert_memory_equal(one, expected, sizeof(one));
	}
}

static void
test_derive(void **state)
{
	uint8_t expected[OUT_BYTES], got[OUT_BYTES];
	struct hash h;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTHS; i++) {
		oracle(expected, "--derive-key '" CONTEXT "'", lengths[i]);
		hash_init_derive(&h, CONTEXT);
		hash_update(&h, input, lengths[i]);
		hash_final_len(&h, got, sizeof(got));
		assert_memory_equal(got, expected, sizeof(got));
		memset(got, 0, sizeof(got));
		hash_derive(got, sizeof(got), CONTEXT, input, lengths[i]);
		assert_memory_equal(got, expected, sizeof(got));
	}
}

/* From the published vectors, so that both oracles cannot err alike. */
static void
test_published(void **state)
{
	static const char empty[] = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9"
				    "adc112b7cc9a93cae41f3262";
	uint8_t out[HASH_BYTES];
	char digits[2 * HASH_BYTES + 1];

	(void)state;
	hash_bytes(out, NULL, 0);
	hex_encode(digits, out, sizeof(out));
	assert_string_equal(digits, empty);
}

static void
test_pieces(void **state)
{
	uint8_t whole[HASH_BYTES], pieces[HASH_BYTES], early[HASH_BYTES];
	struct hash h, copy;
	struct fill f;
	size_t done, n;
	int round;

	(void)state;
	fill_init(&f, 1);
	hash_bytes(whole, input, sizeof(input));
	for (round = 0; round < 200; round++) {
		hash_init(&h);
		for (done = 0; done < sizeof(input); done += n) {
			n = fill_below(&f, round % 2 ? 200 : 20000);
			if (n > sizeof(input) - done)
				n = sizeof(input) - done;
			hash_update(&h, input + done, n);
		}
		hash_final(&h, pieces);
		assert_memory_equal(pieces, whole, sizeof(whole));
	}
	/* Finishing does not end a state, and a copy is independent. */
	hash_init(&h);
	hash_update(&h, input, 5000);
	copy = h;
	hash_final(&h, early);
	hash_update(&h, input + 5000, sizeof(input) - 5000);
	hash_final(&h, pieces);
	assert_memory_equal(pieces, whole, sizeof(whole));
	hash_final(&copy, pieces);
	assert_memory_equal(pieces, early, sizeof(early));
}

/* The linker puts this in place of the answer of a library that we build. */
static size_t degree_told;
size_t real_degree(void) __asm__("__real_blake3_simd_degree")
    __attribute__((weak));
size_t told_degree(void) __asm__("__wrap_blake3_simd_degree");
size_t
told_degree(void)
{
	return degree_told != 0 ? degree_told : real_degree();
}

/* How wide the library computes is said, whatever the processor could do. */
static void
test_simd_name(void **state)
{
	(void)state;
	if (real_degree == NULL)
		return; /* the system's library says what it likes */
	degree_told = 1;
	assert_string_equal(hash_simd_name(), "portable");
	degree_told = 4;
	assert_int_equal(hash_simd_degree(), 4);
#if defined(__x86_64__)
	assert_string_equal(hash_simd_name(),
	    __builtin_cpu_supports("sse4.1") ? "sse4.1" : "sse2");
	degree_told = 8;
	assert_string_equal(hash_simd_name(), "avx2");
	degree_told = 16;
	assert_string_equal(hash_simd_name(), "avx512");
#else
	assert_string_equal(hash_simd_name(), "neon");
#endif
	degree_told = 0;
}

static void
test_simd(void **state)
{
	unsigned degree = hash_simd_degree();
	const char *name = hash_simd_name();

	(void)state;
	assert_true(degree == 1 || degree == 4 || degree == 8 || degree == 16);
	assert_int_equal(degree == 1, strcmp(name, "portable") == 0);
#if defined(__x86_64__)
	/* A build that lost its assembly must not pass. */
	assert_true(degree >= 4);
	if (__builtin_cpu_supports("avx2"))
		assert_true(degree >= 8);
	if (degree == 16)
		assert_string_equal(name, "avx512");
	if (degree == 8)
		assert_string_equal(name, "avx2");
#elif defined(__aarch64__)
	assert_int_equal(degree, 4);
	assert_string_equal(name, "neon");
#endif
}

static void
test_equal_and_wipe(void **state)
{
	uint8_t a[70], b[70];
	size_t len, i;
	int bit;

	(void)state;
	fill_random(a, sizeof(a), 2);
	memcpy(b, a, sizeof(a));
	assert_true(hash_equal(a, b, 0));
	for (len = 1; len <= sizeof(a); len++) {
		assert_true(hash_equal(a, b, len));
		for (i = 0; i < len; i++)
			for (bit = 1; bit < 256; bit <<= 1) {
				b[i] ^= (uint8_t)bit;
				assert_false(hash_equal(a, b, len));
				b[i] ^= (uint8_t)bit;
			}
	}
	hash_wipe(a + 1, sizeof(a) - 2);
	for (i = 1; i < sizeof(a) - 1; i++)
		assert_int_equal(a[i], 0);
	assert_int_equal(a[0], b[0]);
	assert_int_equal(a[sizeof(a) - 1], b[sizeof(a) - 1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_keyed),
	    cmocka_unit_test(test_derive),
	    cmocka_unit_test(test_published),
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_simd),
	    cmocka_unit_test(test_simd_name),
	    cmocka_unit_test(test_equal_and_wipe),
	};

	return cmocka_run_group_tests(tests, fill_input, NULL);
}
