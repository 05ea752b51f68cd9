/* The vault header as JSON, and what is newer than version 1. */

#include "proto/header.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct header sample = {.vault = {1, 2},
    .chunker_id = 1,
    .chunk_average = 3,
    .chunk_min = 2,
    .chunk_max = UINT32_MAX,
    .join_public = {4},
    .mac = {5}};

/* The header with one text in its JSON changed, if `from` is not NULL. */
static int
read_changed(struct header *out, const char *from, const char *to)
{
	struct json *j = json_new_object();
	struct buf text = BUF_INIT, changed = BUF_INIT;
	const char *at;
	int r;

	assert_non_null(j);
	assert_int_equal(header_to_json(j, &sample), 0);
	assert_int_equal(json_encode(&text, j), 0);
	assert_int_equal(buf_append8(&text, 0), 0);
	json_free(j);
	at = (const char *)text.data;
	if (from != NULL) {
		at = strstr(at, from);
		assert_non_null(at);
		assert_int_equal(buf_append(&changed, text.data,
				     (size_t)((const uint8_t *)at - text.data)),
		    0);
		assert_int_equal(buf_append(&changed, to, strlen(to)), 0);
		at += strlen(from);
	}
	assert_int_equal(buf_append(&changed, at, strlen(at)), 0);
	r = json_decode(&j, (const char *)changed.data, changed.len);
	assert_int_equal(r, 0);
	r = header_from_json(out, j);
	json_free(j);
	buf_release(&text);
	buf_release(&changed);
	return r;
}

static void
test_comes_back(void **state)
{
	struct header h;

	(void)state;
	assert_int_equal(read_changed(&h, NULL, NULL), 0);
	assert_true(header_equal(&h, &sample));
	/* What it does not know it passes over. */
	assert_int_equal(
	    read_changed(&h, "\"format\":1", "\"format\":1,\"x\":[]"), 0);
	assert_true(header_equal(&h, &sample));
}

static void
test_newer(void **state)
{
	struct header h;

	(void)state;
	assert_int_equal(
	    read_changed(&h, "\"format\":1", "\"format\":2"), ERR_NOSTORE);
	assert_non_null(strstr(err_text(), "use a newer shash"));
	assert_int_equal(
	    read_changed(&h, "\"format\":1", "\"format\":9223372036854775807"),
	    ERR_NOSTORE);
	assert_int_equal(
	    read_changed(&h, "\"epoch\":0", "\"epoch\":1"), ERR_NOSTORE);
	assert_non_null(strstr(err_text(), "use a newer shash"));
}

static void
test_broken(void **state)
{
	struct header h;

	(void)state;
	assert_int_equal(
	    read_changed(&h, "\"format\":1", "\"format\":0"), ERR_DAMAGED);
	assert_int_equal(read_changed(&h, "\"format\"", "\"x\""), ERR_DAMAGED);
	assert_int_equal(read_changed(&h, "\"epoch\"", "\"x\""), ERR_DAMAGED);
	assert_int_equal(read_changed(&h, "\"links\":\"\"", "\"links\":\"00\""),
	    ERR_DAMAGED);
	assert_int_equal(
	    read_changed(&h, "\"reserved\":\"0", "\"reserved\":\"1"),
	    ERR_DAMAGED);
	assert_int_equal(read_changed(&h, "\"chunk_max\":4294967295",
			     "\"chunk_max\":4294967296"),
	    ERR_DAMAGED);
}

/* What is signed and MACed: docs/format.md 9.1. */
static void
test_canonical(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(header_append(&b, &sample), 0);
	assert_int_equal(b.len, 4 + 16 + 16 + 32 + 4 + 32 + 32);
	assert_int_equal(bytes_get32(b.data), 1);
	assert_memory_equal(b.data + 4, sample.vault, 16);
	assert_int_equal(bytes_get32(b.data + 20), 1);
	assert_int_equal(bytes_get32(b.data + 32), UINT32_MAX);
	assert_memory_equal(b.data + 36, sample.join_public, 32);
	assert_true(bytes_are_zero(b.data + 68, 4 + 32));
	assert_memory_equal(b.data + 104, sample.mac, 32);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_comes_back),
	    cmocka_unit_test(test_newer),
	    cmocka_unit_test(test_broken),
	    cmocka_unit_test(test_canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
