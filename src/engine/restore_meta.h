#ifndef HS_ENGINE_RESTORE_META_H
#define HS_ENGINE_RESTORE_META_H

/*
 * Owner, mode, extended attributes and time of a restored entry, in this
 * order: a new owner clears set-id bits and capabilities, an ACL changes the
 * mode, and everything changes the time.  Only what differs is set.
 *
 * Owners go by number.  What privileges alone forbid is counted in the job's
 * result; a set-id bit whose owner could not be set is left out.
 */

#include "engine/restore_job.h"
#include "object/entry.h"

#include <sys/stat.h>
#include <sys/types.h>

struct restore_meta {
	uint32_t uid, gid;
	uint16_t mode;
	uint32_t mtime_ns;
	int64_t mtime_s;
	uint8_t *xattr; /* inline block, owned; NULL: none */
	size_t xattr_len;
	int has_xattr_id; /* the block is an object of its own */
	uint8_t xattr_id[OBJECT_ID_BYTES];
};

/* Copy what an entry says.  ERR_NOMEM. */
int restore_meta_init(struct restore_meta *m, const struct entry *e);
void restore_meta_release(struct restore_meta *m);

/* The mode to create a file with, so that nobody sees it who may not. */
mode_t restore_meta_create_mode(
    const struct restore_job *j, const struct restore_meta *m);

/*
 * Set everything on the open file or directory `fd`, whose state is `st`.
 * `dir` and `name` (NULL: the directory itself) are for messages.
 */
void restore_meta_set(struct restore_job *j, const struct restore_meta *m,
    int fd, const struct stat *st, const struct restore_dir *dir,
    const char *name);

/*
 * The same for an entry that cannot be opened: symlink, FIFO, device; `name`
 * in the directory `dirfd`, never through a symlink.
 */
void restore_meta_set_at(struct restore_job *j, const struct restore_meta *m,
    int dirfd, const struct restore_dir *dir, const char *name);

#endif
