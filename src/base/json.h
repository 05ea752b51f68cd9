#ifndef HS_BASE_JSON_H
#define HS_BASE_JSON_H

/*
 * Small JSON objects (jansson): messages of the protocol, state files and
 * machine-readable output.  The only file that knows the library.  A decoded
 * message is at most LIMIT_JSON_BYTES long, nested at most 8 deep, and
 * duplicate members are an error.
 *
 * No function here may be named as one of the library's (json_object(),
 * json_array()...): the linker would give ours to the library too.
 */

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

struct json; /* a value; owned by who made it, or by the object it is in */

/* A new empty object or array; NULL: no memory (message set). */
struct json *json_new_object(void);
struct json *json_new_array(void);
void json_free(struct json *j); /* NULL is fine */

/* Members; return 0 or ERR_NOMEM. Text that is not UTF-8 gives ERR_FAIL. */
int json_set_text(struct json *j, const char *name, const char *text);
/*
 * Bytes that should be text: what is not UTF-8 becomes U+FFFD, and then
 * another member, NAME_b64, has all of them in base64.
 */
int json_set_bytes(struct json *j, const char *name, const char *p, size_t len);
int json_set_int(struct json *j, const char *name, int64_t v);
int json_set_bool(struct json *j, const char *name, int v);
/* Bytes as hexadecimal text. */
int json_set_hex(
    struct json *j, const char *name, const uint8_t *p, size_t len);
/* Takes ownership of `value`, also on failure. */
int json_set(struct json *j, const char *name, struct json *value);
int json_push(struct json *array, struct json *value);
int json_push_text(struct json *array, const char *text);

/*
 * Members; return 0, or ERR_DAMAGED with a message that names the member.
 * Text is owned by the object and at most `len_max` bytes long.
 */
int json_get_text(
    const char **out, const struct json *j, const char *name, size_t len_max);
int json_get_int(int64_t *out, const struct json *j, const char *name,
    int64_t min, int64_t max);
int json_get_bool(int *out, const struct json *j, const char *name);
/* Exactly `len` bytes. */
int json_get_hex(
    uint8_t *out, size_t len, const struct json *j, const char *name);
/* Nonzero when the object has the member. */
int json_has(const struct json *j, const char *name);
/* Take a member out, if it is there. */
void json_drop(struct json *j, const char *name);
/* A member that is an object or array, owned by `j`; NULL when absent. */
const struct json *json_get(const struct json *j, const char *name);
size_t json_array_len(const struct json *j);
/* The item, owned by `j`; NULL behind the last one. */
const struct json *json_item(const struct json *j, size_t i);
int json_item_text(
    const char **out, const struct json *j, size_t i, size_t len_max);

/* Append the compact text (sorted members, no newline) to `out`. */
int json_encode(struct buf *out, const struct json *j);
/* As json_encode(), in printable ASCII alone, fit for a terminal. */
int json_encode_ascii(struct buf *out, const struct json *j);
/* As json_encode(), indented for humans, with a newline at the end. */
int json_encode_pretty(struct buf *out, const struct json *j);
/* Returns 0 and an object to free with json_free(); ERR_DAMAGED. */
int json_decode(struct json **out, const char *text, size_t len);

#endif
