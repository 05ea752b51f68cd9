#ifndef HS_ENGINE_RESTORE_THERE_H
#define HS_ENGINE_RESTORE_THERE_H

/*
 * What already has the name of an entry, when restoring over it or asking what
 * that would do.  A file counts as the same only if every byte of it was read
 * and has the right address: times can lie.
 *
 * Thread use: the planner's.
 */

#include "engine/restore_file.h"

#include <sys/stat.h>

enum restore_there {
	RESTORE_THERE_NOT = 0,
	RESTORE_THERE_SAME, /* kind and content */
	RESTORE_THERE_OTHER, /* to be replaced */
	RESTORE_THERE_BLOCKED /* a directory that holds something */
};

/*
 * Look.  With SAME, `*st` says what is there, and `f->fd` is open for reading
 * if it is a regular file.  An empty directory is removed, unless this is a
 * dry run, and counts as NOT.
 */
enum restore_there restore_there_look(struct restore_file *f, struct stat *st);

/* Whether the open directory holds anything but `.shamo`; ERR_IO. */
int restore_there_occupied(int fd);

#endif
