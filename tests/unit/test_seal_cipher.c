/* Our XChaCha20-Poly1305 of two libraries against libsodium's own. */

#include "seal/cipher.h"

#include "base/err.h"
#include "lib/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <cmocka.h>

#define DATA_BYTES 70000
#define AAD_BYTES 3000

static struct cipher *cipher;

static int
start(void **state)
{
	(void)state;
	return cipher_new(&cipher);
}

static int
stop(void **state)
{
	(void)state;
	cipher_free(cipher);
	cipher_free(NULL);
	return 0;
}

/* The same message by both; the AAD in three parts of any length. */
static void
check_same(struct fill *f, size_t len, size_t aad_len)
{
	static uint8_t data[DATA_BYTES], ours[DATA_BYTES], back[DATA_BYTES];
	static uint8_t theirs[DATA_BYTES + CIPHER_TAG_BYTES];
	uint8_t key[32], nonce[24], aad[AAD_BYTES], tag[CIPHER_TAG_BYTES];
	size_t cut1 = fill_below(f, aad_len + 1);
	size_t cut2 = cut1 + fill_below(f, aad_len - cut1 + 1);
	const struct cipher_part parts[] = {{aad, cut1},
	    {aad + cut1, cut2 - cut1}, {aad + cut2, aad_len - cut2}};
	const struct cipher_message m = {key, nonce, parts, 3};
	unsigned long long theirs_len;

	fill_random(data, len, fill_next(f));
	fill_random(key, sizeof(key), fill_next(f));
	fill_random(nonce, sizeof(nonce), fill_next(f));
	fill_random(aad, aad_len, fill_next(f));
	assert_int_equal(
	    crypto_aead_xchacha20poly1305_ietf_encrypt(
		theirs, &theirs_len, data, len, aad, aad_len, NULL, nonce, key),
	    0);
	assert_int_equal(theirs_len, len + CIPHER_TAG_BYTES);
	memcpy(ours, data, len);
	assert_int_equal(cipher_encrypt(cipher, &m, ours, len, tag), 0);
	assert_memory_equal(ours, theirs, len);
	assert_memory_equal(tag, theirs + len, sizeof(tag));
	assert_int_equal(cipher_decrypt(back, cipher, &m, ours, len, tag), 0);
	assert_memory_equal(back, data, len);
}

static void
test_same_as_libsodium(void **state)
{
	struct fill f;
	size_t len;
	int round;

	(void)state;
	fill_init(&f, 1);
	for (len = 0; len <= 1100; len++)
		check_same(&f, len, fill_below(&f, AAD_BYTES));
	for (len = 0; len <= 300; len++)
		check_same(&f, fill_below(&f, 200), len);
	for (round = 0; round < 200; round++)
		check_same(
		    &f, fill_below(&f, DATA_BYTES), fill_below(&f, AAD_BYTES));
}

/* draft-irtf-cfrg-xchacha-03, A.3.1 */
static void
test_draft_vector(void **state)
{
	static const char plain[] =
	    "Ladies and Gentlemen of the class of '99: If I could offer you "
	    "only one tip for the future, sunscreen would be it.";
	static const uint8_t aad[] = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2,
	    0xc3, 0xc4, 0xc5, 0xc6, 0xc7};
	static const uint8_t expected[] = {0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83,
	    0xd4, 0x3b, 0x95, 0x76, 0x57, 0x94, 0x93, 0xc0, 0xe9, 0x39};
	static const uint8_t expected_tag[] = {0xc0, 0x87, 0x59, 0x24, 0xc1,
	    0xc7, 0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a, 0xcf, 0x49};
	const struct cipher_part part = {aad, sizeof(aad)};
	uint8_t key[32], nonce[24], p[sizeof(plain) - 1], tag[16];
	const struct cipher_message m = {key, nonce, &part, 1};
	unsigned i;

	(void)state;
	for (i = 0; i < 32; i++)
		key[i] = (uint8_t)(0x80 + i);
	for (i = 0; i < 24; i++)
		nonce[i] = (uint8_t)(0x40 + i);
	memcpy(p, plain, sizeof(p));
	assert_int_equal(cipher_encrypt(cipher, &m, p, sizeof(p), tag), 0);
	assert_memory_equal(p, expected, sizeof(expected));
	assert_memory_equal(tag, expected_tag, sizeof(tag));
}

/* Every bit of key, nonce, AAD, text and tag counts, and a failure leaves
 * nothing behind that disturbs the next message. */
static void
test_forgeries(void **state)
{
	uint8_t key[32], nonce[24], aad[20], p[40], tag[16], out[40], good[40];
	const struct cipher_part part = {aad, sizeof(aad)};
	const struct cipher_message m = {key, nonce, &part, 1};
	const struct {
		uint8_t *p;
		size_t len;
	} fields[] = {{key, 32}, {nonce, 24}, {aad, 20}, {p, 40}, {tag, 16}};
	size_t i, j;

	(void)state;
	fill_random(key, sizeof(key), 1);
	fill_random(nonce, sizeof(nonce), 2);
	fill_random(aad, sizeof(aad), 3);
	fill_random(good, sizeof(good), 4);
	memcpy(p, good, sizeof(p));
	assert_int_equal(cipher_encrypt(cipher, &m, p, sizeof(p), tag), 0);
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		for (j = 0; j < 8 * fields[i].len; j++) {
			fields[i].p[j / 8] ^= (uint8_t)(1 << j % 8);
			assert_int_equal(
			    cipher_decrypt(out, cipher, &m, p, sizeof(p), tag),
			    ERR_DAMAGED);
			fields[i].p[j / 8] ^= (uint8_t)(1 << j % 8);
			assert_int_equal(
			    cipher_decrypt(out, cipher, &m, p, sizeof(p), tag),
			    0);
			assert_memory_equal(out, good, sizeof(out));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_same_as_libsodium),
	    cmocka_unit_test(test_draft_vector),
	    cmocka_unit_test(test_forgeries),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
