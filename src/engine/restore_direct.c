#include "engine/restore_direct.h"

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
	int is_direct; /* the descriptor has O_DIRECT */
	int refused; /* the file system does not take such writes after all */
	uint64_t at; /* where the buffer begins; aligned while it is in use */
	size_t len; /* bytes in it */
	uint8_t *buffer;
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

int
restore_direct_new(struct restore_direct **out, int fd, uint64_t size)
{
	struct restore_direct *d = calloc(1, sizeof(*d));
	void *memory = NULL;

	if (d == NULL)
		return 1;
	d->fd = fd;
	if (posix_memalign(&memory, ALIGN, BUFFER_BYTES) != 0)
		memory = NULL;
	d->buffer = memory;
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
	*out = d;
	return 0;
}

void
restore_direct_free(struct restore_direct *d)
{
	if (d == NULL)
		return;
	free(d->buffer);
	free(d);
}

static int
write_all(struct restore_direct *d, const uint8_t *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = pwrite(d->fd, p, len, (off_t)d->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
		d->at += (uint64_t)n;
	}
	return 0;
}

/* Through the cache: what is not aligned. */
static int
write_cached(struct restore_direct *d, const uint8_t *p, size_t len)
{
	if (len == 0)
		return 0;
	if (set_direct(d, 0) != 0)
		return -1;
	return write_all(d, p, len);
}

/* `len` bytes, a multiple of ALIGN, from the buffer's beginning. */
static int
write_direct(struct restore_direct *d, size_t len)
{
	uint64_t end = d->at + len;
	ssize_t n;

	if (len == 0)
		return 0;
	if (d->refused || set_direct(d, 1) != 0)
		return write_cached(d, d->buffer, len);
	do {
		n = pwrite(d->fd, d->buffer, len, (off_t)d->at);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len) {
		d->at = end;
		return 0;
	}
	if (n < 0 && errno != EINVAL)
		return -1;
	/* Larger blocks than ours, or a full disk, which tells now. */
	d->refused = n < 0;
	return write_cached(d, d->buffer, len);
}

/* Write what the buffer holds. */
static int
flush(struct restore_direct *d)
{
	size_t aligned = d->len / ALIGN * ALIGN, rest = d->len - aligned;

	d->len = 0;
	if (write_direct(d, aligned) != 0)
		return -1;
	return write_cached(d, d->buffer + aligned, rest);
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
			if (write_cached(d, p, n) != 0)
				return -1;
		} else {
			n = BUFFER_BYTES - d->len;
			n = len < n ? len : n;
			memcpy(d->buffer + d->len, p, n);
			d->len += n;
		}
		p += n;
		len -= n;
		if (d->len == BUFFER_BYTES && flush(d) != 0)
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
