#ifndef HS_BASE_BASE64_H
#define HS_BASE_BASE64_H

/* Base64 as in RFC 4648, section 4: with padding, without line ends. */

#include <stddef.h>
#include <stdint.h>

/* Bytes of the text for `len` bytes, NUL included. */
#define BASE64_BYTES(len) (((len) + 2) / 3 * 4 + 1)

/* Encode into `out` of BASE64_BYTES(len) bytes. */
void base64_encode(char *out, const uint8_t *p, size_t len);

#endif
