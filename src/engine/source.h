#ifndef HS_ENGINE_SOURCE_H
#define HS_ENGINE_SOURCE_H

/*
 * Source entries: their metadata, how they are opened, and whether they
 * changed meanwhile.  All relative to a held directory; nothing here follows
 * a symlink or waits for a FIFO's other end.
 */

#include "engine/block.h"
#include "engine/run.h"

#include <sys/stat.h>

enum address_kind source_kind(mode_t mode);
/* Set kind, owners, times, identity; the rest of the slot stays. */
void source_fill(struct slot *s, struct run *run, const struct stat *st);

/* Nonzero when both describe the same content of the same file. */
int source_same(const struct stat *a, const struct stat *b);

/*
 * Open the regular file of a slot for reading and stat it.  Returns 0; 1 when
 * that failed: the entry is named as unreadable and the slot is GONE.
 */
int source_open(int *fd, struct stat *st, struct worker *w, struct block *b,
    struct slot *s);

/* The entry cannot be read: name it (errno `error`; 0: err_text()). */
void source_give_up(
    struct worker *w, struct block *b, struct slot *s, int error);

/*
 * Read the slot's xattrs into its extra bytes: of the open `fd`, or (-1) by
 * name.  What had to be left out is named and counted.  ERR_NOMEM.
 */
int source_xattrs(struct worker *w, struct block *b, struct slot *s, int fd);

/* The id of the file system that `fd` lies on; format.md 7.2. */
uint64_t source_fsid(int fd, uint64_t dev);

#endif
