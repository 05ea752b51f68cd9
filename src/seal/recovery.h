#ifndef HS_SEAL_RECOVERY_H
#define HS_SEAL_RECOVERY_H

/*
 * The recovery key: a master key as text for paper; docs/format.md 10.
 * 14 groups of 4 characters of Crockford's base 32
 * (https://www.crockford.com/base32.html): 32 bytes and a 24-bit checksum.
 */

#include <stddef.h>
#include <stdint.h>

#define RECOVERY_TEXT_BYTES 70 /* 14 * 4 + 13 dashes + NUL */

void recovery_encode(char out[RECOVERY_TEXT_BYTES], const uint8_t master[32]);
/*
 * Accepts either case, O for 0, I and L for 1, and dashes or blanks anywhere.
 * Returns 0; ERR_USAGE with a message that says what is wrong (length, a
 * character that cannot occur, checksum).
 */
int recovery_decode(uint8_t master[32], const char *text);

#endif
