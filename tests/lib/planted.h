#ifndef HS_TESTS_PLANTED_H
#define HS_TESTS_PLANTED_H

/*
 * One folder of the process for files that only a path can name: what fuzz
 * targets hand to readers of files.  It lies in memory where that is possible
 * and is removed at the end.  Names are relative to it; whatever fails aborts.
 */

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

const char *planted_dir(void);
/* The whole path of `name`, the caller's to free. */
char *planted_path(const char *name);
/* A folder and those above it; fine when it is there. */
void planted_make(const char *name);
void planted_write(const char *name, const uint8_t *p, size_t len);
/* The same, with the checksum of server/statefile.h made right if it is JSON
 * and not `raw`. */
void planted_state(const char *name, int raw, const uint8_t *p, size_t len);
void planted_read(struct buf *out, const char *name);
/* Fine when it is not there. */
void planted_remove(const char *name);

#endif
