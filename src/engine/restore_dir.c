#include "engine/restore_dir.h"

#include "base/hex.h"
#include "base/random.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Descriptors kept without a user: the directories of one window mostly, and
 * never more than a part of what the process may have. */
#define OPEN_MAX 200u
#define OPEN_PART 4u

#define OPEN_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct restore_dirs {
	struct restore_job *job;
	struct pool_lock lock;
	struct restore_dir *oldest, *newest; /* open, not pinned */
	unsigned nopen, open_max; /* in that list */
};

int
restore_dir_all_new(struct restore_dirs **out, struct restore_job *job)
{
	struct restore_dirs *all = calloc(1, sizeof(*all));
	struct rlimit r;

	if (all == NULL)
		return err_nomem(sizeof(*all));
	all->job = job;
	all->open_max = OPEN_MAX;
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 &&
	    r.rlim_cur / OPEN_PART < OPEN_MAX)
		all->open_max = (unsigned)(r.rlim_cur / OPEN_PART);
	pool_lock_init(&all->lock);
	*out = all;
	return 0;
}

void
restore_dir_all_free(struct restore_dirs *all)
{
	if (all == NULL)
		return;
	assert(all->nopen == 0);
	pool_lock_release(&all->lock);
	free(all);
}

static int
dir_new(struct restore_dir **out, struct restore_dirs *all, const char *name,
    size_t name_len, const struct entry *e)
{
	struct restore_dir *d = calloc(1, sizeof(*d) + name_len + 1);
	int rc;

	if (d == NULL)
		return err_nomem(sizeof(*d) + name_len + 1);
	memcpy(d->name, name, name_len);
	d->all = all;
	d->fd = -1;
	d->pending = 1;
	d->keep_meta = e == NULL;
	if (e != NULL) {
		rc = restore_meta_init(&d->meta, e);
		if (rc != 0) {
			free(d);
			return rc;
		}
	}
	*out = d;
	return 0;
}

/* The list of open directories without a user; the lock is held. */

static void
unlist(struct restore_dir *d)
{
	struct restore_dirs *all = d->all;

	*(d->older != NULL ? &d->older->newer : &all->oldest) = d->newer;
	*(d->newer != NULL ? &d->newer->older : &all->newest) = d->older;
	d->older = d->newer = NULL;
	all->nopen--;
}

static void
list(struct restore_dir *d)
{
	struct restore_dirs *all = d->all;
	struct restore_dir *old;

	d->older = all->newest;
	*(all->newest != NULL ? &all->newest->newer : &all->oldest) = d;
	all->newest = d;
	all->nopen++;
	if (all->nopen > all->open_max) {
		old = all->oldest;
		unlist(old);
		(void)close(old->fd); /* a directory read: nothing to lose */
		old->fd = -1;
	}
}

/* Open `d` again in the open directory `parent_fd`. */
static int
reopen_in(struct restore_dir *d, int parent_fd)
{
	struct stat st;
	int fd;

	fd = openat(parent_fd, d->name, OPEN_FLAGS);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0 || st.st_dev != d->dev || st.st_ino != d->ino) {
		(void)close(fd);
		errno = ESTALE;
		return -1;
	}
	return fd;
}

/*
 * Open the closed `d` by way of its nearest open ancestor (the destination
 * always is).  The directories right above it stay open too, for whoever
 * leaves a deep path needs them next; the others are closed again, so that
 * depth costs no descriptors.
 */
static int
reopen(struct restore_dir *d)
{
	struct restore_dir *at, **way;
	size_t n = 0, i, keep, keep_from;
	int fd, next = -1;

	for (at = d; at->fd < 0; at = at->parent)
		n++;
	way = malloc(n * sizeof(*way));
	if (way == NULL)
		return -1; /* errno is ENOMEM */
	fd = at->fd;
	i = n;
	for (at = d; at->fd < 0; at = at->parent)
		way[--i] = at;
	keep = d->all->open_max / 2;
	keep_from = n > keep ? n - keep : 0;
	for (i = 0; i < n; i++) {
		next = reopen_in(way[i], fd);
		if (i > 0 && i <= keep_from)
			(void)close(fd); /* a directory read */
		if (next < 0)
			break;
		fd = next;
		if (i >= keep_from && i + 1 < n) {
			way[i]->fd = fd;
			list(way[i]);
		}
	}
	free(way);
	return next;
}

int
restore_dir_pin(struct restore_dir *d)
{
	int fd;

	assert(!d->unmade);
	pool_lock_enter(&d->all->lock);
	if (d->fd < 0)
		d->fd = reopen(d);
	else if (d->pins == 0)
		unlist(d);
	fd = d->fd;
	if (fd >= 0)
		d->pins++;
	pool_lock_leave(&d->all->lock);
	return fd;
}

void
restore_dir_unpin(struct restore_dir *d)
{
	pool_lock_enter(&d->all->lock);
	assert(d->pins > 0);
	if (--d->pins == 0)
		list(d);
	pool_lock_leave(&d->all->lock);
}

int
restore_dir_root(struct restore_dir **out, struct restore_dirs *all, int fd,
    const struct entry *meta)
{
	struct restore_dir *d;
	struct stat st;
	int rc;

	memset(&st, 0, sizeof(st));
	if (fd >= 0 && fstat(fd, &st) != 0)
		return err_errno(ERR_IO, "cannot look at the destination");
	rc = dir_new(&d, all, "", 0, meta);
	if (rc != 0)
		return rc;
	d->fd = fd;
	d->unmade = fd < 0;
	/* Never closed before the end: the anchor of all others. */
	d->pins = 1;
	d->dev = st.st_dev;
	d->ino = st.st_ino;
	*out = d;
	return 0;
}

/* A directory was opened at `fd`: remember which; -1 with errno. */
static int
identify(struct restore_dir *d, int fd, int is_ours)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -1;
	if (is_ours && st.st_uid != d->all->job->uid) {
		errno = ESTALE; /* somebody put another one in its place */
		return -1;
	}
	/* A strange umask, or its mode, must not keep us out; root needs no
	 * permission, and who may not give it will hear why. */
	if ((st.st_mode & 0700) != 0700 &&
	    fchmod(fd, (st.st_mode & 07777) | 0700) != 0 && is_ours)
		return -1;
	d->dev = st.st_dev;
	d->ino = st.st_ino;
	return 0;
}

/* mkdir, or take the one that is there if that is wanted.  0; 1: it was
 * there; -1 with errno. */
static int
make_name(const struct restore_dir *d, int parent_fd)
{
	struct stat st;

	if (mkdirat(parent_fd, d->name, 0700) == 0)
		return 0;
	if (errno != EEXIST || !d->all->job->o->force)
		return -1;
	if (fstatat(parent_fd, d->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	if (S_ISDIR(st.st_mode))
		return 1;
	/* Itself, never what it may point to. */
	if (unlinkat(parent_fd, d->name, 0) != 0)
		return -1;
	return mkdirat(parent_fd, d->name, 0700);
}

/* Make, open and look; returns the descriptor or -1 with errno. */
static int
make_in(struct restore_dir *d, int parent_fd)
{
	int fd, error, was_there;

	was_there = make_name(d, parent_fd);
	if (was_there < 0)
		return -1;
	fd = openat(parent_fd, d->name, OPEN_FLAGS);
	if (fd < 0)
		return -1;
	if (identify(d, fd, !was_there) == 0)
		return fd;
	error = errno;
	(void)close(fd); /* only read */
	errno = error;
	return -1;
}

int
restore_dir_plan(
    struct restore_dir **out, struct restore_dir *parent, const struct entry *e)
{
	struct restore_dir *d;
	int rc;

	rc = dir_new(&d, parent->all, e->name, e->name_len, e);
	if (rc != 0)
		return rc;
	d->parent = parent;
	d->depth = parent->depth + 1;
	d->unmade = 1;
	restore_dir_add(parent);
	*out = d;
	return 0;
}

/* Make the directory, whose parent is made. */
static void
make(struct restore_dir *d)
{
	struct restore_job *job = d->all->job;
	int parent_fd, fd = -1;

	parent_fd = restore_dir_pin(d->parent);
	if (parent_fd < 0) {
		restore_job_failed(job, d->parent, NULL, "open the directory");
		d->broken = 1;
		return;
	}
	fd = make_in(d, parent_fd);
	if (fd < 0)
		restore_job_failed(
		    job, d->parent, d->name, "make the directory");
	restore_dir_unpin(d->parent);
	d->broken = fd < 0;
	if (fd < 0)
		return;
	d->fd = fd;
	d->pins = 1;
	d->unmade = 0;
	restore_dir_unpin(d);
}

int
restore_dir_need(struct restore_dir *d)
{
	struct restore_dir *top;

	while (d->unmade && !d->broken) {
		for (top = d; top->parent != NULL && top->parent->unmade;)
			top = top->parent;
		if (!top->broken)
			make(top);
		if (top->broken)
			d->broken = 1;
	}
	return d->broken;
}

void
restore_dir_look(struct restore_dir *d)
{
	int parent_fd = d->parent->unmade ? -1 : restore_dir_pin(d->parent);

	if (parent_fd < 0)
		return;
	d->fd = openat(parent_fd, d->name, OPEN_FLAGS);
	restore_dir_unpin(d->parent);
	if (d->fd < 0)
		return;
	d->pins = 1;
	d->unmade = 0;
	restore_dir_unpin(d);
}

int
restore_dir_make(
    struct restore_dir **out, struct restore_dir *parent, const struct entry *e)
{
	struct restore_dir *d;
	int rc;

	rc = restore_dir_plan(&d, parent, e);
	if (rc != 0)
		return rc;
	if (restore_dir_need(d) != 0) {
		restore_dir_done(d);
		return 1;
	}
	*out = d;
	return 0;
}

void
restore_dir_temp_name(char out[RESTORE_DIR_TEMP_BYTES])
{
	uint8_t bytes[8];
	char hex[2 * sizeof(bytes) + 1];

	random_bytes(bytes, sizeof(bytes));
	hex_encode(hex, bytes, sizeof(bytes));
	(void)snprintf(out, RESTORE_DIR_TEMP_BYTES, ".shash-tmp-%s", hex);
}

void
restore_dir_add(struct restore_dir *d)
{
	pool_lock_enter(&d->all->lock);
	d->pending++;
	pool_lock_leave(&d->all->lock);
}

/* Everything in `d` is done. */
static void
finish(struct restore_dir *d)
{
	struct restore_job *job = d->all->job;
	struct stat st;
	int fd;

	fd = d->keep_meta || d->unmade || job->o->dry_run ||
		     restore_job_stopped(job)
		 ? -2
		 : restore_dir_pin(d);
	if (fd == -1 || (fd >= 0 && fstat(fd, &st) != 0))
		restore_job_failed(job, d, NULL, "open the directory");
	else if (fd >= 0)
		restore_meta_set(job, &d->meta, fd, &st, d, NULL);
	if (fd >= 0)
		restore_dir_unpin(d);
	if (!restore_job_stopped(job) && !d->unmade && !job->o->dry_run)
		restore_job_count(job, &job->result.dirs, 1);
	pool_lock_enter(&d->all->lock);
	if (d->fd >= 0) {
		if (d->pins == 0)
			unlist(d);
		(void)close(d->fd); /* only read: nothing to lose */
	}
	pool_lock_leave(&d->all->lock);
	restore_meta_release(&d->meta);
	free(d);
}

void
restore_dir_done(struct restore_dir *d)
{
	struct restore_dir *parent;
	size_t left;

	for (; d != NULL; d = parent) {
		parent = d->parent;
		pool_lock_enter(&d->all->lock);
		left = --d->pending;
		pool_lock_leave(&d->all->lock);
		if (left > 0)
			return;
		finish(d);
	}
}

void
restore_dir_path(
    char *out, size_t cap, const struct restore_dir *d, const char *name)
{
	size_t at = cap - 1, len;

	out[at] = '\0';
	if (name == NULL && d->parent == NULL) {
		(void)strncpy(out, ".", cap);
		return;
	}
	if (name == NULL) {
		name = d->name;
		d = d->parent;
	}
	for (;;) {
		len = strlen(name);
		/* What stands there begins with a slash. */
		if (len + 4 > at) {
			memcpy(out, "...", 3);
			memmove(out + 3, out + at, cap - at);
			return;
		}
		at -= len;
		memcpy(out + at, name, len);
		if (d->parent == NULL)
			break;
		out[--at] = '/';
		name = d->name;
		d = d->parent;
	}
	memmove(out, out + at, cap - at);
}
