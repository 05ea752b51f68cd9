/* Paths with wildcards: what they lead to, and what they skip. */

#include "base/err.h"
#include "engine/restore_globs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Go down `path` from the root: 2 when an entry on the way is meant, 1 when
 * it leads on, 0 when it does not. */
static int
walk(struct restore_globs *g, const char *path)
{
	struct restore_globs_at at, below;
	const char *end;
	int found;

	found = restore_globs_root(&at, g) ? 2 : 1;
	while (found == 1 && *path != '\0') {
		end = strchr(path, '/');
		if (end == NULL)
			end = path + strlen(path);
		found = restore_globs_enter(
		    &below, g, &at, path, (size_t)(end - path));
		at = below;
		path = *end == '/' ? end + 1 : end;
	}
	return found;
}

static int
match(const char *pattern, const char *path)
{
	struct restore_globs *g;
	int found;

	assert_int_equal(restore_globs_new(&g), 0);
	assert_int_equal(restore_globs_add(g, pattern), 0);
	found = walk(g, path);
	restore_globs_free(g);
	return found;
}

static void
test_paths(void **state)
{
	(void)state;
	assert_int_equal(match("*.c", "a.c"), 2);
	assert_int_equal(match("*.c", "a.h"), 0);
	assert_int_equal(match("*.c", "d/a.c"), 0);
	assert_int_equal(match("d/*.c", "d"), 1);
	assert_int_equal(match("d/*.c", "d/a.c"), 2);
	assert_int_equal(match("./d//*.c/", "d/a.c"), 2);
	assert_int_equal(match("**/a", "a"), 2);
	assert_int_equal(match("**/a", "b"), 1);
	assert_int_equal(match("**/a", "b/c/a"), 2);
	assert_int_equal(match("**/a", "b/c/aa"), 1);
	assert_int_equal(match("x/**/a", "x"), 1);
	assert_int_equal(match("x/**/a", "x/a"), 2);
	assert_int_equal(match("x/**/a", "x/y/z/a"), 2);
	assert_int_equal(match("x/**/a", "y"), 0);
	assert_int_equal(match("x/**/**/a/*", "x/a"), 1);
	assert_int_equal(match("x/**/**/a/*", "x/y/a/b"), 2);
	assert_int_equal(match("**", "a"), 2);
	assert_int_equal(match(".", "a"), 2);
	assert_int_equal(match("x*/**", "xy"), 2);
	assert_int_equal(match("a/b/c*", "a/x"), 0);
}

static void
test_several(void **state)
{
	struct restore_globs *g;

	(void)state;
	assert_int_equal(restore_globs_new(&g), 0);
	assert_int_equal(restore_globs_add(g, "a*/x"), 0);
	assert_int_equal(restore_globs_add(g, "*b/y"), 0);
	assert_int_equal(restore_globs_add(g, "none*"), 0);
	assert_int_equal(walk(g, "ab/x"), 2);
	assert_int_equal(walk(g, "ab/z"), 0);
	assert_string_equal(restore_globs_missed(g), "*b/y");
	assert_int_equal(walk(g, "ab/y"), 2);
	assert_string_equal(restore_globs_missed(g), "none*");
	assert_int_equal(walk(g, "none"), 2);
	assert_null(restore_globs_missed(g));
	restore_globs_free(g);
}

static int
between(const char *pattern, const char *after, const char *last)
{
	struct restore_globs_at at;
	struct restore_globs *g;
	int found;

	assert_int_equal(restore_globs_new(&g), 0);
	assert_int_equal(restore_globs_add(g, pattern), 0);
	(void)restore_globs_root(&at, g);
	found = restore_globs_between(g, &at, after,
	    after == NULL ? 0 : strlen(after), last, strlen(last));
	restore_globs_free(g);
	return found;
}

/* Parts of a huge directory in which no name can match are skipped. */
static void
test_between(void **state)
{
	(void)state;
	assert_true(between("m*", NULL, "z"));
	assert_true(between("m*", "a", "m"));
	assert_true(between("m*", "ma", "mb"));
	assert_true(between("m*", "m", "z"));
	assert_false(between("m*", NULL, "l"));
	assert_false(between("m*", "n", "z"));
	assert_true(between("abc*", "ab", "abd"));
	assert_true(between("abc*", "abcx", "b"));
	assert_false(between("abc*", "abd", "b"));
	assert_false(between("abc*", NULL, "ab"));
	assert_true(between("*", "a", "b"));
	assert_true(between("**/x", "a", "b"));
	assert_false(between("x/*", "a", "b"));
}

static void
test_limits(void **state)
{
	char path[2 * RESTORE_GLOBS_PARTS + 3];
	struct restore_globs *g;
	size_t i;

	(void)state;
	for (i = 0; i < 2 * RESTORE_GLOBS_PARTS + 2; i++)
		path[i] = i % 2 == 0 ? '*' : '/';
	path[i] = '\0';
	assert_int_equal(restore_globs_new(&g), 0);
	assert_int_equal(restore_globs_add(g, path), ERR_USAGE);
	restore_globs_free(g);
	path[i - 2] = '\0';
	assert_int_equal(restore_globs_new(&g), 0);
	assert_int_equal(restore_globs_add(g, path), 0);
	assert_int_equal(restore_globs_add(g, "a"), ERR_USAGE);
	restore_globs_free(g);
	assert_int_equal(restore_globs_new(&g), 0);
	assert_int_equal(restore_globs_add(g, "/a*"), ERR_USAGE);
	assert_int_equal(restore_globs_add(g, "a*/../b"), ERR_USAGE);
	assert_int_equal(restore_globs_add(g, "a["), ERR_USAGE);
	restore_globs_free(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_several),
	    cmocka_unit_test(test_between),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
