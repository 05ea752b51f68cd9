#include "engine/xattrs.h"

#include "base/err.h"
#include "base/limits.h"
#include "object/entry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

/* The kernel's own limits: XATTR_LIST_MAX and XATTR_SIZE_MAX. */
#define LIST_BYTES 65536u
#define VALUE_BYTES 65536u

void
xattrs_init(struct xattrs *x)
{
	memset(x, 0, sizeof(*x));
}

void
xattrs_release(struct xattrs *x)
{
	buf_release(&x->list);
	buf_release(&x->names);
	buf_release(&x->value);
	buf_release(&x->block);
}

static void
set_problem(struct xattrs *x, const char *name, const char *text)
{
	/* The first one names the entry's trouble well enough. */
	if (x->problem[0] == '\0')
		(void)snprintf(x->problem, sizeof(x->problem),
		    "extended attribute%s%.100s left out: %s",
		    name[0] == '\0' ? "s" : " ", name, text);
}

static void
set_problem_errno(struct xattrs *x, const char *name, int error)
{
	char text[100];

	set_problem(x, name, strerror_r(error, text, sizeof(text)));
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Fill `x->names` from the `len` bytes of the list. */
static int
sort_names(struct xattrs *x, size_t len)
{
	const char *at = (const char *)x->list.data, *end = at + len;
	int r = 0;

	buf_reset(&x->names);
	for (; r == 0 && at < end; at += strlen(at) + 1)
		r = buf_append(&x->names, &at, sizeof(at));
	if (r == 0 && x->names.len > sizeof(at))
		qsort(x->names.data, x->names.len / sizeof(at), sizeof(at),
		    compare_names);
	return r;
}

static int
add_value(struct xattrs *x, int fd, const char *path, const char *name)
{
	struct entry_xattr attr;
	ssize_t n;
	int r;

	n = fd >= 0 ? fgetxattr(fd, name, x->value.data, VALUE_BYTES)
		    : lgetxattr(path, name, x->value.data, VALUE_BYTES);
	if (n < 0) {
		/* Removed since it was listed, or only listed. */
		if (errno != ENODATA && errno != EOPNOTSUPP)
			set_problem_errno(x, name, errno);
		return 0;
	}
	attr.name = name;
	attr.name_len = strlen(name);
	attr.value = x->value.data;
	attr.value_len = (size_t)n;
	if (attr.name_len > 255 ||
	    x->block.len + attr.name_len + attr.value_len + 5 >
		LIMIT_XATTR_BYTES) {
		set_problem(x, name, "too large");
		return 0;
	}
	if (x->block.len == 0) {
		r = entry_xattr_begin(&x->block);
		if (r != 0)
			return r;
	}
	return entry_xattr_add(&x->block, &attr);
}

int
xattrs_read(struct xattrs *x, int fd, const char *path)
{
	const char **names;
	ssize_t n;
	size_t i;
	int r;

	buf_reset(&x->block);
	x->problem[0] = '\0';
	if (x->list.cap == 0) {
		r = buf_reserve(&x->list, LIST_BYTES + 1);
		if (r == 0)
			r = buf_reserve(&x->value, VALUE_BYTES);
		if (r != 0)
			return r;
	}
	n = fd >= 0 ? flistxattr(fd, (char *)x->list.data, LIST_BYTES)
		    : llistxattr(path, (char *)x->list.data, LIST_BYTES);
	if (n == 0)
		return 0;
	if (n < 0) {
		if (errno != EOPNOTSUPP && errno != ENOSYS && errno != ENOENT)
			set_problem_errno(x, "", errno);
		return 0;
	}
	x->list.data[n] = '\0';
	r = sort_names(x, (size_t)n);
	names = (const char **)(void *)x->names.data;
	for (i = 0; r == 0 && i < x->names.len / sizeof(*names); i++)
		if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
			r = add_value(x, fd, path, names[i]);
	return r;
}
