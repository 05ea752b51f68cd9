/*
 * Exclusion rules and a path: the path's length u8, whether it is a directory
 * u8, the path, the rules of a file.  A path of the same bytes that are all
 * escaped must match the rule that is made of it.
 */

#include "engine/glob.h"
#include "engine/ignore.h"
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* A pattern of the path with a backslash before each byte matches it alone. */
static void
check_escaped(const char *path, size_t len)
{
	char pattern[2 * UINT8_MAX];
	struct glob *g;
	size_t i;

	for (i = 0; i < len; i++) {
		pattern[2 * i] = '\\';
		pattern[2 * i + 1] = path[i];
	}
	if (glob_new(&g, pattern, 2 * len) != 0 || !glob_match(g, path, len) ||
	    (len > 0 && glob_match(g, path, len - 1)))
		abort();
	glob_free(g);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	const char *path = (const char *)p + 2;
	size_t path_len, name_len = 0;
	struct ignore *g;

	if (len < 2 || len - 2 < p[0])
		return 0;
	path_len = p[0];
	while (name_len < path_len && path[path_len - name_len - 1] != '/')
		name_len++;
	check_escaped(path, path_len);
	if (ignore_new(&g) != 0)
		return 0;
	/* An error is a good answer; the rules before it count. */
	(void)ignore_add_text(g, path + path_len, len - 2 - path_len);
	(void)ignore_match(g, path, path_len, name_len, p[1] & 1);
	ignore_free(g);
	return 0;
}
