#ifndef HS_ENGINE_RESTORE_LINK_H
#define HS_ENGINE_RESTORE_LINK_H

/*
 * Hard links: where the first file of each link group was written, so that
 * the others become links to it.  About 40 bytes and the name for each group,
 * the only memory of a restore that grows with its input.
 *
 * A link is only made to an inode that this restore made; a group whose first
 * file failed goes to the next one, which is written as content then.
 *
 * Thread use: restore_link_result() from any thread, the rest from one.
 */

#include "engine/restore_dir.h"
#include "object/entry.h"

struct restore_link;

/* `root` is the destination; it must outlive the table. */
int restore_link_new(struct restore_link **out, struct restore_job *job,
    struct restore_dir *root);
void restore_link_free(struct restore_link *l); /* NULL is fine */

/*
 * The entry `name` in `dir` belongs to the group `group`, with a content
 * described by `kind`, `size` and `address`.  Sets `*out` to the group's
 * number, from 1.
 * Returns 0: it is the first, to be written as content, and the outcome told
 * with restore_link_result().  1: there is one before; try restore_link_make()
 * when what was planned until now is done.  2: the group has another content
 * (its file changed while it was backed up): write it alone.  ERR_NOMEM.
 */
int restore_link_join(uint32_t *out, struct restore_link *l,
    struct restore_dir *dir, const char *name,
    const uint8_t group[ENTRY_LINK_BYTES], enum address_kind kind,
    uint64_t size, const uint8_t address[HASH_BYTES]);

/* The first file of group `number` was written (`ok`) as that inode. */
void restore_link_result(
    struct restore_link *l, uint32_t number, int ok, dev_t dev, ino_t ino);

/* Nonzero when the first file of group `number` is there as that inode. */
int restore_link_is(
    struct restore_link *l, uint32_t number, dev_t dev, ino_t ino);

/*
 * Make `name` in `dir` a link to the first file of its group, with `force` of
 * the job in place of what is there.
 * Returns 0; 1: the first is not written yet, ask again later; 2: it is not to
 * be had, and this one is the first now, as after restore_link_join().
 */
int restore_link_make(struct restore_link *l, uint32_t number,
    struct restore_dir *dir, const char *name);

#endif
