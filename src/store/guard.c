#include "store/guard.h"

#include "base/ballast.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/pool.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define PAGE_BYTES 4096u
/* How often a reserve that is not whole is tried again. */
#define RETRY_NS 1000000000

struct guard {
	char *dir; /* the store */
	char *reserve;
	atomic_int stopped;
	struct pool_lock lock; /* what follows */
	unsigned files;
	uint64_t file_bytes;
	unsigned lent; /* guard_release() without guard_restore() */
	int whole;
	int64_t tried_ns;
};

/* What this file system can spare. */
static void
set_size(struct guard *g, const struct ballast_room *room)
{
	uint64_t bytes = GUARD_BYTES;

	g->files = GUARD_FILES;
	if (bytes > room->bytes_all / GUARD_SHARE)
		bytes = room->bytes_all / GUARD_SHARE;
	if (room->files_all > 0 && g->files > room->files_all / GUARD_SHARE)
		g->files = (unsigned)(room->files_all / GUARD_SHARE);
	if (g->files == 0)
		g->files = 1;
	bytes /= g->files;
	g->file_bytes = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

/* With the lock. */
static void
hold(struct guard *g)
{
	g->tried_ns = clock_mono_ns();
	g->whole = ballast_hold(g->reserve, g->files, g->file_bytes) == 0;
}

int
guard_open(struct guard **out, const char *dir)
{
	struct guard *g = calloc(1, sizeof(*g));
	struct ballast_room room;

	if (g == NULL)
		return err_nomem(sizeof(*g));
	pool_lock_init(&g->lock);
	atomic_init(&g->stopped, 0);
	g->dir = fs_printf("%s", dir);
	g->reserve = fs_join(dir, "reserve");
	if (g->dir == NULL || g->reserve == NULL) {
		guard_close(g);
		return ERR_NOMEM;
	}
	/* Unknown, it is not whole, and guard_put() gets the error. */
	if (ballast_room(&room, dir) == 0) {
		set_size(g, &room);
		hold(g);
	}
	*out = g;
	return 0;
}

void
guard_close(struct guard *g)
{
	if (g == NULL)
		return;
	pool_lock_release(&g->lock);
	free(g->reserve);
	free(g->dir);
	free(g);
}

static int
full(const struct guard *g, const char *why)
{
	return err_set(ERR_NOSPACE,
	    "the store is full: %s; make room on the disk of %s", why, g->dir);
}

/* With the lock. */
static int
check_room(struct guard *g, uint64_t bytes)
{
	struct ballast_room room;
	int r;

	if (g->lent > 0)
		return full(g, "its reserve is in use to make room");
	r = ballast_room(&room, g->dir);
	if (r < 0)
		return r;
	if (g->files == 0)
		set_size(g, &room);
	if (!g->whole && clock_mono_ns() - g->tried_ns > RETRY_NS) {
		hold(g);
		r = ballast_room(&room, g->dir);
	}
	if (r < 0)
		return r;
	if (!g->whole)
		return full(g, "there is no room for its reserve");
	if (room.bytes < g->files * g->file_bytes + bytes)
		return full(g, "little more than its reserve is left");
	if (room.files_all > 0 && room.files < g->files)
		return full(g, "hardly any more files can be made");
	return 0;
}

int
guard_check(const struct guard *g)
{
	if (g == NULL || !atomic_load(&g->stopped))
		return 0;
	return err_set(ERR_READONLY,
	    "the store is read-only since a sync to its disk failed; look at "
	    "the disk of %s, then start the server again",
	    g->dir);
}

int
guard_put(struct guard *g, uint64_t bytes)
{
	int r = guard_check(g);

	if (r < 0 || g == NULL)
		return r;
	pool_lock_enter(&g->lock);
	r = check_room(g, bytes);
	pool_lock_leave(&g->lock);
	return r;
}

void
guard_release(struct guard *g)
{
	if (g == NULL)
		return;
	pool_lock_enter(&g->lock);
	g->lent++;
	g->whole = 0;
	/* What cannot be removed gives no room; who needed it finds out. */
	(void)ballast_drop(g->reserve);
	pool_lock_leave(&g->lock);
}

void
guard_restore(struct guard *g)
{
	if (g == NULL)
		return;
	pool_lock_enter(&g->lock);
	if (--g->lent == 0)
		hold(g);
	pool_lock_leave(&g->lock);
}

void
guard_spare(const char *dir)
{
	char *path = fs_join(dir, "reserve/0");

	if (path != NULL)
		(void)unlink(path); /* no room then, as the caller sees */
	free(path);
}

void
guard_stop(struct guard *g)
{
	if (g != NULL)
		atomic_store(&g->stopped, 1);
}
