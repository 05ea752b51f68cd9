/* Key derivation and the vault header. */

#include "seal/keys.h"

#include "base/bytes.h"
#include "base/err.h"
#include "hash/hash.h"
#include "lib/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static uint8_t master[KEYS_BYTES];

static int
start(void **state)
{
	(void)state;
	fill_random(master, sizeof(master), 1);
	return sign_start();
}

static void
test_contexts(void **state)
{
	struct keys k;
	const struct {
		const uint8_t *key;
		size_t len;
		const char *context;
		size_t input_len;
	} rows[] = {
	    {k.vault, 16, "hashstore 2026 vault id v1", 32},
	    {k.id, 32, "hashstore 2026 object id v1", 32},
	    {k.file, 32, "hashstore 2026 file id v1", 32},
	    {k.chunker, 32, "hashstore 2026 chunker v1", 32},
	    {k.split, 32, "hashstore 2026 split v1", 32},
	    {k.link, 32, "hashstore 2026 hard link v1", 32},
	    {k.header, 32, "hashstore 2026 vault header v1", 32},
	    {k.cache, 32, "hashstore 2026 stat cache v1", 32},
	    {k.join_seed, 32, "hashstore 2026 join v1", 32},
	    {k.seal, 32, "hashstore 2026 seal v1", 36},
	    {k.nonce, 32, "hashstore 2026 nonce v1", 36},
	};
	uint8_t input[36], expected[32], pub[SIGN_PUBLIC_BYTES];
	size_t i, j;

	(void)state;
	keys_derive(&k, master, 0x01020304);
	assert_memory_equal(k.master, master, sizeof(master));
	assert_int_equal(k.epoch, 0x01020304);
	memcpy(input, master, 32);
	memcpy(input + 32, "\x04\x03\x02\x01", 4);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hash_derive(expected, rows[i].len, rows[i].context, input,
		    rows[i].input_len);
		assert_memory_equal(rows[i].key, expected, rows[i].len);
		for (j = 0; j < i; j++)
			assert_memory_not_equal(rows[i].key, rows[j].key, 16);
	}
	sign_public(pub, k.join_seed);
	assert_memory_equal(k.join_public, pub, sizeof(pub));
}

static void
test_epochs(void **state)
{
	struct keys a, b;

	(void)state;
	keys_derive(&a, master, 0);
	keys_derive(&b, master, 7);
	/* Rotation changes the sealing, and no id. */
	assert_memory_not_equal(a.seal, b.seal, KEYS_BYTES);
	assert_memory_not_equal(a.nonce, b.nonce, KEYS_BYTES);
	assert_memory_equal(a.vault, b.vault, KEYS_VAULT_BYTES);
	assert_memory_equal(a.id, b.id, KEYS_BYTES);
	assert_memory_equal(a.file, b.file, KEYS_BYTES);
	assert_memory_equal(a.chunker, b.chunker, KEYS_BYTES);
}

static void
test_masters_differ(void **state)
{
	uint8_t a[KEYS_BYTES], b[KEYS_BYTES];

	(void)state;
	keys_make_master(a);
	keys_make_master(b);
	assert_memory_not_equal(a, b, sizeof(a));
}

static void
test_wipe(void **state)
{
	struct keys k;

	(void)state;
	keys_derive(&k, master, 1);
	keys_wipe(&k);
	assert_true(bytes_are_zero((const uint8_t *)&k, sizeof(k)));
}

static void
test_header(void **state)
{
	const struct chunker_params params = {
	    CHUNKER_PRIVATE, {1 << 16, 1 << 15, 1 << 18}};
	struct keys k, other;
	struct keys_header h;
	uint8_t other_master[KEYS_BYTES],
	    bytes[4 + 16 + 16 + 32 + 4 + 32] = {1}, mac[32];

	(void)state;
	keys_derive(&k, master, 3);
	keys_header_make(&h, &k, &params);
	assert_int_equal(h.chunker.id, CHUNKER_PRIVATE);
	assert_memory_equal(h.vault, k.vault, sizeof(h.vault));
	assert_memory_equal(
	    h.join_public, k.join_public, sizeof(h.join_public));
	assert_int_equal(keys_header_check(&h, &k), 0);
	/* docs/format.md 9.1: epoch 0, reserved bytes */
	memcpy(bytes + 4, k.vault, 16);
	bytes_put32(bytes + 20, 2);
	bytes_put32(bytes + 24, 1 << 16);
	bytes_put32(bytes + 28, 1 << 15);
	bytes_put32(bytes + 32, 1 << 18);
	memcpy(bytes + 36, k.join_public, 32);
	hash_keyed(mac, k.header, bytes, sizeof(bytes));
	assert_memory_equal(h.mac, mac, sizeof(mac));
	memcpy(other_master, master, sizeof(master));
	other_master[31] ^= 1;
	keys_derive(&other, other_master, 3);
	assert_int_equal(keys_header_check(&h, &other), ERR_DAMAGED);
}

static void
test_header_bits(void **state)
{
	struct keys k;
	struct keys_header h;
	uint8_t *p = (uint8_t *)&h;
	size_t i;

	(void)state;
	/* No gaps in the struct, so every bit of it means something. */
	_Static_assert(sizeof(h) == 4 + 12 + 16 + 32 + 32, "gaps");
	keys_derive(&k, master, 0);
	keys_header_make(&h, &k, &chunker_default);
	for (i = 0; i < 8 * sizeof(h); i++) {
		p[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(keys_header_check(&h, &k), ERR_DAMAGED);
		p[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(keys_header_check(&h, &k), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_contexts),
	    cmocka_unit_test(test_epochs),
	    cmocka_unit_test(test_masters_differ),
	    cmocka_unit_test(test_wipe),
	    cmocka_unit_test(test_header),
	    cmocka_unit_test(test_header_bits),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
