/* Patterns: what each sign means, and that no pattern takes for ever. */

#include "base/err.h"
#include "base/limits.h"
#include "engine/glob.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static int
matches(const char *pattern, const char *text)
{
	struct glob *g;
	int rc, found;

	rc = glob_new(&g, pattern, strlen(pattern));
	if (rc == 1)
		return 0;
	assert_int_equal(rc, 0);
	found = glob_match(g, text, strlen(text));
	glob_free(g);
	return found;
}

static void
test_signs(void **state)
{
	static const struct {
		const char *pattern, *yes[4], *no[4];
	} cases[] = {
	    {"abc", {"abc"}, {"ab", "abcd", "xabc"}},
	    {"a?c", {"abc", "a?c"}, {"ac", "a/c", "abbc"}},
	    {"*", {"", "a", "a b"}, {"a/b", "/"}},
	    {"*.o", {".o", "a.o", "a.o.o"}, {"a.c", "b/a.o"}},
	    {"a*b*c", {"abc", "aXbYc", "abbbc"}, {"ac", "ab/c", "abcd"}},
	    {"a/*/c", {"a/b/c", "a//c"}, {"a/c", "a/b/b/c"}},
	    {"a/*/", {"a/b/"}, {"a/b", "a/b/c/"}},
	    {"**/a", {"a", "b/a", "b/c/a"}, {"ba", "b/ba", "a/b"}},
	    {"a/**", {"a/b", "a/b/c", "a/"}, {"a", "ab", "b/a/c"}},
	    {"a/**/b", {"a/b", "a/x/b", "a/x/y/b"}, {"ab", "a/xb", "a/b/x"}},
	    {"**", {"", "a", "a/b"}, {NULL}},
	    {"a**b", {"ab", "axb"}, {"a/b", "ax/yb"}},
	    {"a**/b", {"a/b", "axx/b"}, {"ab", "a/x/b"}},
	    {"**/*.c", {"a.c", "x/a.c", "x/y/.c"}, {"a.cc", "a.c/x"}},
	    {"**/**/a", {"a", "b/a", "b/c/a"}, {"xa"}},
	    {"[abc]", {"a", "b", "c"}, {"d", "", "ab"}},
	    {"[a-c]", {"a", "b", "c"}, {"d", "-"}},
	    {"[!a-c]", {"d", "-", "]"}, {"a", "b", "/"}},
	    {"[^a-c]", {"d", "^", "!"}, {"a", "c", "/"}},
	    {"[]a]", {"]", "a"}, {"b", "a]"}},
	    {"[!]a]", {"b"}, {"]", "a"}},
	    {"[a-]", {"a", "-"}, {"b"}},
	    {"[-a]", {"a", "-"}, {"b"}},
	    {"[a\\-c]", {"a", "-", "c"}, {"b", "\\"}},
	    {"[\\]]", {"]"}, {"\\", "a"}},
	    {"[c-a]", {"c"}, {"b", "a"}},
	    {"[[:digit:]x]", {"0", "9", "x"}, {"a", ":", "["}},
	    {"[![:upper:]]", {"a", "0"}, {"A", "Z"}},
	    {"[[:xdigit:]-z]", {"f", "-", "z"}, {"g", "y"}},
	    {"[[:digit]", {"[", ":", "d", "t"}, {"0", "]"}},
	    {"[[:nonsense:]]", {NULL}, {"n", "[", ":]", ":"}},
	    {"[[:none:]]", {NULL}, {"n", "[", ":]", ":"}},
	    {"[[:digit:", {NULL}, {"0", "[", "[[:digit:"}},
	    {"[a", {NULL}, {"a", "[a", "["}},
	    {"[a\\", {NULL}, {"a", "\\", "[a\\"}},
	    {"[a-\\", {NULL}, {"a", "-", "\\"}},
	    {"a\\", {NULL}, {"a", "a\\"}},
	    {"\\*", {"*"}, {"a", "\\*"}},
	    {"\\a\\?", {"a?"}, {"ab"}},
	    {"a**\\/b", {"a/b", "aX/b"}, {"a/x/b"}},
	    {"a/**\\/b", {"a/x/b", "a/x/y/b"}, {"a/b"}},
	    {"[\xc3\xa4]", {"\xc3"}, {"\xc3\xa4"}},
	};
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (n = 0; n < 4 && cases[i].yes[n] != NULL; n++)
			if (!matches(cases[i].pattern, cases[i].yes[n]))
				fail_msg("'%s' does not match '%s'",
				    cases[i].pattern, cases[i].yes[n]);
		for (n = 0; n < 4 && cases[i].no[n] != NULL; n++)
			if (matches(cases[i].pattern, cases[i].no[n]))
				fail_msg("'%s' matches '%s'", cases[i].pattern,
				    cases[i].no[n]);
	}
}

/* ctype.h knows the classes of the C locale. */
static void
test_classes(void **state)
{
	static const struct {
		const char *name;
		int (*has)(int c);
	} classes[] = {{"alnum", isalnum}, {"alpha", isalpha},
	    {"blank", isblank}, {"cntrl", iscntrl}, {"digit", isdigit},
	    {"graph", isgraph}, {"lower", islower}, {"print", isprint},
	    {"punct", ispunct}, {"space", isspace}, {"upper", isupper},
	    {"xdigit", isxdigit}};
	char pattern[32], text[2] = {0};
	size_t i;
	int c, want;

	(void)state;
	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		(void)snprintf(pattern, sizeof(pattern), "[[:%s:]]",
		    classes[i].name); /* it fits */
		for (c = 1; c < 256; c++) {
			text[0] = (char)c;
			want = classes[i].has(c) != 0 && c < 128 && c != '/';
			/* As in git, which knows two less. */
			if (classes[i].has == isspace)
				want = want && c != '\v' && c != '\f';
			if (matches(pattern, text) != want)
				fail_msg("%s and byte %d", pattern, c);
		}
	}
}

/* What a matcher by trial would need years for. */
static void
test_bounded(void **state)
{
	static const char *const parts[] = {"*a", "**/", "?*", "[a-z]*"};
	char pattern[LIMIT_PATTERN_BYTES + 1], text[4096];
	size_t i, n, at;
	clock_t begin = clock();

	(void)state;
	for (i = 0; i < sizeof(text); i++)
		text[i] = i % 2 == 0 || i % 64 != 63 ? 'a' : '/';
	text[sizeof(text) - 1] = '\0';
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		n = strlen(parts[i]);
		for (at = 0; at + n < LIMIT_PATTERN_BYTES; at += n)
			memcpy(pattern + at, parts[i], n);
		memcpy(pattern + at - 1, "b", 2);
		assert_false(matches(pattern, text));
	}
	/* Linear in pattern times text: far below a second; this is not a
	 * question of a second more or less. */
	assert_true((clock() - begin) / CLOCKS_PER_SEC < 60);
}

/* Many states, over the ends of words. */
static void
test_long(void **state)
{
	char pattern[LIMIT_PATTERN_BYTES + 2], text[LIMIT_PATTERN_BYTES + 2];
	struct glob *g;
	size_t n;

	(void)state;
	for (n = 0; n <= LIMIT_PATTERN_BYTES; n++) {
		pattern[n] = n % 2 == 0 ? '*' : 'x';
		text[n] = 'x';
	}
	pattern[n] = text[n] = '\0';
	for (n = 60; n < 200; n++) {
		assert_int_equal(glob_new(&g, pattern, n), 0);
		assert_true(glob_match(g, text, n / 2));
		assert_true(glob_match(g, text, n));
		assert_false(glob_match(g, text, n / 2 - 1));
		glob_free(g);
	}
	assert_int_equal(glob_new(&g, pattern, LIMIT_PATTERN_BYTES), 0);
	assert_true(glob_match(g, text, LIMIT_PATTERN_BYTES / 2));
	assert_false(glob_match(g, text, LIMIT_PATTERN_BYTES / 2 - 1));
	glob_free(g);
	assert_int_equal(
	    glob_new(&g, pattern, LIMIT_PATTERN_BYTES + 1), ERR_LIMIT);
}

static void
test_prefix(void **state)
{
	const char *prefix;
	struct glob *g;
	size_t len;

	(void)state;
	assert_int_equal(glob_new(&g, "a\\*b?c", 6), 0);
	prefix = glob_prefix(&len, g);
	assert_int_equal(len, 3);
	assert_memory_equal(prefix, "a*b", 3);
	glob_free(g);
	assert_true(glob_is_special("a\\b", 3));
	assert_true(glob_is_special("a[", 2));
	assert_false(glob_is_special("a]-!", 4));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_signs),
	    cmocka_unit_test(test_classes),
	    cmocka_unit_test(test_bounded),
	    cmocka_unit_test(test_long),
	    cmocka_unit_test(test_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
