#ifndef HS_ENGINE_IGNORE_H
#define HS_ENGINE_IGNORE_H

/*
 * Rules that leave entries out, as gitignore(5) has them: one pattern a line,
 * `#` begins a comment, blanks at the end mean nothing unless a backslash is
 * before them, `!` takes back what an earlier rule left out, a slash at the
 * end means directories only, a slash elsewhere ties the pattern to the
 * directory that the rules belong to.  The last rule that matches decides.
 *
 * That nothing below an excluded directory can be taken back is the walker's
 * doing: it does not look there.  Pure.
 */

#include <stddef.h>

struct ignore;

enum ignore_word {
	IGNORE_SILENT = 0, /* no rule matches */
	IGNORE_OUT,
	IGNORE_BACK /* the last one that matches begins with `!` */
};

int ignore_new(struct ignore **out); /* ERR_NOMEM */
void ignore_free(struct ignore *g); /* NULL is fine */

/* Add one rule: no comment, and blanks at its end belong to it.
 * ERR_LIMIT; ERR_NOMEM. */
int ignore_add_rule(struct ignore *g, const char *rule, size_t len);
/*
 * Add the rules of a file, whose bytes may be any.  Returns 0; ERR_LIMIT: the
 * file or a line (named) is too long; ERR_NOMEM.
 */
int ignore_add_text(struct ignore *g, const char *text, size_t len);

/* Bytes of all rules that were added. */
size_t ignore_bytes(const struct ignore *g);

/*
 * The word on an entry: `path` is relative to the directory that the rules
 * belong to, its last `name_len` bytes are the name.
 */
enum ignore_word ignore_match(const struct ignore *g, const char *path,
    size_t path_len, size_t name_len, int is_dir);

#endif
