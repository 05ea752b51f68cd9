/*
 * backend/dir: a close that fails, writes that take a part, and folders that
 * cannot be listed.  The calls of the C library are defined here, so the
 * program's own code uses these.
 */

#include "backend/dir.h"
#include "base/err.h"
#include "base/fs.h"
#include "lib/store_fixture.h"
#include "store/backend.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

/* What fails, from now on; and how often it did. */
static enum { NOTHING, CLOSE, WRITE, OPEN, LIST } failing;
static unsigned fired;

/* Is it a file under way? */
static int
is_incoming(int fd)
{
	char link[64], path[500];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd); /* fits */
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	return strstr(path, "/incoming/put-") != NULL;
}

int
close(int fd)
{
	int fails = failing == CLOSE && is_incoming(fd);
	int ret = (int)syscall(SYS_close, fd);

	if (!fails)
		return ret;
	fired++;
	errno = EIO;
	return -1;
}

/* At most so many bytes: one not aligned, so it ends direct writes. */
ssize_t
pwrite(int fd, const void *p, size_t len, off_t offset)
{
	if (failing == WRITE && len > 10007) {
		fired++;
		len = 10007;
	}
	return syscall(SYS_pwrite64, fd, p, len, offset);
}

int
openat(int at, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (failing == OPEN && (flags & O_DIRECTORY) != 0) {
		fired++;
		errno = EACCES;
		return -1;
	}
	return (int)syscall(SYS_openat, at, path, flags, mode);
}

int
open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return openat(AT_FDCWD, path, flags, mode);
}

static struct dirent *(*real_readdir)(DIR *d);

struct dirent *
readdir(DIR *d)
{
	/* In the middle: what came before is no whole listing. */
	if (failing == LIST && ++fired % 4 == 0) {
		errno = EIO;
		return NULL;
	}
	return real_readdir(d);
}

struct world {
	char *folder, *vault_dir, *incoming;
	struct backend *b;
};

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	failing = NOTHING;
	fired = 0;
	w->folder = fixture_folder();
	w->vault_dir = fs_join(w->folder, "vault");
	w->incoming = fs_join(w->folder, "incoming");
	assert_int_equal(fs_make_dirs(w->vault_dir, 0700), 0);
	assert_int_equal(fs_make_dirs(w->incoming, 0700), 0);
	assert_int_equal(backend_dir_open(&w->b, w->vault_dir, w->incoming), 0);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	failing = NOTHING;
	w->b->ops->close(w->b);
	fixture_remove(w->folder);
	free(w->vault_dir);
	free(w->incoming);
	free(w);
	return 0;
}

static int
count_one(void *arg, const char *name, uint64_t size)
{
	(void)name;
	(void)size;
	++*(int *)arg;
	return 0;
}

static void
test_close_fails(void **state)
{
	struct world *w = *state;
	int n = 0;

	failing = CLOSE;
	assert_int_equal(backend_put_all(w->b, "packs/ab/one", "x", 1), ERR_IO);
	assert_int_equal(fired, 1);
	failing = NOTHING;
	assert_int_equal(w->b->ops->list(w->b, "packs", count_one, &n), 0);
	assert_int_equal(n, 0);
	/* Some file systems tell late what they could not write. */
	assert_int_equal(
	    backend_put_all(w->b, "packs/ab/one", "x", 1), ERR_READONLY);
}

static void
test_short_writes(void **state)
{
	static const size_t lens[] = {10007, 10008, 100000, 3 << 20, 5000001};
	struct world *w = *state;
	uint8_t *bytes = malloc(6000000), *back = malloc(6000000);
	char name[32];
	size_t i;

	assert_non_null(bytes);
	assert_non_null(back);
	for (i = 0; i < 6000000; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint64_t size = 0;

		(void)snprintf(name, sizeof(name), "packs/ab/%zu", i);
		failing = WRITE;
		assert_int_equal(
		    backend_put_all(w->b, name, bytes, lens[i]), 0);
		failing = NOTHING;
		assert_int_equal(w->b->ops->size(&size, w->b, name), 0);
		assert_int_equal(size, lens[i]);
		assert_int_equal(
		    w->b->ops->get(w->b, name, back, lens[i], 0), 0);
		assert_memory_equal(back, bytes, lens[i]);
	}
	assert_true(fired > 4);
	free(bytes);
	free(back);
}

/* Absence is no evidence: what cannot be listed is not empty. */
static void
test_listings_fail(void **state)
{
	struct world *w = *state;
	char name[32];
	int i, n;

	for (i = 0; i < 6; i++) {
		(void)snprintf(name, sizeof(name), "packs/a%d/one", i / 2);
		if (i % 2 == 1)
			(void)snprintf(
			    name, sizeof(name), "packs/a%d/two", i / 2);
		assert_int_equal(backend_put_all(w->b, name, "x", 1), 0);
	}
	for (failing = OPEN; failing <= LIST; failing++) {
		fired = n = 0;
		assert_int_equal(
		    w->b->ops->list(w->b, "packs", count_one, &n), ERR_IO);
		assert_true(fired > 0);
		assert_true(n < 6);
	}
	failing = NOTHING;
	n = 0;
	assert_int_equal(w->b->ops->list(w->b, "packs", count_one, &n), 0);
	assert_int_equal(n, 6);
	/* What was never there is; in a vault that is gone, nothing is. */
	assert_int_equal(w->b->ops->list(w->b, "retired", count_one, &n), 0);
	assert_int_equal(fs_remove_tree(w->vault_dir), 0);
	assert_int_equal(
	    w->b->ops->list(w->b, "retired", count_one, &n), ERR_IO);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_close_fails),
	    TEST(test_short_writes),
	    TEST(test_listings_fail),
	};
	void *found = dlsym(RTLD_NEXT, "readdir");

	memcpy(&real_readdir, &found, sizeof(found));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
