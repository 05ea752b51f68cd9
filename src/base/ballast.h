#ifndef HS_BASE_BALLAST_H
#define HS_BASE_BALLAST_H

/*
 * Room of a file system that is taken on purpose, to be given back when there
 * is none left: a folder of files that hold blocks and say nothing.
 *
 * Thread use: one thread at a time for one folder.
 */

#include <stdint.h>

/* What a file system offers to this user. */
struct ballast_room {
	uint64_t bytes, bytes_all;
	/* Files that can still be made, and in all; 0 in all: no limit. */
	uint64_t files, files_all;
};

/* Returns 0; ERR_IO. */
int ballast_room(struct ballast_room *out, const char *path);

/*
 * Make the files 0 .. `files` - 1 of the folder `dir`, which is made too, and
 * give each `bytes` of disk; what is there already stays.
 * Returns 0; ERR_NOSPACE: what could be had is held; ERR_IO; ERR_NOMEM.
 */
int ballast_hold(const char *dir, unsigned files, uint64_t bytes);

/*
 * Give the file `name` of `dir`, made if absent, the blocks of its first
 * `bytes`, whatever its length: for one that is written through a map, where a
 * full disk kills.  A file system that cannot is no error.
 * Returns 0; ERR_NOSPACE; ERR_IO; ERR_NOMEM.
 */
int ballast_blocks(const char *dir, const char *name, uint64_t bytes);

/* Remove every file of the folder.  Returns 0; ERR_IO; ERR_NOMEM. */
int ballast_drop(const char *dir);

#endif
