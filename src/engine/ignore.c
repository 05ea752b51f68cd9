#include "engine/ignore.h"

#include "base/err.h"
#include "base/limits.h"
#include "engine/glob.h"

#include <stdlib.h>
#include <string.h>

#define RULES_FIRST 16u

struct rule {
	struct glob *glob;
	unsigned char back; /* `!` */
	unsigned char only_dirs;
	unsigned char by_name; /* no slash: the name alone counts */
};

struct ignore {
	struct rule *rules;
	size_t n, room;
	size_t bytes;
};

int
ignore_new(struct ignore **out)
{
	struct ignore *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return err_nomem(sizeof(*g));
	*out = g;
	return 0;
}

void
ignore_free(struct ignore *g)
{
	if (g == NULL)
		return;
	while (g->n > 0)
		glob_free(g->rules[--g->n].glob);
	free(g->rules);
	free(g);
}

size_t
ignore_bytes(const struct ignore *g)
{
	return g->bytes;
}

static int
grow(struct ignore *g)
{
	size_t room = g->room == 0 ? RULES_FIRST : 2 * g->room;
	struct rule *rules;

	if (g->n < g->room)
		return 0;
	rules = realloc(g->rules, room * sizeof(*rules));
	if (rules == NULL)
		return err_nomem(room * sizeof(*rules));
	g->rules = rules;
	g->room = room;
	return 0;
}

int
ignore_add_rule(struct ignore *g, const char *p, size_t len)
{
	struct rule r = {.back = 0};
	int rc;

	g->bytes += len;
	if (len > 0 && p[0] == '!') {
		r.back = 1;
		p++;
		len--;
	}
	if (len > 0 && p[len - 1] == '/') {
		r.only_dirs = 1;
		len--;
	}
	if (len == 0)
		return 0;
	r.by_name = memchr(p, '/', len) == NULL;
	if (p[0] == '/') {
		p++;
		len--;
	}
	rc = grow(g);
	if (rc == 0)
		rc = glob_new(&r.glob, p, len);
	if (rc != 0)
		return rc > 0 ? 0 : rc; /* what matches nothing is no rule */
	g->rules[g->n++] = r;
	return 0;
}

/* The line's length without the blanks at its end that mean nothing. */
static size_t
trim(const char *line, size_t len)
{
	size_t i, blanks = len;

	for (i = 0; i < len; i++) {
		if (line[i] == ' ') {
			if (blanks == len)
				blanks = i;
			continue;
		}
		if (line[i] == '\\')
			i++;
		blanks = len;
	}
	return blanks;
}

int
ignore_add_text(struct ignore *g, const char *text, size_t len)
{
	const char *end = text + len, *line, *next, *stop;
	unsigned long number = 1;
	size_t n;
	int rc;

	if (len > LIMIT_RULES_BYTES)
		return err_set(ERR_LIMIT, "is longer than %u bytes of rules",
		    LIMIT_RULES_BYTES);
	/* Some editors put a mark of UTF-8 in front. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	for (line = text; line < end; line = next, number++) {
		stop = memchr(line, '\n', (size_t)(end - line));
		next = stop != NULL ? stop + 1 : end;
		n = (size_t)((stop != NULL ? stop : end) - line);
		if (n > 0 && line[n - 1] == '\r')
			n--;
		/* No name has a NUL: what follows one cannot be meant. */
		n = strnlen(line, n);
		if (n == 0 || line[0] == '#')
			continue;
		rc = ignore_add_rule(g, line, trim(line, n));
		if (rc != 0)
			return err_prefix(rc, "line %lu", number);
	}
	return 0;
}

enum ignore_word
ignore_match(const struct ignore *g, const char *path, size_t path_len,
    size_t name_len, int is_dir)
{
	const char *name = path + path_len - name_len;
	const struct rule *r;
	size_t i;

	for (i = g->n; i > 0; i--) {
		r = &g->rules[i - 1];
		if (r->only_dirs && !is_dir)
			continue;
		if (r->by_name ? glob_match(r->glob, name, name_len)
			       : glob_match(r->glob, path, path_len))
			return r->back ? IGNORE_BACK : IGNORE_OUT;
	}
	return IGNORE_SILENT;
}
