#include "fault/sim_disk.h"

#include "base/buf.h"
#include "base/fs.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SECTOR_BYTES 512
#define FDS_MAX 1024
#define NAME_BYTES 96

struct node {
	struct node *next; /* of all */
	int is_dir;
	struct buf now, kept; /* bytes; or struct entry, of a directory */
	struct buf changes; /* struct entry, of a directory, since its fsync */
};

struct entry {
	char name[NAME_BYTES];
	struct node *n; /* NULL in a change: the name went */
};

static struct {
	char *path; /* NULL: there is none */
	struct node *all, *root;
	struct node *fds[FDS_MAX];
	uint64_t seed, count, cut_at, call_at;
	void (*call)(void);
	int off, lose_all;
	unsigned syncs_lost; /* sim_disk_lie() */
	unsigned lost;
} disk;

/* Over all of it; a call may be made of others. */
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static int
enter(void)
{
	return pthread_mutex_lock(&lock);
}

static void
leave(const int *held)
{
	(void)held; /* what the attribute asks for */
	(void)pthread_mutex_unlock(&lock);
}

/* The rest of the function is done by one thread at a time. */
#define ALONE() int held __attribute__((cleanup(leave), unused)) = enter()

static unsigned
draw(unsigned below)
{
	uint64_t z = disk.seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ z >> 31) % below);
}

static void
must(int ret)
{
	if (ret != 0)
		abort(); /* no memory */
}

static struct node *
new_node(int is_dir)
{
	struct node *n = calloc(1, sizeof(*n));

	assert(n != NULL);
	n->is_dir = is_dir;
	n->next = disk.all;
	disk.all = n;
	return n;
}

static void
free_nodes(void)
{
	struct node *n;

	while ((n = disk.all) != NULL) {
		disk.all = n->next;
		buf_release(&n->now);
		buf_release(&n->kept);
		buf_release(&n->changes);
		free(n);
	}
	disk.root = NULL;
	memset(disk.fds, 0, sizeof(disk.fds));
}

static struct entry *
find(const struct buf *list, const char *name)
{
	struct entry *e = (struct entry *)(void *)list->data;
	size_t i;

	for (i = 0; i < list->len / sizeof(*e); i++) {
		if (strcmp(e[i].name, name) == 0)
			return e + i;
	}
	return NULL;
}

/* One change of a directory's list. */
static void
apply(struct buf *list, const struct entry *change)
{
	struct entry *e = find(list, change->name), *last;

	if (e != NULL && change->n != NULL) {
		e->n = change->n;
	} else if (e != NULL) {
		last = (struct entry *)(void *)(list->data + list->len) - 1;
		*e = *last;
		list->len -= sizeof(*e);
	} else if (change->n != NULL) {
		must(buf_append(list, change, sizeof(*change)));
	}
}

/* `name` of the directory is `n` from now on, or gone (NULL). */
static void
change(struct node *dir, const char *name, struct node *n)
{
	struct entry e = {.n = n};

	assert(strlen(name) < sizeof(e.name));
	memcpy(e.name, name, strlen(name));
	apply(&dir->now, &e);
	must(buf_append(&dir->changes, &e, sizeof(e)));
}

/* LMDB calls its files by itself; the reserve has nothing in it. */
static int
is_left_out(const struct node *dir, const char *name)
{
	return strcmp(name, "data.mdb") == 0 || strcmp(name, "lock.mdb") == 0 ||
	       (dir == disk.root && strcmp(name, "index") == 0) ||
	       strcmp(name, "reserve") == 0;
}

/*
 * Where a path leads: its directory and the last name, which is empty for the
 * root or ".".  NULL: nowhere on the disk.
 */
static struct node *
locate(char last[NAME_BYTES], int dirfd, const char *path)
{
	size_t len = disk.path == NULL ? 0 : strlen(disk.path), n;
	struct node *at = NULL;
	struct entry *e;

	if (disk.path == NULL)
		return NULL;
	if (path[0] == '/' && strncmp(path, disk.path, len) == 0 &&
	    (path[len] == '/' || path[len] == '\0')) {
		at = disk.root;
		path += len;
	} else if (path[0] != '/' && dirfd >= 0 && dirfd < FDS_MAX) {
		at = disk.fds[dirfd];
	}
	last[0] = '\0';
	while (at != NULL) {
		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 0 || (n == 1 && path[0] == '.' && path[1] == '\0'))
			return at;
		if (last[0] != '\0') {
			e = find(&at->now, last);
			at = e != NULL && e->n->is_dir ? e->n : NULL;
		}
		assert(n < NAME_BYTES);
		memcpy(last, path, n);
		last[n] = '\0';
		path += n;
		if (is_left_out(at, last))
			return NULL;
	}
	return NULL;
}

static struct node *
node_at(int dirfd, const char *path)
{
	char last[NAME_BYTES];
	struct node *dir = locate(last, dirfd, path);
	struct entry *e;

	if (dir == NULL || last[0] == '\0')
		return dir;
	e = find(&dir->now, last);
	return e == NULL ? NULL : e->n;
}

static struct node *
node_of(int fd)
{
	return fd >= 0 && fd < FDS_MAX ? disk.fds[fd] : NULL;
}

int
sim_disk_step(void)
{
	ALONE();

	if (disk.off) {
		errno = EIO;
		return -1;
	}
	if (++disk.count == disk.call_at)
		disk.call();
	if (disk.count != disk.cut_at)
		return 0;
	errno = EIO;
	disk.off = 1;
	return draw(2) ? 1 : -1;
}

/* The calls, as the linker's --wrap names them. */
int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int dirfd, const char *path, int flags, ...);
int __wrap_close(int fd);
ssize_t __wrap_write(int fd, const void *p, size_t len);
ssize_t __wrap_pwrite(int fd, const void *p, size_t len, off_t at);
int __wrap_ftruncate(int fd, off_t len);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_renameat(int from, const char *a, int to, const char *b);
int __wrap_renameat2(
    int from, const char *a, int to, const char *b, unsigned flags);
int __wrap_rename(const char *a, const char *b);
int __wrap_linkat(int from, const char *a, int to, const char *b, int flags);
int __wrap_link(const char *a, const char *b);
int __wrap_unlinkat(int dirfd, const char *path, int flags);
int __wrap_unlink(const char *path);
int __wrap_rmdir(const char *path);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_closedir(DIR *d);
int __real_closedir(DIR *d);

static int
open_at(int dirfd, const char *path, int flags, mode_t mode)
{
	char last[NAME_BYTES];
	struct node *dir, *n;
	int fd, on = 0;
	ALONE();

	/* A file without a name is gone with its descriptor. */
	dir =
	    (flags & O_TMPFILE) == O_TMPFILE ? NULL : locate(last, dirfd, path);
	n = dir == NULL ? NULL : node_at(dirfd, path);
	if (dir != NULL && n == NULL && flags & O_CREAT)
		on = sim_disk_step();
	if (on < 0)
		return -1;
	fd = (int)syscall(SYS_openat, dirfd, path, flags, mode);
	if (fd < 0)
		return -1;
	assert(fd < FDS_MAX);
	if (dir != NULL && n == NULL && flags & O_CREAT) {
		n = new_node(0);
		change(dir, last, n);
	}
	if (n != NULL && flags & O_TRUNC)
		buf_reset(&n->now);
	disk.fds[fd] = n;
	if (on == 1) {
		(void)__wrap_close(fd); /* it has nothing in it */
		errno = EIO;
		return -1;
	}
	return fd;
}

int
__wrap_openat(int dirfd, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & (O_CREAT | O_TMPFILE))
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return open_at(dirfd, path, flags, mode);
}

int
__wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & (O_CREAT | O_TMPFILE))
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return open_at(AT_FDCWD, path, flags, mode);
}

int
__wrap_close(int fd)
{
	ALONE();

	if (fd >= 0 && fd < FDS_MAX)
		disk.fds[fd] = NULL;
	return (int)syscall(SYS_close, fd);
}

int
__wrap_closedir(DIR *d)
{
	ALONE();
	int fd = dirfd(d);

	if (fd >= 0 && fd < FDS_MAX)
		disk.fds[fd] = NULL;
	return __real_closedir(d);
}

ssize_t
__wrap_pwrite(int fd, const void *p, size_t len, off_t at)
{
	ALONE();
	struct node *n = node_of(fd);
	int on = n == NULL ? 0 : sim_disk_step();
	size_t end = (size_t)at + len;
	ssize_t done;

	if (on < 0)
		return -1;
	done = syscall(SYS_pwrite64, fd, p, len, at);
	if (n != NULL && done == (ssize_t)len) {
		if (end > n->now.len)
			must(buf_append_zeros(&n->now, end - n->now.len));
		memcpy(n->now.data + at, p, len);
	}
	errno = on == 1 ? EIO : errno;
	return on == 1 ? -1 : done;
}

ssize_t
__wrap_write(int fd, const void *p, size_t len)
{
	off_t at;
	ssize_t done;
	int known;

	{
		ALONE();
		known = node_of(fd) != NULL;
	}
	if (!known)
		return syscall(SYS_write, fd, p, len); /* it may wait */
	at = lseek(fd, 0, SEEK_CUR);
	done = __wrap_pwrite(fd, p, len, at);
	if (done > 0)
		(void)lseek(fd, at + done, SEEK_SET); /* it was there */
	return done;
}

int
__wrap_ftruncate(int fd, off_t len)
{
	struct node *n = node_of(fd);

	/* Only the reserve is, which nobody opens here. */
	assert(n == NULL);
	return (int)syscall(SYS_ftruncate, fd, len);
}

static void
keep(struct node *n)
{
	const struct entry *e = (const void *)n->changes.data;
	size_t i;

	if (n->is_dir) {
		for (i = 0; i < n->changes.len / sizeof(*e); i++)
			apply(&n->kept, e + i);
		buf_reset(&n->changes);
		return;
	}
	buf_reset(&n->kept);
	must(buf_append(&n->kept, n->now.data, n->now.len));
}

static int
sync_node(int fd)
{
	ALONE();
	struct node *n = node_of(fd);
	int on = n == NULL ? 0 : sim_disk_step();

	if (n != NULL && on >= 0 &&
	    (disk.syncs_lost & (n->is_dir ? SIM_DISK_DIRS : SIM_DISK_FILES)) ==
		0)
		keep(n);
	errno = on == 0 ? errno : EIO;
	return on == 0 ? 0 : -1;
}

int
__wrap_fsync(int fd)
{
	return sync_node(fd);
}

int
__wrap_fdatasync(int fd)
{
	return sync_node(fd);
}

/* After the call `ret`: what it said. */
static int
said(int on, int ret)
{
	if (on != 1)
		return ret;
	errno = EIO;
	return -1;
}

int
__wrap_renameat2(int from, const char *a, int to, const char *b, unsigned flags)
{
	ALONE();
	char old[NAME_BYTES], new[NAME_BYTES];
	struct node *src = locate(old, from, a), *dst = locate(new, to, b), *n;
	int on, ret;

	assert((src == NULL) == (dst == NULL));
	n = src == NULL ? NULL : node_at(from, a);
	on = src == NULL ? 0 : sim_disk_step();
	if (on < 0)
		return -1;
	ret = (int)syscall(SYS_renameat2, from, a, to, b, flags);
	if (ret == 0 && n != NULL) {
		change(dst, new, n);
		change(src, old, NULL);
	}
	return said(on, ret);
}

int
__wrap_renameat(int from, const char *a, int to, const char *b)
{
	return __wrap_renameat2(from, a, to, b, 0);
}

int
__wrap_rename(const char *a, const char *b)
{
	return __wrap_renameat2(AT_FDCWD, a, AT_FDCWD, b, 0);
}

int
__wrap_linkat(int from, const char *a, int to, const char *b, int flags)
{
	ALONE();
	char new[NAME_BYTES];
	struct node *dst = locate(new, to, b), *n = node_at(from, a);
	int on = dst == NULL ? 0 : sim_disk_step(), ret;

	if (on < 0)
		return -1;
	ret = (int)syscall(SYS_linkat, from, a, to, b, flags);
	if (ret == 0 && dst != NULL)
		change(dst, new, n);
	return said(on, ret);
}

int
__wrap_link(const char *a, const char *b)
{
	return __wrap_linkat(AT_FDCWD, a, AT_FDCWD, b, 0);
}

int
__wrap_unlinkat(int dirfd, const char *path, int flags)
{
	ALONE();
	char last[NAME_BYTES];
	struct node *dir = locate(last, dirfd, path);
	int on = dir == NULL ? 0 : sim_disk_step(), ret;

	if (on < 0)
		return -1;
	ret = (int)syscall(SYS_unlinkat, dirfd, path, flags);
	if (ret == 0 && dir != NULL)
		change(dir, last, NULL);
	return said(on, ret);
}

int
__wrap_unlink(const char *path)
{
	return __wrap_unlinkat(AT_FDCWD, path, 0);
}

int
__wrap_rmdir(const char *path)
{
	return __wrap_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int
__wrap_mkdir(const char *path, mode_t mode)
{
	ALONE();
	char last[NAME_BYTES];
	struct node *dir = locate(last, AT_FDCWD, path);
	int on = 0, ret;

	if (dir != NULL && node_at(AT_FDCWD, path) == NULL)
		on = sim_disk_step();
	if (on < 0)
		return -1;
	ret = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
	if (ret == 0 && dir != NULL)
		change(dir, last, new_node(1));
	return said(on, ret);
}

void
sim_disk_start(const char *root, uint64_t seed)
{
	memset(&disk, 0, sizeof(disk));
	disk.path = strdup(root);
	assert(disk.path != NULL);
	disk.seed = seed;
	disk.root = new_node(1);
}

void
sim_disk_call(uint64_t at, void (*call)(void))
{
	disk.call_at = at;
	disk.call = call;
}

void
sim_disk_lie(unsigned syncs)
{
	disk.syncs_lost = syncs;
}

void
sim_disk_lose_all(int all)
{
	disk.lose_all = all;
}

void
sim_disk_revive(void)
{
	memset(disk.fds, 0, sizeof(disk.fds));
	disk.off = 0;
	disk.cut_at = 0;
}

void
sim_disk_stop(void)
{
	free_nodes();
	free(disk.path);
	disk.path = NULL;
}

uint64_t
sim_disk_count(void)
{
	return disk.count;
}

void
sim_disk_cut(uint64_t at)
{
	disk.cut_at = at;
}

int
sim_disk_is_off(void)
{
	return disk.off;
}

/* Some of the changes since the fsync: none, all, the first ones, or any. */
static void
lose_names(struct node *n)
{
	const struct entry *e = (const void *)n->changes.data;
	size_t i, count = n->changes.len / sizeof(*e);
	unsigned mode = disk.lose_all ? 0 : draw(4);
	size_t first = draw((unsigned)count + 1);

	for (i = 0; i < count; i++) {
		if (mode == 0 || (mode == 1 && i >= first) ||
		    (mode == 2 && draw(2)))
			disk.lost++;
		else
			apply(&n->kept, e + i);
	}
}

/* Old sectors, new ones, and torn ones. */
static void
lose_data(struct node *n)
{
	size_t min = n->kept.len < n->now.len ? n->kept.len : n->now.len;
	size_t max = n->kept.len < n->now.len ? n->now.len : n->kept.len;
	size_t at, len, part, old = n->kept.len;
	unsigned mode = draw(3);
	uint8_t *to;

	if (n->now.len == old &&
	    (old == 0 || memcmp(n->now.data, n->kept.data, old) == 0))
		return;
	if (disk.lose_all) {
		disk.lost++;
		return;
	}
	if (max > old)
		must(buf_append_zeros(&n->kept, max - old));
	to = n->kept.data;
	for (at = 0; at < n->now.len; at += len) {
		len = n->now.len - at;
		len = len < SECTOR_BYTES ? len : SECTOR_BYTES;
		part = mode == 0 ? 0 : mode == 1 ? len : draw(3) * len / 2;
		disk.lost += part < len;
		memcpy(to + at, n->now.data + at, part);
	}
	n->kept.len = draw(2) ? max : min + draw((unsigned)(max - min) + 1);
}

/* Make the files of a directory what the disk has. */
static void
restore_dir(struct node *n, const char *path)
{
	struct entry *e = (struct entry *)(void *)n->kept.data;
	size_t i;
	char *sub;

	n->now.len = 0;
	must(buf_append(&n->now, n->kept.data, n->kept.len));
	n->changes.len = 0;
	for (i = 0; i < n->kept.len / sizeof(*e); i++) {
		sub = fs_join(path, e[i].name);
		if (e[i].n->is_dir) {
			must((int)syscall(SYS_mkdirat, AT_FDCWD, sub, 0700));
			restore_dir(e[i].n, sub);
		} else {
			e[i].n->now.len = 0;
			must(buf_append(
			    &e[i].n->now, e[i].n->kept.data, e[i].n->kept.len));
			must(fs_write_file(AT_FDCWD, sub, e[i].n->kept.data,
			    e[i].n->kept.len, 0600, FS_NOSYNC));
		}
		free(sub);
	}
}

/* All real files but LMDB's. */
static void
remove_files(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char *sub;

	assert(d != NULL);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' &&
		    (e->d_name[1] == '\0' || strcmp(e->d_name, "..") == 0))
			continue;
		if (strcmp(e->d_name, "index") == 0)
			continue;
		sub = fs_join(path, e->d_name);
		must(fs_remove_tree(sub));
		free(sub);
	}
	(void)closedir(d); /* only read from */
}

unsigned
sim_disk_crash(void)
{
	char *path = disk.path;
	struct node *n;

	disk.lost = 0;
	for (n = disk.all; n != NULL; n = n->next) {
		if (n->is_dir)
			lose_names(n);
		else
			lose_data(n);
	}
	memset(disk.fds, 0, sizeof(disk.fds));
	disk.path = NULL; /* what follows is no change */
	remove_files(path);
	restore_dir(disk.root, path);
	disk.path = path;
	disk.off = 0;
	disk.cut_at = 0;
	return disk.lost;
}
