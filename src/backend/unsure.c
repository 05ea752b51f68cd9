#include "backend/unsure.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "unsynced"
/* Written first, so that a text is there as a whole; no temporary name that
 * is drawn, for that takes memory. */
#define NEW_NAME "unsynced.new"
/* Far above what all sessions of a server have under way. */
#define TEXT_BYTES_MAX (1u << 20)
/* Room for the names of a failure, taken beforehand: some hundreds. */
#define ROOM_BYTES (64u << 10)
/* What buffers and offsets of reads past the page cache are multiples of. */
#define ALIGN_BYTES 4096u

/*
 * A sync often fails when all goes wrong, so unsure_fail() needs neither memory
 * nor a descriptor that it does not hold already.
 */
struct unsure {
	char *root, *path, *new_path;
	atomic_int failed;
	struct buf old; /* the file as it was, each line ended by NUL */
	struct pool_lock lock; /* of what follows */
	struct unsure_put *first; /* under way */
	struct buf text; /* the file as it is to be, with room for more */
	int unwritten; /* that is not what it is */
	int spare; /* a descriptor, for the file; -1: none */
};

static int
take_spare(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* What the file says, and room for what it may have to say. */
static int
load(struct unsure *u)
{
	size_t i;
	int r = fs_read_file(&u->old, AT_FDCWD, u->path, TEXT_BYTES_MAX);

	if (r < 0)
		return r;
	if (u->old.len > 0)
		r = buf_append(&u->old, "\n", 1); /* a line cut off ends here */
	if (r >= 0)
		r = buf_reserve(&u->text, u->old.len + ROOM_BYTES);
	if (r >= 0)
		r = buf_append(&u->text, u->old.data, u->old.len);
	for (i = 0; i < u->old.len; i++)
		if (u->old.data[i] == '\n')
			u->old.data[i] = '\0';
	return r;
}

int
unsure_open(struct unsure **out, const char *root)
{
	struct unsure *u = calloc(1, sizeof(*u));
	int r;

	if (u == NULL)
		return err_nomem(sizeof(*u));
	pool_lock_init(&u->lock);
	atomic_init(&u->failed, 0);
	u->spare = -1;
	u->root = fs_printf("%s", root);
	u->path = fs_join(root, NAME);
	u->new_path = fs_join(root, NEW_NAME);
	r = u->root == NULL || u->path == NULL || u->new_path == NULL
		? ERR_NOMEM
		: load(u);
	if (r < 0) {
		unsure_close(u);
		return r;
	}
	u->spare = take_spare();
	*out = u;
	return 0;
}

void
unsure_close(struct unsure *u)
{
	if (u == NULL)
		return;
	if (u->spare >= 0)
		(void)close(u->spare); /* of no content */
	buf_release(&u->old);
	buf_release(&u->text);
	pool_lock_release(&u->lock);
	free(u->new_path);
	free(u->path);
	free(u->root);
	free(u);
}

void
unsure_enter(struct unsure *u, struct unsure_put *p)
{
	pool_lock_enter(&u->lock);
	p->next = u->first;
	u->first = p;
	pool_lock_leave(&u->lock);
}

void
unsure_leave(struct unsure *u, struct unsure_put *p)
{
	struct unsure_put **at;

	pool_lock_enter(&u->lock);
	for (at = &u->first; *at != p; at = &(*at)->next)
		continue;
	*at = p->next;
	pool_lock_leave(&u->lock);
}

int
unsure_check(const struct unsure *u)
{
	if (!atomic_load(&u->failed))
		return 0;
	return err_set(ERR_READONLY,
	    "the store is read-only since a sync to its disk failed; look at "
	    "the disk of %s, then start the server again",
	    u->root);
}

/* Is there such a line in the text?  With the lock. */
static int
has_line(const struct unsure *u, const char *name, size_t len)
{
	const char *at = (const char *)u->text.data, *end = at + u->text.len;
	const char *newline;

	for (; at < end; at = newline + 1) {
		newline = memchr(at, '\n', (size_t)(end - at));
		if ((size_t)(newline - at) == len && memcmp(at, name, len) == 0)
			return 1;
	}
	return 0;
}

/* Add a line to the text, unless it is there.  With the lock. */
static void
add_line(struct unsure *u, const char *name)
{
	size_t len = strlen(name);

	if (has_line(u, name, len) ||
	    u->text.len + len + 1 > TEXT_BYTES_MAX - 1)
		return;
	/* More than the room takes memory; without it there is no more. */
	if (u->text.cap - u->text.len < len + 1 &&
	    buf_reserve(&u->text, len + 1) != 0)
		return;
	memcpy(u->text.data + u->text.len, name, len);
	u->text.data[u->text.len + len] = '\n';
	u->text.len += len + 1;
	u->unwritten = 1;
}

/* Make the text the file.  With the lock. */
static void
write_text(struct unsure *u)
{
	int fd, r;

	if (u->spare >= 0)
		(void)close(u->spare); /* of no content */
	fd = open(u->new_path,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	/* A disk that does not even take this is read-only all the same. */
	if (fd >= 0) {
		r = fs_write_all(fd, u->text.data, u->text.len);
		if (close(fd) == 0 && r == 0 &&
		    rename(u->new_path, u->path) == 0)
			u->unwritten = 0;
	}
	u->spare = take_spare();
}

void
unsure_fail(struct unsure *u, const char *name)
{
	const struct unsure_put *p;

	/* Before it looks at the list: a put that it does not see there sees
	 * the flag, or had ended before. */
	atomic_store(&u->failed, 1);
	pool_lock_enter(&u->lock);
	/* An earlier failure's names stay until they were read. */
	if (name != NULL)
		add_line(u, name);
	for (p = u->first; p != NULL; p = p->next)
		add_line(u, p->name);
	if (u->unwritten)
		write_text(u);
	pool_lock_leave(&u->lock);
}

int
unsure_each(const struct unsure *u, int (*found)(void *arg, const char *name),
    void *arg)
{
	const char *at = (const char *)u->old.data;
	const char *end = at == NULL ? NULL : at + u->old.len;
	int r = 0;

	for (; at < end && r == 0; at += strlen(at) + 1)
		if (*at != '\0')
			r = found(arg, at);
	return r;
}

static int
matches(void *arg, const char *line)
{
	size_t len = strlen(line);
	const char *name = arg;

	return strncmp(name, line, len) == 0 &&
	       (name[len] == '\0' || name[len] == '/');
}

int
unsure_is(const struct unsure *u, const char *name)
{
	/* The callback does not write through it. */
	return u->old.len > 0 &&
	       unsure_each(u, matches, (void *)(uintptr_t)name);
}

int
unsure_clear(struct unsure *u)
{
	int r = unsure_check(u);

	/* A new failure's names are in the file too. */
	if (r < 0 || u->old.len == 0)
		return r;
	if (unlink(u->path) != 0 && errno != ENOENT)
		return err_errno(ERR_IO, "%s", u->path);
	buf_reset(&u->old);
	pool_lock_enter(&u->lock);
	buf_reset(&u->text);
	pool_lock_leave(&u->lock);
	return 0;
}

/* Past the page cache, through a buffer that is aligned. */
static int
read_direct(
    void *out, const char *path, size_t len, uint64_t offset, struct stat *st)
{
	uint64_t from = offset / ALIGN_BYTES * ALIGN_BYTES, end = offset + len;
	size_t all = (size_t)((end - from + ALIGN_BYTES - 1) / ALIGN_BYTES *
			      ALIGN_BYTES),
	       at = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_DIRECT);
	uint8_t *piece = fd < 0 ? NULL : aligned_alloc(ALIGN_BYTES, all);
	ssize_t n = 0;

	if (end > (uint64_t)st->st_size)
		n = -1;
	while (piece != NULL && n >= 0 && from + at < end) {
		n = pread(fd, piece + at, all - at, (off_t)(from + at));
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n == 0)
			break;
		at += n > 0 ? (size_t)n : 0;
	}
	n = piece == NULL || n < 0 || from + at < end;
	if (n == 0)
		memcpy(out, piece + (offset - from), len);
	free(piece);
	if (fd >= 0)
		(void)close(fd); /* only read from */
	return (int)n;
}

int
unsure_read(void *out, int fd, const char *path, size_t len, uint64_t offset,
    int direct)
{
	struct stat st;
	int r;

	if (fdatasync(fd) != 0 || fstat(fd, &st) != 0)
		return err_errno(ERR_IO, "cannot sync");
	/* What stays in memory all the same, the other way goes past. */
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	r = direct ? read_direct(out, path, len, offset, &st) : 1;
	/* Refused, or an error whose kind this way tells. */
	return r == 0 ? 0 : fs_pread_all(fd, out, len, offset);
}
