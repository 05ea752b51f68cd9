#include "base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wchar.h>

#include <cmocka.h>

static char captured[65536];

/*
 * Stderr goes into a packet socket, where each write() is a message of its
 * own.
 */
static int saved_stderr, packets[2];

static void
capture_begin(void)
{
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, packets), 0);
	saved_stderr = dup(2);
	assert_true(saved_stderr >= 0);
	assert_int_equal(dup2(packets[1], 2), 2);
}

/* The next line, NULL when nothing more was written. */
static const char *
capture_next(void)
{
	ssize_t n = read(packets[0], captured, sizeof(captured) - 1);

	if (n <= 0)
		return NULL;
	captured[n] = '\0';
	return captured;
}

static void
capture_end(void)
{
	assert_int_equal(dup2(saved_stderr, 2), 2);
	close(saved_stderr);
	close(packets[0]);
	close(packets[1]);
}

static void
check_escape(const char *name, size_t len, const char *want)
{
	char out[LOG_NAME_MAX];

	assert_ptr_equal(log_escape(out, sizeof(out), name, len), out);
	assert_string_equal(out, want);
}

#define ESCAPE(name, want) check_escape(name, sizeof(name) - 1, want)

static void
test_what_is_harmless_stays(void **state)
{
	(void)state;
	ESCAPE("", "");
	ESCAPE("plain name.txt", "plain name.txt");
	ESCAPE("gr\xc3\xbc\xc3\x9f"
	       "e",
	    "gr\xc3\xbc\xc3\x9f"
	    "e");
	ESCAPE("\xe6\x97\xa5\xf0\x9f\x98\x80", "\xe6\x97\xa5\xf0\x9f\x98\x80");
	ESCAPE("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf");
}

static void
test_controls_are_escaped(void **state)
{
	(void)state;
	ESCAPE("\0a", "\\x00a");
	ESCAPE("a\nb\rc\td", "a\\x0ab\\x0dc\\x09d");
	ESCAPE("\x1b[31m", "\\x1b[31m");
	ESCAPE("\x7f", "\\x7f");
	ESCAPE("\xc2\x9b", "\\xc2\\x9b");
	ESCAPE("\xc2\x80\xc2\xa0", "\\xc2\\x80\xc2\xa0");
	ESCAPE("a\\x0a", "a\\x5cx0a");
}

static void
test_directions_are_escaped(void **state)
{
	(void)state;
	/* U+202A..202E, U+2066..2069, U+200E, U+200F, U+061C, U+2028 */
	ESCAPE("\xe2\x80\xaa", "\\xe2\\x80\\xaa");
	ESCAPE("\xe2\x80\xae", "\\xe2\\x80\\xae");
	ESCAPE("\xe2\x81\xa6", "\\xe2\\x81\\xa6");
	ESCAPE("\xe2\x81\xa9", "\\xe2\\x81\\xa9");
	ESCAPE("\xe2\x80\x8e\xe2\x80\x8f", "\\xe2\\x80\\x8e\\xe2\\x80\\x8f");
	ESCAPE("\xd8\x9c", "\\xd8\\x9c");
	ESCAPE("\xe2\x80\xa8", "\\xe2\\x80\\xa8");
	/* Their neighbours are letters like others. */
	ESCAPE("\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
	    "\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa");
}

static void
test_bad_utf8_is_escaped(void **state)
{
	(void)state;
	ESCAPE("\xff", "\\xff");
	ESCAPE("\x80x", "\\x80x");
	ESCAPE("\x9b", "\\x9b");
	ESCAPE("\xc3", "\\xc3");
	ESCAPE("\xc3(", "\\xc3(");
	ESCAPE("\xe6\x97", "\\xe6\\x97");
	/* Overlong "/" and ESC, a surrogate, beyond the last character. */
	ESCAPE("\xc0\xaf", "\\xc0\\xaf");
	ESCAPE("\xc1\x9b", "\\xc1\\x9b");
	ESCAPE("\xe0\x80\x9b", "\\xe0\\x80\\x9b");
	ESCAPE("\xf0\x80\x80\x9b", "\\xf0\\x80\\x80\\x9b");
	ESCAPE("\xed\xa0\x80", "\\xed\\xa0\\x80");
	ESCAPE("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	ESCAPE("\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80");
}

static void
test_long_names_are_cut(void **state)
{
	char out[16];

	(void)state;
	log_escape(out, 8, "1234567", 7);
	assert_string_equal(out, "1234567");
	log_escape(out, 8, "12345678", 8);
	assert_string_equal(out, "1234...");
	/* Never in the middle of an escape or a character. */
	log_escape(out, 8, "12\n45678", 8);
	assert_string_equal(out, "12...");
	log_escape(out, 8, "123\xe6\x97\xa5zz", 8);
	assert_string_equal(out, "123...");
	log_escape(out, 3, "12345678", 8);
	assert_string_equal(out, "..");
	log_escape(out, 1, "12345678", 8);
	assert_string_equal(out, "");
	log_escape(out, 1, "", 0);
	assert_string_equal(out, "");
}

static void
test_every_cap_is_kept(void **state)
{
	static const char name[] = "a\n\xe6\x97\xa5\xff\\b\xc3\xbc cde\x1b[f";
	size_t cap, i;
	char *out;

	(void)state;
	for (cap = 1; cap < 64; cap++) {
		/* Exactly so much memory: sanitizers see one byte more. */
		out = malloc(cap);
		assert_non_null(out);
		log_escape(out, cap, name, sizeof(name) - 1);
		assert_true(strlen(out) < cap);
		for (i = 0; out[i] != '\0'; i++)
			assert_true((unsigned char)out[i] >= 0x20);
		free(out);
	}
}

static void
test_a_line_is_one_write(void **state)
{
	(void)state;
	capture_begin();
	errno = EXDEV;
	log_warn("cannot read %s", "a\nb");
	assert_int_equal(errno, EXDEV);
	assert_string_equal(capture_next(), "shash: cannot read a\\x0ab\n");
	log_info("%d files", 3);
	assert_string_equal(capture_next(), "3 files\n");
	log_debug("hidden");
	assert_null(capture_next());
	log_set_verbose(1);
	log_debug("shown");
	assert_string_equal(capture_next(), "shown\n");
	log_set_verbose(-1);
	log_info("hidden");
	log_warn("still here");
	assert_string_equal(capture_next(), "shash: still here\n");
	assert_null(capture_next());
	log_set_verbose(0);
	capture_end();
}

static void
test_time_stamps(void **state)
{
	static const char form[] = "0000-00-00T00:00:00Z x\n";
	const char *line;
	size_t i;

	(void)state;
	capture_begin();
	log_set_timestamps(1);
	log_info("x");
	log_set_timestamps(0);
	line = capture_next();
	assert_non_null(line);
	assert_int_equal(strlen(line), sizeof(form) - 1);
	for (i = 0; form[i] != '\0'; i++) {
		if (form[i] == '0')
			assert_in_range(line[i], '0', '9');
		else
			assert_int_equal(line[i], form[i]);
	}
	capture_end();
}

static void
test_long_lines_are_cut(void **state)
{
	static char text[20000];
	const char *line;

	(void)state;
	memset(text, '\n', sizeof(text) - 1);
	capture_begin();
	log_warn("%s", text);
	line = capture_next();
	assert_non_null(line);
	assert_true(strlen(line) > 4 * 4096);
	assert_string_equal(line + strlen(line) - 8, "\\x0a...\n");
	assert_null(capture_next());
	capture_end();
}

/* What cannot be formatted is an empty line, and nobody reads on. */
static void
test_what_cannot_be_worded(void **state)
{
	(void)state;
	capture_begin();
	log_warn("%lc", (wint_t)0xd800);
	assert_string_equal(capture_next(), "shash: \n");
	assert_null(capture_next());
	capture_end();
}

/* The foot is written over with blanks by what is shorter, and by lines. */
static void
test_foot(void **state)
{
	static char text[2000];
	const char *line;

	(void)state;
	capture_begin();
	log_foot("1 of 3");
	assert_string_equal(capture_next(), "\r1 of 3");
	log_foot("2");
	assert_string_equal(capture_next(), "\r2     ");
	log_warn("x");
	assert_string_equal(capture_next(), "\r \rshash: x\n");
	/* It is gone now. */
	log_warn("y");
	assert_string_equal(capture_next(), "shash: y\n");
	log_foot(NULL);
	assert_null(capture_next());
	log_foot("abc");
	assert_string_equal(capture_next(), "\rabc");
	log_foot(NULL);
	assert_string_equal(capture_next(), "\r   \r");
	memset(text, 'z', sizeof(text) - 1);
	log_foot(text);
	line = capture_next();
	assert_non_null(line);
	assert_in_range(strlen(line), 200, 600);
	log_foot("");
	line = capture_next();
	assert_non_null(line);
	assert_in_range(strlen(line), 200, 600);
	assert_int_equal(line[strlen(line) - 1], '\r');
	capture_end();
}

/* Whom nobody hears goes on. */
static void
test_nobody_reads(void **state)
{
	(void)state;
	capture_begin();
	close(2);
	errno = EXDEV;
	log_warn("x");
	assert_int_equal(errno, EXDEV);
	capture_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_harmless_stays),
	    cmocka_unit_test(test_controls_are_escaped),
	    cmocka_unit_test(test_directions_are_escaped),
	    cmocka_unit_test(test_bad_utf8_is_escaped),
	    cmocka_unit_test(test_long_names_are_cut),
	    cmocka_unit_test(test_every_cap_is_kept),
	    cmocka_unit_test(test_a_line_is_one_write),
	    cmocka_unit_test(test_time_stamps),
	    cmocka_unit_test(test_long_lines_are_cut),
	    cmocka_unit_test(test_what_cannot_be_worded),
	    cmocka_unit_test(test_foot),
	    cmocka_unit_test(test_nobody_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
