#include "engine/source.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum address_kind
source_kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return ADDRESS_FILE;
	case S_IFDIR:
		return ADDRESS_DIR;
	case S_IFLNK:
		return ADDRESS_SYMLINK;
	case S_IFIFO:
		return ADDRESS_FIFO;
	case S_IFCHR:
		return ADDRESS_CHARDEV;
	default:
		return ADDRESS_BLOCKDEV;
	}
}

void
source_fill(struct slot *s, struct run *run, const struct stat *st)
{
	s->kind = (uint8_t)source_kind(st->st_mode);
	s->mode = (uint16_t)(st->st_mode & 07777);
	if (s->user == NULL || s->uid != st->st_uid)
		s->user = owners_user(run->owners, st->st_uid);
	if (s->group == NULL || s->gid != st->st_gid)
		s->group = owners_group(run->owners, st->st_gid);
	s->uid = st->st_uid;
	s->gid = st->st_gid;
	s->dev = st->st_dev;
	s->ino = st->st_ino;
	s->size = (uint64_t)st->st_size;
	s->mtime_s = st->st_mtim.tv_sec;
	s->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
	s->ctime_s = st->st_ctim.tv_sec;
	s->ctime_ns = (uint32_t)st->st_ctim.tv_nsec;
	if (s->kind != ADDRESS_DIR && st->st_nlink > 1)
		s->flags |= ENTRY_HARDLINK;
	if (s->kind == ADDRESS_CHARDEV || s->kind == ADDRESS_BLOCKDEV) {
		s->major = major(st->st_rdev);
		s->minor = minor(st->st_rdev);
	}
}

int
source_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	       a->st_mode == b->st_mode && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

void
source_give_up(struct worker *w, struct block *b, struct slot *s, int error)
{
	s->state = SLOT_GONE;
	notes_unreadable(
	    &w->run->notes, s->dir, block_name(b, s), s->name_len, error);
}

int
source_open(
    int *fd, struct stat *st, struct worker *w, struct block *b, struct slot *s)
{
	/* O_NONBLOCK: the name may be a FIFO's by now. */
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int f = -1;

	/* Reading is no use of the file: keep its access time if we may. */
	if (w->run->euid == 0 || w->run->euid == s->uid) {
		f = openat(s->dir->fd, block_name(b, s), flags | O_NOATIME);
		if (f < 0 && errno != EPERM)
			goto fail;
	}
	if (f < 0)
		f = openat(s->dir->fd, block_name(b, s), flags);
	if (f < 0 || fstat(f, st) != 0)
		goto fail;
	if (!S_ISREG(st->st_mode)) {
		(void)err_set(ERR_SOURCE, "changed its type while it was read");
		source_give_up(w, b, s, 0);
		(void)close(f); /* nothing was read */
		return 1;
	}
	if (st->st_nlink > 1 && s->fsid == 0)
		s->fsid = source_fsid(f, st->st_dev);
	*fd = f;
	return 0;
fail:
	source_give_up(w, b, s, errno);
	if (f >= 0)
		(void)close(f); /* nothing was read */
	return 1;
}

int
source_xattrs(struct worker *w, struct block *b, struct slot *s, int fd)
{
	struct xattrs *x = &w->xattrs;
	struct buf *extra = block_extra(b, s);
	int r = 0;

	if (fd < 0) {
		/* There is no llistxattrat(): /proc names the directory. */
		buf_reset(&w->path);
		r = buf_printf(&w->path, "/proc/self/fd/%d/%s", s->dir->fd,
		    block_name(b, s));
		if (r == 0)
			r = buf_append8(&w->path, 0);
	}
	if (r == 0)
		r = xattrs_read(x, fd, (const char *)w->path.data);
	if (r == 0 && x->problem[0] != '\0') {
		s->incomplete = 1;
		(void)atomic_fetch_add(&w->run->notes.counts->unreadable, 1);
		notes_say(&w->run->notes, s->dir,
		    s->op == SLOT_ENTER ? NULL : block_name(b, s), s->name_len,
		    x->problem);
	}
	s->xattr_len = 0;
	if (r == 0 && x->block.len > 0) {
		s->xattr = (uint32_t)extra->len;
		s->xattr_len = (uint32_t)x->block.len;
		r = buf_append(extra, x->block.data, x->block.len);
	}
	return r;
}

uint64_t
source_fsid(int fd, uint64_t dev)
{
	struct statfs fs;
	uint32_t parts[2];
	uint64_t id;

	if (fstatfs(fd, &fs) != 0)
		return dev;
	_Static_assert(sizeof(fs.f_fsid) == sizeof(parts), "two integers");
	memcpy(parts, &fs.f_fsid, sizeof(parts));
	id = (uint64_t)parts[0] | (uint64_t)parts[1] << 32;
	return id != 0 ? id : dev;
}
