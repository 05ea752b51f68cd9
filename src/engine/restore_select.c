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
};

struct restore_select {
	struct path *paths;
	size_t n;
};

static int
parse(struct path *p, const char *text)
{
	char *save = NULL, *part;
	size_t room = 1;

	if (text[0] == '/')
		return err_set(ERR_USAGE,
		    "'%s' is absolute: paths are relative to the directory "
		    "that was backed up",
		    text);
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

void
restore_select_free(struct restore_select *s)
{
	if (s == NULL)
		return;
	while (s->n > 0) {
		s->n--;
		free(s->paths[s->n].copy);
		free(s->paths[s->n].parts);
	}
	free(s->paths);
	free(s);
}

void
restore_select_root(struct restore_range *out, const struct restore_select *s)
{
	out->begin = 0;
	out->end = s->n;
	out->depth = 0;
	/* The shortest path comes first. */
	out->all = s->n == 0 || s->paths[0].nparts == 0;
}

int
restore_select_enter(struct restore_range *out, const struct restore_select *s,
    const struct restore_range *r, const char *name, size_t name_len)
{
	const char *part;
	size_t i;
	int c;

	*out = *r;
	out->depth++;
	if (r->all)
		return 1;
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
	if (out->begin == r->end || out->begin >= out->end)
		return 0;
	out->all = s->paths[out->begin].nparts == out->depth;
	return 1;
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
		return compare_names(part, len, last, last_len) <= 0;
	}
	return 0;
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
