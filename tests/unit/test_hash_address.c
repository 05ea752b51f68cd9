/* Addresses, built a second time by hand from docs/format.md 4. */

#include "hash/address.h"

#include "lib/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DIR_CONTEXT "hashstore 2026 directory v1"

static const char empty[] =
    "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

static void
test_simple_kinds(void **state)
{
	uint8_t got[HASH_BYTES], expected[HASH_BYTES];
	char text[ADDRESS_TEXT_BYTES];

	(void)state;
	address_fifo(got);
	address_text(text, ADDRESS_FIFO, got);
	assert_string_equal(text, empty);
	address_symlink(got, "../target", 9);
	hash_bytes(expected, "../target", 9);
	assert_memory_equal(got, expected, sizeof(got));
	address_symlink(got, "", 0);
	address_text(text, ADDRESS_SYMLINK, got);
	assert_string_equal(text, empty);
	address_device(got, 0x01020304, 0xa1b2c3d4);
	hash_bytes(expected, "\x04\x03\x02\x01\xd4\xc3\xb2\xa1", 8);
	assert_memory_equal(got, expected, sizeof(got));
}

static void
test_text(void **state)
{
	uint8_t address[HASH_BYTES];
	char text[ADDRESS_TEXT_BYTES], dir[ADDRESS_TEXT_BYTES];
	size_t i;

	(void)state;
	fill_random(address, sizeof(address), 1);
	address_text(text, ADDRESS_FILE, address);
	assert_int_equal(strlen(text), 64);
	for (i = 0; i < 64; i++)
		assert_non_null(strchr("0123456789abcdef", text[i]));
	address_text(dir, ADDRESS_DIR, address);
	assert_int_equal(strlen(dir), 65);
	assert_int_equal(dir[0], 'X');
	assert_string_equal(dir + 1, text);
}

static void
test_empty_directory(void **state)
{
	struct hash h;
	uint8_t got[HASH_BYTES], expected[HASH_BYTES];

	(void)state;
	address_dir_init(&h);
	address_dir_final(&h, got);
	hash_derive(expected, sizeof(expected), DIR_CONTEXT, "", 0);
	assert_memory_equal(got, expected, sizeof(got));
}

static void
test_directory(void **state)
{
	static const uint8_t kinds[] = {1, 2, 3, 4, 5, 6};
	uint8_t bytes[6 * (3 + 255 + HASH_BYTES)], *p = bytes;
	uint8_t address[HASH_BYTES], got[HASH_BYTES], expected[HASH_BYTES];
	char name[255];
	struct hash h;
	size_t i, len;

	(void)state;
	address_dir_init(&h);
	for (i = 0; i < sizeof(kinds); i++) {
		len = i == 5 ? 255 : 1 + i;
		memset(name, 'a' + (int)i, len);
		fill_random(address, sizeof(address), i);
		address_dir_add(
		    &h, (enum address_kind)kinds[i], name, len, address);
		*p++ = kinds[i];
		*p++ = (uint8_t)len;
		*p++ = 0;
		memcpy(p, name, len);
		p += len;
		memcpy(p, address, sizeof(address));
		p += sizeof(address);
	}
	address_dir_final(&h, got);
	hash_derive(expected, sizeof(expected), DIR_CONTEXT, bytes,
	    (size_t)(p - bytes));
	assert_memory_equal(got, expected, sizeof(got));
}

/* Kind, name, address and order all matter. */
static void
test_distinct(void **state)
{
	static const struct {
		enum address_kind kind[2];
		const char *name[2];
	} dirs[] = {
	    {{ADDRESS_FILE, ADDRESS_FILE}, {"a", "b"}},
	    {{ADDRESS_FILE, ADDRESS_FILE}, {"b", "a"}},
	    {{ADDRESS_SYMLINK, ADDRESS_FILE}, {"a", "b"}},
	    {{ADDRESS_FILE, ADDRESS_FILE}, {"a", "bb"}},
	    {{ADDRESS_FILE, ADDRESS_FILE}, {"a", "B"}},
	};
	uint8_t got[sizeof(dirs) / sizeof(dirs[0])][HASH_BYTES];
	uint8_t address[HASH_BYTES] = {7};
	struct hash h;
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		address_dir_init(&h);
		for (j = 0; j < 2; j++)
			address_dir_add(&h, dirs[i].kind[j], dirs[i].name[j],
			    strlen(dirs[i].name[j]), address);
		address_dir_final(&h, got[i]);
		for (j = 0; j < i; j++)
			assert_memory_not_equal(got[i], got[j], HASH_BYTES);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_simple_kinds),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_empty_directory),
	    cmocka_unit_test(test_directory),
	    cmocka_unit_test(test_distinct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
