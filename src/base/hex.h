#ifndef HS_BASE_HEX_H
#define HS_BASE_HEX_H

/* Hexadecimal text, lower case on output, either case on input. */

#include <stddef.h>
#include <stdint.h>

/* Write 2 * len digits and a NUL to `out`. */
void hex_encode(char *out, const uint8_t *p, size_t len);

/*
 * Read exactly 2 * len digits from the `text_len` bytes at `text`.
 * Returns 0, or ERR_FAIL without a message.
 */
int hex_decode(uint8_t *out, size_t len, const char *text, size_t text_len);

#endif
