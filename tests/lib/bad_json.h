#ifndef HS_TESTS_BAD_JSON_H
#define HS_TESTS_BAD_JSON_H

/*
 * A JSON object in many wrong forms: each member, at any depth, taken out, or
 * with a value of another kind, size or sign.  A value that happens to be the
 * member's own is no wrong form.
 */

#include <stddef.h>

/* `what` says what was done; the text has `len` bytes and a NUL behind. */
typedef void bad_json_fn(
    void *arg, const char *what, const char *text, size_t len);

/* Returns how many forms there were.  A failure fails the test. */
unsigned bad_json_each(
    const char *text, size_t len, bad_json_fn *fn, void *arg);

/* Whether the object `b` has all members of the object `a`, as they are. */
int bad_json_within(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
