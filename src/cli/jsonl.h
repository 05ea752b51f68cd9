#ifndef HS_CLI_JSONL_H
#define HS_CLI_JSONL_H

/*
 * One line of --json: an object with a member "type"; docs/json.md lists them.
 * An error while members are added is kept and comes out of jsonl_print(), so
 * the calls between need no checks.
 */

#include <stddef.h>
#include <stdint.h>

struct json;

struct jsonl {
	struct json *object;
	int rc; /* the first error */
};

void jsonl_begin(struct jsonl *l, const char *type);
void jsonl_int(struct jsonl *l, const char *name, int64_t v);
void jsonl_bool(struct jsonl *l, const char *name, int v);
/* Bytes as hexadecimal digits. */
void jsonl_hex(struct jsonl *l, const char *name, const uint8_t *p, size_t len);
/*
 * Text, or a name of somebody else's: what is not UTF-8 becomes U+FFFD, and
 * then a member NAME_b64 has the bytes.
 */
void jsonl_text(struct jsonl *l, const char *name, const char *text);
void jsonl_bytes(struct jsonl *l, const char *name, const char *p, size_t len);
/* An array of texts; what is not UTF-8 in one is escaped as in the log. */
void jsonl_texts(struct jsonl *l, const char *name, const char *const *texts,
    const uint8_t *lens, size_t n);
/* A time in ns since 1970: NAME in words (RFC 3339, UTC) and NAME_ns. */
void jsonl_time(struct jsonl *l, const char *name, int64_t ns);

/* Print it and free it.  Returns 0; ERR_NOMEM; ERR_IO. */
int jsonl_print(struct jsonl *l);

#endif
