/* Exclusion rules: files of them, who decides, and limits. */

#include "base/err.h"
#include "base/limits.h"
#include "engine/ignore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The word of the rules in `text` on a path. */
static enum ignore_word
word(const char *text, const char *path)
{
	const char *name = strrchr(path, '/');
	size_t len = strlen(path);
	int is_dir = path[len - 1] == '/';
	enum ignore_word w;
	struct ignore *g;

	if (is_dir) {
		len--;
		while (name > path && name[-1] != '/')
			name--;
	} else if (name != NULL) {
		name++;
	}
	if (name == NULL || (is_dir && name == path))
		name = path;
	assert_int_equal(ignore_new(&g), 0);
	assert_int_equal(ignore_add_text(g, text, strlen(text)), 0);
	w = ignore_match(g, path, len, len - (size_t)(name - path), is_dir);
	ignore_free(g);
	return w;
}

static void
test_rules(void **state)
{
	(void)state;
	assert_int_equal(word("a", "a"), IGNORE_OUT);
	assert_int_equal(word("a\n", "b/a"), IGNORE_OUT);
	assert_int_equal(word("a", "ab"), IGNORE_SILENT);
	assert_int_equal(word("/a", "a"), IGNORE_OUT);
	assert_int_equal(word("/a", "b/a"), IGNORE_SILENT);
	assert_int_equal(word("b/a", "b/a"), IGNORE_OUT);
	assert_int_equal(word("b/a", "c/b/a"), IGNORE_SILENT);
	assert_int_equal(word("a/", "a"), IGNORE_SILENT);
	assert_int_equal(word("a/", "a/"), IGNORE_OUT);
	assert_int_equal(word("a/", "b/a/"), IGNORE_OUT);
	assert_int_equal(word("*\n!a", "a"), IGNORE_BACK);
	assert_int_equal(word("!a\n*", "a"), IGNORE_OUT);
	assert_int_equal(word("*\n!a/", "a"), IGNORE_OUT);
	assert_int_equal(word("*\n!a/", "a/"), IGNORE_BACK);
	assert_int_equal(word("a\n\n", "b"), IGNORE_SILENT);
}

static void
test_lines(void **state)
{
	(void)state;
	assert_int_equal(word("#a", "#a"), IGNORE_SILENT);
	assert_int_equal(word("\\#a", "#a"), IGNORE_OUT);
	assert_int_equal(word("\\!a", "!a"), IGNORE_OUT);
	assert_int_equal(word("a   ", "a"), IGNORE_OUT);
	assert_int_equal(word("a\\ ", "a "), IGNORE_OUT);
	assert_int_equal(word("a\\  ", "a "), IGNORE_OUT);
	assert_int_equal(word("a\\  ", "a  "), IGNORE_SILENT);
	assert_int_equal(word("a b ", "a b"), IGNORE_OUT);
	assert_int_equal(word("a\t", "a"), IGNORE_SILENT);
	assert_int_equal(word("a\r\nb\r\n", "b"), IGNORE_OUT);
	assert_int_equal(word("a\r", "a"), IGNORE_OUT);
	assert_int_equal(word("\xef\xbb\xbf"
			      "a",
			     "a"),
	    IGNORE_OUT);
	assert_int_equal(word(" a", "a"), IGNORE_SILENT);
	assert_int_equal(word(" a", " a"), IGNORE_OUT);
	assert_int_equal(word("   ", "   "), IGNORE_SILENT);
	assert_int_equal(word("!\n/\n//\n!/\na//", "a"), IGNORE_SILENT);
}

/* A rule that an option gives is taken as it is. */
static void
test_given(void **state)
{
	struct ignore *g;

	(void)state;
	assert_int_equal(ignore_new(&g), 0);
	assert_int_equal(ignore_add_rule(g, "#a ", 3), 0);
	assert_int_equal(ignore_match(g, "#a ", 3, 3, 0), IGNORE_OUT);
	assert_int_equal(ignore_match(g, "#a", 2, 2, 0), IGNORE_SILENT);
	assert_int_equal(ignore_bytes(g), 3);
	ignore_free(g);
}

static void
test_limits(void **state)
{
	char *text = malloc(LIMIT_RULES_BYTES + 1);
	struct ignore *g;
	size_t i;

	(void)state;
	assert_non_null(text);
	assert_int_equal(ignore_new(&g), 0);
	assert_int_equal(ignore_add_text(g, "a\0b\n", 4), 0);
	assert_int_equal(ignore_match(g, "a", 1, 1, 0), IGNORE_OUT);
	for (i = 0; i <= LIMIT_RULES_BYTES; i++)
		text[i] = i % 2 == 0 ? 'x' : '\n';
	assert_int_equal(
	    ignore_add_text(g, text, LIMIT_RULES_BYTES + 1), ERR_LIMIT);
	assert_int_equal(ignore_add_text(g, text, LIMIT_RULES_BYTES), 0);
	memset(text, 'x', LIMIT_PATTERN_BYTES + 3);
	text[1] = '\n';
	assert_int_equal(
	    ignore_add_text(g, text, LIMIT_PATTERN_BYTES + 3), ERR_LIMIT);
	assert_non_null(strstr(err_text(), "line 2"));
	ignore_free(g);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_given),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
