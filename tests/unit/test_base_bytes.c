#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
test_integers_are_little_endian(void **state)
{
	static const uint8_t want[] = {8, 7, 6, 5, 4, 3, 2, 0xf1};
	uint8_t p[8];

	(void)state;
	bytes_put64(p, 0xf102030405060708u);
	assert_memory_equal(p, want, 8);
	assert_true(bytes_get64(p) == 0xf102030405060708u);
	bytes_put32(p, 0xf5060708u);
	assert_memory_equal(p, "\x08\x07\x06\xf5", 4);
	assert_int_equal(bytes_get32(p), 0xf5060708u);
	bytes_put16(p, 0xf708);
	assert_memory_equal(p, "\x08\xf7", 2);
	assert_int_equal(bytes_get16(p), 0xf708);
}

static void
test_reader_reads_to_the_end(void **state)
{
	static const uint8_t p[] = {
	    1, 2, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0x80, 'a', 'b'};
	struct bytes_reader r;

	(void)state;
	bytes_reader_init(&r, p, sizeof(p));
	assert_int_equal(bytes_read8(&r), 1);
	assert_int_equal(bytes_read16(&r), 2);
	assert_int_equal(bytes_read32(&r), 3);
	assert_false(bytes_reader_done(&r));
	assert_true(bytes_read64(&r) == 0x8000000000000004u);
	assert_ptr_equal(bytes_read(&r, 2), p + 15);
	assert_true(bytes_reader_done(&r));
	assert_non_null(bytes_read(&r, 0));
	assert_true(bytes_reader_done(&r));
}

static void
test_reading_past_the_end_stays_failed(void **state)
{
	static const uint8_t p[] = {9, 9, 9};
	struct bytes_reader r;

	(void)state;
	bytes_reader_init(&r, p, sizeof(p));
	assert_int_equal(bytes_read32(&r), 0);
	assert_true(r.failed);
	/* What would fit is not given any more. */
	assert_int_equal(bytes_read8(&r), 0);
	assert_int_equal(bytes_read16(&r), 0);
	assert_true(bytes_read64(&r) == 0);
	assert_null(bytes_read(&r, 0));
	assert_false(bytes_reader_done(&r));

	bytes_reader_init(&r, p, sizeof(p));
	assert_null(bytes_read(&r, SIZE_MAX));
	assert_true(r.failed);

	bytes_reader_init(&r, NULL, 0);
	assert_true(bytes_reader_done(&r));
	assert_int_equal(bytes_read8(&r), 0);
	assert_false(bytes_reader_done(&r));
}

static void
test_zero_check(void **state)
{
	uint8_t p[300];
	size_t i;

	(void)state;
	memset(p, 0, sizeof(p));
	assert_true(bytes_are_zero(p, 0));
	assert_true(bytes_are_zero(p, sizeof(p)));
	for (i = 0; i < sizeof(p); i++) {
		p[i] = 1;
		assert_false(bytes_are_zero(p, sizeof(p)));
		assert_true(bytes_are_zero(p, i));
		p[i] = 0;
	}
	memset(p, 1, sizeof(p));
	assert_false(bytes_are_zero(p, sizeof(p)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_integers_are_little_endian),
	    cmocka_unit_test(test_reader_reads_to_the_end),
	    cmocka_unit_test(test_reading_past_the_end_stays_failed),
	    cmocka_unit_test(test_zero_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
