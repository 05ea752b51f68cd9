#include "base/duration.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
check(const char *text, int64_t want)
{
	int64_t got = -1;

	assert_int_equal(duration_parse(&got, text), 0);
	assert_int_equal(got, want);
}

static void
test_parse(void **state)
{
	(void)state;
	check("0", 0);
	check("0s", 0);
	check("30s", 30);
	check("5m", 300);
	check("2h", 7200);
	check("7d", 604800);
	check("4w", 4 * 604800);
	check("1h30m", 5400);
	check("36525d", DURATION_SECONDS_MAX);
}

static void
test_malformed(void **state)
{
	static const char *const bad[] = {"", "5", "m", "5x", "5 m", " 5m",
	    "5m ", "-5m", "+5m", "5.5h", "1h30", "36526d", "99999999999999999w",
	    "36525d1s", "00"};
	int64_t got = 17;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(duration_parse(&got, bad[i]), ERR_USAGE);
		assert_non_null(strstr(err_text(), "5m, 2h, 7d"));
	}
	assert_int_equal(got, 17);
}

static void
test_words(void **state)
{
	char text[32];

	(void)state;
	assert_string_equal(duration_words(text, 0), "0 seconds");
	assert_string_equal(duration_words(text, -5), "0 seconds");
	assert_string_equal(duration_words(text, 1), "1 second");
	assert_string_equal(duration_words(text, 119), "1 minute");
	assert_string_equal(duration_words(text, 7200), "2 hours");
	assert_string_equal(duration_words(text, 86400 * 3 + 5), "3 days");
	assert_string_equal(duration_words(text, 86400 * 800), "2 years");
	assert_string_equal(duration_clock(text, -1), "0:00");
	assert_string_equal(duration_clock(text, 7), "0:07");
	assert_string_equal(duration_clock(text, 754), "12:34");
	assert_string_equal(duration_clock(text, 18120), "5:02:00");
	assert_string_equal(duration_clock(text, 86400 * 3 + 14400), "3d 4h");
	assert_true(strlen(duration_clock(text, INT64_MAX)) < 31);
	assert_true(strlen(duration_words(text, INT64_MAX)) < 31);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
