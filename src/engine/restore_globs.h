#ifndef HS_ENGINE_RESTORE_GLOBS_H
#define HS_ENGINE_RESTORE_GLOBS_H

/*
 * Paths with wildcards: which entries of a snapshot they mean.  Each part
 * between slashes is a pattern of one name (glob.h); a part `**` stands for
 * any number of directories.  Pure.
 *
 * What may match in one directory is a set of parts, so that going down needs
 * no memory of its own, and directories that cannot lead anywhere are not
 * looked into.
 */

#include <stddef.h>
#include <stdint.h>

/* Parts of all paths together. */
#define RESTORE_GLOBS_PARTS 256u

struct restore_globs;

/* The parts that may match in one directory. */
struct restore_globs_at {
	uint64_t bits[RESTORE_GLOBS_PARTS / 64];
};

int restore_globs_new(struct restore_globs **out); /* ERR_NOMEM */
void restore_globs_free(struct restore_globs *g); /* NULL is fine */
/* Whether a path, pattern or not, counts from the snapshot's root on: 0, or
 * ERR_USAGE. */
int restore_globs_relative(const char *path);
/* Add a path, which outlives `g`.  ERR_USAGE: absolute, "..", a pattern that
 * matches nothing, too many parts; ERR_NOMEM. */
int restore_globs_add(struct restore_globs *g, const char *path);

/* Sets `out` for the root; nonzero when all of it is meant. */
int restore_globs_root(
    struct restore_globs_at *out, const struct restore_globs *g);
/*
 * The entry `name` of a directory with `at`.  Returns 2: it is meant, with all
 * below it; 1: `*out` may match below it, if it is a directory; 0: neither.
 */
int restore_globs_enter(struct restore_globs_at *out, struct restore_globs *g,
    const struct restore_globs_at *at, const char *name, size_t name_len);
/* Nonzero when a name in (`after`, `last`] may match; `after` NULL: from the
 * first on. */
int restore_globs_between(const struct restore_globs *g,
    const struct restore_globs_at *at, const char *after, size_t after_len,
    const char *last, size_t last_len);
/* Nonzero when some part may match. */
int restore_globs_some(const struct restore_globs_at *at);
/* A path of which no entry was met; NULL: none. */
const char *restore_globs_missed(const struct restore_globs *g);

#endif
