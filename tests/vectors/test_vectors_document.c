/* Every example in docs/format.md is checked by some test of this folder. */

#include "lib/vectors.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SOURCES_MAX (1u << 20)

/* All tests of this folder, one behind the other. */
static char *
read_sources(void)
{
	char *text = calloc(1, SOURCES_MAX);
	glob_t g;
	size_t i, len = 0;
	FILE *f;

	assert_non_null(text);
	assert_int_equal(glob("tests/vectors/test_*.c", 0, NULL, &g), 0);
	for (i = 0; i < g.gl_pathc; i++) {
		f = fopen(g.gl_pathv[i], "r");
		assert_non_null(f);
		len += fread(text + len, 1, SOURCES_MAX - 1 - len, f);
		assert_true(len < SOURCES_MAX - 1);
		assert_int_equal(fclose(f), 0);
	}
	globfree(&g);
	return text;
}

static void
test_all_checked(void **state)
{
	struct vectors *v = vectors_open("docs/format.md");
	char *sources = read_sources(), quoted[80];
	const char *name;
	unsigned i;

	(void)state;
	for (i = 0; (name = vectors_name(v, i)) != NULL; i++) {
		assert_true(snprintf(quoted, sizeof(quoted), "\"%s\"", name) <
			    (int)sizeof(quoted));
		if (strstr(sources, quoted) == NULL)
			fail_msg("nobody checks the example %s", name);
	}
	assert_true(i > 0);
	vectors_close(v);
	free(sources);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
