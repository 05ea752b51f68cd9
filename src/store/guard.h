#ifndef HS_STORE_GUARD_H
#define HS_STORE_GUARD_H

/*
 * What keeps a store from being written: a disk that is nearly full, or one on
 * which a sync has failed.  One for all vaults of a store; docs/operations.md
 * says what its operator does.
 *
 * Space.  STORE/reserve holds room that belongs to nobody.  New data is taken
 * only while the reserve is whole and as much again is free beside it.  So
 *  - a client hears early, with a clear line, that the disk is full;
 *  - what is under way then (packs to be closed, the index, a snapshot) still
 *    finds room and ends in order;
 *  - where others fill the disk to the last byte, prune, sweep and an index
 *    that lags behind work in the room that guard_release() gives back.
 *
 *      whole --guard_release()--> lent --guard_restore()--> whole or short
 *      short --the next guard_put() with enough room--> whole
 *
 * Syncs.  After guard_stop() nothing is taken until the store was opened anew
 * and what was under way was read again from the device (store/reread.h).
 *
 * Thread use: any thread may call anything.  A NULL guard is fine and guards
 * nothing.
 */

#include <stdint.h>

struct guard;

/*
 * The reserve's size: a pack that is being compacted and the pages of the
 * index that this changes, twice; and never more than a part of the disk.
 */
#define GUARD_BYTES (128u << 20)
#define GUARD_SHARE 16u /* at most 1/16 of the file system */
/* In so many files: where no more files can be made (inodes), they are what
 * is given back. */
#define GUARD_FILES 16u

/*
 * Guard the store in `dir`, whose lock the caller has; makes or completes the
 * reserve.  That the disk is full is no error: guard_put() says so later.
 * Returns 0; ERR_NOMEM.
 */
int guard_open(struct guard **out, const char *dir);
void guard_close(struct guard *g);

/*
 * May `bytes` more be stored?  Returns 0; ERR_NOSPACE; ERR_READONLY.  One
 * system call.
 */
int guard_put(struct guard *g, uint64_t bytes);
/* May anything be changed?  Returns 0; ERR_READONLY. */
int guard_check(const struct guard *g);

/*
 * Give the reserve's room to the caller, who makes room with it, until
 * guard_restore(); meanwhile guard_put() refuses.  May be nested and used by
 * several threads: the last one restores.  A process that dies in between is
 * made good at the next start.
 */
void guard_release(struct guard *g);
void guard_restore(struct guard *g);

/*
 * For who writes a small file into the store in `dir` without its lock: give
 * it a part of the reserve's room, until the reserve is held the next time.
 */
void guard_spare(const char *dir);

/* A sync failed, or a vault that was to be read again cannot be. */
void guard_stop(struct guard *g);

#endif
