#include "engine/restore_meta.h"

#include "engine/xattrs.h"

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

/* Nonzero when the block has an attribute of that name. */
static int
has_xattr(const struct entry_xattr *x, const uint8_t *block, size_t len)
{
	struct entry_xattr y;
	size_t pos = 0;

	while (entry_xattr_next(&y, &pos, block, len) == 0)
		if (y.name_len == x->name_len &&
		    memcmp(y.name, x->name, x->name_len) == 0)
			return 1;
	return 0;
}

/* Whether restoring may take an attribute away: those of users and ACLs, not
 * what a security module put there. */
static int
may_remove(const char *name)
{
	return strncmp(name, "user.", 5) == 0 ||
	       strncmp(name, "system.posix_acl_", 17) == 0 ||
	       strcmp(name, "security.capability") == 0;
}

/* Remove what is there and not wanted. */
static void
remove_xattrs(const struct target *t, const struct buf *there,
    const uint8_t *want, size_t want_len)
{
	char name[UINT8_MAX + 1];
	struct entry_xattr x;
	size_t pos = 0;
	int rc;

	while (entry_xattr_next(&x, &pos, there->data, there->len) == 0) {
		memcpy(name, x.name, x.name_len);
		name[x.name_len] = '\0';
		if (!may_remove(name) || has_xattr(&x, want, want_len))
			continue;
		rc = t->fd >= 0 ? fremovexattr(t->fd, name)
				: lremovexattr(t->path, name);
		if (rc == 0 || errno == ENODATA)
			continue;
		if (is_lack(errno))
			restore_job_count(t->j, &t->j->result.lack_xattr, 1);
		else
			restore_job_failed(
			    t->j, t->dir, t->name, "remove an attribute");
	}
}

/* Make what is there the block `want`.  Returns nonzero when it was not. */
static int
renew_xattrs(const struct target *t, const uint8_t *want, size_t want_len)
{
	struct xattrs there;
	int rc, differs;

	xattrs_init(&there);
	rc = xattrs_read(&there, t->fd, t->path);
	if (rc != 0)
		(void)restore_job_stop(t->j, rc);
	differs =
	    there.block.len != want_len ||
	    (want_len > 0 && memcmp(there.block.data, want, want_len) != 0);
	if (rc == 0 && differs) {
		if (there.block.len > 0)
			remove_xattrs(t, &there.block, want, want_len);
		if (want_len > 0)
			set_xattr_block(t, want, want_len);
	}
	xattrs_release(&there);
	return differs;
}

/* Set the attributes; over what is there only if they differ.  Returns nonzero
 * when some were set. */
static int
set_xattrs(const struct target *t, const struct restore_meta *m)
{
	const struct object *o = NULL;
	const uint8_t *want = m->xattr;
	size_t want_len = m->xattr_len;
	int rc = 0, set = 0;

	if (m->has_xattr_id) {
		rc = fetch_get(&o, t->j->fetch, OBJECT_CHUNK, m->xattr_id);
		if (rc == 0) {
			want = o->payload.data;
			want_len = o->payload.len;
		}
	}
	if (rc == ERR_DAMAGED) {
		restore_job_damaged(t->j, t->dir, t->name, err_text());
	} else if (rc != 0) {
		(void)restore_job_stop(t->j, rc);
	} else if (t->j->o->force) {
		set = renew_xattrs(t, want, want_len);
	} else if (want != NULL) {
		set_xattr_block(t, want, want_len);
		set = 1;
	}
	fetch_put(t->j->fetch, o);
	return set;
}

static void
fill_times(struct timespec ts[2], const struct restore_meta *m)
{
	ts[0].tv_sec = 0;
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_sec = m->mtime_s;
	ts[1].tv_nsec = (long)m->mtime_ns;
}

static int
same_time(const struct restore_meta *m, const struct stat *st)
{
	return st->st_mtim.tv_sec == m->mtime_s &&
	       st->st_mtim.tv_nsec == (long)m->mtime_ns;
}

void
restore_meta_set(struct restore_job *j, const struct restore_meta *m, int fd,
    const struct stat *st, const struct restore_dir *dir, const char *name)
{
	struct target t = {j, dir, name, fd, NULL};
	struct timespec ts[2];
	int owner_differs = st->st_uid != m->uid || st->st_gid != m->gid;
	mode_t mode = m->mode;
	int set;

	mode &= ~(mode_t)set_owner(&t, m, st);
	set = set_xattrs(&t, m);
	if ((owner_differs || set || mode != (st->st_mode & 07777)) &&
	    fchmod(fd, mode) != 0)
		restore_job_failed(j, dir, name, "set the mode");
	fill_times(ts, m);
	if (!same_time(m, st) && futimens(fd, ts) != 0)
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
	int owner_differs, set;

	/* The last component is not followed by the calls on `path`. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		restore_job_failed(j, dir, name, "look at it");
		return;
	}
	owner_differs = st.st_uid != m->uid || st.st_gid != m->gid;
	mode &= ~(mode_t)set_owner(&t, m, &st);
	set = set_xattrs(&t, m);
	if (!S_ISLNK(st.st_mode) &&
	    (owner_differs || set || mode != (st.st_mode & 07777)) &&
	    set_mode_at(dirfd, name, mode) != 0)
		restore_job_failed(j, dir, name, "set the mode");
	fill_times(ts, m);
	if (!same_time(m, &st) &&
	    utimensat(dirfd, name, ts, AT_SYMLINK_NOFOLLOW) != 0)
		restore_job_failed(j, dir, name, "set the time");
}
