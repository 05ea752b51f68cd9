#include "engine/restore_direct.h"

#include "base/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Every file system's block divides it. */
#define ALIGN 4096u
/* One write: large enough for any disk to be at its best. */
#define BUFFER_BYTES (1u << 20)
/* One is filled, two are written, since a disk that is asked for one thing at
 * a time rests in between. */
#define BUFFERS 3u
#define WRITERS 2u

struct buffer {
	uint8_t *p;
	uint64_t at;
	enum { BUFFER_FREE, BUFFER_FULL, BUFFER_UNDER_WAY } state;
};

struct restore_direct {
	int fd;
	uint8_t *memory; /* of all buffers */
	/* The buffer being filled, which is BUFFER_FREE. */
	uint8_t *buffer;
	uint64_t at; /* where it begins; aligned while it is in use */
	size_t len; /* bytes in it */
	struct pool_thread *writers[WRITERS]; /* NULL: none to be had */
	struct pool_lock lock; /* of what follows */
	struct pool_cond changed;
	struct buffer buffers[BUFFERS];
	int is_direct; /* the descriptor has O_DIRECT */
	int refused; /* the file system does not take such writes after all */
	int error; /* errno of the first write that failed */
	int stopping;
};

/*
 * Switch O_DIRECT on or off; on it stays off where it was refused.  Switching
 * it off while another buffer is written does that no harm.  0, or -1 with
 * errno.
 */
static int
set_direct(struct restore_direct *d, int on)
{
	int flags, ret = 0;

	pool_lock_enter(&d->lock);
	on = on && !d->refused;
	if (d->is_direct != on) {
		flags = fcntl(d->fd, F_GETFL);
		if (flags >= 0)
			ret = fcntl(d->fd, F_SETFL,
			    on ? flags | O_DIRECT : flags & ~O_DIRECT);
		if (flags < 0 || ret != 0)
			ret = -1;
		else
			d->is_direct = on;
	}
	pool_lock_leave(&d->lock);
	return ret;
}

/* For good. */
static void
refuse(struct restore_direct *d)
{
	pool_lock_enter(&d->lock);
	d->refused = 1;
	pool_lock_leave(&d->lock);
}

static int
write_all(struct restore_direct *d, const uint8_t *p, size_t len, uint64_t at)
{
	ssize_t n;

	while (len > 0) {
		n = pwrite(d->fd, p, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

/* Through the cache: what is not aligned. */
static int
write_cached(
    struct restore_direct *d, const uint8_t *p, size_t len, uint64_t at)
{
	if (len == 0)
		return 0;
	if (set_direct(d, 0) != 0)
		return -1;
	return write_all(d, p, len, at);
}

/*
 * `len` bytes from the beginning of a buffer to `at`, both multiples of ALIGN,
 * with the descriptor as it was set.
 */
static int
write_direct(
    struct restore_direct *d, const uint8_t *p, size_t len, uint64_t at)
{
	ssize_t n;

	if (len == 0)
		return 0;
	do {
		n = pwrite(d->fd, p, len, (off_t)at);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len)
		return 0;
	if (n < 0 && errno != EINVAL)
		return -1;
	/* Larger blocks than ours, or a full disk, which tells now. */
	refuse(d);
	return write_cached(d, p, len, at);
}

/* The full buffer that comes first in the file, or NULL; the lock is held. */
static struct buffer *
first_full(struct restore_direct *d)
{
	struct buffer *found = NULL, *b;

	for (b = d->buffers; b < d->buffers + BUFFERS; b++)
		if (b->state == BUFFER_FULL &&
		    (found == NULL || b->at < found->at))
			found = b;
	return found;
}

/* A thread: writes the buffers that it is given. */
static void
write_buffers(void *arg)
{
	struct restore_direct *d = arg;
	struct buffer *b;
	int error;

	pool_lock_enter(&d->lock);
	for (;;) {
		b = first_full(d);
		if (b == NULL && d->stopping)
			break;
		if (b == NULL) {
			pool_cond_wait(&d->changed, &d->lock);
			continue;
		}
		b->state = BUFFER_UNDER_WAY;
		pool_lock_leave(&d->lock);
		error = 0;
		if (write_direct(d, b->p, BUFFER_BYTES, b->at) != 0)
			error = errno;
		pool_lock_enter(&d->lock);
		if (d->error == 0)
			d->error = error;
		b->state = BUFFER_FREE;
		pool_cond_wake_all(&d->changed);
	}
	pool_lock_leave(&d->lock);
}

/* A buffer that is not `buffer` and not under way, or NULL; the lock is
 * held. */
static struct buffer *
other_free(struct restore_direct *d)
{
	struct buffer *b;

	for (b = d->buffers; b < d->buffers + BUFFERS; b++)
		if (b->state == BUFFER_FREE && b->p != d->buffer)
			return b;
	return NULL;
}

/* Wait until no buffer is under way.  0, or -1 with the errno of any write
 * until now. */
static int
settle(struct restore_direct *d)
{
	int error;
	size_t i;

	pool_lock_enter(&d->lock);
	for (i = 0; i < BUFFERS; i++)
		while (d->buffers[i].state != BUFFER_FREE)
			pool_cond_wait(&d->changed, &d->lock);
	error = d->error;
	pool_lock_leave(&d->lock);
	errno = error;
	return error == 0 ? 0 : -1;
}

/* The buffer is full: let it be written while another one is filled. */
static int
hand_over(struct restore_direct *d)
{
	struct buffer *b, *next;
	int error;

	if (set_direct(d, 1) != 0)
		return -1;
	pool_lock_enter(&d->lock);
	while ((next = other_free(d)) == NULL)
		pool_cond_wait(&d->changed, &d->lock);
	for (b = d->buffers; b->p != d->buffer; b++)
		;
	b->at = d->at;
	b->state = BUFFER_FULL;
	d->buffer = next->p;
	error = d->error;
	pool_cond_wake_all(&d->changed);
	pool_lock_leave(&d->lock);
	d->len = 0;
	d->at += BUFFER_BYTES;
	errno = error;
	return error == 0 ? 0 : -1;
}

/* Write what the buffer holds. */
static int
flush(struct restore_direct *d)
{
	size_t len = d->len, aligned = len / ALIGN * ALIGN;
	uint64_t at = d->at;

	d->len = 0;
	d->at += len;
	if (settle(d) != 0 || (aligned > 0 && set_direct(d, 1) != 0) ||
	    write_direct(d, d->buffer, aligned, at) != 0)
		return -1;
	return write_cached(
	    d, d->buffer + aligned, len - aligned, at + aligned);
}

int
restore_direct_new(struct restore_direct **out, int fd, uint64_t size)
{
	struct restore_direct *d = calloc(1, sizeof(*d));
	void *memory = NULL;
	size_t i;

	if (d == NULL)
		return 1;
	d->fd = fd;
	pool_lock_init(&d->lock);
	pool_cond_init(&d->changed);
	if (posix_memalign(&memory, ALIGN, (size_t)BUFFERS * BUFFER_BYTES) != 0)
		memory = NULL;
	d->memory = memory;
	if (memory == NULL || set_direct(d, 1) != 0) {
		restore_direct_free(d);
		return 1;
	}
	/* Writes that make a file longer wait for each other. */
	if (ftruncate(fd, (off_t)size) != 0) {
		(void)set_direct(d, 0); /* the cache takes it either way */
		restore_direct_free(d);
		return 1;
	}
	for (i = 0; i < BUFFERS; i++)
		d->buffers[i].p = d->memory + i * BUFFER_BYTES;
	d->buffer = d->memory;
	/* Without any, whoever hashes waits for the disk. */
	for (i = 0; i < WRITERS; i++)
		if (pool_thread_start(&d->writers[i], write_buffers, d) != 0)
			d->writers[i] = NULL;
	*out = d;
	return 0;
}

void
restore_direct_free(struct restore_direct *d)
{
	size_t i;

	if (d == NULL)
		return;
	pool_lock_enter(&d->lock);
	d->stopping = 1;
	pool_cond_wake_all(&d->changed);
	pool_lock_leave(&d->lock);
	for (i = 0; i < WRITERS; i++)
		pool_thread_join(d->writers[i]);
	pool_cond_release(&d->changed);
	pool_lock_release(&d->lock);
	free(d->memory);
	free(d);
}

static int
has_writer(const struct restore_direct *d)
{
	size_t i;

	for (i = 0; i < WRITERS && d->writers[i] == NULL; i++)
		;
	return i < WRITERS;
}

int
restore_direct_write(struct restore_direct *d, const uint8_t *p, size_t len)
{
	size_t n;

	while (len > 0) {
		/* Behind a hole that ends where no block does. */
		n = (size_t)(-d->at % ALIGN);
		if (d->len == 0 && n > 0) {
			n = len < n ? len : n;
			if (settle(d) != 0 || write_cached(d, p, n, d->at) != 0)
				return -1;
			d->at += n;
		} else {
			n = BUFFER_BYTES - d->len;
			n = len < n ? len : n;
			memcpy(d->buffer + d->len, p, n);
			d->len += n;
		}
		p += n;
		len -= n;
		if (d->len < BUFFER_BYTES)
			continue;
		if ((has_writer(d) ? hand_over(d) : flush(d)) != 0)
			return -1;
	}
	return 0;
}

int
restore_direct_skip(struct restore_direct *d, uint64_t len)
{
	if (flush(d) != 0)
		return -1;
	d->at += len;
	return 0;
}

int
restore_direct_end(struct restore_direct *d)
{
	return flush(d);
}
