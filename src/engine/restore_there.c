#include "engine/restore_there.h"

#include "base/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PIECE_BYTES (1u << 20)

int
restore_there_occupied(int fd)
{
	struct dirent *de;
	int dup, found = 0;
	DIR *d;

	dup = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = dup >= 0 ? fdopendir(dup) : NULL;
	if (d == NULL) {
		found = err_errno(ERR_IO, "cannot look into it");
		if (dup >= 0)
			(void)close(dup); /* only read */
		return found;
	}
	errno = 0;
	while (!found && (de = readdir(d)) != NULL)
		found = strcmp(de->d_name, ".") != 0 &&
			strcmp(de->d_name, "..") != 0 &&
			strcmp(de->d_name, ".shamo") != 0;
	if (!found && errno != 0)
		found = err_errno(ERR_IO, "cannot look into it");
	(void)closedir(d); /* only read */
	return found;
}

/* Nonzero when the open file has the size and address of `f`. */
static int
has_content(struct restore_file *f, int fd)
{
	uint8_t address[HASH_BYTES], *piece = malloc(PIECE_BYTES);
	uint64_t at = 0;
	struct hash h;
	ssize_t n = piece == NULL ? -1 : 1;

	hash_init(&h);
	while (n > 0 && at <= f->size && !restore_job_poll(f->job)) {
		n = read(fd, piece, PIECE_BYTES);
		if (n < 0 && errno == EINTR) {
			n = 1;
			continue;
		}
		if (n > 0) {
			hash_update(&h, piece, (size_t)n);
			at += (uint64_t)n;
		}
	}
	free(piece);
	hash_final(&h, address);
	return n == 0 && at == f->size &&
	       memcmp(address, f->address, sizeof(address)) == 0;
}

/* A regular file.  One that cannot be read is another one. */
static int
is_same_file(struct restore_file *f, int dirfd, struct stat *st)
{
	int fd;

	if ((uint64_t)st->st_size != f->size)
		return 0;
	fd = openat(dirfd, f->name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (fstat(fd, st) != 0 || !S_ISREG(st->st_mode) ||
	    !has_content(f, fd)) {
		(void)close(fd); /* only read */
		return 0;
	}
	f->fd = fd;
	return 1;
}

static int
is_same_link(const struct restore_file *f, int dirfd)
{
	char target[LIMIT_TARGET_BYTES + 1];
	ssize_t n = readlinkat(dirfd, f->name, target, sizeof(target));

	return n >= 0 && (uint64_t)n == f->size &&
	       memcmp(target, f->data, (size_t)n) == 0;
}

static int
is_same(struct restore_file *f, int dirfd, struct stat *st)
{
	switch (f->kind) {
	case ADDRESS_FILE:
		return S_ISREG(st->st_mode) && is_same_file(f, dirfd, st);
	case ADDRESS_SYMLINK:
		return S_ISLNK(st->st_mode) && is_same_link(f, dirfd);
	case ADDRESS_FIFO:
		return S_ISFIFO(st->st_mode);
	case ADDRESS_CHARDEV:
	case ADDRESS_BLOCKDEV:
		return (f->kind == ADDRESS_CHARDEV ? S_ISCHR(st->st_mode)
						   : S_ISBLK(st->st_mode)) &&
		       st->st_rdev == makedev(f->major, f->minor);
	case ADDRESS_DIR:
		break; /* not one of these */
	}
	return 0;
}

/* A directory has the name. */
static enum restore_there
look_dir(const struct restore_file *f, int dirfd)
{
	int fd, occupied;

	if (!f->job->o->dry_run)
		return unlinkat(dirfd, f->name, AT_REMOVEDIR) == 0
			   ? RESTORE_THERE_NOT
			   : RESTORE_THERE_BLOCKED;
	fd = openat(
	    dirfd, f->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	occupied = fd < 0 || restore_there_occupied(fd);
	if (fd >= 0)
		(void)close(fd); /* only read */
	return occupied ? RESTORE_THERE_BLOCKED : RESTORE_THERE_NOT;
}

enum restore_there
restore_there_look(struct restore_file *f, struct stat *st)
{
	enum restore_there there = RESTORE_THERE_OTHER;
	int dirfd;

	if (f->dir->unmade)
		return RESTORE_THERE_NOT;
	dirfd = restore_dir_pin(f->dir);
	if (dirfd < 0)
		return RESTORE_THERE_NOT; /* writing will say what is wrong */
	if (fstatat(dirfd, f->name, st, AT_SYMLINK_NOFOLLOW) != 0)
		there = RESTORE_THERE_NOT;
	else if (S_ISDIR(st->st_mode))
		there = look_dir(f, dirfd);
	else if (is_same(f, dirfd, st))
		there = RESTORE_THERE_SAME;
	restore_dir_unpin(f->dir);
	return there;
}
