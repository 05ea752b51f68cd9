/* Signatures and key agreement against RFC vectors, and all their refusals. */

#include "sign/sign.h"

#include "base/err.h"
#include "base/hex.h"
#include "hash/hash.h"
#include "lib/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <cmocka.h>

static int
start(void **state)
{
	(void)state;
	return sign_start() || sign_start();
}

static void
from_hex(uint8_t out[32], const char *digits)
{
	assert_int_equal(hex_decode(out, 32, digits, strlen(digits)), 0);
}

/* RFC 8032, 7.1, test 1. */
static void
test_public(void **state)
{
	uint8_t seed[32], expected[32], got[32];

	(void)state;
	from_hex(seed, "9d61b19deffd5a60ba844af492ec2cc4"
		       "4449c5697b326919703bac031cae7f60");
	from_hex(expected, "d75a980182b10ab7d54bfed3c964073a"
			   "0ee172f3daa62325af021a68f707511a");
	sign_public(got, seed);
	assert_memory_equal(got, expected, sizeof(got));
}

static void
test_seeds_differ(void **state)
{
	uint8_t a[SIGN_SEED_BYTES], b[SIGN_SEED_BYTES];

	(void)state;
	sign_seed(a);
	sign_seed(b);
	assert_memory_not_equal(a, b, sizeof(a));
}

/* The signed bytes are length, context, BLAKE3 of the message. */
static void
test_signed_bytes(void **state)
{
	uint8_t seed[32], pub[32], sig[SIGN_BYTES], bytes[1 + 4 + 32];

	(void)state;
	fill_random(seed, sizeof(seed), 1);
	sign_public(pub, seed);
	sign_make(sig, seed, "ctx1", "message", 7);
	bytes[0] = 4;
	memcpy(bytes + 1, "ctx1", 4);
	hash_bytes(bytes + 5, "message", 7);
	assert_int_equal(
	    crypto_sign_verify_detached(sig, bytes, sizeof(bytes), pub), 0);
}

static void
test_round_trip(void **state)
{
	static const size_t lengths[] = {0, 1, 63, 64, 65, 1000, 3u << 20};
	uint8_t seed[32], pub[32], sig[SIGN_BYTES], again[SIGN_BYTES];
	uint8_t *p = malloc(3u << 20);
	size_t i;

	(void)state;
	assert_non_null(p);
	fill_random(p, 3u << 20, 2);
	sign_seed(seed);
	sign_public(pub, seed);
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		sign_make(sig, seed, "test v1", p, lengths[i]);
		sign_make(again, seed, "test v1", p, lengths[i]);
		assert_memory_equal(sig, again, sizeof(sig));
		assert_int_equal(
		    sign_check(sig, pub, "test v1", p, lengths[i]), 0);
		if (lengths[i] == 0)
			continue;
		assert_int_equal(
		    sign_check(sig, pub, "test v1", p, lengths[i] - 1),
		    ERR_REFUSED);
		p[lengths[i] / 2] ^= 1;
		assert_int_equal(sign_check(sig, pub, "test v1", p, lengths[i]),
		    ERR_REFUSED);
		p[lengths[i] / 2] ^= 1;
	}
	free(p);
}

static void
test_every_bit_counts(void **state)
{
	uint8_t seed[32], pub[32], sig[SIGN_BYTES];
	unsigned i;

	(void)state;
	fill_random(seed, sizeof(seed), 3);
	sign_public(pub, seed);
	sign_make(sig, seed, "test v1", "abc", 3);
	for (i = 0; i < 8 * SIGN_BYTES; i++) {
		sig[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(
		    sign_check(sig, pub, "test v1", "abc", 3), ERR_REFUSED);
		sig[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (i = 0; i < 8 * SIGN_PUBLIC_BYTES; i++) {
		pub[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(
		    sign_check(sig, pub, "test v1", "abc", 3), ERR_REFUSED);
		pub[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(sign_check(sig, pub, "test v1", "abc", 3), 0);
	assert_true(strlen(err_text()) > 0);
}

/* A signature of one purpose is worth nothing for another. */
static void
test_contexts(void **state)
{
	static const char *const others[] = {
	    "", "t", "test v", "test v2", "test v1 ", "Test v1"};
	char longest[65];
	uint8_t seed[32], pub[32], sig[SIGN_BYTES];
	size_t i;

	(void)state;
	fill_random(seed, sizeof(seed), 4);
	sign_public(pub, seed);
	sign_make(sig, seed, "test v1", "abc", 3);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(
		    sign_check(sig, pub, others[i], "abc", 3), ERR_REFUSED);
	memset(longest, 'c', 64);
	longest[64] = '\0';
	sign_make(sig, seed, longest, "abc", 3);
	assert_int_equal(sign_check(sig, pub, longest, "abc", 3), 0);
}

static void
test_agreement(void **state)
{
	uint8_t alice[32], bob[32], alice_pub[32], bob_pub[32], expected[32];
	uint8_t a[32], b[32];

	(void)state;
	sign_dh_pair(alice, alice_pub);
	sign_dh_pair(bob, bob_pub);
	assert_int_equal(sign_dh(a, alice, bob_pub), 0);
	assert_int_equal(sign_dh(b, bob, alice_pub), 0);
	assert_memory_equal(a, b, sizeof(a));
	/* RFC 7748, 5.2, first vector. */
	from_hex(alice, "a546e36bf0527c9d3b16154b82465edd"
			"62144c0ac1fc5a18506a2244ba449ac4");
	from_hex(bob_pub, "e6db6867583030db3594c1a424b15f7c"
			  "726624ec26b3353b10a903a6d0ab1c4c");
	from_hex(expected, "c3da55379de9c6908e94ea4df28d084f"
			   "32eccf03491c71f754b4075577a28552");
	assert_int_equal(sign_dh(a, alice, bob_pub), 0);
	assert_memory_equal(a, expected, sizeof(a));
}

/* Points of small order would make the secret known to everybody. */
static void
test_weak_points(void **state)
{
	static const char *const points[] = {
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "0100000000000000000000000000000000000000000000000000000000000000",
	    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	uint8_t secret[32], pub[32], point[32], shared[32], before[32];
	size_t i;

	(void)state;
	sign_dh_pair(secret, pub);
	fill_random(shared, sizeof(shared), 5);
	memcpy(before, shared, sizeof(shared));
	for (i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		from_hex(point, points[i]);
		assert_int_equal(sign_dh(shared, secret, point), ERR_REFUSED);
		assert_memory_equal(shared, before, sizeof(shared));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_public),
	    cmocka_unit_test(test_seeds_differ),
	    cmocka_unit_test(test_signed_bytes),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_every_bit_counts),
	    cmocka_unit_test(test_contexts),
	    cmocka_unit_test(test_agreement),
	    cmocka_unit_test(test_weak_points),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
