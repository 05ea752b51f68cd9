#ifndef HS_ENGINE_DIR_H
#define HS_ENGINE_DIR_H

/*
 * Directories of the source while they are held open: the walker lists them,
 * workers open files relative to them.  A dir counts two things: who may
 * still use its descriptor, and who may still want its path (its own path
 * and, through `parent`, those below).  The descriptor is closed with its
 * last user; the rest stays for the sake of messages.
 *
 * At most `max` descriptors are open at once: the walker waits for the
 * workers, which never wait for it.
 */

#include "base/buf.h"
#include "base/pool.h"
#include "engine/past.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct mount;

struct dir_set {
	struct pool_lock lock;
	struct pool_cond closed;
	unsigned open;
	unsigned max;
};

/* `max` 0: what the process's limit of descriptors allows. */
void dir_set_init(struct dir_set *s, unsigned max);
void dir_set_release(struct dir_set *s);

struct dir {
	struct dir_set *set;
	struct dir *parent; /* NULL: the root */
	int fd;
	atomic_uint users;
	atomic_uint refs;
	uint64_t dev, ino;
	uint32_t depth;
	const struct mount *mount; /* NULL in a scan */
	struct past_dir past; /* what the stat cache has of it */
	uint16_t name_len;
	char name[];
};

/*
 * Hold the open directory `fd` (owned from here on, also on failure).
 * Waits while too many are open.  The caller is its one user and holds one
 * reference, and gives both up with dir_unuse() and dir_unref().
 */
int dir_new(struct dir **out, struct dir_set *s, struct dir *parent, int fd,
    const char *name, size_t name_len);
void dir_use(struct dir *d); /* by who is a user already */
void dir_unuse(struct dir *d);
void dir_ref(struct dir *d);
void dir_unref(struct dir *d); /* NULL is fine */

/*
 * Set `out` to the path of the entry `name` in `d` relative to the root
 * (NULL: of the directory itself; the root's is `.`).
 */
int dir_path(
    struct buf *out, const struct dir *d, const char *name, size_t name_len);

#endif
