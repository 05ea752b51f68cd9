/* The recovery key: what is typed wrong is found, what is typed right reads. */

#include "seal/recovery.h"

#include "base/err.h"
#include "hash/hash.h"
#include "lib/fill.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void
refuse(const char *text, const char *reason)
{
	uint8_t out[32], before[32];

	memset(out, 0x5a, sizeof(out));
	memcpy(before, out, sizeof(out));
	assert_int_equal(recovery_decode(out, text), ERR_USAGE);
	assert_memory_equal(out, before, sizeof(out));
	if (strstr(err_text(), reason) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err_text(), reason);
}

static void
test_round_trip(void **state)
{
	uint8_t master[32], got[32];
	char text[RECOVERY_TEXT_BYTES];
	unsigned i, j;

	(void)state;
	for (i = 0; i < 2000; i++) {
		fill_random(master, sizeof(master), i);
		if (i < 3)
			memset(master, i == 0 ? 0 : i == 1 ? 255 : 0x55, 32);
		recovery_encode(text, master);
		assert_int_equal(strlen(text), RECOVERY_TEXT_BYTES - 1);
		for (j = 0; j < RECOVERY_TEXT_BYTES - 1; j++)
			if (j % 5 == 4)
				assert_int_equal(text[j], '-');
			else
				assert_non_null(strchr(alphabet, text[j]));
		assert_int_equal(recovery_decode(got, text), 0);
		assert_memory_equal(got, master, sizeof(got));
	}
}

/* The digits by another way: a number of 280 bits, divided by 32. */
static void
test_digits(void **state)
{
	uint8_t binary[35];
	char text[RECOVERY_TEXT_BYTES], digits[57];
	unsigned i, j, rest;

	(void)state;
	fill_random(binary, 32, 99);
	recovery_encode(text, binary);
	hash_derive(
	    binary + 32, 3, "hashstore 2026 recovery checksum v1", binary, 32);
	for (i = 56; i-- > 0;) {
		for (j = 0, rest = 0; j < 35; j++) {
			rest = rest << 8 | binary[j];
			binary[j] = (uint8_t)(rest / 32);
			rest %= 32;
		}
		digits[i] = alphabet[rest];
	}
	for (i = 0; i < 56; i++)
		assert_int_equal(text[i + i / 4], digits[i]);
}

static void
test_forms(void **state)
{
	uint8_t master[32], got[32];
	char text[RECOVERY_TEXT_BYTES], form[4 * RECOVERY_TEXT_BYTES];
	unsigned i;
	char *o;

	(void)state;
	fill_random(master, sizeof(master), 5);
	recovery_encode(text, master);
	/* Lower case, misread digits, blanks instead of dashes. */
	for (i = 0, o = form; text[i] != '\0'; i++)
		if (text[i] == '0')
			*o++ = i % 2 ? 'o' : 'O';
		else if (text[i] == '1')
			*o++ = "iIlL"[i % 4];
		else if (text[i] == '-')
			*o++ = " \t\n-"[i / 5 % 4];
		else
			*o++ = (char)tolower((unsigned char)text[i]);
	*o = '\0';
	assert_int_equal(recovery_decode(got, form), 0);
	assert_memory_equal(got, master, sizeof(got));
	/* No dashes at all. */
	for (i = 0, o = form; text[i] != '\0'; i++)
		if (text[i] != '-')
			*o++ = text[i];
	*o = '\0';
	assert_int_equal(recovery_decode(got, form), 0);
	assert_memory_equal(got, master, sizeof(got));
	/* Dashes and blanks anywhere. */
	for (i = 0, o = form; text[i] != '\0'; i++) {
		*o++ = '-';
		*o++ = text[i];
		*o++ = ' ';
		*o++ = '\r';
	}
	*o = '\0';
	assert_int_equal(recovery_decode(got, form), 0);
	assert_memory_equal(got, master, sizeof(got));
}

/* One wrong character, or two exchanged neighbours. */
static void
test_mistakes(void **state)
{
	uint8_t master[32];
	char text[RECOVERY_TEXT_BYTES], right, swap;
	unsigned i, j, next;

	(void)state;
	fill_random(master, sizeof(master), 6);
	recovery_encode(text, master);
	for (i = 0; i < RECOVERY_TEXT_BYTES - 1; i++) {
		if (text[i] == '-')
			continue;
		right = text[i];
		for (j = 0; j < 32; j++) {
			if (alphabet[j] == right)
				continue;
			text[i] = alphabet[j];
			refuse(text, "checksum");
		}
		text[i] = right;
		next = text[i + 1] == '-' ? i + 2 : i + 1;
		if (next >= RECOVERY_TEXT_BYTES - 1 || text[next] == right)
			continue;
		swap = text[next];
		text[i] = swap;
		text[next] = right;
		refuse(text, "checksum");
		text[i] = right;
		text[next] = swap;
	}
}

static void
test_lengths(void **state)
{
	uint8_t master[32];
	char text[RECOVERY_TEXT_BYTES], longer[RECOVERY_TEXT_BYTES + 60];
	size_t len;

	(void)state;
	fill_random(master, sizeof(master), 7);
	recovery_encode(text, master);
	for (len = 0; len < RECOVERY_TEXT_BYTES - 1; len++) {
		memcpy(longer, text, len);
		longer[len] = '\0';
		refuse(longer, "instead of 56");
	}
	for (len = 1; len <= 50; len++) {
		memcpy(longer, text, RECOVERY_TEXT_BYTES - 1);
		memset(longer + RECOVERY_TEXT_BYTES - 1, '0', len);
		longer[RECOVERY_TEXT_BYTES - 1 + len] = '\0';
		refuse(longer, "instead of 56");
	}
	refuse("", "0 characters");
	refuse("-- --", "0 characters");
}

static void
test_characters(void **state)
{
	uint8_t master[32];
	char text[RECOVERY_TEXT_BYTES], right;
	int c;

	(void)state;
	fill_random(master, sizeof(master), 8);
	recovery_encode(text, master);
	right = text[7];
	for (c = 1; c < 256; c++) {
		if (isalnum(c) ? c == 'u' || c == 'U'
			       : !strchr("- \t\r\n", c)) {
			text[7] = (char)c;
			refuse(text, "at position 8 cannot occur");
		}
	}
	text[7] = right;
	assert_int_equal(recovery_decode(master, text), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_digits),
	    cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_mistakes),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
