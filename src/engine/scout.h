#ifndef HS_ENGINE_SCOUT_H
#define HS_ENGINE_SCOUT_H

/*
 * Looks at directories that the walk will come to, beside the walk: opens,
 * lists and stats one while the walker goes through the one before it.  In a
 * tree that has hardly changed these calls are nearly all there is to do, and
 * the walk alone would keep one processor busy with them.
 *
 * What is found here is what the walker would have found a moment later; what
 * cannot be had, for whatever reason, the walker looks at itself.
 *
 * Thread use: all functions are the walker's.
 */

#include <stddef.h>
#include <sys/stat.h>

struct dir;
struct listing;
struct scout;

/* Directories that wait or are ready: each may hold a descriptor. */
#define SCOUT_JOBS 24u
/* Of one directory's subdirectories: those above the walk wait for long. */
#define SCOUT_JOBS_EACH 4u
/* A directory with more names is left to the walker. */
#define SCOUT_NAMES_MAX 1024u

struct scout_stat {
	struct stat st;
	int error; /* errno, else 0 */
};

struct scout_find {
	int fd;
	struct stat st;
	/* NULL: it is large, or on another file system; read from its
	 * beginning it is listed as if nobody had. */
	struct listing *names;
	/* One of each name, but nothing of those listed as directories. */
	struct scout_stat *stats;
};

int scout_new(struct scout **out); /* ERR_NOMEM, ERR_FAIL */
void scout_free(struct scout *s); /* NULL is fine */

/*
 * The walk will come to `name` in `parent`, which it is a user of.  Returns 0;
 * 1 when enough is sent already.
 */
int scout_send(
    struct scout *s, struct dir *parent, const char *name, size_t name_len);
/*
 * The walk is there.  0 and what was found, owned by the caller; 1: nothing.
 */
int scout_take(struct scout_find *out, struct scout *s,
    const struct dir *parent, const char *name, size_t name_len);
/* The walk leaves or closes `parent`: forget what was sent of it. */
void scout_drop(struct scout *s, const struct dir *parent);

#endif
