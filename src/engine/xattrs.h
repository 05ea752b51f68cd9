#ifndef HS_ENGINE_XATTRS_H
#define HS_ENGINE_XATTRS_H

/* Extended attributes (ACLs among them) as a block; docs/format.md 7.4. */

#include "base/buf.h"

#define XATTRS_PROBLEM_MAX 256

/* Memory for reading them, one per thread. */
struct xattrs {
	struct buf list;
	struct buf names; /* const char * each, sorted */
	struct buf value;
	struct buf block; /* the result; empty: no attributes */
	char problem[XATTRS_PROBLEM_MAX]; /* what was left out, or "" */
};

void xattrs_init(struct xattrs *x);
void xattrs_release(struct xattrs *x);

/*
 * Read those of the open file `fd`, or (fd < 0) of `path` itself, into
 * `x->block`.  What cannot be read or does not fit is left out and worded in
 * `x->problem`.  Returns 0; ERR_NOMEM.
 */
int xattrs_read(struct xattrs *x, int fd, const char *path);

#endif
