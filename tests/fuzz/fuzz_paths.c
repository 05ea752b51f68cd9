/*
 * Which parts of a snapshot a user asked for: number of paths u8, which of
 * them may be patterns (bits) u8, the paths, each ended by NUL, and a path of
 * the snapshot.
 */

#include "engine/restore_select.h"
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define PATHS_MAX 8
#define TEXT_MAX 2048

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* Walk down to the path, as far as something is meant there. */
static void
walk(const struct restore_select *s, char *path)
{
	struct restore_range at, below;
	char *save = NULL, *part;

	restore_select_root(&at, s);
	for (part = strtok_r(path, "/", &save); part != NULL;
	     part = strtok_r(NULL, "/", &save)) {
		if (!restore_select_enter(&below, s, &at, part, strlen(part)))
			return;
		/* Who may be entered is among the names up to his own. */
		check(restore_select_between(
		    s, &at, NULL, 0, part, strlen(part)));
		(void)restore_select_is_vague(&below); /* any answer */
		at = below;
	}
}

/* A path that is no pattern leads to itself. */
static void
find_own(const struct restore_select *s, size_t i)
{
	struct restore_range at, below;
	const char *part;
	size_t depth;

	restore_select_root(&at, s);
	for (depth = 0; (part = restore_select_part(s, i, depth)) != NULL;
	     depth++) {
		check(restore_select_enter(&below, s, &at, part, strlen(part)));
		at = below;
	}
	check(at.all);
}

static void
ask(const char *const *paths, size_t n, unsigned doubts, char *path)
{
	struct restore_select *s = NULL;
	size_t i;

	if (restore_select_new(&s, paths, n) != 0)
		return;
	for (i = 0; i < restore_select_count(s); i++)
		find_own(s, i);
	for (i = 0; i < restore_select_count(s); i++)
		if ((doubts >> i & 1) != 0)
			restore_select_doubt(s, i);
	if (restore_select_settle(s) == 0) {
		walk(s, path);
		(void)restore_select_missed(s); /* any answer */
	}
	restore_select_free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	const char *paths[PATHS_MAX];
	char *text, *at;
	size_t n;

	if (len < 2 || len > TEXT_MAX || p[0] > PATHS_MAX)
		return 0;
	text = malloc(len - 1);
	check(text != NULL);
	memcpy(text, p + 2, len - 2);
	text[len - 2] = '\0';
	for (n = 0, at = text; n < p[0] && at < text + len - 2; n++) {
		paths[n] = at;
		at += strlen(at) + 1;
	}
	if (at > text + len - 2)
		at = text + len - 2;
	ask(paths, n, p[1], at);
	free(text);
	return 0;
}
