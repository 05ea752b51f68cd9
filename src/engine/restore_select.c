#include "engine/restore_select.h"

#include "base/err.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

struct path {
	const char *text; /* the user's */
	char *copy; /* with NULs for slashes */
	char **parts;
	size_t nparts;
	int doubted;
};

struct restore_select {
	struct path *paths;
	size_t n;
	struct restore_globs *globs; /* NULL: no path is a pattern */
};

static int
parse(struct path *p, const char *text)
{
	char *save = NULL, *part;
	size_t room = 1;

	if (restore_globs_relative(text) != 0)
		return ERR_USAGE;
	for (const char *c = text; *c != '\0'; c++)
		room += *c == '/';
	p->text = text;
	p->copy = strdup(text);
	p->parts = calloc(room, sizeof(*p->parts));
	if (p->copy == NULL || p->parts == NULL)
		return err_nomem(strlen(text));
	for (part = strtok_r(p->copy, "/", &save); part != NULL;
	     part = strtok_r(NULL, "/", &save)) {
		if (strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0)
			return err_set(
			    ERR_USAGE, "'%s' leads out of the snapshot", text);
		if (strlen(part) > LIMIT_NAME_BYTES || p->nparts == LIMIT_DEPTH)
			return err_set(ERR_USAGE, "a path is too long");
		p->parts[p->nparts++] = part;
	}
	return 0;
}

static int
compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

	if (c != 0)
		return c;
	return a_len < b_len ? -1 : a_len > b_len;
}

static int
compare_paths(const void *a, const void *b)
{
	const struct path *x = a, *y = b;
	size_t i;
	int c;

	for (i = 0; i < x->nparts && i < y->nparts; i++) {
		c = strcmp(x->parts[i], y->parts[i]);
		if (c != 0)
			return c;
	}
	return x->nparts < y->nparts ? -1 : x->nparts > y->nparts;
}

int
restore_select_new(
    struct restore_select **out, const char *const *paths, size_t n)
{
	struct restore_select *s = calloc(1, sizeof(*s));
	int rc = 0;

	if (s == NULL)
		return err_nomem(sizeof(*s));
	s->paths = calloc(n + 1, sizeof(*s->paths));
	if (s->paths == NULL)
		rc = err_nomem((n + 1) * sizeof(*s->paths));
	while (rc == 0 && s->n < n) {
		rc = parse(&s->paths[s->n], paths[s->n]);
		s->n++;
	}
	if (rc != 0) {
		restore_select_free(s);
		return rc;
	}
	qsort(s->paths, s->n, sizeof(*s->paths), compare_paths);
	*out = s;
	return 0;
}

static void
path_release(struct path *p)
{
	free(p->copy);
	free(p->parts);
}

void
restore_select_free(struct restore_select *s)
{
	if (s == NULL)
		return;
	while (s->n > 0)
		path_release(&s->paths[--s->n]);
	free(s->paths);
	restore_globs_free(s->globs);
	free(s);
}

void
restore_select_doubt(struct restore_select *s, size_t i)
{
	s->paths[i].doubted = 1;
}

int
restore_select_settle(struct restore_select *s)
{
	size_t i, n = 0;
	int rc = 0;

	for (i = 0; i < s->n; i++) {
		if (!s->paths[i].doubted) {
			s->paths[n++] = s->paths[i];
			continue;
		}
		if (rc == 0 && s->globs == NULL)
			rc = restore_globs_new(&s->globs);
		if (rc == 0)
			rc = restore_globs_add(s->globs, s->paths[i].text);
		path_release(&s->paths[i]);
	}
	s->n = n;
	return rc;
}

const char *
restore_select_missed(const struct restore_select *s)
{
	return s->globs != NULL ? restore_globs_missed(s->globs) : NULL;
}

int
restore_select_is_vague(const struct restore_range *r)
{
	return !r->all && r->begin == r->end;
}

void
restore_select_root(struct restore_range *out, const struct restore_select *s)
{
	memset(out, 0, sizeof(*out));
	out->end = s->n;
	/* The shortest path comes first. */
	out->all = s->n == 0 ? s->globs == NULL : s->paths[0].nparts == 0;
	if (s->globs != NULL && restore_globs_root(&out->globs, s->globs))
		out->all = 1;
}

/* The range of the paths that go through `name`; empty when none does. */
static void
enter_paths(struct restore_range *out, const struct restore_select *s,
    const struct restore_range *r, const char *name, size_t name_len)
{
	const char *part;
	size_t i;
	int c;

	out->begin = out->end = r->end;
	for (i = r->begin; i < r->end; i++) {
		part = s->paths[i].parts[r->depth];
		c = compare_names(part, strlen(part), name, name_len);
		if (c == 0 && out->begin == r->end)
			out->begin = i;
		if (c > 0) {
			out->end = i;
			break;
		}
	}
	if (out->begin >= out->end)
		out->begin = out->end = r->end;
}

int
restore_select_enter(struct restore_range *out, const struct restore_select *s,
    const struct restore_range *r, const char *name, size_t name_len)
{
	int found = 0;

	*out = *r;
	out->depth = r->depth + 1;
	if (r->all)
		return 1;
	enter_paths(out, s, r, name, name_len);
	if (out->begin < out->end)
		out->all = s->paths[out->begin].nparts == out->depth;
	if (s->globs != NULL)
		found = restore_globs_enter(
		    &out->globs, s->globs, &r->globs, name, name_len);
	if (found == 2)
		out->all = 1;
	return out->all || found > 0 || out->begin < out->end;
}

int
restore_select_between(const struct restore_select *s,
    const struct restore_range *r, const char *after, size_t after_len,
    const char *last, size_t last_len)
{
	const char *part;
	size_t i, len;

	if (r->all)
		return 1;
	for (i = r->begin; i < r->end; i++) {
		part = s->paths[i].parts[r->depth];
		len = strlen(part);
		if (after != NULL &&
		    compare_names(part, len, after, after_len) <= 0)
			continue;
		if (compare_names(part, len, last, last_len) <= 0)
			return 1;
		break; /* those behind it come later still */
	}
	return s->globs != NULL && restore_globs_between(s->globs, &r->globs,
				       after, after_len, last, last_len);
}

size_t
restore_select_count(const struct restore_select *s)
{
	return s->n;
}

const char *
restore_select_text(const struct restore_select *s, size_t i)
{
	return s->paths[i].text;
}

const char *
restore_select_part(const struct restore_select *s, size_t i, size_t depth)
{
	return depth < s->paths[i].nparts ? s->paths[i].parts[depth] : NULL;
}
