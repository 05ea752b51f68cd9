#ifndef HS_BASE_FS_H
#define HS_BASE_FS_H

/*
 * Files of our own (store, state, keys): whole-file reads with a limit and
 * durable replacement.  Every call relative to a directory descriptor or an
 * absolute or cwd path; every fsync error is fail-stop (returned, never
 * retried).
 */

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Read a whole regular file of at most `len_max` bytes, appended to `out`.
 * `dirfd` may be AT_FDCWD.  Returns 0; 1 when it does not exist; ERR_DAMAGED:
 * it is longer, or something else than a file, or the disk does not give it;
 * ERR_IO; ERR_NOMEM.
 */
int fs_read_file(struct buf *out, int dirfd, const char *path, size_t len_max);

/*
 * What the temporary names of fs_write_file() begin with: a crash may leave
 * one behind; listings skip them, and the next write to the directory removes
 * them.
 */
#define FS_TEMP_PREFIX ".tmp-"

/*
 * Remove what writers that died left beside the file `path`, where nothing may
 * be written any more that would.  Those of writers that live, in whatever
 * process, are locked and stay; so do all on a network file system, whose
 * locks may not reach other machines.  What cannot be removed stays, too.
 */
void fs_clear_temps(const char *path);

/* Flags of fs_write_file(). */
#define FS_EXCLUSIVE 1u /* never replace: ERR_EXIST when it is there */
#define FS_NOSYNC 2u /* a cache: no fsync */

/*
 * Write a file durably: a temporary name of its own in the same directory,
 * every return value checked, fsync, rename (link for FS_EXCLUSIVE), fsync of
 * the directory.  `mode` as for open().  An empty directory in its place is
 * removed, and so is what fs_clear_temps() would remove.
 * Returns 0; ERR_EXIST; ERR_DAMAGED: a directory with something in it has its
 * place; ERR_NOSPACE; ERR_IO: the old file or the new one is there (the new one
 * when only the directory's fsync failed), never a part.
 */
int fs_write_file(int dirfd, const char *path, const void *p, size_t len,
    unsigned mode, unsigned flags);

/* fsync of the directory `path` relative to `dirfd`. */
int fs_sync_dir(int dirfd, const char *path);

/*
 * The name `path` is there, and perhaps only since a process that died before
 * it had synced it: fsync of the directory that it is in, if that may be read.
 */
int fs_sync_name(const char *path);

/*
 * mkdir, its parents too, with `mode`; each new directory's parent is
 * synced, and that of the last one that was there: fs_sync_name().
 */
int fs_make_dirs(const char *path, unsigned mode);

/* Write all bytes at `offset` (pwrite loop). ERR_IO, ERR_NOSPACE. */
int fs_pwrite_all(int fd, const void *p, size_t len, uint64_t offset);
/* Read exactly `len` bytes at `offset`; 1 when the file ends before. */
int fs_pread_all(int fd, void *p, size_t len, uint64_t offset);
int fs_write_all(int fd, const void *p, size_t len);

/*
 * Take the exclusive lock (flock) of the file `path`, made 0600 if absent.
 * Returns 0 and an open descriptor that holds it until closed; ERR_BUSY when
 * another process has it; ERR_DAMAGED: it is no file; ERR_IO.
 */
int fs_lock_file(int *out, const char *path);

/* Remove a tree of our own making (temporary folders). */
int fs_remove_tree(const char *path);

/* dir + "/" + name in freshly allocated memory; NULL: no memory. */
char *fs_join(const char *dir, const char *name);

/* printf into freshly allocated memory; NULL: no memory. */
char *fs_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Nonzero when `fd` lies on a network file system (NFS, SMB, FUSE, 9p). */
int fs_is_network(int fd);

#endif
