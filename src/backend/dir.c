#include "backend/dir.h"

#include "backend/unsure.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/os.h"
#include "base/pool.h"
#include "base/random.h"
#include "store/backend.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Pieces past the page cache: large enough to keep a disk busy. */
#define PIECE_BYTES (1u << 20)
/* What buffers and lengths of such pieces are multiples of. */
#define ALIGN_BYTES 4096u
/* Names under way: "put-" + 32 digits. */
#define TEMP_BYTES 16
/* Levels below the vault's directory that list() goes down. */
#define LIST_DEPTH 4

struct dir {
	struct backend base;
	char *root; /* absolute, so a changed cwd changes nothing */
	char *incoming;
	int direct; /* the file system takes O_DIRECT */
	struct unsure *unsure; /* whether a sync failed: see the header */
	struct pool_lock lock; /* for what follows */
	char **known; /* directories whose way from the root is durable */
	size_t nknown, known_cap;
};

struct backend_put {
	struct dir *d;
	char *path; /* NULL once it has its final name */
	int fd;
	int read_fd; /* -1 until the first read back */
	int direct;
	uint8_t *piece; /* PIECE_BYTES, aligned; NULL when not direct */
	size_t piece_len;
	uint64_t written; /* bytes in the file */
	struct unsure_put under_way; /* from the sync on */
};

static struct dir *
of(struct backend *b)
{
	return (struct dir *)b; /* base is its first member */
}

static int
io_code(int errnum)
{
	if (errnum == ENOENT)
		return ERR_NOENT;
	return errnum == ENOSPC || errnum == EDQUOT ? ERR_NOSPACE : ERR_IO;
}

/* A sync failed: nothing is written to this store any more.  `name` may have
 * been under way, besides the puts that are known to be. */
static int
fail_stop(struct dir *d, const char *name, int code)
{
	char text[ERR_TEXT_MAX];

	/* Of the message, what counts is what failed first. */
	(void)snprintf(text, sizeof(text), "%s", err_text());
	unsure_fail(d->unsure, name);
	return err_set(code == ERR_NOSPACE ? ERR_NOSPACE : ERR_IO, "%s", text);
}

static int
check(struct backend *b)
{
	return unsure_check(of(b)->unsure);
}

/* The absolute path of an object; names come from the store itself. */
static char *
path_of(struct dir *d, const char *name)
{
	char *path = fs_join(d->root, name);

	if (path == NULL)
		(void)err_nomem(strlen(name));
	return path;
}

static void
put_abort(struct backend_put *p)
{
	if (p == NULL)
		return;
	/* Nobody knows of the file; what is left is removed at start. */
	if (p->fd >= 0)
		(void)close(p->fd);
	if (p->read_fd >= 0)
		(void)close(p->read_fd);
	if (p->path != NULL)
		(void)unlink(p->path);
	free(p->path);
	free(p->piece);
	free(p);
}

static int
put_begin(struct backend_put **out, struct backend *b, uint64_t size_hint)
{
	struct dir *d = of(b);
	uint8_t salt[TEMP_BYTES];
	char hex[2 * TEMP_BYTES + 1];
	struct backend_put *p;
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, ret;

	ret = unsure_check(d->unsure);
	if (ret < 0)
		return ret;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return err_nomem(sizeof(*p));
	p->d = d;
	p->fd = p->read_fd = -1;
	/* Small files cost nobody's cache. */
	p->direct = d->direct && (size_hint == 0 || size_hint >= PIECE_BYTES);
	if (p->direct) {
		p->piece = aligned_alloc(ALIGN_BYTES, PIECE_BYTES);
		flags |= O_DIRECT;
	}
	random_bytes(salt, sizeof(salt));
	hex_encode(hex, salt, sizeof(salt));
	p->path = fs_printf("%s/put-%s", d->incoming, hex);
	if (p->path == NULL || (p->direct && p->piece == NULL)) {
		ret = err_nomem(PIECE_BYTES);
		goto out;
	}
	p->fd = open(p->path, flags, 0600);
	if (p->fd < 0) {
		ret = err_errno(io_code(errno), "cannot make %s", p->path);
		free(p->path);
		p->path = NULL;
		goto out;
	}
	*out = p;
	return 0;
out:
	put_abort(p);
	return ret == ERR_NOENT ? ERR_IO : ret;
}

/* From here on through the page cache. */
static int
stop_direct(struct backend_put *p)
{
	int flags = fcntl(p->fd, F_GETFL);

	if (flags < 0 || fcntl(p->fd, F_SETFL, flags & ~O_DIRECT) != 0)
		return err_errno(ERR_IO, "%s", p->path);
	p->direct = 0;
	return 0;
}

/* Write the first `len` bytes of the piece; `len` is aligned. */
static int
write_piece(struct backend_put *p, size_t len)
{
	ssize_t n;
	size_t at = 0;
	int ret;

	while (at < len) {
		n = pwrite(
		    p->fd, p->piece + at, len - at, (off_t)(p->written + at));
		if (n < 0 && errno == EINTR)
			continue;
		/* Opened with O_DIRECT, yet refused; or a partial write. */
		if ((n < 0 && errno == EINVAL && p->direct) ||
		    (n > 0 && n % ALIGN_BYTES != 0)) {
			ret = stop_direct(p);
			if (ret < 0)
				return ret;
			at += n > 0 ? (size_t)n : 0;
			continue;
		}
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return err_errno(
			    io_code(errno), "cannot write %s", p->path);
		at += (size_t)n;
	}
	p->written += len;
	p->piece_len -= len;
	memmove(p->piece, p->piece + len, p->piece_len);
	return 0;
}

static int
put_write(struct backend_put *p, const void *data, size_t len)
{
	const uint8_t *from = data;
	size_t n;
	int ret;

	if (p->piece == NULL) {
		ret = fs_pwrite_all(p->fd, data, len, p->written);
		if (ret < 0)
			return err_prefix(ret, "%s", p->path);
		p->written += len;
		return 0;
	}
	while (len > 0) {
		n = PIECE_BYTES - p->piece_len;
		if (n > len)
			n = len;
		memcpy(p->piece + p->piece_len, from, n);
		p->piece_len += n;
		from += n;
		len -= n;
		if (p->piece_len == PIECE_BYTES) {
			ret = write_piece(p, PIECE_BYTES);
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

static int
put_read(struct backend_put *p, void *out, size_t len, uint64_t offset)
{
	uint8_t *to = out;
	size_t n;
	int ret;

	if (offset > p->written + p->piece_len ||
	    len > p->written + p->piece_len - offset)
		return err_set(ERR_IO, "%s: read past its end", p->path);
	if (offset < p->written) {
		n = len < p->written - offset ? len
					      : (size_t)(p->written - offset);
		/* One of its own: the other may insist on alignment. */
		if (p->read_fd < 0)
			p->read_fd = open(p->path, O_RDONLY | O_CLOEXEC);
		if (p->read_fd < 0)
			return err_errno(ERR_IO, "%s", p->path);
		ret = fs_pread_all(p->read_fd, to, n, offset);
		if (ret != 0)
			return err_prefix(ERR_IO, "%s", p->path);
		to += n;
		offset += n;
		len -= n;
	}
	if (len > 0)
		memcpy(to, p->piece + (offset - p->written), len);
	return 0;
}

/* What is left in the piece: the aligned part, then the rest. */
static int
put_flush(struct backend_put *p)
{
	size_t len = p->piece_len - p->piece_len % ALIGN_BYTES;
	int ret = 0;

	if (p->piece == NULL)
		return 0;
	if (len > 0)
		ret = write_piece(p, len);
	if (ret == 0 && p->piece_len > 0 && p->direct)
		ret = stop_direct(p);
	if (ret == 0 && p->piece_len > 0) {
		ret = fs_pwrite_all(p->fd, p->piece, p->piece_len, p->written);
		if (ret < 0)
			return err_prefix(ret, "%s", p->path);
		p->written += p->piece_len;
		p->piece_len = 0;
	}
	return ret;
}

static int
is_known(struct dir *d, const char *path)
{
	size_t i;

	for (i = 0; i < d->nknown; i++) {
		if (strcmp(d->known[i], path) == 0)
			return 1;
	}
	return 0;
}

/* Remember `path`; the caller holds the lock. */
static int
add_known(struct dir *d, const char *path)
{
	size_t cap = d->known_cap == 0 ? 64 : 2 * d->known_cap;
	char **more;

	if (d->nknown == d->known_cap) {
		more = realloc(d->known, cap * sizeof(*more));
		if (more == NULL)
			return err_nomem(cap * sizeof(*more));
		d->known = more;
		d->known_cap = cap;
	}
	d->known[d->nknown] = strdup(path);
	if (d->known[d->nknown] == NULL)
		return err_nomem(strlen(path));
	d->nknown++;
	return 0;
}

/*
 * Make the directories above `path` (below the root) durable.  One that is
 * there already may be another process's that died before it synced the
 * parent, so each is synced once.
 */
static int
make_parents(struct dir *d, const char *path)
{
	size_t root_len = strlen(d->root);
	char *copy = strdup(path), *slash, *up;
	int ret = 0;

	if (copy == NULL)
		return err_nomem(strlen(path));
	pool_lock_enter(&d->lock);
	slash = strchr(copy + root_len + 1, '/');
	for (; slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (!is_known(d, copy)) {
			if (mkdir(copy, 0700) != 0 && errno != EEXIST) {
				ret = err_errno(
				    io_code(errno), "cannot make %s", copy);
				break;
			}
			up = strrchr(copy, '/');
			*up = '\0';
			ret = fs_sync_dir(AT_FDCWD, copy);
			*up = '/';
			if (ret < 0)
				ret = fail_stop(d, NULL, ret);
			if (ret == 0)
				ret = add_known(d, copy);
			if (ret < 0)
				break;
		}
		*slash = '/';
	}
	pool_lock_leave(&d->lock);
	free(copy);
	return ret == ERR_NOENT ? ERR_IO : ret;
}

/* fsync the directory that `path`, the object `name`, lies in. */
static int
sync_parent(struct dir *d, char *path, const char *name)
{
	char *slash = strrchr(path, '/');
	int ret;

	*slash = '\0';
	ret = fs_sync_dir(AT_FDCWD, path);
	*slash = '/';
	return ret < 0 ? fail_stop(d, name, ret) : 0;
}

/* Step 5 of the header. */
static int
publish(struct backend_put *p, const char *path)
{
	int ret = os_rename_new(AT_FDCWD, p->path, path);

	if (ret == 0) {
		free(p->path);
		p->path = NULL;
		return 0;
	}
	/* A file system without such a rename has links. */
	if (errno == EINVAL || errno == ENOSYS)
		ret = link(p->path, path);
	if (ret == 0)
		return 0; /* put_abort() takes the other name away */
	if (errno == EEXIST)
		return err_set(ERR_EXIST, "%s exists", path);
	return err_errno(io_code(errno), "cannot rename to %s", path);
}

/* Step 4 of the header. */
static int
sync_data(struct backend_put *p)
{
	int ret, code = 0;

	if (fdatasync(p->fd) != 0)
		code = err_errno(io_code(errno), "cannot sync %s", p->path);
	ret = close(p->fd);
	p->fd = -1;
	if (ret != 0 && code == 0)
		code = err_errno(io_code(errno), "cannot close %s", p->path);
	/* No room for this file, which goes: that is nobody else's matter. */
	return code == 0 || code == ERR_NOSPACE ? code
						: fail_stop(p->d, NULL, code);
}

static int
put_commit(struct backend_put *p, const char *name)
{
	struct dir *d = p->d;
	char *path = path_of(d, name);
	int ret = path == NULL ? ERR_NOMEM : 0;

	p->under_way.name = name;
	unsure_enter(d->unsure, &p->under_way);
	if (ret == 0)
		ret = unsure_check(d->unsure);
	if (ret == 0)
		ret = put_flush(p);
	if (ret == 0)
		ret = make_parents(d, path);
	if (ret == 0)
		ret = sync_data(p);
	if (ret == 0)
		ret = publish(p, path);
	if (ret == 0) {
		ret = sync_parent(d, path, name);
		/* A sync that failed beside ours may have been about both. */
		if (ret == 0)
			ret = unsure_check(d->unsure);
		/* Not acknowledged, so it should not be seen. */
		if (ret < 0)
			(void)unlink(path);
	}
	unsure_leave(d->unsure, &p->under_way);
	if (ret == 0)
		ret = unsure_check(d->unsure);
	put_abort(p);
	free(path);
	return ret == ERR_NOENT ? ERR_IO : ret;
}

static int
get(struct backend *b, const char *name, void *out, size_t len, uint64_t offset)
{
	struct dir *d = of(b);
	char *path = path_of(d, name);
	int fd = -1, ret;

	if (path == NULL)
		return ERR_NOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		ret = err_errno(io_code(errno), "cannot open %s", path);
		goto out;
	}
	if (unsure_is(d->unsure, name))
		ret = unsure_read(out, fd, path, len, offset, d->direct);
	else
		ret = fs_pread_all(fd, out, len, offset);
	/* A bad place of the disk: the rest of the store is not concerned. */
	if (ret < 0)
		ret = err_prefix(errno == EIO ? ERR_DAMAGED : ret, "%s", path);
	else if (ret == 1)
		ret = err_set(ERR_DAMAGED, "%s ends too early", path);
out:
	if (fd >= 0)
		(void)close(fd); /* only read from */
	free(path);
	return ret;
}

static int
size_of(uint64_t *out, struct backend *b, const char *name)
{
	char *path = path_of(of(b), name);
	struct stat st;
	int ret = 0;

	if (path == NULL)
		return ERR_NOMEM;
	if (lstat(path, &st) != 0)
		ret = err_errno(io_code(errno), "cannot stat %s", path);
	else if (!S_ISREG(st.st_mode))
		ret = err_set(ERR_DAMAGED, "%s is no file", path);
	else
		*out = (uint64_t)st.st_size;
	free(path);
	return ret;
}

struct listing {
	struct dir *d;
	int (*found)(void *arg, const char *name, uint64_t size);
	void *arg;
	int depth;
};

static int list_dir(struct listing *l, int at, const char *name);

/* One entry of a directory; `at` is the directory's descriptor. */
static int
list_entry(struct listing *l, int at, const char *prefix, const char *entry)
{
	char name[BACKEND_NAME_MAX];
	struct stat st;
	int n, ret, fd;

	if (fstatat(at, entry, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		/* Removed meanwhile. */
		if (errno == ENOENT)
			return 0;
		return err_errno(ERR_IO, "cannot stat %s/%s", prefix, entry);
	}
	n = snprintf(name, sizeof(name), "%s/%s", prefix, entry);
	/* No object of ours has such a name. */
	if (n < 0 || (size_t)n >= sizeof(name))
		return 0;
	if (S_ISREG(st.st_mode))
		return l->found(l->arg, name, (uint64_t)st.st_size);
	if (!S_ISDIR(st.st_mode) || l->depth >= LIST_DEPTH)
		return 0;
	fd = openat(at, entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(ERR_IO, "cannot open %s", name);
	l->depth++;
	ret = list_dir(l, fd, name);
	l->depth--;
	return ret;
}

/* The directory open at `fd`, which is closed in every case. */
static int
list_dir(struct listing *l, int fd, const char *name)
{
	const struct dirent *e;
	int ret = 0;
	DIR *dir;

	/* It is told all the same, to be read: nothing is built on it. */
	if (fsync(fd) != 0)
		(void)fail_stop(l->d, name,
		    err_errno(io_code(errno), "cannot sync %s", name));
	dir = fdopendir(fd);
	if (dir == NULL) {
		ret = err_errno(ERR_IO, "cannot list %s", name);
		(void)close(fd); /* likewise */
		return ret;
	}
	while (ret == 0) {
		errno = 0;
		e = readdir(dir);
		if (e == NULL && errno != 0)
			ret = err_errno(ERR_IO, "cannot list %s", name);
		if (e == NULL)
			break;
		if (e->d_name[0] != '.')
			ret = list_entry(l, fd, name, e->d_name);
	}
	(void)closedir(dir); /* only read from */
	return ret;
}

static int
list(struct backend *b, const char *prefix,
    int (*found)(void *arg, const char *name, uint64_t size), void *arg)
{
	struct listing l = {of(b), found, arg, 1};
	char *path = path_of(l.d, prefix);
	int fd, ret;

	if (path == NULL)
		return ERR_NOMEM;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0) {
		ret = list_dir(&l, fd, prefix);
		goto out;
	}
	ret = 0;
	if (errno != ENOENT)
		ret = err_errno(ERR_IO, "cannot open %s", path);
	/* Absent is empty, but only if the vault itself is there. */
	else if (access(l.d->root, F_OK) != 0)
		ret = err_errno(ERR_IO, "cannot open %s", l.d->root);
out:
	free(path);
	return ret;
}

static int
remove_name(struct backend *b, const char *name)
{
	struct dir *d = of(b);
	char *path = path_of(d, name);
	int ret = path == NULL ? ERR_NOMEM : unsure_check(d->unsure);

	if (ret == 0 && unlink(path) != 0)
		ret = err_errno(io_code(errno), "cannot remove %s", path);
	if (ret == 0)
		ret = sync_parent(d, path, name);
	free(path);
	return ret;
}

static int
unsure(struct backend *b, int (*found)(void *arg, const char *name), void *arg)
{
	int ret = unsure_check(of(b)->unsure);

	return ret < 0 ? ret : unsure_each(of(b)->unsure, found, arg);
}

static int
sure(struct backend *b)
{
	return unsure_clear(of(b)->unsure);
}

static int
space(uint64_t *out, struct backend *b)
{
	struct statvfs st;

	if (statvfs(of(b)->root, &st) != 0)
		return err_errno(ERR_IO, "cannot stat %s", of(b)->root);
	*out = (uint64_t)st.f_bavail * st.f_frsize;
	return 0;
}

static const char *
write_path(struct backend *b)
{
	return of(b)->direct ? "direct" : "buffered";
}

static void
dir_close(struct backend *b)
{
	struct dir *d = of(b);
	size_t i;

	for (i = 0; i < d->nknown; i++)
		free(d->known[i]);
	free(d->known);
	unsure_close(d->unsure);
	free(d->root);
	free(d->incoming);
	pool_lock_release(&d->lock);
	free(d);
}

static const struct backend_ops dir_ops = {
    .put_begin = put_begin,
    .put_write = put_write,
    .put_read = put_read,
    .put_commit = put_commit,
    .put_abort = put_abort,
    .get = get,
    .size = size_of,
    .list = list,
    .remove = remove_name,
    .check = check,
    .unsure = unsure,
    .sure = sure,
    .space = space,
    .write_path = write_path,
    .close = dir_close,
};

/* Whether the file system takes aligned writes past the page cache. */
static int
probe_direct(struct dir *d)
{
	struct backend_put *p;
	int ret;

	d->direct = 1;
	ret = put_begin(&p, &d->base, 0);
	if (ret == 0) {
		memset(p->piece, 0, ALIGN_BYTES);
		p->piece_len = ALIGN_BYTES;
		ret = write_piece(p, ALIGN_BYTES);
		d->direct = ret == 0 && p->direct;
		put_abort(p);
		/* A full disk must still be readable. */
		if (ret == ERR_NOSPACE)
			ret = 0;
		return ret;
	}
	/* Refused at open(); a folder that takes no file at all still reads,
	 * and says so at the first put. */
	d->direct = 0;
	return ret == ERR_NOMEM ? ret : 0;
}

int
backend_dir_open(
    struct backend **out, const char *vault_dir, const char *incoming_dir)
{
	struct dir *d = calloc(1, sizeof(*d));
	int ret;

	if (d == NULL)
		return err_nomem(sizeof(*d));
	d->base.ops = &dir_ops;
	pool_lock_init(&d->lock);
	d->root = realpath(vault_dir, NULL);
	d->incoming = realpath(incoming_dir, NULL);
	if (d->root == NULL || d->incoming == NULL) {
		ret = err_errno(ERR_IO, "cannot open %s",
		    d->root == NULL ? vault_dir : incoming_dir);
		goto out;
	}
	ret = unsure_open(&d->unsure, d->root);
	if (ret == 0)
		ret = probe_direct(d);
	if (ret < 0)
		goto out;
	*out = &d->base;
	return 0;
out:
	dir_close(&d->base);
	return ret;
}
