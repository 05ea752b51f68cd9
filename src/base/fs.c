#include "base/fs.h"

#include "base/err.h"
#include "base/os.h"
#include "base/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A durable write, in this order:
 *  1. what writers that died left in the directory goes: fs_clear_temps();
 *  2. a temporary file of its own in the same directory, never followed, and
 *     locked until it has its name;
 *  3. all bytes, the exact mode, fsync: any error ends here;
 *  4. rename, or link and unlink where nothing may be replaced;
 *  5. fsync of the directory.
 * After 4 the file is there, after 5 it survives a power cut.
 *
 * A lock ends with its process, so a temporary file that can be locked is
 * nobody's any more; and whoever finds that another one has locked or removed
 * what it has just made, makes another.  No name is ever used again.
 */

/* pid, counter, random bytes: 10 + 20 + 16 digits and what is between. */
#define TEMP_NAME_MAX 64
#define TEMP_SALT_DIGITS 16

/* Read in pieces of this size where the file does not tell its length. */
#define READ_STEP 65536

/* Descriptors that removing a tree may hold. */
#define REMOVE_FDS 16

/* The code for a failed call on a file of ours. */
static int
io_code(int errnum)
{
	return errnum == ENOSPC || errnum == EDQUOT ? ERR_NOSPACE : ERR_IO;
}

/* What is there is no file: none of ours. */
static int
is_no_file(int errnum)
{
	return errnum == EISDIR || errnum == ELOOP || errnum == ENXIO;
}

/* For one that reads: the same, or the disk lost it. */
static int
read_code(int errnum)
{
	return errnum == EIO || is_no_file(errnum) ? ERR_DAMAGED : ERR_IO;
}

int
fs_pwrite_all(int fd, const void *p, size_t len, uint64_t offset)
{
	const uint8_t *from = p;
	ssize_t n;

	while (len > 0) {
		n = pwrite(fd, from, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return err_errno(io_code(errno), "cannot write");
		from += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int
fs_write_all(int fd, const void *p, size_t len)
{
	const uint8_t *from = p;
	ssize_t n;

	while (len > 0) {
		n = write(fd, from, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return err_errno(io_code(errno), "cannot write");
		from += n;
		len -= (size_t)n;
	}
	return 0;
}

int
fs_pread_all(int fd, void *p, size_t len, uint64_t offset)
{
	uint8_t *to = p;
	ssize_t n;

	while (len > 0) {
		n = pread(fd, to, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(ERR_IO, "cannot read");
		if (n == 0)
			return 1;
		to += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* Append the rest of `fd` to `out`; the file may grow meanwhile. */
static int
read_rest(struct buf *out, int fd, const char *path, size_t len_max)
{
	size_t start = out->len, room;
	ssize_t n;
	int r;

	for (;;) {
		if (out->cap == out->len) {
			r = buf_reserve(out, READ_STEP);
			if (r < 0)
				return r;
		}
		/* One byte above the limit tells a file that is too long. */
		room = out->cap - out->len;
		if (room > len_max - (out->len - start) + 1)
			room = len_max - (out->len - start) + 1;
		n = read(fd, out->data + out->len, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(
			    read_code(errno), "cannot read %s", path);
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		if (out->len - start > len_max)
			return err_set(ERR_DAMAGED,
			    "%s is longer than %zu bytes", path, len_max);
	}
}

int
fs_read_file(struct buf *out, int dirfd, const char *path, size_t len_max)
{
	size_t start = out->len;
	struct stat st;
	int fd, r;

	/* O_NONBLOCK: a FIFO in the place of our file must not hang us. */
	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0)
		return err_errno(read_code(errno), "cannot open %s", path);
	if (fstat(fd, &st) != 0) {
		r = err_errno(ERR_IO, "cannot stat %s", path);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		r = err_set(ERR_DAMAGED, "%s is not a regular file", path);
		goto out;
	}
	if ((uint64_t)st.st_size > len_max) {
		r = err_set(
		    ERR_DAMAGED, "%s is longer than %zu bytes", path, len_max);
		goto out;
	}
	/*
	 * Room for all of it at once: growing would leave copies of a key
	 * in freed memory.
	 */
	r = buf_reserve(out, (size_t)st.st_size + 1);
	if (r < 0)
		goto out;
	r = read_rest(out, fd, path, len_max);
out:
	if (r < 0)
		out->len = start;
	(void)close(fd); /* only read from */
	return r;
}

/* Open the directory that holds `path` and set `*name` to its last part. */
static int
open_parent(int *out, const char **name, int dirfd, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *last = slash == NULL ? path : slash + 1;
	char *dir;
	int fd;

	if (last[0] == '\0' || strcmp(last, ".") == 0 ||
	    strcmp(last, "..") == 0)
		return err_set(
		    ERR_IO, "cannot write %s: not a file name", path);
	if (slash == NULL)
		dir = strdup(".");
	else
		dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (dir == NULL)
		return err_nomem(strlen(path));
	fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		(void)err_errno(ERR_IO, "cannot open directory %s", dir);
		free(dir);
		return ERR_IO;
	}
	free(dir);
	*out = fd;
	*name = last;
	return 0;
}

/* 0, or -1 and errno: EWOULDBLOCK when somebody has it. */
static int
lock_now(int fd)
{
	int r;

	do {
		r = flock(fd, LOCK_EX | LOCK_NB);
	} while (r != 0 && errno == EINTR);
	return r;
}

/* Whether it is the name of a temporary file: prefix, two numbers, salt. */
static int
is_temp(const char *name)
{
	static const char digits[] = "0123456789", hex[] = "0123456789abcdef";
	size_t n;
	int i;

	if (strncmp(name, FS_TEMP_PREFIX, strlen(FS_TEMP_PREFIX)) != 0)
		return 0;
	name += strlen(FS_TEMP_PREFIX);
	for (i = 0; i < 2; i++) {
		n = strspn(name, digits);
		if (n == 0 || name[n] != '-')
			return 0;
		name += n + 1;
	}
	return strspn(name, hex) == TEMP_SALT_DIGITS &&
	       name[TEMP_SALT_DIGITS] == '\0';
}

/* Remove it, unless its writer lives. */
static void
clear_one(int dir, const char *name)
{
	struct stat st;
	int fd;

	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && lock_now(fd) == 0)
		(void)unlinkat(dir, name, 0); /* as the header says */
	(void)close(fd); /* nothing was written */
}

static void
clear_dir(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (d == NULL) {
		if (fd >= 0)
			(void)close(fd); /* nothing was read */
		return;
	}
	/* Locks there may be this machine's alone. */
	if (!os_is_network(fd)) {
		while ((e = readdir(d)) != NULL) {
			if (is_temp(e->d_name))
				clear_one(dir, e->d_name);
		}
	}
	(void)closedir(d); /* only read from */
}

void
fs_clear_temps(const char *path)
{
	const char *name;
	int dir;

	if (open_parent(&dir, &name, AT_FDCWD, path) != 0)
		return;
	clear_dir(dir);
	(void)close(dir); /* only looked through */
}

/* Whether the file that was just made is ours, and stays. */
static int
is_held(int fd, int dir, const char *name)
{
	struct stat st;

	/* Where there are no locks nobody can take it for a dead one's. */
	if (lock_now(fd) != 0)
		return errno != EWOULDBLOCK;
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	       errno != ENOENT;
}

/* Make a file of a name that nobody has, and lock it. */
static int
open_temp(int *out, char name[TEMP_NAME_MAX], int dir, const char *path)
{
	static atomic_ullong counter;
	uint8_t salt[8];
	int fd, tries;

	for (tries = 0; tries < 16; tries++) {
		random_bytes(salt, sizeof(salt));
		(void)snprintf(name, TEMP_NAME_MAX, /* fits: see the name */
		    FS_TEMP_PREFIX "%ld-%llu-%02x%02x%02x%02x%02x%02x%02x%02x",
		    (long)getpid(), atomic_fetch_add(&counter, 1), salt[0],
		    salt[1], salt[2], salt[3], salt[4], salt[5], salt[6],
		    salt[7]);
		fd = openat(dir, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0 && is_held(fd, dir, name)) {
			*out = fd;
			return 0;
		}
		if (fd < 0 && errno != EEXIST)
			break;
		if (fd >= 0) {
			(void)close(fd); /* nothing was written */
			errno = EEXIST;
		}
	}
	return err_errno(io_code(errno), "cannot make a file beside %s", path);
}

/* Step 3 above. */
static int
fill_temp(int fd, const char *path, const void *p, size_t len, unsigned mode,
    unsigned flags)
{
	int r = fs_write_all(fd, p, len);

	if (r < 0)
		return err_prefix(r, "%s", path);
	/* The mode asked for, whatever the umask. */
	if (fchmod(fd, (mode_t)mode) != 0)
		return err_errno(
		    io_code(errno), "cannot set the mode of %s", path);
	if ((flags & FS_NOSYNC) == 0 && fsync(fd) != 0)
		return err_errno(io_code(errno), "cannot sync %s", path);
	return 0;
}

/* Give the temporary file its name where nothing has that name yet. */
static int
publish_new(int dir, const char *temp, const char *name, const char *path)
{
	if (linkat(dir, temp, dir, name, 0) == 0) {
		/* A leftover is harmless, and the file is there. */
		(void)unlinkat(dir, temp, 0);
		return 0;
	}
	/* These say that the file system has no hard links. */
	if ((errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS ||
		errno == EMLINK) &&
	    os_rename_new(dir, temp, name) == 0)
		return 0;
	if (errno == EEXIST)
		return err_set(ERR_EXIST, "%s exists", path);
	return err_errno(io_code(errno), "cannot link %s", path);
}

/* Step 4 above. */
static int
publish(int dir, const char *temp, const char *name, const char *path,
    unsigned flags)
{
	if ((flags & FS_EXCLUSIVE) != 0)
		return publish_new(dir, temp, name, path);
	if (renameat(dir, temp, dir, name) == 0)
		return 0;
	/* A folder in its place, if it is empty, holds nothing. */
	if (errno == EISDIR) {
		if (unlinkat(dir, name, AT_REMOVEDIR) == 0 &&
		    renameat(dir, temp, dir, name) == 0)
			return 0;
		if (errno == ENOTEMPTY || errno == EEXIST)
			return err_set(ERR_DAMAGED,
			    "%s is a folder with something in it: move it away",
			    path);
	}
	return err_errno(io_code(errno), "cannot rename to %s", path);
}

int
fs_write_file(int dirfd, const char *path, const void *p, size_t len,
    unsigned mode, unsigned flags)
{
	char temp[TEMP_NAME_MAX];
	int dir = -1, fd = -1, made = 0, r;
	const char *name = NULL;

	r = open_parent(&dir, &name, dirfd, path);
	if (r < 0)
		goto out;
	clear_dir(dir);
	r = open_temp(&fd, temp, dir, path);
	if (r < 0)
		goto out;
	made = 1;
	r = fill_temp(fd, path, p, len, mode, flags);
	if (r < 0)
		goto out;
	r = publish(dir, temp, name, path, flags);
	if (r < 0)
		goto out;
	made = 0;
	if ((flags & FS_NOSYNC) == 0 && fsync(dir) != 0)
		r = err_errno(
		    io_code(errno), "cannot sync the directory of %s", path);
out:
	if (made)
		(void)unlinkat(dir, temp, 0); /* the error that counts is r */
	if (fd >= 0)
		(void)close(fd); /* fsync has said all, or it is a cache */
	if (dir >= 0)
		(void)close(dir);
	return r;
}

int
fs_sync_dir(int dirfd, const char *path)
{
	int fd, r = 0;

	fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(ERR_IO, "cannot open directory %s", path);
	if (fsync(fd) != 0)
		r = err_errno(io_code(errno), "cannot sync directory %s", path);
	(void)close(fd); /* nothing was written through it */
	return r;
}

/* The directory that `path` is in, in fresh memory; NULL: no memory. */
static char *
parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *parent;

	if (slash == NULL)
		parent = strdup(".");
	else
		parent =
		    strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (parent == NULL)
		(void)err_nomem(strlen(path)); /* the caller sees NULL */
	return parent;
}

int
fs_sync_name(const char *path)
{
	char *parent = parent_of(path);
	int fd, r = 0;

	if (parent == NULL)
		return ERR_NOMEM;
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Who may not read a directory cannot sync it, whatever is in it is
	 * somebody else's doing; and what is mounted to be read only has
	 * nothing to be synced. */
	if (fd < 0 && errno != EACCES)
		r = err_errno(
		    io_code(errno), "cannot open directory %s", parent);
	else if (fd >= 0 && fsync(fd) != 0 && errno != EROFS && errno != EINVAL)
		r = err_errno(
		    io_code(errno), "cannot sync directory %s", parent);
	if (fd >= 0)
		(void)close(fd); /* nothing was written through it */
	free(parent);
	return r;
}

/* Make the one directory `path`, whose parent exists, and sync the parent. */
static int
make_dir(const char *path, unsigned mode)
{
	struct stat st;
	char *parent;
	int r;

	if (mkdir(path, (mode_t)mode) != 0) {
		if (errno != EEXIST)
			return err_errno(
			    io_code(errno), "cannot make directory %s", path);
		if (stat(path, &st) != 0)
			return err_errno(ERR_IO, "cannot stat %s", path);
		if (!S_ISDIR(st.st_mode))
			return err_set(ERR_IO, "%s is not a directory", path);
		return fs_sync_name(path);
	}
	parent = parent_of(path);
	if (parent == NULL)
		return ERR_NOMEM;
	r = fs_sync_dir(AT_FDCWD, parent);
	free(parent);
	return r;
}

/* Before `path` is made: the name of what is above it, of `len` bytes, unless
 * that was made just now (0) or `path` is there. */
static int
sync_first(const char *path, size_t len)
{
	struct stat st;
	char *above;
	int r;

	if (len == 0 || lstat(path, &st) == 0)
		return 0;
	above = strndup(path, len);
	if (above == NULL)
		return err_nomem(len);
	r = fs_sync_name(above);
	free(above);
	return r;
}

int
fs_make_dirs(const char *path, unsigned mode)
{
	char *copy, *at;
	struct stat st;
	size_t len, there = 0;
	int r = 0;

	copy = strdup(path);
	if (copy == NULL)
		return err_nomem(strlen(path) + 1);
	len = strlen(copy);
	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	/* Go down from the root, and touch only what is not there. */
	for (at = copy; r == 0 && at != NULL;) {
		at = strchr(at + (at[0] != '\0'), '/');
		if (at != NULL && at[-1] == '/')
			continue;
		if (at != NULL)
			*at = '\0';
		if (stat(copy, &st) == 0 && at != NULL) {
			there = strlen(copy);
		} else {
			r = sync_first(copy, there);
			there = 0;
			if (r == 0)
				r = make_dir(copy, mode);
		}
		if (at != NULL)
			*at = '/';
	}
	free(copy);
	return r;
}

int
fs_lock_file(int *out, const char *path)
{
	struct stat st;
	int fd, r;

	/* O_NONBLOCK: neither a FIFO nor a device makes us wait. */
	fd = open(path,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
	    0600);
	if (fd < 0)
		return err_errno(
		    is_no_file(errno) ? ERR_DAMAGED : io_code(errno),
		    "cannot open %s", path);
	/* Another kind of file may be locked by strangers, or go unnoticed. */
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd); /* nothing was written */
		return err_set(ERR_DAMAGED, "%s is no file", path);
	}
	r = lock_now(fd);
	if (r == 0) {
		*out = fd;
		return 0;
	}
	if (errno == EWOULDBLOCK)
		r = err_set(ERR_BUSY, "%s is locked by another process", path);
	else
		r = err_errno(ERR_IO, "cannot lock %s", path);
	(void)close(fd); /* nothing was written */
	return r;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st; /* the callback's form is nftw's */
	(void)ftw;
	if ((type == FTW_DP ? rmdir(path) : unlink(path)) != 0 &&
	    errno != ENOENT)
		return err_errno(ERR_IO, "cannot remove %s", path);
	return 0;
}

int
fs_remove_tree(const char *path)
{
	struct stat st;
	int r;

	if (lstat(path, &st) != 0)
		return errno == ENOENT
			   ? 0
			   : err_errno(ERR_IO, "cannot stat %s", path);
	r = nftw(path, remove_one, REMOVE_FDS, FTW_DEPTH | FTW_PHYS);
	/* -1 is nftw's own failure as well as ERR_FAIL, which we never give. */
	return r == -1 ? err_errno(ERR_IO, "cannot remove %s", path) : r;
}

char *
fs_join(const char *dir, const char *name)
{
	return fs_printf("%s/%s", dir, name);
}

char *
fs_printf(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		(void)err_nomem(PATH_MAX); /* the caller sees NULL */
		return NULL;
	}
	return text;
}

int
fs_is_network(int fd)
{
	return os_is_network(fd);
}
