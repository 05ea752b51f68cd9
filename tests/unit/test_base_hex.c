#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
test_all_bytes_there_and_back(void **state)
{
	uint8_t p[256], back[256];
	char text[513];
	size_t i;

	(void)state;
	for (i = 0; i < 256; i++)
		p[i] = (uint8_t)i;
	hex_encode(text, p, 256);
	assert_int_equal(strlen(text), 512);
	assert_memory_equal(text, "000102030405060708090a0b0c0d0e0f10", 34);
	assert_int_equal(hex_decode(back, 256, text, 512), 0);
	assert_memory_equal(p, back, 256);
	hex_encode(text, p, 0);
	assert_string_equal(text, "");
	assert_int_equal(hex_decode(back, 0, "", 0), 0);
}

static void
test_case(void **state)
{
	uint8_t p[3];

	(void)state;
	assert_int_equal(hex_decode(p, 3, "aBCdEf", 6), 0);
	assert_memory_equal(p, "\xab\xcd\xef", 3);
}

static void
test_bad_text_writes_nothing(void **state)
{
	static const char *const bad[] = {
	    "0g", "g0", "/0", ":0", "@0", "`0", " 0", "0 ", "0x", "\3770"};
	uint8_t p[3] = {7, 7, 7};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(hex_decode(p, 1, bad[i], 2) < 0);
	assert_true(hex_decode(p, 2, "0102", 3) < 0);
	assert_true(hex_decode(p, 2, "010203", 6) < 0);
	assert_true(hex_decode(p, 3, "0102", 4) < 0);
	assert_true(hex_decode(p, 3, "01020x", 6) < 0);
	assert_true(hex_decode(p, SIZE_MAX / 2 + 2, "01", 2) < 0);
	assert_memory_equal(p, "\7\7\7", 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_bytes_there_and_back),
	    cmocka_unit_test(test_case),
	    cmocka_unit_test(test_bad_text_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
