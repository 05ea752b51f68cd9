#include "base/json.h"

#include "base/base64.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/utf8.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nesting of a decoded message: the library's recursion is bounded by it. */
#define DEPTH_MAX 8

/* A struct json is a json_t under a name that callers may know. */
static json_t *
lib(struct json *j)
{
	return (json_t *)j;
}

static const json_t *
lib_const(const struct json *j)
{
	return (const json_t *)j;
}

struct json *
json_new_object(void)
{
	json_t *v = json_object();

	if (v == NULL)
		(void)err_nomem(sizeof(json_t)); /* the caller sees NULL */
	return (struct json *)v;
}

struct json *
json_new_array(void)
{
	json_t *v = json_array();

	if (v == NULL)
		(void)err_nomem(sizeof(json_t)); /* the caller sees NULL */
	return (struct json *)v;
}

void
json_free(struct json *j)
{
	json_decref(lib(j));
}

/* Put a value, which may be a failed allocation, into an object. */
static int
put(struct json *j, const char *name, json_t *value)
{
	if (value == NULL || json_object_set_new(lib(j), name, value) != 0)
		return err_nomem(strlen(name));
	return 0;
}

int
json_set_text(struct json *j, const char *name, const char *text)
{
	/* Of the library's own check one cannot tell want of memory. */
	if (!utf8_is_text(text, strlen(text)))
		return err_set(ERR_FAIL, "\"%s\" is not UTF-8", name);
	return put(j, name, json_string_nocheck(text));
}

/* NAME_b64 */
static int
put_base64(struct json *j, const char *name, const char *p, size_t len)
{
	char member[64], *text = malloc(BASE64_BYTES(len));
	int r;

	if (text == NULL)
		return err_nomem(BASE64_BYTES(len));
	(void)snprintf(member, sizeof(member), "%s_b64", name); /* short */
	base64_encode(text, (const uint8_t *)p, len);
	r = put(j, member, json_string_nocheck(text));
	free(text);
	return r;
}

int
json_set_bytes(struct json *j, const char *name, const char *p, size_t len)
{
	static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
	struct buf text = BUF_INIT;
	int r = 0, bad = 0;
	size_t i, n;
	uint32_t c;

	for (i = 0; i < len && r == 0; i += n) {
		n = utf8_decode(&c, (const uint8_t *)p + i, len - i);
		if (n > 0) {
			r = buf_append(&text, p + i, n);
		} else {
			r = buf_append(&text, replacement, 3);
			bad = 1;
			n = 1;
		}
	}
	if (r == 0)
		r = put(j, name,
		    json_stringn_nocheck(
			text.len > 0 ? (const char *)text.data : "", text.len));
	if (r == 0 && bad)
		r = put_base64(j, name, p, len);
	buf_release(&text);
	return r;
}

int
json_set_int(struct json *j, const char *name, int64_t v)
{
	return put(j, name, json_integer(v));
}

int
json_set_bool(struct json *j, const char *name, int v)
{
	return put(j, name, json_boolean(v));
}

int
json_set_hex(struct json *j, const char *name, const uint8_t *p, size_t len)
{
	char *text;
	int r;

	if (len > SIZE_MAX / 2 - 1)
		return err_nomem(SIZE_MAX);
	text = malloc(2 * len + 1);
	if (text == NULL)
		return err_nomem(2 * len + 1);
	hex_encode(text, p, len);
	r = put(j, name, json_string_nocheck(text));
	free(text);
	return r;
}

int
json_set(struct json *j, const char *name, struct json *value)
{
	return put(j, name, lib(value));
}

int
json_push(struct json *array, struct json *value)
{
	if (value == NULL || json_array_append_new(lib(array), lib(value)) != 0)
		return err_nomem(sizeof(json_t));
	return 0;
}

int
json_push_text(struct json *array, const char *text)
{
	json_t *v = json_string(text);

	if (v == NULL) {
		v = json_string_nocheck(text);
		if (v != NULL) {
			json_decref(v);
			return err_set(ERR_FAIL, "text is not UTF-8");
		}
	}
	return json_push(array, (struct json *)v);
}

int
json_get_text(
    const char **out, const struct json *j, const char *name, size_t len_max)
{
	const json_t *v = json_object_get(lib_const(j), name);

	if (!json_is_string(v))
		return err_set(ERR_DAMAGED, "\"%s\" is not a text", name);
	if (json_string_length(v) > len_max)
		return err_set(ERR_DAMAGED, "\"%s\" is longer than %zu bytes",
		    name, len_max);
	*out = json_string_value(v);
	return 0;
}

int
json_get_int(int64_t *out, const struct json *j, const char *name, int64_t min,
    int64_t max)
{
	const json_t *v = json_object_get(lib_const(j), name);

	if (!json_is_integer(v))
		return err_set(ERR_DAMAGED, "\"%s\" is not an integer", name);
	if (json_integer_value(v) < min || json_integer_value(v) > max)
		return err_set(ERR_DAMAGED, "\"%s\" is out of range", name);
	*out = json_integer_value(v);
	return 0;
}

int
json_get_bool(int *out, const struct json *j, const char *name)
{
	const json_t *v = json_object_get(lib_const(j), name);

	if (!json_is_boolean(v))
		return err_set(
		    ERR_DAMAGED, "\"%s\" is not true or false", name);
	*out = json_is_true(v);
	return 0;
}

int
json_get_hex(uint8_t *out, size_t len, const struct json *j, const char *name)
{
	const json_t *v = json_object_get(lib_const(j), name);

	if (!json_is_string(v) || hex_decode(out, len, json_string_value(v),
				      json_string_length(v)) != 0)
		return err_set(ERR_DAMAGED,
		    "\"%s\" is not %zu bytes of hexadecimal text", name, len);
	return 0;
}

int
json_has(const struct json *j, const char *name)
{
	return json_object_get(lib_const(j), name) != NULL;
}

void
json_drop(struct json *j, const char *name)
{
	(void)json_object_del(lib(j), name); /* fails where there is none */
}

const struct json *
json_get(const struct json *j, const char *name)
{
	const json_t *v = json_object_get(lib_const(j), name);

	return json_is_object(v) || json_is_array(v) ? (const struct json *)v
						     : NULL;
}

size_t
json_array_len(const struct json *j)
{
	return json_array_size(lib_const(j));
}

const struct json *
json_item(const struct json *j, size_t i)
{
	return (const struct json *)json_array_get(lib_const(j), i);
}

int
json_item_text(const char **out, const struct json *j, size_t i, size_t len_max)
{
	const json_t *v = json_array_get(lib_const(j), i);

	if (!json_is_string(v))
		return err_set(ERR_DAMAGED, "item %zu is not a text", i);
	if (json_string_length(v) > len_max)
		return err_set(ERR_DAMAGED, "item %zu is longer than %zu bytes",
		    i, len_max);
	*out = json_string_value(v);
	return 0;
}

/* The library's output goes straight into the buf. */
static int
dump(const char *p, size_t len, void *arg)
{
	return buf_append(arg, p, len) < 0 ? -1 : 0;
}

static int
encode(struct buf *out, const struct json *j, size_t flags)
{
	size_t start = out->len;

	if (json_dump_callback(
		lib_const(j), dump, out, flags | JSON_SORT_KEYS) != 0) {
		out->len = start;
		return err_nomem(0);
	}
	return 0;
}

int
json_encode(struct buf *out, const struct json *j)
{
	return encode(out, j, JSON_COMPACT);
}

int
json_encode_ascii(struct buf *out, const struct json *j)
{
	struct buf text = BUF_INIT;
	size_t i, start = out->len;
	int r = encode(&text, j, JSON_COMPACT | JSON_ENSURE_ASCII);

	/* The library leaves one control byte as it is; it can only stand in
	 * a string. */
	for (i = 0; i < text.len && r == 0; i++) {
		if (text.data[i] == 0x7f)
			r = buf_append(out, "\\u007f", 6);
		else
			r = buf_append8(out, text.data[i]);
	}
	if (r < 0)
		out->len = start;
	buf_release(&text);
	return r;
}

int
json_encode_pretty(struct buf *out, const struct json *j)
{
	size_t start = out->len;
	int r = encode(out, j, JSON_INDENT(2));

	if (r == 0)
		r = buf_append8(out, '\n');
	if (r < 0)
		out->len = start;
	return r;
}

/* Deepest nesting of the text, whether it is well-formed or not. */
static unsigned
depth_of(const char *text, size_t len)
{
	unsigned depth = 0, deepest = 0;
	int quoted = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (quoted) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				quoted = 0;
		} else if (text[i] == '"') {
			quoted = 1;
		} else if (text[i] == '{' || text[i] == '[') {
			depth++;
			if (depth > deepest)
				deepest = depth;
		} else if ((text[i] == '}' || text[i] == ']') && depth > 0) {
			depth--;
		}
	}
	return deepest;
}

int
json_decode(struct json **out, const char *text, size_t len)
{
	json_error_t error;
	json_t *v;

	if (len > LIMIT_JSON_BYTES)
		return err_set(
		    ERR_DAMAGED, "JSON of %zu bytes is too long", len);
	if (depth_of(text, len) > DEPTH_MAX)
		return err_set(ERR_DAMAGED, "JSON is nested too deep");
	/* Without flags the library takes neither NUL nor trailing bytes. */
	v = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (v == NULL) {
		/* Of a text that it could not begin with it says nothing. */
		if (error.text[0] == '\0' ||
		    json_error_code(&error) == json_error_out_of_memory)
			return err_nomem(len);
		return err_set(ERR_DAMAGED, "bad JSON at byte %d: %s",
		    error.position, error.text);
	}
	if (!json_is_object(v)) {
		json_decref(v);
		return err_set(ERR_DAMAGED, "JSON is not an object");
	}
	*out = (struct json *)v;
	return 0;
}
