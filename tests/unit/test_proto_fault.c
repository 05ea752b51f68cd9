/* Error answers and hello. */

#include "base/err.h"
#include "proto/fault.h"
#include "proto/hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
test_codes(void **state)
{
	static const int codes[][2] = {{ERR_FAIL, ERR_FAIL}, {ERR_IO, ERR_IO},
	    {ERR_NOMEM, ERR_BUSY}, {ERR_NOENT, ERR_NOENT},
	    {ERR_NOSPACE, ERR_NOSPACE}, {ERR_LIMIT, ERR_LIMIT},
	    {ERR_EXIST, ERR_EXIST}, {ERR_STALE, ERR_STALE},
	    {ERR_MISSING, ERR_MISSING}, {ERR_BUSY, ERR_BUSY},
	    {ERR_DAMAGED, ERR_DAMAGED}, {ERR_REFUSED, ERR_REFUSED},
	    {ERR_READONLY, ERR_READONLY}, {ERR_USAGE, ERR_FAIL},
	    {ERR_SOURCE, ERR_FAIL}, {FAULT_MALFORMED, ERR_FAIL},
	    {FAULT_UNAUTHENTICATED, ERR_UNREACHABLE}};
	char text[2000];
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		buf_reset(&b);
		assert_int_equal(fault_encode(&b, codes[i][0], "what is"), 0);
		assert_true(fault_status(codes[i][0]) >= 400);
		assert_int_equal(fault_decode(b.data, b.len), codes[i][1]);
		assert_string_equal(err_text(), "server: what is");
	}
	/* Long texts are cut, texts that are no UTF-8 left out. */
	memset(text, 'y', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	buf_reset(&b);
	assert_int_equal(fault_encode(&b, ERR_IO, text), 0);
	assert_int_equal(fault_decode(b.data, b.len), ERR_IO);
	buf_reset(&b);
	assert_int_equal(fault_encode(&b, ERR_IO, "a\xff"), 0);
	assert_int_equal(fault_decode(b.data, b.len), ERR_IO);
	buf_release(&b);
}

static int
decode(const char *text)
{
	return fault_decode((const uint8_t *)text, strlen(text));
}

static void
test_no_faults(void **state)
{
	(void)state;
	assert_int_equal(decode(""), ERR_UNREACHABLE);
	assert_int_equal(decode("<html>"), ERR_UNREACHABLE);
	assert_int_equal(decode("[]"), ERR_UNREACHABLE);
	assert_int_equal(
	    decode("{\"error\": 1, \"text\": \"\"}"), ERR_UNREACHABLE);
	/* A word of a later server. */
	assert_int_equal(
	    decode("{\"error\": \"tired\", \"text\": \"x\"}"), ERR_FAIL);
}

static void
test_hello(void **state)
{
	static const char *const bad[] = {"", "{}", "<html></html>",
	    "{\"product\": \"other\", \"protocol\": 1}",
	    "{\"product\": \"hashstore\"}",
	    "{\"product\": \"hashstore\", \"protocol\": 1}"};
	/* Ours, and not for us: another shash is needed. */
	static const char *const other[] = {
	    "{\"product\": \"hashstore\", \"protocol\": 0}",
	    "{\"product\": \"hashstore\", \"protocol\": 2}"};
	struct hello h = {.store = {1, 2, 3}, .insecure = 1}, got;
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	assert_int_equal(hello_encode(&b, &h), 0);
	assert_int_equal(hello_decode(&got, b.data, b.len), 0);
	assert_memory_equal(got.store, h.store, 32);
	assert_int_equal(got.insecure, 1);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    hello_decode(&got, (const uint8_t *)bad[i], strlen(bad[i])),
		    ERR_UNREACHABLE);
	for (i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		assert_int_equal(hello_decode(&got, (const uint8_t *)other[i],
				     strlen(other[i])),
		    ERR_NOSTORE);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_codes),
	    cmocka_unit_test(test_no_faults),
	    cmocka_unit_test(test_hello),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
