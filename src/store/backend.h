#ifndef HS_STORE_BACKEND_H
#define HS_STORE_BACKEND_H

/*
 * Where a vault's durable objects live: immutable, named by short paths
 * ("packs/ab/HEX.pack", "snapshots/MOUNT/SEQ.snap", "state/generation.N").
 * src/backend/dir.c keeps them in a directory, src/backend/mem.c in memory
 * with simulated crashes.  The vtable is all that the store knows.
 *
 * Thread use: all operations may run at once from any thread, one
 * backend_put belongs to one thread at a time.
 */

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

#define BACKEND_NAME_MAX 160 /* bytes of a name, NUL included */

struct backend;
struct backend_put;

struct backend_ops {
	/*
	 * Begin an object that nobody sees before commit.  `size_hint` bytes
	 * are expected (0: unknown).
	 */
	int (*put_begin)(
	    struct backend_put **out, struct backend *b, uint64_t size_hint);
	/* Append.  The bytes are copied or written before it returns. */
	int (*put_write)(struct backend_put *p, const void *data, size_t len);
	/*
	 * Read back what was written so far (open packs serve reads).
	 * Returns 0; ERR_IO.
	 */
	int (*put_read)(
	    struct backend_put *p, void *out, size_t len, uint64_t offset);
	/*
	 * Make it durable under `name`, then visible: data synced, renamed,
	 * directory synced.  Never replaces: ERR_EXIST.  After an error
	 * nothing is acknowledged and nothing is left visible.  Frees `p` in
	 * every case.
	 */
	int (*put_commit)(struct backend_put *p, const char *name);
	/* Forget it; NULL is fine. */
	void (*put_abort)(struct backend_put *p);
	/* Exactly `len` bytes at `offset`.  ERR_NOENT; ERR_DAMAGED when the
	 * object ends before, or when these bytes cannot be read (EIO): that
	 * is this object's misfortune, not the store's; ERR_IO. */
	int (*get)(struct backend *b, const char *name, void *out, size_t len,
	    uint64_t offset);
	/* ERR_NOENT; ERR_DAMAGED: it is a folder. */
	int (*size)(uint64_t *out, struct backend *b, const char *name);
	/*
	 * Call `found` for every object below `prefix` (a directory-like
	 * prefix without a slash at its end), in no order.  A list that could
	 * not be read whole is an error, never a short list.  A prefix that
	 * does not exist is an empty list.  What it tells of is durable: a
	 * process may have died between making it visible and syncing that;
	 * or check() says ERR_READONLY from now on.
	 */
	int (*list)(struct backend *b, const char *prefix,
	    int (*found)(void *arg, const char *name, uint64_t size),
	    void *arg);
	/* Remove durably.  ERR_NOENT when absent. */
	int (*remove)(struct backend *b, const char *name);
	/*
	 * Is it still written?  Returns 0; ERR_READONLY: a sync failed, and
	 * nothing is put or removed until it is opened anew.
	 */
	int (*check)(struct backend *b);
	/*
	 * Call `found` for each name of an object, or of a folder of them, that
	 * was under way when a sync failed, maybe in an earlier life: it may
	 * be there or not, and until sure() get() reads it from the device,
	 * past all caches.  ERR_IO: the device takes nothing.
	 */
	int (*unsure)(struct backend *b,
	    int (*found)(void *arg, const char *name), void *arg);
	/* All of these were read again; what is damaged is known to be. */
	int (*sure)(struct backend *b);
	/* Bytes free for new objects (UINT64_MAX: unknown). */
	int (*space)(uint64_t *out, struct backend *b);
	/* One line for `--version` and `status -v`: "direct", "buffered"... */
	const char *(*write_path)(struct backend *b);
	void (*close)(struct backend *b);
};

struct backend {
	const struct backend_ops *ops;
};

/* Put a small object whole.  Returns 0; ERR_EXIST; the backend's errors. */
int backend_put_all(
    struct backend *b, const char *name, const void *p, size_t len);

#endif
