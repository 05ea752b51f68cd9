#ifndef HS_BASE_UTF8_H
#define HS_BASE_UTF8_H

/* Names are bytes; whether they are text is asked here. */

#include <stddef.h>
#include <stdint.h>

/*
 * Decode the first character of the `len` (at least 1) bytes at `p`, which
 * must be well-formed UTF-8: no overlong form, no surrogate, at most U+10FFFF.
 * Returns its length in bytes; 0 when it is not one.
 */
size_t utf8_decode(uint32_t *out, const uint8_t *p, size_t len);

/* Nonzero when all of it is well-formed. */
int utf8_is_text(const char *p, size_t len);

#endif
