#ifndef HS_ENGINE_RESTORE_SELECT_H
#define HS_ENGINE_RESTORE_SELECT_H

/*
 * The paths that a user asked for, sorted, so that those below one directory
 * are a range.  Pure.
 */

#include "engine/restore_globs.h"

#include <stddef.h>

struct restore_select;

/*
 * Parse `n` paths relative to the root; "." and doubled or closing slashes
 * mean nothing.  Returns 0; ERR_USAGE (absolute, "..", too long); ERR_NOMEM.
 */
int restore_select_new(
    struct restore_select **out, const char *const *paths, size_t n);
void restore_select_free(struct restore_select *s); /* NULL is fine */

/*
 * A path that the snapshot does not have as it stands may be a pattern:
 * restore_select_doubt() says which, before restore_select_settle() takes
 * those out of the order.  ERR_USAGE; ERR_NOMEM.
 */
void restore_select_doubt(struct restore_select *s, size_t i);
int restore_select_settle(struct restore_select *s);
/* A pattern that met no entry; NULL: none. */
const char *restore_select_missed(const struct restore_select *s);

/* Paths that go through one directory, whose depth is `depth`. */
struct restore_range {
	size_t begin, end;
	size_t depth;
	int all; /* everything below is meant */
	struct restore_globs_at globs;
};
/* Nonzero when only patterns lead into a directory: perhaps to nothing. */
int restore_select_is_vague(const struct restore_range *r);
/* The root's range; with no paths, or ".", all of it. */
void restore_select_root(
    struct restore_range *out, const struct restore_select *s);
/*
 * The range of the entry `name` in a directory with range `r`.
 * Returns 1 when it is meant or, being a directory, may lead to one that is,
 * else 0.
 */
int restore_select_enter(struct restore_range *out,
    const struct restore_select *s, const struct restore_range *r,
    const char *name, size_t name_len);
/* Nonzero when a name in (`after`, `last`] is meant in a directory with range
 * `r`; `after` NULL: from the first on. */
int restore_select_between(const struct restore_select *s,
    const struct restore_range *r, const char *after, size_t after_len,
    const char *last, size_t last_len);

/* The user's text of path `i`, and its component `depth`; NULL behind the
 * last one.  `i` is a position in the sorted order, below the count. */
size_t restore_select_count(const struct restore_select *s);
const char *restore_select_text(const struct restore_select *s, size_t i);
const char *restore_select_part(
    const struct restore_select *s, size_t i, size_t depth);

#endif
