#include "seal/recovery.h"

#include "base/err.h"
#include "hash/hash.h"

#include <string.h>

#define CHECKSUM_BYTES 3
#define BINARY_BYTES (32 + CHECKSUM_BYTES)
#define DIGITS 56
#define GROUP 4

_Static_assert(BINARY_BYTES * 8 == DIGITS * 5, "digits hold the bytes exactly");
_Static_assert(RECOVERY_TEXT_BYTES == DIGITS + DIGITS / GROUP - 1 + 1,
    "RECOVERY_TEXT_BYTES holds digits, dashes and NUL");

/* Without I, L, O and U, which are misread or misspelt. */
static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void
checksum(uint8_t out[CHECKSUM_BYTES], const uint8_t master[32])
{
	hash_derive(out, CHECKSUM_BYTES, "hashstore 2026 recovery checksum v1",
	    master, 32);
}

void
recovery_encode(char out[RECOVERY_TEXT_BYTES], const uint8_t master[32])
{
	uint8_t binary[BINARY_BYTES];
	unsigned i, bit, digit;
	char *o = out;

	memcpy(binary, master, 32);
	checksum(binary + 32, master);
	for (i = 0; i < DIGITS; i++) {
		digit = 0;
		for (bit = 5 * i; bit < 5 * i + 5; bit++)
			digit =
			    digit << 1 | (binary[bit / 8] >> (7 - bit % 8) & 1);
		if (i > 0 && i % GROUP == 0)
			*o++ = '-';
		*o++ = alphabet[digit];
	}
	*o = '\0';
	hash_wipe(binary, sizeof(binary));
}

/* Value of a character; -1: separates; -2: cannot occur. */
static int
digit_value(char c)
{
	const char *found;

	if (c == '-' || c == ' ' || c == '\t' || c == '\n' || c == '\r')
		return -1;
	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'O')
		c = '0';
	if (c == 'I' || c == 'L')
		c = '1';
	found = c == '\0' ? NULL : strchr(alphabet, c);
	return found == NULL ? -2 : (int)(found - alphabet);
}

/* Collect the bits of all digits; the text may be secret or nonsense. */
static int
read_digits(uint8_t binary[BINARY_BYTES], const char *text)
{
	const char *t;
	unsigned count = 0, bit;
	int value;

	memset(binary, 0, BINARY_BYTES);
	for (t = text; *t != '\0'; t++) {
		value = digit_value(*t);
		if (value == -1)
			continue;
		if (value < 0)
			return err_set(ERR_USAGE,
			    "recovery key: '%c' at position %zu cannot occur",
			    *t, (size_t)(t - text) + 1);
		for (bit = 0; bit < 5 && count < DIGITS; bit++)
			binary[(5 * count + bit) / 8] |=
			    (uint8_t)((value >> (4 - bit) & 1)
				      << (7 - (5 * count + bit) % 8));
		count++;
	}
	if (count != DIGITS)
		return err_set(ERR_USAGE,
		    "recovery key: %u characters instead of %d", count, DIGITS);
	return 0;
}

int
recovery_decode(uint8_t master[32], const char *text)
{
	uint8_t binary[BINARY_BYTES];
	uint8_t expected[CHECKSUM_BYTES];
	int err;

	err = read_digits(binary, text);
	if (err)
		goto out;
	checksum(expected, binary);
	if (!hash_equal(expected, binary + 32, CHECKSUM_BYTES)) {
		err = err_set(ERR_USAGE,
		    "recovery key: wrong checksum, a character is mistyped");
		goto out;
	}
	memcpy(master, binary, 32);
out:
	hash_wipe(binary, sizeof(binary));
	return err;
}
