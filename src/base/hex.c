#include "base/hex.h"

#include "base/err.h"

void
hex_encode(char *out, const uint8_t *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * len] = '\0';
}

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
hex_decode(uint8_t *out, size_t len, const char *text, size_t text_len)
{
	size_t i;

	if (text_len % 2 != 0 || text_len / 2 != len)
		return ERR_FAIL;
	/* The output is written only when all of the text is good. */
	for (i = 0; i < text_len; i++) {
		if (digit_value(text[i]) < 0)
			return ERR_FAIL;
	}
	for (i = 0; i < len; i++)
		out[i] = (uint8_t)(digit_value(text[2 * i]) << 4 |
				   digit_value(text[2 * i + 1]));
	return 0;
}
