#include "engine/scout.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/pool.h"
#include "engine/dir.h"
#include "engine/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

static const struct scout_find nothing = {.fd = -1};

struct job {
	enum { JOB_FREE, JOB_WAITING, JOB_UNDER_WAY, JOB_DONE } state;
	int dropped; /* while it was under way */
	struct dir *parent; /* one use and one reference */
	uint64_t number; /* in the order of sending */
	size_t name_len;
	char name[LIMIT_NAME_BYTES + 1];
	struct scout_find find;
};

struct scout {
	struct pool_thread *thread;
	struct pool_lock lock;
	struct pool_cond sent; /* for the thread */
	struct pool_cond done; /* for the walker */
	int idle; /* the thread waits */
	int stopping;
	uint64_t number;
	struct job jobs[SCOUT_JOBS];
};

static void
find_release(struct scout_find *f)
{
	if (f->fd >= 0)
		(void)close(f->fd); /* only read from */
	listing_free(f->names);
	free(f->stats);
	*f = nothing;
}

/* The lock is held. */
static void
free_job(struct job *j)
{
	find_release(&j->find);
	dir_unuse(j->parent);
	dir_unref(j->parent);
	j->parent = NULL;
	j->dropped = 0;
	j->state = JOB_FREE;
}

/* Stat what is listed. */
static void
stat_names(struct scout_find *f)
{
	size_t n = listing_held(f->names), i;
	struct listing_name name;
	struct scout_stat *s;

	f->stats = malloc((n + 1) * sizeof(*f->stats));
	for (i = 0; f->stats != NULL && i < n; i++) {
		s = &f->stats[i];
		s->error = 0;
		if (listing_peek(&name, f->names, i) != 0 ||
		    name.type == DT_DIR)
			continue;
		if (fstatat(f->fd, name.name, &s->st, AT_SYMLINK_NOFOLLOW) != 0)
			s->error = errno;
	}
}

/* Look at one directory; an error leaves nothing. */
static void
look(struct scout_find *f, const struct dir *parent, const char *name)
{
	int r;

	*f = nothing;
	f->fd = openat(parent->fd, name, DIR_FLAGS);
	if (f->fd < 0)
		return;
	if (fstat(f->fd, &f->st) != 0)
		goto out;
	/* It may be one to be left empty. */
	if (f->st.st_dev != parent->dev)
		return;
	r = listing_new_small(&f->names, f->fd, SCOUT_NAMES_MAX);
	if (r == 0)
		stat_names(f);
	if ((r == 0 && f->stats != NULL) ||
	    (r == 1 && lseek(f->fd, 0, SEEK_SET) == 0))
		return;
out:
	find_release(f);
}

/* What the walk comes to first: the deepest, and of those the first sent. */
static struct job *
next_job(struct scout *s)
{
	struct job *best = NULL, *j;

	for (j = s->jobs; j < s->jobs + SCOUT_JOBS; j++)
		if (j->state == JOB_WAITING &&
		    (best == NULL || j->parent->depth > best->parent->depth ||
			(j->parent->depth == best->parent->depth &&
			    j->number < best->number)))
			best = j;
	return best;
}

static void
run(void *arg)
{
	struct scout *s = arg;
	struct scout_find found;
	struct job *j;

	pool_lock_enter(&s->lock);
	while (!s->stopping) {
		j = next_job(s);
		if (j == NULL) {
			s->idle = 1;
			pool_cond_wait(&s->sent, &s->lock);
			s->idle = 0;
			continue;
		}
		j->state = JOB_UNDER_WAY;
		pool_lock_leave(&s->lock);
		look(&found, j->parent, j->name);
		pool_lock_enter(&s->lock);
		j->find = found;
		j->state = JOB_DONE;
		if (j->dropped)
			free_job(j);
		pool_cond_wake_all(&s->done);
	}
	pool_lock_leave(&s->lock);
}

int
scout_new(struct scout **out)
{
	struct scout *s = calloc(1, sizeof(*s));
	size_t i;
	int r;

	if (s == NULL)
		return err_nomem(sizeof(*s));
	pool_lock_init(&s->lock);
	pool_cond_init(&s->sent);
	pool_cond_init(&s->done);
	for (i = 0; i < SCOUT_JOBS; i++)
		s->jobs[i].find = nothing;
	r = pool_thread_start(&s->thread, run, s);
	if (r != 0) {
		scout_free(s);
		return r;
	}
	*out = s;
	return 0;
}

void
scout_free(struct scout *s)
{
	size_t i;

	if (s == NULL)
		return;
	pool_lock_enter(&s->lock);
	s->stopping = 1;
	pool_cond_wake_all(&s->sent);
	pool_lock_leave(&s->lock);
	pool_thread_join(s->thread);
	for (i = 0; i < SCOUT_JOBS; i++)
		if (s->jobs[i].state != JOB_FREE)
			free_job(&s->jobs[i]);
	pool_cond_release(&s->sent);
	pool_cond_release(&s->done);
	pool_lock_release(&s->lock);
	free(s);
}

/* The lock is held. */
static int
add_job(struct scout *s, struct dir *parent, const char *name, size_t name_len)
{
	struct job *j, *unused = NULL;
	unsigned n = 0;

	for (j = s->jobs; j < s->jobs + SCOUT_JOBS; j++) {
		if (j->state == JOB_FREE)
			unused = j;
		else if (j->parent == parent && !j->dropped)
			n++;
	}
	if (unused == NULL || n >= SCOUT_JOBS_EACH)
		return 1;
	dir_use(parent);
	dir_ref(parent);
	unused->parent = parent;
	unused->number = s->number++;
	unused->name_len = name_len;
	memcpy(unused->name, name, name_len);
	unused->name[name_len] = '\0';
	unused->state = JOB_WAITING;
	if (s->idle)
		pool_cond_wake_all(&s->sent);
	return 0;
}

int
scout_send(
    struct scout *s, struct dir *parent, const char *name, size_t name_len)
{
	int r;

	pool_lock_enter(&s->lock);
	r = add_job(s, parent, name, name_len);
	pool_lock_leave(&s->lock);
	return r;
}

int
scout_take(struct scout_find *out, struct scout *s, const struct dir *parent,
    const char *name, size_t name_len)
{
	struct scout_find found = nothing;
	struct job *j;

	pool_lock_enter(&s->lock);
	for (j = s->jobs; j < s->jobs + SCOUT_JOBS; j++)
		if (j->state != JOB_FREE && j->parent == parent &&
		    !j->dropped && j->name_len == name_len &&
		    memcmp(j->name, name, name_len) == 0)
			break;
	if (j < s->jobs + SCOUT_JOBS) {
		while (j->state == JOB_UNDER_WAY)
			pool_cond_wait(&s->done, &s->lock);
		found = j->find;
		j->find = nothing;
		free_job(j);
	}
	pool_lock_leave(&s->lock);
	if (found.fd < 0)
		return 1;
	*out = found;
	return 0;
}

void
scout_drop(struct scout *s, const struct dir *parent)
{
	struct job *j;

	pool_lock_enter(&s->lock);
	for (j = s->jobs; j < s->jobs + SCOUT_JOBS; j++) {
		if (j->state == JOB_FREE || j->parent != parent)
			continue;
		if (j->state == JOB_UNDER_WAY)
			j->dropped = 1;
		else
			free_job(j);
	}
	pool_lock_leave(&s->lock);
}
