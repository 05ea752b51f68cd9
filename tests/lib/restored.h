#ifndef HS_TESTS_RESTORED_H
#define HS_TESTS_RESTORED_H

/* One restore of a test, in a folder of its own with a canary beside it. */

#include "engine/restore.h"
#include "lib/memory_store.h"

struct restored {
	struct memory_store *m;
	char *top; /* the folder; the destination is top/a/dest */
	char *dest;
	struct restore_result result;
	struct restore_progress progress;
	struct buf warnings; /* lines, terminated */
	atomic_int interrupt;
	unsigned threads;
};

void restored_init(struct restored *r, struct memory_store *m);
/* Also checks that nothing but the destination appeared or changed. */
void restored_release(struct restored *r);

/* Remove the destination. */
void restored_clear(struct restored *r);

/* Restore the latest snapshot, or paths of it (NULL-terminated). */
int restored_run(struct restored *r, const char *const *paths);
/* The path of an entry in the destination, valid until the next call. */
const char *restored_path(struct restored *r, const char *name);
/* Fails unless `name` is a file with exactly this content. */
void restored_has(
    struct restored *r, const char *name, const void *data, size_t len);
/* Fails unless `name` is absent. */
void restored_lacks(struct restored *r, const char *name);
/* Fails unless a warning has this text. */
void restored_warned(struct restored *r, const char *text);

#endif
