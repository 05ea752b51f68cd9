#include "base/ballast.h"

#include "base/err.h"
#include "base/fs.h"
#include "base/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Written at once where blocks cannot be had without writing. */
#define PIECE_BYTES (64u << 10)
/* What st_blocks counts in. */
#define BLOCK_BYTES 512

static int
io_code(int errnum)
{
	return errnum == ENOSPC || errnum == EDQUOT ? ERR_NOSPACE : ERR_IO;
}

int
ballast_room(struct ballast_room *out, const char *path)
{
	struct statvfs st;

	if (statvfs(path, &st) != 0)
		return err_errno(ERR_IO, "%s", path);
	out->bytes = (uint64_t)st.f_bavail * st.f_frsize;
	out->bytes_all = (uint64_t)st.f_blocks * st.f_frsize;
	out->files = st.f_favail;
	out->files_all = st.f_files;
	return 0;
}

/*
 * For a file system that cannot allocate: bytes that none of them compresses
 * or finds twice.
 */
static int
fill(int fd, uint64_t bytes)
{
	uint8_t *piece = malloc(PIECE_BYTES);
	uint64_t at;
	size_t n;
	int r = 0;

	if (piece == NULL)
		return err_nomem(PIECE_BYTES);
	for (at = 0; at < bytes && r == 0; at += n) {
		n = bytes - at < PIECE_BYTES ? (size_t)(bytes - at)
					     : PIECE_BYTES;
		random_bytes(piece, n);
		r = fs_pwrite_all(fd, piece, n, at);
	}
	free(piece);
	return r;
}

static int
hold_one(const char *path, uint64_t bytes)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;
	int r = 0;

	if (fd < 0)
		return err_errno(io_code(errno), "%s", path);
	if (fstat(fd, &st) != 0) {
		r = err_errno(ERR_IO, "%s", path);
		goto out;
	}
	/* Blocks, not length: a copy has none. */
	if ((uint64_t)st.st_blocks * BLOCK_BYTES >= bytes)
		goto out;
	/* Beyond its end, so who lists or copies the folder meets nothing. */
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes) == 0)
		goto out;
	r = errno == EOPNOTSUPP || errno == ENOSYS
		? fill(fd, bytes)
		: err_errno(io_code(errno), "%s", path);
out:
	(void)close(fd); /* it has its blocks, or not */
	return r;
}

int
ballast_hold(const char *dir, unsigned files, uint64_t bytes)
{
	unsigned i;
	char *path;
	int r = 0;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return err_errno(io_code(errno), "%s", dir);
	for (i = 0; i < files && r == 0; i++) {
		path = fs_printf("%s/%u", dir, i);
		r = path == NULL ? ERR_NOMEM : hold_one(path, bytes);
		free(path);
	}
	return r;
}

int
ballast_blocks(const char *dir, const char *name, uint64_t bytes)
{
	char *path = fs_join(dir, name);
	int fd, r = 0;

	if (path == NULL)
		return err_nomem(strlen(name));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 ||
	    (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes) != 0 &&
		errno != EOPNOTSUPP && errno != ENOSYS))
		r = err_errno(io_code(errno), "%s", path);
	if (fd >= 0)
		(void)close(fd); /* nothing was written */
	free(path);
	return r;
}

int
ballast_drop(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	int r = 0;

	if (d == NULL)
		return errno == ENOENT ? 0 : err_errno(ERR_IO, "%s", dir);
	while (errno = 0, (e = readdir(d)) != NULL) {
		if (e->d_name[0] != '.' &&
		    unlinkat(dirfd(d), e->d_name, 0) != 0 && errno != ENOENT)
			r = err_errno(ERR_IO, "%s/%s", dir, e->d_name);
	}
	if (errno != 0)
		r = err_errno(ERR_IO, "%s", dir);
	(void)closedir(d); /* only read from */
	return r;
}
