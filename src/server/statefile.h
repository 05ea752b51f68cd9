#ifndef HS_SERVER_STATEFILE_H
#define HS_SERVER_STATEFILE_H

/*
 * A small JSON file in a store's folder, written durably, with a checksum of
 * its own: a flipped bit in a key or an id must be told from a change that
 * somebody meant.  docs/protocol.md 7.
 */

#include "base/json.h"

/*
 * Returns 0 and `*out`, to be freed with json_free(); 1 when there is no such
 * file; ERR_DAMAGED (the message names the file); ERR_IO; ERR_NOMEM.
 */
int statefile_read(struct json **out, const char *path);

/*
 * As statefile_read(), but does not look at the checksum: for members that say
 * how to read the others.  statefile_check() does the rest.
 */
int statefile_load(struct json **out, const char *path);
/* Returns 0; ERR_DAMAGED; ERR_NOMEM. */
int statefile_check(struct json *j, const char *path);

/*
 * Add the checksum to `j` and write it.  `flags` as for fs_write_file().
 * Returns 0; ERR_EXIST; ERR_NOSPACE; ERR_IO; ERR_NOMEM.
 */
int statefile_write(const char *path, struct json *j, unsigned flags);

#endif
