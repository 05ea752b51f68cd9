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

struct restore_direct {
	int fd;
	uint8_t *memory; /* of both buffers */
	/* The thread's while a buffer is under way, else the caller's. */
	int is_direct; /* the descriptor has O_DIRECT */
	int refused; /* the file system does not take such writes after all */
	/* The buffer being filled. */
	uint8_t *buffer;
	uint64_t at; /* where it begins; aligned while it is in use */
	size_t len; /* bytes in it */
	struct pool_thread *thread; /* NULL: there is none to be had */
	struct pool_lock lock; /* of what follows */
	struct pool_cond changed;
	uint8_t *other; /* the buffer under way, or the next to be filled */
	uint64_t other_at;
	size_t other_len; /* 0: it is not under way */
	int error; /* errno of the first write that failed */
	int stopping;
};

/* Switch O_DIRECT on or off.  0, or -1 with errno. */
static int
set_direct(struct restore_direct *d, int on)
{
	int flags;

	if (d->is_direct == on)
		return 0;
	flags = fcntl(d->fd, F_GETFL);
	if (flags < 0)
		return -1;
	flags = on ? flags | O_DIRECT : flags & ~O_DIRECT;
	if (fcntl(d->fd, F_SETFL, flags) != 0)
		return -1;
	d->is_direct = on;
	return 0;
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

/* `len` bytes from the beginning of a buffer to `at`, both multiples of
 * ALIGN. */
static int
write_direct(
    struct restore_direct *d, const uint8_t *p, size_t len, uint64_t at)
{
	ssize_t n;

	if (len == 0)
		return 0;
	if (d->refused || set_direct(d, 1) != 0)
		return write_cached(d, p, len, at);
	do {
		n = pwrite(d->fd, p, len, (off_t)at);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len)
		return 0;
	if (n < 0 && errno != EINVAL)
		return -1;
	/* Larger blocks than ours, or a full disk, which tells now. */
	d->refused = n < 0;
	return write_cached(d, p, len, at);
}

/* The thread: writes the buffers that it is given. */
static void
write_others(void *arg)
{
	struct restore_direct *d = arg;
	int error;

	pool_lock_enter(&d->lock);
	while (!d->stopping || d->other_len > 0) {
		if (d->other_len == 0) {
			pool_cond_wait(&d->changed, &d->lock);
			continue;
		}
		pool_lock_leave(&d->lock);
		error = 0;
		if (write_direct(d, d->other, d->other_len, d->other_at) != 0)
			error = errno;
		pool_lock_enter(&d->lock);
		if (d->error == 0)
			d->error = error;
		d->other_len = 0;
		pool_cond_wake_all(&d->changed);
	}
	pool_lock_leave(&d->lock);
}

/* Wait until no buffer is under way.  0, or -1 with the errno of any write
 * until now. */
static int
settle(struct restore_direct *d)
{
	int error;

	pool_lock_enter(&d->lock);
	while (d->other_len > 0)
		pool_cond_wait(&d->changed, &d->lock);
	error = d->error;
	pool_lock_leave(&d->lock);
	errno = error;
	return error == 0 ? 0 : -1;
}

/* The buffer is full: let it be written while the other one is filled. */
static int
hand_over(struct restore_direct *d)
{
	uint8_t *full = d->buffer;

	if (settle(d) != 0)
		return -1;
	d->buffer = d->other;
	d->len = 0;
	pool_lock_enter(&d->lock);
	d->other = full;
	d->other_at = d->at;
	d->other_len = BUFFER_BYTES;
	pool_cond_wake_all(&d->changed);
	pool_lock_leave(&d->lock);
	d->at += BUFFER_BYTES;
	return 0;
}

/* Write what the buffer holds. */
static int
flush(struct restore_direct *d)
{
	size_t len = d->len, aligned = len / ALIGN * ALIGN;
	uint64_t at = d->at;

	d->len = 0;
	d->at += len;
	if (settle(d) != 0 || write_direct(d, d->buffer, aligned, at) != 0)
		return -1;
	return write_cached(
	    d, d->buffer + aligned, len - aligned, at + aligned);
}

int
restore_direct_new(struct restore_direct **out, int fd, uint64_t size)
{
	struct restore_direct *d = calloc(1, sizeof(*d));
	void *memory = NULL;

	if (d == NULL)
		return 1;
	d->fd = fd;
	pool_lock_init(&d->lock);
	pool_cond_init(&d->changed);
	if (posix_memalign(&memory, ALIGN, 2 * BUFFER_BYTES) != 0)
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
	d->buffer = d->memory;
	d->other = d->memory + BUFFER_BYTES;
	if (pool_thread_start(&d->thread, write_others, d) != 0)
		d->thread = NULL; /* then whoever hashes waits for the disk */
	*out = d;
	return 0;
}

void
restore_direct_free(struct restore_direct *d)
{
	if (d == NULL)
		return;
	pool_lock_enter(&d->lock);
	d->stopping = 1;
	pool_cond_wake_all(&d->changed);
	pool_lock_leave(&d->lock);
	pool_thread_join(d->thread);
	pool_cond_release(&d->changed);
	pool_lock_release(&d->lock);
	free(d->memory);
	free(d);
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
		if ((d->thread != NULL ? hand_over(d) : flush(d)) != 0)
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
