#include "engine/dir.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define OPEN_MAX_DEFAULT 512u
#define OPEN_MAX_LEAST 160u

void
dir_set_init(struct dir_set *s, unsigned max)
{
	struct rlimit limit;

	pool_lock_init(&s->lock);
	pool_cond_init(&s->closed);
	s->open = 0;
	if (max == 0) {
		max = OPEN_MAX_DEFAULT;
		if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
		    limit.rlim_cur / 2 < max)
			max = (unsigned)(limit.rlim_cur / 2);
		if (max < OPEN_MAX_LEAST)
			max = OPEN_MAX_LEAST;
	}
	s->max = max;
}

void
dir_set_release(struct dir_set *s)
{
	pool_cond_release(&s->closed);
	pool_lock_release(&s->lock);
}

int
dir_new(struct dir **out, struct dir_set *s, struct dir *parent, int fd,
    const char *name, size_t name_len)
{
	struct dir *d = calloc(1, sizeof(*d) + name_len + 1);

	if (d == NULL) {
		(void)close(fd); /* only read from */
		return err_nomem(sizeof(*d) + name_len + 1);
	}
	pool_lock_enter(&s->lock);
	while (s->open >= s->max)
		pool_cond_wait(&s->closed, &s->lock);
	s->open++;
	pool_lock_leave(&s->lock);
	d->set = s;
	d->fd = fd;
	atomic_init(&d->users, 1);
	atomic_init(&d->refs, 1);
	d->name_len = (uint16_t)name_len;
	memcpy(d->name, name, name_len);
	if (parent != NULL) {
		dir_ref(parent);
		d->parent = parent;
		d->depth = parent->depth + 1;
	}
	*out = d;
	return 0;
}

void
dir_use(struct dir *d)
{
	(void)atomic_fetch_add(&d->users, 1);
}

void
dir_unuse(struct dir *d)
{
	struct dir_set *s = d->set;

	if (atomic_fetch_sub(&d->users, 1) != 1)
		return;
	(void)close(d->fd); /* only read from */
	d->fd = -1;
	pool_lock_enter(&s->lock);
	if (s->open-- == s->max)
		pool_cond_wake_all(&s->closed);
	pool_lock_leave(&s->lock);
}

void
dir_ref(struct dir *d)
{
	(void)atomic_fetch_add(&d->refs, 1);
}

void
dir_unref(struct dir *d)
{
	struct dir *parent;

	/* A loop: a recursion would be as deep as the tree. */
	while (d != NULL && atomic_fetch_sub(&d->refs, 1) == 1) {
		parent = d->parent;
		free(d);
		d = parent;
	}
}

int
dir_path(
    struct buf *out, const struct dir *d, const char *name, size_t name_len)
{
	const struct dir *at;
	size_t len = name == NULL ? 0 : name_len;
	uint8_t *p;
	int r;

	for (at = d; at->parent != NULL; at = at->parent)
		len += at->name_len + 1u;
	if (name == NULL && len > 0)
		len--; /* no slash behind the last */
	buf_reset(out);
	if (len == 0)
		return buf_append(out, ".", 1);
	r = buf_extend(&p, out, len);
	if (r != 0)
		return r;
	p += len;
	if (name != NULL) {
		p -= name_len;
		memcpy(p, name, name_len);
	}
	for (at = d; at->parent != NULL; at = at->parent) {
		if (p != out->data + len)
			*--p = '/';
		p -= at->name_len;
		memcpy(p, at->name, at->name_len);
	}
	return 0;
}
