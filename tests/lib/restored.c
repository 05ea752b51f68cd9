#include "lib/restored.h"

#include "base/err.h"
#include "base/fs.h"
#include "lib/tempdir.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char canary[] = "nobody may touch this\n";

void
restored_init(struct restored *r, struct memory_store *m)
{
	char *path;

	memset(r, 0, sizeof(*r));
	r->m = m;
	r->top = tempdir_new();
	path = fs_join(r->top, "canary");
	assert_int_equal(
	    0, fs_write_file(AT_FDCWD, path, canary, sizeof(canary), 0600, 0));
	free(path);
	r->dest = fs_join(r->top, "a/dest");
}

void
restored_clear(struct restored *r)
{
	/* Restored trees may be deeper than any path, or closed to us. */
	char *command = fs_printf("test ! -e '%s' || { chmod -R u+rwx '%s' && "
				  "rm -rf '%s'; }",
	    r->dest, r->dest, r->dest);

	assert_int_equal(0, system(command));
	free(command);
}

/* The folder holds the canary and `a`, which holds the destination alone. */
static void
check_outside(struct restored *r)
{
	struct buf b = BUF_INIT;
	char *path = fs_join(r->top, "canary");
	struct stat st;

	assert_int_equal(0, fs_read_file(&b, AT_FDCWD, path, 1000));
	assert_int_equal(sizeof(canary), b.len);
	assert_memory_equal(canary, b.data, b.len);
	assert_int_equal(0, stat(path, &st));
	assert_int_equal(1, st.st_nlink);
	assert_int_equal(0600, st.st_mode & 07777);
	assert_int_equal(0, unlink(path));
	free(path);
	buf_release(&b);
	restored_clear(r);
	path = fs_join(r->top, "a");
	assert_true(rmdir(path) == 0 || errno == ENOENT);
	free(path);
	assert_int_equal(0, rmdir(r->top));
}

void
restored_release(struct restored *r)
{
	check_outside(r);
	free(r->top);
	free(r->dest);
	buf_release(&r->warnings);
}

static void
warn(void *arg, const char *text)
{
	struct restored *r = arg;

	if (r->warnings.len > 0)
		r->warnings.data[r->warnings.len - 1] = '\n';
	assert_int_equal(0, buf_append(&r->warnings, text, strlen(text) + 1));
}

int
restored_run(struct restored *r, const char *const *paths)
{
	struct restore_options o;
	const struct catalog_entry *e;
	struct catalog *c;
	int rc;

	memset(&o, 0, sizeof(o));
	rc = catalog_load(
	    &c, &r->m->store, &r->m->keys, r->m->store.info.mount, warn, r);
	assert_int_equal(0, rc);
	assert_int_equal(0, catalog_resolve(&e, c, "latest"));
	o.snapshot = e;
	o.dest = r->dest;
	o.paths = paths;
	while (paths != NULL && paths[o.npaths] != NULL)
		o.npaths++;
	o.threads = r->threads;
	o.warn = warn;
	o.arg = r;
	o.interrupt = &r->interrupt;
	o.progress = &r->progress;
	rc = restore_run(&r->result, &r->m->store, &r->m->keys, &o);
	catalog_free(c);
	return rc;
}

const char *
restored_path(struct restored *r, const char *name)
{
	static char path[8192];

	assert_in_range(
	    snprintf(path, sizeof(path), "%s/%s", r->dest, name), 1, 8191);
	return path;
}

void
restored_has(struct restored *r, const char *name, const void *data, size_t len)
{
	struct buf b = BUF_INIT;
	struct stat st;

	assert_int_equal(0, lstat(restored_path(r, name), &st));
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(
	    0, fs_read_file(&b, AT_FDCWD, restored_path(r, name), 64u << 20));
	assert_int_equal(len, b.len);
	if (len > 0)
		assert_memory_equal(data, b.data, len);
	buf_release(&b);
}

void
restored_lacks(struct restored *r, const char *name)
{
	struct stat st;

	assert_int_equal(-1, lstat(restored_path(r, name), &st));
	assert_int_equal(ENOENT, errno);
}

void
restored_warned(struct restored *r, const char *text)
{
	const char *all = (const char *)r->warnings.data;

	if (all == NULL || strstr(all, text) == NULL)
		fail_msg("no warning '%s' in:\n%s", text,
		    all != NULL ? all : "nothing");
}
