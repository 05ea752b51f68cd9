/*
 * Text from outside: which u8 (0 JSON, 1 bytes that become a member of JSON,
 * 2 bytes that go to a terminal, 3 hexadecimal digits), bytes.
 */

#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"
#include "fuzz/fuzz.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* Ask for all that a member may be; any answer is right. */
static void
members(const struct json *j)
{
	const struct json *in;
	const char *text;
	uint8_t bytes[4];
	int64_t n = 0;
	int yes;

	if (json_get_text(&text, j, "a", 8) == 0)
		check(strlen(text) <= 8);
	if (json_get_int(&n, j, "a", -3, 3) == 0)
		check(n >= -3 && n <= 3);
	if (json_get_bool(&yes, j, "a") == 0)
		check(yes == 0 || yes == 1);
	(void)json_get_hex(bytes, sizeof(bytes), j, "a");
	in = json_get(j, "a");
	if (in != NULL) {
		(void)json_item_text(&text, in, 0, 8);
		check(json_item(in, json_array_len(in)) == NULL);
	}
}

/* What decodes has one form, and that decodes to the same. */
static void
json(const uint8_t *p, size_t len)
{
	struct buf once = BUF_INIT, twice = BUF_INIT, ascii = BUF_INIT;
	struct json *j = NULL, *again = NULL;
	size_t i;

	if (json_decode(&j, (const char *)p, len) != 0)
		return;
	members(j);
	check(json_encode(&once, j) == 0);
	check(json_encode_ascii(&ascii, j) == 0);
	for (i = 0; i < ascii.len; i++)
		check(ascii.data[i] >= 0x20 && ascii.data[i] < 0x7f);
	/* The encoded text may be longer than what a decoder takes. */
	if (json_decode(&again, (const char *)once.data, once.len) == 0) {
		check(json_encode(&twice, again) == 0);
		check(once.len == twice.len &&
		      memcmp(once.data, twice.data, once.len) == 0);
	}
	json_free(j);
	json_free(again);
	buf_release(&once);
	buf_release(&twice);
	buf_release(&ascii);
}

static void
member(const uint8_t *p, size_t len)
{
	struct json *j = json_new_object();
	struct buf b = BUF_INIT;

	check(j != NULL);
	check(json_set_bytes(j, "n", (const char *)p, len) == 0);
	check(json_encode(&b, j) == 0);
	check(utf8_is_text((const char *)b.data, b.len));
	check(json_has(j, "n_b64") || utf8_is_text((const char *)p, len));
	json_free(j);
	buf_release(&b);
}

/* Nothing that acts on a terminal, and never more than there is room for. */
static void
terminal(const uint8_t *p, size_t len)
{
	char out[300];
	size_t cap = len > 0 ? 8 + p[0] : 8, i, n;
	uint32_t c;

	(void)log_escape(out, cap, (const char *)p, len);
	n = strlen(out);
	check(n < cap);
	check(utf8_is_text(out, n));
	for (i = 0; i < n;
	     i += utf8_decode(&c, (const uint8_t *)out + i, n - i))
		check((uint8_t)out[i] >= 0x20 && out[i] != 0x7f);
}

static void
hex(const uint8_t *p, size_t len)
{
	uint8_t bytes[64];
	char text[2 * sizeof(bytes) + 1];
	size_t i;

	if (len > 2 * sizeof(bytes) ||
	    hex_decode(bytes, len / 2, (const char *)p, len) != 0)
		return;
	check(len % 2 == 0);
	hex_encode(text, bytes, len / 2);
	for (i = 0; i < len; i++)
		check(text[i] == tolower(p[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static void (*const of[])(const uint8_t *p, size_t len) = {
	    json, member, terminal, hex};

	if (len >= 1 && p[0] < sizeof(of) / sizeof(of[0]))
		of[p[0]](p + 1, len - 1);
	return 0;
}
