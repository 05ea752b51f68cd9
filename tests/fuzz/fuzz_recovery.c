/*
 * A recovery key as somebody types it: a form u8, bytes.  Form 0: the text;
 * 1: a master key and how its text is spoilt in ways that mean nothing, which
 * must give the same key.
 */

#include "fuzz/fuzz.h"
#include "seal/recovery.h"

#include <stdlib.h>
#include <string.h>

#define MASTER_BYTES 32
#define TEXT_MAX 1024

static void
check(int ok)
{
	if (!ok)
		abort();
}

static void
typed(const uint8_t *p, size_t len)
{
	uint8_t master[MASTER_BYTES], again[MASTER_BYTES];
	char text[TEXT_MAX + 1], good[RECOVERY_TEXT_BYTES];

	if (len > TEXT_MAX)
		return;
	memcpy(text, p, len);
	text[len] = '\0';
	if (recovery_decode(master, text) != 0)
		return;
	recovery_encode(good, master);
	check(recovery_decode(again, good) == 0);
	check(memcmp(again, master, sizeof(master)) == 0);
}

/* Every byte of `how` does something to the next character. */
static void
spoilt(const uint8_t master[MASTER_BYTES], const uint8_t *how, size_t len)
{
	static const char blanks[] = "- \t\r\n";
	char good[RECOVERY_TEXT_BYTES], text[3 * RECOVERY_TEXT_BYTES];
	uint8_t out[MASTER_BYTES];
	size_t i, n = 0;

	recovery_encode(good, master);
	for (i = 0; good[i] != '\0'; i++) {
		unsigned h = i < len ? how[i] : 0;
		char c = good[i];

		if ((h & 1) != 0 && c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((h & 2) != 0 && c == '0')
			c = (h & 1) != 0 ? 'o' : 'O';
		if ((h & 2) != 0 && c == '1')
			c = (h & 4) != 0 ? 'l' : 'I';
		if ((h & 8) != 0)
			text[n++] = blanks[(h >> 4) % 5];
		if ((h & 16) == 0 || c != '-')
			text[n++] = c;
	}
	text[n] = '\0';
	check(recovery_decode(out, text) == 0);
	check(memcmp(out, master, MASTER_BYTES) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	if (len < 1)
		return 0;
	if (p[0] == 0)
		typed(p + 1, len - 1);
	else if (len > MASTER_BYTES)
		spoilt(p + 1, p + 1 + MASTER_BYTES, len - 1 - MASTER_BYTES);
	return 0;
}
