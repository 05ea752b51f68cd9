#include "engine/restore_meta.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* What is worked on: a descriptor, or a path that ends in the entry itself. */
struct target {
	struct restore_job *j;
	const struct restore_dir *dir;
	const char *name;
	int fd; /* -1: by path */
	const char *path;
};

int
restore_meta_init(struct restore_meta *m, const struct entry *e)
{
	memset(m, 0, sizeof(*m));
	m->uid = e->uid;
	m->gid = e->gid;
	m->mode = e->mode & 07777;
	m->mtime_s = e->mtime_s;
	m->mtime_ns = e->mtime_ns;
	if ((e->flags & ENTRY_XATTR_REF) != 0) {
		m->has_xattr_id = 1;
		memcpy(m->xattr_id, e->xattr_id, sizeof(m->xattr_id));
	} else if ((e->flags & ENTRY_XATTR_INLINE) != 0 && e->xattr_len > 0) {
		m->xattr = malloc(e->xattr_len);
		if (m->xattr == NULL)
			return err_nomem(e->xattr_len);
		memcpy(m->xattr, e->xattr, e->xattr_len);
		m->xattr_len = e->xattr_len;
	}
	return 0;
}

void
restore_meta_release(struct restore_meta *m)
{
	free(m->xattr);
	m->xattr = NULL;
}

mode_t
restore_meta_create_mode(
    const struct restore_job *j, const struct restore_meta *m)
{
	/* Until its owner is set, nobody else gets to see it. */
	if (m->uid != j->uid || m->gid != j->gid)
		return 0600;
	return m->mode & 0777;
}

/* Nonzero when privileges, or what the file system can do, are to blame. */
static int
is_lack(int error)
{
	/* EINVAL: an id that has no place in this user namespace. */
	return error == EPERM || error == EACCES || error == EINVAL ||
	       error == ENOTSUP || error == ENOSYS;
}

static int
change_owner(int fd, const char *path, uid_t uid, gid_t gid)
{
	return fd >= 0 ? fchown(fd, uid, gid) : lchown(path, uid, gid);
}

/* Returns the mode's bits that must go because the owner could not be set. */
static unsigned
set_owner(
    const struct target *t, const struct restore_meta *m, const struct stat *st)
{
	unsigned drop = 0;

	if (st->st_uid == m->uid && st->st_gid == m->gid)
		return 0;
	if (change_owner(t->fd, t->path, m->uid, m->gid) == 0)
		return 0;
	if (!is_lack(errno)) {
		restore_job_failed(t->j, t->dir, t->name, "set the owner");
		return 0;
	}
	restore_job_count(t->j, &t->j->result.lack_owner, 1);
	if (st->st_uid != m->uid)
		drop |= S_ISUID;
	/* One's own groups can be given without privileges. */
	if (st->st_gid != m->gid &&
	    change_owner(t->fd, t->path, (uid_t)-1, m->gid) != 0 &&
	    !S_ISDIR(st->st_mode))
		drop |= S_ISGID;
	return drop;
}

/* Returns 0; 1 when only privileges lacked; -1 when it failed (told). */
static int
set_xattr(const struct target *t, const struct entry_xattr *x)
{
	char name[UINT8_MAX + 1];
	int rc;

	memcpy(name, x->name, x->name_len);
	name[x->name_len] = '\0';
	rc = t->fd >= 0 ? fsetxattr(t->fd, name, x->value, x->value_len, 0)
			: lsetxattr(t->path, name, x->value, x->value_len, 0);
	if (rc == 0)
		return 0;
	if (is_lack(errno))
		return 1;
	/* ext4 says ENOSPC for more than one block of attributes. */
	if (errno == ENOSPC)
		errno = E2BIG;
	restore_job_failed(t->j, t->dir, t->name, "set an attribute");
	return -1;
}

static void
set_xattr_block(const struct target *t, const uint8_t *block, size_t len)
{
	struct entry_xattr x;
	size_t pos = 0;
	int lack = 0, rc;

	while ((rc = entry_xattr_next(&x, &pos, block, len)) == 0) {
		rc = set_xattr(t, &x);
		if (rc < 0)
			break;
		lack |= rc;
	}
	if (rc == ERR_DAMAGED)
		restore_job_damaged(t->j, t->dir, t->name, err_text());
	if (lack)
		restore_job_count(t->j, &t->j->result.lack_xattr, 1);
}

static void
set_xattrs(const struct target *t, const struct restore_meta *m)
{
	const struct object *o = NULL;
	int rc;

	if (m->xattr != NULL)
		set_xattr_block(t, m->xattr, m->xattr_len);
	if (!m->has_xattr_id)
		return;
	rc = fetch_get(&o, t->j->fetch, OBJECT_CHUNK, m->xattr_id);
	if (rc == ERR_DAMAGED)
		restore_job_damaged(t->j, t->dir, t->name, err_text());
	else if (rc != 0)
		(void)restore_job_stop(t->j, rc);
	else
		set_xattr_block(t, o->payload.data, o->payload.len);
	fetch_put(t->j->fetch, o);
}

static void
fill_times(struct timespec ts[2], const struct restore_meta *m)
{
	ts[0].tv_sec = 0;
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_sec = m->mtime_s;
	ts[1].tv_nsec = (long)m->mtime_ns;
}

void
restore_meta_set(struct restore_job *j, const struct restore_meta *m, int fd,
    const struct stat *st, const struct restore_dir *dir, const char *name)
{
	struct target t = {j, dir, name, fd, NULL};
	struct timespec ts[2];
	int owner_differs = st->st_uid != m->uid || st->st_gid != m->gid;
	int has_xattrs = m->xattr != NULL || m->has_xattr_id;
	mode_t mode = m->mode;

	mode &= ~(mode_t)set_owner(&t, m, st);
	set_xattrs(&t, m);
	if ((owner_differs || has_xattrs || mode != (st->st_mode & 07777)) &&
	    fchmod(fd, mode) != 0)
		restore_job_failed(j, dir, name, "set the mode");
	fill_times(ts, m);
	if (futimens(fd, ts) != 0)
		restore_job_failed(j, dir, name, "set the time");
}

/* Set the mode of a FIFO or device, never of what a symlink points to. */
static int
set_mode_at(int dirfd, const char *name, mode_t mode)
{
	char path[64];
	int fd, rc;

	fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rc = chmod(path, mode);
	(void)close(fd); /* O_PATH: nothing can be lost */
	return rc;
}

void
restore_meta_set_at(struct restore_job *j, const struct restore_meta *m,
    int dirfd, const struct restore_dir *dir, const char *name)
{
	char path[64 + NAME_MAX];
	struct target t = {j, dir, name, -1, path};
	struct timespec ts[2];
	struct stat st;
	mode_t mode = m->mode;

	/* The last component is not followed by the calls on `path`. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		restore_job_failed(j, dir, name, "look at it");
		return;
	}
	mode &= ~(mode_t)set_owner(&t, m, &st);
	set_xattrs(&t, m);
	if (!S_ISLNK(st.st_mode) && set_mode_at(dirfd, name, mode) != 0)
		restore_job_failed(j, dir, name, "set the mode");
	fill_times(ts, m);
	if (utimensat(dirfd, name, ts, AT_SYMLINK_NOFOLLOW) != 0)
		restore_job_failed(j, dir, name, "set the time");
}
