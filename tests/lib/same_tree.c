#include "lib/same_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PIECE 65536

static char text[PATH_MAX + 64];

static const char *
differs(const char *path, const char *how)
{
	(void)snprintf(text, sizeof(text), "%s: %s", path, how); /* cut: fine */
	return text;
}

static void
join(char out[PATH_MAX], const char *dir, const char *name)
{
	(void)snprintf(out, PATH_MAX, "%s/%s", dir, name); /* test's own */
}

static const char *
same_bytes(const char *want, const char *is)
{
	static char a[PIECE], b[PIECE];
	int fd = open(want, O_RDONLY | O_CLOEXEC);
	int gd = open(is, O_RDONLY | O_CLOEXEC);
	const char *found = NULL;
	ssize_t n, m;

	if (fd < 0 || gd < 0)
		found = differs(is, "cannot be opened");
	while (found == NULL) {
		n = read(fd, a, sizeof(a));
		m = read(gd, b, sizeof(b));
		if (n != m || n < 0 || memcmp(a, b, (size_t)n) != 0)
			found = differs(is, "other bytes");
		if (n <= 0)
			break;
	}
	if (fd >= 0)
		close(fd);
	if (gd >= 0)
		close(gd);
	return found;
}

static const char *
same_xattrs(const char *want, const char *is)
{
	char names[2][1024] = {{0}}, values[2][1024];
	ssize_t n = llistxattr(want, names[0], sizeof(names[0]));
	ssize_t m = llistxattr(is, names[1], sizeof(names[1])), v, w;
	const char *name;

	if (n != m)
		return differs(is, "other xattrs");
	for (name = names[0]; n > 0 && name < names[0] + n;
	     name += strlen(name) + 1) {
		v = lgetxattr(want, name, values[0], sizeof(values[0]));
		w = lgetxattr(is, name, values[1], sizeof(values[1]));
		if (v < 0 || v != w ||
		    memcmp(values[0], values[1], (size_t)v) != 0)
			return differs(is, "another xattr");
	}
	return NULL;
}

static const char *
same_entry(const char *want, const char *is, const struct stat *a,
    const struct stat *b)
{
	char from[PATH_MAX], to[PATH_MAX];
	ssize_t n, m;

	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid ||
	    a->st_gid != b->st_gid)
		return differs(is, "another mode or owner");
	if (a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
	    a->st_mtim.tv_nsec != b->st_mtim.tv_nsec)
		return differs(is, "another time");
	if (S_ISLNK(a->st_mode)) {
		n = readlink(want, from, sizeof(from));
		m = readlink(is, to, sizeof(to));
		if (n != m || n < 0 || memcmp(from, to, (size_t)n) != 0)
			return differs(is, "another target");
	}
	if (S_ISREG(a->st_mode)) {
		if (a->st_size != b->st_size)
			return differs(is, "another size");
		return same_bytes(want, is);
	}
	return NULL;
}

static const char *
same_dir(const char *want, const char *is, int whole)
{
	char a[PATH_MAX], b[PATH_MAX];
	struct stat sa, sb;
	const char *found = NULL;
	struct dirent *e;
	DIR *d = opendir(is);

	if (d == NULL)
		return differs(is, "cannot be opened");
	while (found == NULL && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		join(a, want, e->d_name);
		join(b, is, e->d_name);
		if (lstat(b, &sb) != 0 || lstat(a, &sa) != 0)
			found = differs(b, "was never there");
		else if (S_ISDIR(sa.st_mode) && S_ISDIR(sb.st_mode))
			found = same_tree(a, b, whole);
		else
			found = same_entry(a, b, &sa, &sb);
		if (found == NULL && whole && sa.st_nlink != sb.st_nlink)
			found = differs(b, "other links");
		if (found == NULL && whole)
			found = same_xattrs(a, b);
	}
	closedir(d);
	return found;
}

/* Whatever `want` has, `is` has too. */
static const char *
nothing_missing(const char *want, const char *is)
{
	char b[PATH_MAX];
	const char *found = NULL;
	struct dirent *e;
	struct stat st;
	DIR *d = opendir(want);

	if (d == NULL)
		return differs(want, "cannot be opened");
	while (found == NULL && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".shamo") == 0)
			continue;
		join(b, is, e->d_name);
		if (lstat(b, &st) != 0)
			found = differs(b, "missing");
	}
	closedir(d);
	return found;
}

const char *
same_tree(const char *want, const char *is, int whole)
{
	struct stat a, b;
	const char *found;

	if (lstat(is, &b) != 0)
		return whole ? differs(is, "missing") : NULL;
	if (lstat(want, &a) != 0)
		return differs(want, "missing");
	found = same_dir(want, is, whole);
	if (found == NULL && whole)
		found = nothing_missing(want, is);
	return found != NULL || !whole ? found : same_entry(want, is, &a, &b);
}
