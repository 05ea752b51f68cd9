#include "backend/unsure.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "unsynced"
/* Far above what all sessions of a server have under way. */
#define TEXT_BYTES_MAX (1u << 20)
/* What buffers and offsets of reads past the page cache are multiples of. */
#define ALIGN_BYTES 4096u

struct unsure {
	char *root, *path;
	atomic_int failed;
	struct pool_lock lock; /* of what follows */
	struct unsure_put *first; /* under way */
	struct buf old; /* the file as it was, each line ended by NUL */
};

int
unsure_open(struct unsure **out, const char *root)
{
	struct unsure *u = calloc(1, sizeof(*u));
	size_t i;
	int r;

	if (u == NULL)
		return err_nomem(sizeof(*u));
	pool_lock_init(&u->lock);
	atomic_init(&u->failed, 0);
	u->root = fs_printf("%s", root);
	u->path = fs_join(root, NAME);
	r = u->root == NULL || u->path == NULL ? ERR_NOMEM : 0;
	if (r == 0)
		r = fs_read_file(&u->old, AT_FDCWD, u->path, TEXT_BYTES_MAX);
	if (r == 0 && u->old.len > 0)
		r = buf_append(&u->old, "", 1); /* a line cut off ends here */
	if (r < 0) {
		unsure_close(u);
		return r;
	}
	for (i = 0; i < u->old.len; i++)
		if (u->old.data[i] == '\n')
			u->old.data[i] = '\0';
	*out = u;
	return 0;
}

void
unsure_close(struct unsure *u)
{
	if (u == NULL)
		return;
	buf_release(&u->old);
	pool_lock_release(&u->lock);
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

static int
add_line(struct buf *text, const char *name)
{
	int r = buf_append(text, name, strlen(name));

	return r < 0 ? r : buf_append(text, "\n", 1);
}

static int
add_old(void *arg, const char *name)
{
	return add_line(arg, name);
}

void
unsure_fail(struct unsure *u, const char *name)
{
	const struct unsure_put *p;
	struct buf text = BUF_INIT;
	int r;

	/* Before it looks at the list: a put that it does not see there sees
	 * the flag, or had ended before. */
	atomic_store(&u->failed, 1);
	pool_lock_enter(&u->lock);
	/* An earlier failure's names stay until they were read. */
	(void)fs_read_file(&text, AT_FDCWD, u->path, TEXT_BYTES_MAX / 2);
	r = text.len == 0 ? unsure_each(u, add_old, &text) : 0;
	if (r == 0 && name != NULL)
		r = add_line(&text, name);
	for (p = u->first; p != NULL && r == 0; p = p->next)
		r = add_line(&text, p->name);
	/* A disk that does not even take this is read-only all the same. */
	if (r == 0 && text.len <= TEXT_BYTES_MAX)
		(void)fs_write_file(
		    AT_FDCWD, u->path, text.data, text.len, 0600, FS_NOSYNC);
	pool_lock_leave(&u->lock);
	buf_release(&text);
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
