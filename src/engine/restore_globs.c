#include "engine/restore_globs.h"

#include "base/err.h"
#include "engine/glob.h"

#include <stdlib.h>
#include <string.h>

struct part {
	struct glob *glob; /* NULL: any number of directories */
	unsigned path;
	int is_last;
};

/* Every path has at least one part. */
struct restore_globs {
	struct part parts[RESTORE_GLOBS_PARTS];
	unsigned nparts;
	const char *paths[RESTORE_GLOBS_PARTS];
	unsigned char met[RESTORE_GLOBS_PARTS];
	unsigned npaths;
	int all; /* a path means everything */
};

int
restore_globs_new(struct restore_globs **out)
{
	struct restore_globs *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return err_nomem(sizeof(*g));
	*out = g;
	return 0;
}

void
restore_globs_free(struct restore_globs *g)
{
	if (g == NULL)
		return;
	while (g->nparts > 0)
		glob_free(g->parts[--g->nparts].glob);
	free(g);
}

/* Add the part of `path` that is at `p`. */
static int
add_part(struct restore_globs *g, const char *path, const char *p, size_t len)
{
	struct part *part = &g->parts[g->nparts];
	int rc;

	if (len == 0 || (len == 1 && p[0] == '.'))
		return 0;
	if (len == 2 && memcmp(p, "..", 2) == 0)
		return err_set(
		    ERR_USAGE, "'%s' leads out of the snapshot", path);
	if (g->nparts == RESTORE_GLOBS_PARTS)
		return err_set(ERR_USAGE,
		    "the patterns have more than %u parts together",
		    RESTORE_GLOBS_PARTS);
	part->glob = NULL;
	part->path = g->npaths;
	part->is_last = 0;
	if (len != 2 || memcmp(p, "**", 2) != 0) {
		rc = glob_new(&part->glob, p, len);
		if (rc > 0)
			return err_set(ERR_USAGE,
			    "'%s' is not a pattern that can match", path);
		if (rc != 0)
			return rc == ERR_LIMIT
				   ? err_set(ERR_USAGE, "a path is too long")
				   : rc;
	}
	g->nparts++;
	return 0;
}

int
restore_globs_relative(const char *path)
{
	if (path[0] == '/')
		return err_set(ERR_USAGE,
		    "'%s' is absolute: paths are relative to the directory "
		    "that was backed up",
		    path);
	return 0;
}

int
restore_globs_add(struct restore_globs *g, const char *path)
{
	unsigned first = g->nparts;
	const char *p = path, *end;
	int rc = restore_globs_relative(path);

	while (rc == 0 && *p != '\0') {
		end = strchr(p, '/');
		if (end == NULL)
			end = p + strlen(p);
		rc = add_part(g, path, p, (size_t)(end - p));
		p = *end == '/' ? end + 1 : end;
	}
	/* What ends in any directories is what they are in. */
	while (rc == 0 && g->nparts > first &&
	       g->parts[g->nparts - 1].glob == NULL)
		g->nparts--;
	if (rc != 0)
		return rc;
	if (g->nparts == first) {
		g->all = 1;
		return 0;
	}
	g->parts[g->nparts - 1].is_last = 1;
	g->paths[g->npaths++] = path;
	return 0;
}

/* Add part `i`, and the next one if it may stand for nothing. */
static void
add(struct restore_globs_at *at, const struct restore_globs *g, unsigned i)
{
	at->bits[i / 64] |= UINT64_C(1) << (i % 64);
	/* The last part of a path is no `**`. */
	if (g->parts[i].glob == NULL)
		add(at, g, i + 1);
}

static int
has(const struct restore_globs_at *at, unsigned i)
{
	return at->bits[i / 64] >> (i % 64) & 1;
}

int
restore_globs_root(struct restore_globs_at *out, const struct restore_globs *g)
{
	unsigned i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < g->nparts; i++)
		if (i == 0 || g->parts[i - 1].is_last)
			add(out, g, i);
	return g->all;
}

int
restore_globs_enter(struct restore_globs_at *out, struct restore_globs *g,
    const struct restore_globs_at *at, const char *name, size_t name_len)
{
	const struct part *p;
	int found = 0;
	unsigned i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < g->nparts; i++) {
		p = &g->parts[i];
		if (!has(at, i))
			continue;
		if (p->glob == NULL) {
			add(out, g, i);
		} else if (glob_match(p->glob, name, name_len)) {
			if (p->is_last) {
				g->met[p->path] = 1;
				found = 2;
			} else {
				add(out, g, i + 1);
			}
		}
	}
	return found != 0 ? found : restore_globs_some(out);
}

/* May a name in (`after`, `last`] begin with `prefix`? */
static int
prefix_between(const char *prefix, size_t len, const char *after,
    size_t after_len, const char *last, size_t last_len)
{
	size_t n = last_len < len ? last_len : len;
	int c = memcmp(last, prefix, n);

	if (c < 0 || (c == 0 && last_len < len))
		return 0; /* all come before */
	n = after_len < len ? after_len : len;
	return after == NULL || memcmp(after, prefix, n) <= 0;
}

int
restore_globs_between(const struct restore_globs *g,
    const struct restore_globs_at *at, const char *after, size_t after_len,
    const char *last, size_t last_len)
{
	const char *prefix;
	unsigned i;
	size_t len;

	for (i = 0; i < g->nparts; i++) {
		if (!has(at, i))
			continue;
		if (g->parts[i].glob == NULL)
			return 1;
		prefix = glob_prefix(&len, g->parts[i].glob);
		if (prefix_between(
			prefix, len, after, after_len, last, last_len))
			return 1;
	}
	return 0;
}

int
restore_globs_some(const struct restore_globs_at *at)
{
	uint64_t any = 0;
	unsigned i;

	for (i = 0; i < RESTORE_GLOBS_PARTS / 64; i++)
		any |= at->bits[i];
	return any != 0;
}

const char *
restore_globs_missed(const struct restore_globs *g)
{
	unsigned i;

	for (i = 0; i < g->npaths; i++)
		if (!g->met[i])
			return g->paths[i];
	return NULL;
}
