#include "base/json.h"

#include "base/err.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
check_text(const struct json *j, const char *want)
{
	struct buf b = BUF_INIT;

	assert_int_equal(json_encode(&b, j), 0);
	assert_int_equal(buf_append8(&b, 0), 0);
	assert_string_equal((char *)b.data, want);
	buf_release(&b);
}

static struct json *
decode(const char *text)
{
	struct json *j = NULL;

	if (json_decode(&j, text, strlen(text)) != 0)
		fail_msg("%s: %s", text, err_text());
	return j;
}

static void
check_bad(const char *text, size_t len)
{
	struct json *j = NULL;

	err_set(ERR_FAIL, "no message");
	assert_int_equal(json_decode(&j, text, len), ERR_DAMAGED);
	assert_null(j);
	assert_string_not_equal(err_text(), "no message");
}

#define BAD(text) check_bad(text, sizeof(text) - 1)

static void
test_encode(void **state)
{
	struct json *j = json_new_object(), *a = json_new_array();
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(json_set_text(j, "z", "a\"\n\xc3\xbc"), 0);
	assert_int_equal(json_set_int(j, "min", INT64_MIN), 0);
	assert_int_equal(json_set_int(j, "max", INT64_MAX), 0);
	assert_int_equal(json_set_bool(j, "t", 17), 0);
	assert_int_equal(json_set_bool(j, "f", 0), 0);
	assert_int_equal(
	    json_set_hex(j, "hex", (const uint8_t *)"\x00\xab", 2), 0);
	assert_int_equal(json_set_hex(j, "none", NULL, 0), 0);
	assert_int_equal(json_push(a, json_new_object()), 0);
	assert_int_equal(json_push_text(a, "x"), 0);
	assert_int_equal(json_push_text(a, "\xff"), ERR_FAIL);
	assert_int_equal(json_set(j, "list", a), 0);
	check_text(j,
	    "{\"f\":false,\"hex\":\"00ab\",\"list\":[{},\"x\"],"
	    "\"max\":9223372036854775807,\"min\":-9223372036854775808,"
	    "\"none\":\"\",\"t\":true,\"z\":\"a\\\"\\n\xc3\xbc\"}");
	json_free(j);

	j = json_new_object();
	assert_int_equal(json_set_int(j, "b", 1), 0);
	assert_int_equal(json_set_int(j, "a", 2), 0);
	assert_int_equal(json_set_int(j, "b", 3), 0);
	assert_int_equal(buf_append(&b, ">", 1), 0);
	assert_int_equal(json_encode_pretty(&b, j), 0);
	assert_int_equal(buf_append8(&b, 0), 0);
	assert_string_equal((char *)b.data, ">{\n  \"a\": 2,\n  \"b\": 3\n}\n");
	buf_release(&b);
	json_free(j);
	json_free(NULL);
}

static void
test_bad_utf8_is_not_encoded(void **state)
{
	struct json *j = json_new_object();

	(void)state;
	assert_int_equal(json_set_text(j, "a", "x\xffy"), ERR_FAIL);
	assert_int_equal(json_set_text(j, "a", "\xc0\xaf"), ERR_FAIL);
	assert_int_equal(json_set_text(j, "a", "\xed\xa0\x80"), ERR_FAIL);
	check_text(j, "{}");
	assert_int_equal(json_set(j, "a", NULL), ERR_NOMEM);
	json_free(j);
}

static void
test_get(void **state)
{
	struct json *j = decode(" {\"s\":\"12345\",\"e\":\"\",\"i\":-7,\"b\":"
				"true,\"n\":null,\"r\":1.5,\"h\":\"00fF\","
				"\"o\":{\"x\":1},\"a\":[\"p\",2]}\n");
	const struct json *sub;
	const char *s = NULL;
	uint8_t h[2];
	int64_t i = 0;
	int b = 0;

	(void)state;
	assert_int_equal(json_get_text(&s, j, "s", 5), 0);
	assert_string_equal(s, "12345");
	assert_int_equal(json_get_text(&s, j, "s", 4), ERR_DAMAGED);
	assert_int_equal(json_get_text(&s, j, "e", 0), 0);
	assert_string_equal(s, "");
	assert_int_equal(json_get_text(&s, j, "i", 9), ERR_DAMAGED);
	assert_int_equal(json_get_text(&s, j, "none", 9), ERR_DAMAGED);
	assert_non_null(strstr(err_text(), "\"none\""));
	assert_int_equal(json_get_int(&i, j, "i", -7, -7), 0);
	assert_int_equal(i, -7);
	assert_int_equal(json_get_int(&i, j, "i", -6, 9), ERR_DAMAGED);
	assert_int_equal(json_get_int(&i, j, "i", -9, -8), ERR_DAMAGED);
	assert_int_equal(json_get_int(&i, j, "r", 0, 9), ERR_DAMAGED);
	assert_int_equal(json_get_int(&i, j, "s", 0, 9), ERR_DAMAGED);
	assert_int_equal(json_get_bool(&b, j, "b"), 0);
	assert_int_equal(b, 1);
	assert_int_equal(json_get_bool(&b, j, "n"), ERR_DAMAGED);
	assert_int_equal(json_get_hex(h, 2, j, "h"), 0);
	assert_memory_equal(h, "\x00\xff", 2);
	assert_int_equal(json_get_hex(h, 1, j, "h"), ERR_DAMAGED);
	assert_int_equal(json_get_hex(h, 2, j, "s"), ERR_DAMAGED);
	assert_true(json_has(j, "n"));
	assert_false(json_has(j, "none"));
	assert_null(json_get(j, "s"));
	assert_null(json_get(j, "none"));
	sub = json_get(j, "o");
	assert_int_equal(json_get_int(&i, sub, "x", 1, 1), 0);
	sub = json_get(j, "a");
	assert_int_equal(json_array_len(sub), 2);
	assert_int_equal(json_item_text(&s, sub, 0, 1), 0);
	assert_string_equal(s, "p");
	assert_int_equal(json_item_text(&s, sub, 0, 0), ERR_DAMAGED);
	assert_int_equal(json_item_text(&s, sub, 1, 9), ERR_DAMAGED);
	assert_null(json_item(sub, 2));
	/* The wrong kind of container is not a crash. */
	assert_int_equal(json_get_int(&i, sub, "x", 0, 9), ERR_DAMAGED);
	assert_int_equal(json_array_len(j), 0);
	assert_int_equal(json_array_len(json_get(j, "none")), 0);
	assert_int_equal(json_get_int(&i, NULL, "x", 0, 9), ERR_DAMAGED);
	assert_false(json_has(NULL, "x"));
	json_free(j);
}

static void
test_bad_text(void **state)
{
	(void)state;
	BAD("");
	BAD(" ");
	BAD("{");
	BAD("{}x");
	BAD("{}{}");
	BAD("[]");
	BAD("1");
	BAD("\"a\"");
	BAD("null");
	BAD("{\"a\":1,}");
	BAD("{'a':1}");
	BAD("{\"a\":01}");
	BAD("{\"a\":NaN}");
	BAD("{\"a\":9223372036854775808}");
	BAD("{\"a\":1e999}");
	BAD("{\"a\":\"\n\"}");
	BAD("{\"a\":1}\0");
	BAD("{\"a\":\"\0\"}");
	BAD("{\"a\":\"\\u0000\"}");
	BAD("{\"\\u0000\":1}");
	BAD("{\"a\":\"\xff\"}");
	BAD("{\"a\":\"\xc0\xaf\"}");
	BAD("{\"a\":\"\xed\xa0\x80\"}");
	BAD("{\"a\":\"\\ud800\"}");
	BAD("{\"\xff\":1}");
	BAD("\xef\xbb\xbf{}");
}

static void
test_duplicates(void **state)
{
	(void)state;
	BAD("{\"a\":1,\"a\":1}");
	BAD("{\"a\":1,\"\\u0061\":2}");
	BAD("{\"x\":{\"a\":1,\"a\":2}}");
	BAD("{\"x\":[{\"a\":1,\"a\":2}]}");
}

static void
test_depth(void **state)
{
	char *text = malloc(LIMIT_JSON_BYTES);

	(void)state;
	json_free(decode("{\"a\":[[[[[[[1]]]]]]]}"));
	BAD("{\"a\":[[[[[[[[1]]]]]]]]}");
	BAD("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{"
	    "}}}}}}}}}");
	json_free(decode("{\"a\":\"[[[[[[[[[[{{{{\\\"[[[[\"}"));
	json_free(decode("{\"a\\\\\":\"\\\\\",\"b\":[[],[],[],[],[],[],[]]}"));
	assert_non_null(text);
	memset(text, '[', LIMIT_JSON_BYTES);
	check_bad(text, LIMIT_JSON_BYTES);
	free(text);
}

static void
test_length(void **state)
{
	char *text = malloc(LIMIT_JSON_BYTES + 1);
	struct json *j = NULL;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', LIMIT_JSON_BYTES + 1);
	text[0] = '{';
	text[1] = '}';
	assert_int_equal(json_decode(&j, text, LIMIT_JSON_BYTES), 0);
	json_free(j);
	check_bad(text, LIMIT_JSON_BYTES + 1);
	free(text);
}

/* Encoded in ASCII, the bytes of a name become this text. */
static void
check_bytes(const char *p, size_t len, const char *want)
{
	struct json *j = json_new_object();
	struct buf text = BUF_INIT;

	assert_non_null(j);
	assert_int_equal(json_set_bytes(j, "n", p, len), 0);
	assert_int_equal(json_encode_ascii(&text, j), 0);
	assert_int_equal(buf_append8(&text, 0), 0);
	assert_string_equal((const char *)text.data, want);
	buf_release(&text);
	json_free(j);
}

static void
test_bytes(void **state)
{
	(void)state;
	check_bytes("", 0, "{\"n\":\"\"}");
	check_bytes("a\"\\/", 4, "{\"n\":\"a\\\"\\\\/\"}");
	/* Nothing that a terminal would follow. */
	check_bytes(
	    "\x1b[0m\n\x7f\0", 7, "{\"n\":\"\\u001B[0m\\n\\u007f\\u0000\"}");
	check_bytes("\xc3\xbc\xe2\x80\xae", 5, "{\"n\":\"\\u00FC\\u202E\"}");
	check_bytes("\xf0\x9f\x98\x80", 4, "{\"n\":\"\\uD83D\\uDE00\"}");
	/* Cut, overlong, surrogate: one replacement for each byte. */
	check_bytes("a\xff", 2, "{\"n\":\"a\\uFFFD\",\"n_b64\":\"Yf8=\"}");
	check_bytes("\xc3", 1, "{\"n\":\"\\uFFFD\",\"n_b64\":\"ww==\"}");
	check_bytes(
	    "\xc0\x80", 2, "{\"n\":\"\\uFFFD\\uFFFD\",\"n_b64\":\"wIA=\"}");
	check_bytes("\xed\xa0\x80x", 4,
	    "{\"n\":\"\\uFFFD\\uFFFD\\uFFFDx\",\"n_b64\":\"7aCAeA==\"}");
}

static void
test_every_prefix_fails_clean(void **state)
{
	static const char whole[] = "{\"a\":[1,\"\\u00fc\xc3\xbc\",{\"b\":"
				    "true}],\"c\":-12}";
	struct json *j = NULL;
	size_t len;
	char *text;

	(void)state;
	for (len = 0; len < sizeof(whole) - 1; len++) {
		/* Exactly so much memory: sanitizers see one byte more. */
		text = malloc(len + 1);
		assert_non_null(text);
		memcpy(text + 1, whole, len);
		check_bad(text + 1, len);
		free(text);
	}
	assert_int_equal(json_decode(&j, whole, sizeof(whole) - 1), 0);
	json_free(j);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_encode),
	    cmocka_unit_test(test_bad_utf8_is_not_encoded),
	    cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_get),
	    cmocka_unit_test(test_bad_text),
	    cmocka_unit_test(test_duplicates),
	    cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_length),
	    cmocka_unit_test(test_every_prefix_fails_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
