#ifndef HS_BACKEND_UNSURE_H
#define HS_BACKEND_UNSURE_H

/*
 * Which objects of a directory backend were under way when a sync failed: in
 * memory while they are put, in the file `unsynced` of the vault's folder from
 * the failure on, until they were read again from the device.
 *
 * The file has a line per name, an object's or a folder's.  It is not synced:
 * it warns of what the page cache says wrongly, and is forgotten with it.
 *
 * Thread use: any thread may call anything.
 */

#include <stddef.h>
#include <stdint.h>

struct unsure;

/* A put under way; belongs to its caller, between enter and leave. */
struct unsure_put {
	const char *name;
	struct unsure_put *next;
};

/* For the vault in `root`; reads the file.  Returns 0; ERR_IO; ERR_DAMAGED;
 * ERR_NOMEM. */
int unsure_open(struct unsure **out, const char *root);
void unsure_close(struct unsure *u); /* NULL is fine */

/* `p` is about to be synced and to get its name. */
void unsure_enter(struct unsure *u, struct unsure_put *p);
/*
 * It has its name, durably, or was taken back.  After this unsure_check() says
 * whether it may be acknowledged.
 */
void unsure_leave(struct unsure *u, struct unsure_put *p);

/*
 * A sync failed: all puts under way become unsure, and `name` (may be NULL),
 * which is an object or a folder.  Some hundreds of them are noted even where
 * there is no memory and no descriptor left.
 */
void unsure_fail(struct unsure *u, const char *name);
/* Returns 0; ERR_READONLY after unsure_fail(). */
int unsure_check(const struct unsure *u);

/* Nonzero when `name` or its folder stood in the file at unsure_open(). */
int unsure_is(const struct unsure *u, const char *name);
/* Each line of it.  A nonzero return of `found` ends it with that. */
int unsure_each(const struct unsure *u,
    int (*found)(void *arg, const char *name), void *arg);
/* All of them were read again.  Returns 0; ERR_IO. */
int unsure_clear(struct unsure *u);

/*
 * Read exactly `len` bytes at `offset` of the file at `path`, open at `fd`,
 * from the device: what the page cache holds of it is written and dropped
 * first, and where `direct` says so the read goes past it.
 * Returns 0; 1 when the file ends before; ERR_IO with errno.
 */
int unsure_read(void *out, int fd, const char *path, size_t len,
    uint64_t offset, int direct);

#endif
