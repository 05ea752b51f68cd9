#ifndef HS_ENGINE_RESTORE_DIR_H
#define HS_ENGINE_RESTORE_DIR_H

/*
 * Directories being restored.  A directory is made with mode 0700 and gets
 * its owner, mode and time when everything in it is done: it counts what is
 * pending.  Few are open at a time, whatever the depth: one that is needed
 * again is opened from its nearest open ancestor, name by name, without
 * following symlinks, and must be the one that was made.
 *
 * Thread use: every function may be called from any thread.
 */

#include "engine/restore_job.h"
#include "engine/restore_meta.h"

#include <sys/stat.h>

struct restore_dirs; /* those of one restore */

struct restore_dir {
	struct restore_dir *parent; /* NULL: the destination itself */
	struct restore_dirs *all;
	struct restore_meta meta;
	int keep_meta; /* as it is: nothing is set at the end */
	int unmade; /* not on the disk, or not yet: cannot be pinned */
	int broken; /* could not be made, which was told */
	unsigned depth;
	uint32_t link_node; /* restore_link.c */
	dev_t dev; /* what was made */
	ino_t ino;
	/* Guarded by the lock of `all`. */
	size_t pending;
	int fd;
	unsigned pins;
	struct restore_dir *older, *newer; /* open but not pinned */
	char name[]; /* NUL-terminated, empty for the destination */
};

int restore_dir_all_new(struct restore_dirs **out, struct restore_job *job);
/* No directory may be left. */
void restore_dir_all_free(struct restore_dirs *all); /* NULL is fine */

/*
 * The destination, open at `fd` (taken over on success; -1: it is not there,
 * and stays unmade).  `meta` (NULL: left
 * as it is) is what it gets at the end.
 */
int restore_dir_root(struct restore_dir **out, struct restore_dirs *all, int fd,
    const struct entry *meta);

/*
 * Make the directory `e` in `parent`.  The new one has one thing pending: the
 * caller, who ends with restore_dir_done().
 * Returns 0; 1 when it could not be made (told and counted); ERR_NOMEM.
 */
int restore_dir_make(struct restore_dir **out, struct restore_dir *parent,
    const struct entry *e);

/*
 * The same without making it yet: for one that may turn out to hold nothing,
 * and for a dry run.  ERR_NOMEM.
 */
int restore_dir_plan(struct restore_dir **out, struct restore_dir *parent,
    const struct entry *e);
/* Now it is needed: make it, and those above it.  Returns 0; 1 when that
 * failed (told and counted). */
int restore_dir_need(struct restore_dir *d);
/* Open it if it is there, else it stays unmade: for a dry run. */
void restore_dir_look(struct restore_dir *d);

/* A name for something that will be renamed when it is complete. */
#define RESTORE_DIR_TEMP_BYTES 32
void restore_dir_temp_name(char out[RESTORE_DIR_TEMP_BYTES]);

/* One more entry in `d` is pending. */
void restore_dir_add(struct restore_dir *d);
/* One is done.  Behind the last one, `d` gets its metadata and is freed, and
 * its parent has one less pending. */
void restore_dir_done(struct restore_dir *d);

/*
 * An open descriptor of `d` that stays open until restore_dir_unpin().
 * Returns it, or -1 with errno (ESTALE: another directory is in its place).
 */
int restore_dir_pin(struct restore_dir *d);
void restore_dir_unpin(struct restore_dir *d);

/* The path of `name` (NULL: of `d` itself) below the destination, cut at the
 * front when longer than `cap` - 1 bytes; `cap` is at least 512. */
void restore_dir_path(
    char *out, size_t cap, const struct restore_dir *d, const char *name);

#endif
