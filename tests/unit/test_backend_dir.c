/*
 * backend/dir: the order of its system calls, and what becomes of a put when
 * one of them fails.  The calls of the C library that matter are defined here,
 * so the program's own code uses these.
 */

#include "backend/dir.h"
#include "base/err.h"
#include "base/fs.h"
#include "lib/store_fixture.h"
#include "store/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define EVENTS_MAX 64
#define EVENT_BYTES 600

static char events[EVENTS_MAX][EVENT_BYTES];
static unsigned nevents;
static int recording;
static unsigned fail_at; /* the event with this number fails; 0: none */
static int fail_errno;
static const char *top = ""; /* what paths are shown relative to */

/* Note a call; nonzero when it is to fail. */
static int
note(const char *call, const char *path)
{
	size_t len = strlen(top);

	if (!recording || nevents == EVENTS_MAX)
		return 0;
	if (strncmp(path, top, len) == 0 && path[len] == '/')
		path += len + 1;
	/* Names under way are random. */
	if (strncmp(path, "incoming/", 9) == 0)
		path = "TEMP";
	(void)snprintf(events[nevents], EVENT_BYTES, "%s %s", call,
	    path); /* cut is fine */
	nevents++;
	if (nevents != fail_at)
		return 0;
	errno = fail_errno;
	return 1;
}

static int
note_fd(const char *call, int fd)
{
	char link[64], path[500];
	ssize_t n;

	if (!recording)
		return 0;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd); /* fits */
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	return note(call, path);
}

int
fsync(int fd)
{
	return note_fd("fsync", fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	return note_fd("fdatasync", fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int
renameat2(
    int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	if (note("rename", to))
		return -1;
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int
mkdir(const char *path, mode_t mode)
{
	if (note("mkdir", path))
		return -1;
	return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int
unlink(const char *path)
{
	if (note("unlink", path))
		return -1;
	return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
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
	recording = 0;
	fail_at = 0;
	w->folder = fixture_folder();
	w->vault_dir = fs_join(w->folder, "vault");
	w->incoming = fs_join(w->folder, "incoming");
	assert_int_equal(fs_make_dirs(w->vault_dir, 0700), 0);
	assert_int_equal(fs_make_dirs(w->incoming, 0700), 0);
	assert_int_equal(backend_dir_open(&w->b, w->vault_dir, w->incoming), 0);
	top = w->folder;
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	recording = 0;
	w->b->ops->close(w->b);
	top = "";
	fixture_remove(w->folder);
	free(w->vault_dir);
	free(w->incoming);
	free(w);
	return 0;
}

/* A put of several pieces and a bit, with the calls of its commit noted. */
static int
put(struct world *w, const char *name)
{
	static uint8_t bytes[500001];
	struct backend_put *p;
	int ret = w->b->ops->put_begin(&p, w->b, 0), i;

	if (ret < 0)
		return ret;
	for (i = 0; i < 5; i++)
		assert_int_equal(
		    w->b->ops->put_write(p, bytes, sizeof(bytes)), 0);
	nevents = 0;
	recording = 1;
	ret = w->b->ops->put_commit(p, name);
	recording = 0;
	return ret;
}

static void
expect(const char *const *want, unsigned n)
{
	unsigned i;

	for (i = 0; i < n && i < nevents; i++)
		assert_string_equal(events[i], want[i]);
	assert_int_equal(nevents, n);
}

static void
test_order(void **state)
{
	static const char *const first[] = {"mkdir vault/packs", "fsync vault",
	    "mkdir vault/packs/ab", "fsync vault/packs", "fdatasync TEMP",
	    "rename vault/packs/ab/one", "fsync vault/packs/ab"};
	static const char *const second[] = {"fdatasync TEMP",
	    "rename vault/packs/ab/two", "fsync vault/packs/ab"};
	static const char *const other[] = {"mkdir vault/packs/cd",
	    "fsync vault/packs", "fdatasync TEMP", "rename vault/packs/cd/one",
	    "fsync vault/packs/cd"};
	static const char *const removal[] = {
	    "unlink vault/packs/ab/one", "fsync vault/packs/ab"};
	struct world *w = *state;

	assert_int_equal(put(w, "packs/ab/one"), 0);
	expect(first, 7);
	assert_int_equal(put(w, "packs/ab/two"), 0);
	expect(second, 3);
	assert_int_equal(put(w, "packs/cd/one"), 0);
	expect(other, 5);
	nevents = 0;
	recording = 1;
	assert_int_equal(w->b->ops->remove(w->b, "packs/ab/one"), 0);
	recording = 0;
	expect(removal, 2);
	/* Another process may have made a directory and died: it is synced. */
	w->b->ops->close(w->b);
	assert_int_equal(backend_dir_open(&w->b, w->vault_dir, w->incoming), 0);
	assert_int_equal(put(w, "packs/ab/one"), 0);
	expect(first, 7);
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
test_listing_syncs(void **state)
{
	static const char *const want[] = {
	    "fsync vault/packs", "fsync vault/packs/ab"};
	struct world *w = *state;
	int n = 0;

	assert_int_equal(put(w, "packs/ab/one"), 0);
	nevents = 0;
	recording = 1;
	assert_int_equal(w->b->ops->list(w->b, "packs", count_one, &n), 0);
	recording = 0;
	expect(want, 2);
	assert_int_equal(n, 1);
}

/* Each call of a commit fails once. */
static void
test_failing_calls(void **state)
{
	struct world *w = *state;
	unsigned at, syncs = 0;
	int ret, n;

	for (at = 1; at <= 7; at++) {
		fail_at = at;
		fail_errno = EIO;
		ret = put(w, "packs/ab/one");
		fail_at = 0;
		assert_true(nevents >= at);
		assert_int_equal(ret, ERR_IO);
		n = 0;
		assert_int_equal(
		    w->b->ops->list(w->b, "packs", count_one, &n), 0);
		/* Not acknowledged, and not to be seen. */
		assert_int_equal(n, 0);
		/* A failed sync is fail-stop until the backend is opened
		 * anew; another error is not. */
		if (strstr(events[at - 1], "sync") != NULL) {
			assert_int_equal(put(w, "packs/ab/one"), ERR_READONLY);
			syncs++;
		}
		w->b->ops->close(w->b);
		/* As in another life: what was made stays out of the way. */
		assert_int_equal(fs_remove_tree(w->vault_dir), 0);
		assert_int_equal(fs_make_dirs(w->vault_dir, 0700), 0);
		assert_int_equal(
		    backend_dir_open(&w->b, w->vault_dir, w->incoming), 0);
	}
	assert_int_equal(syncs, 4);
	fail_at = 6;
	fail_errno = ENOSPC;
	assert_int_equal(put(w, "packs/ab/one"), ERR_NOSPACE);
	fail_at = 0;
	assert_int_equal(put(w, "packs/ab/one"), 0);
}

/* A file system without the rename that never replaces. */
static void
test_without_rename(void **state)
{
	struct world *w = *state;
	int n = 0;

	assert_int_equal(put(w, "packs/ab/zero"), 0);
	fail_at = 2;
	fail_errno = EINVAL;
	assert_int_equal(put(w, "packs/ab/one"), 0);
	assert_string_equal(events[1], "rename vault/packs/ab/one");
	fail_at = 2;
	assert_int_equal(put(w, "packs/ab/one"), ERR_EXIST);
	fail_at = 0;
	assert_int_equal(w->b->ops->list(w->b, "packs", count_one, &n), 0);
	assert_int_equal(n, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* A place of the disk that cannot be read is damage of what lies there, and
 * nothing else is: /proc/self/mem has one at 0. */
static void
test_unreadable(void **state)
{
	char *incoming = fixture_folder(), bytes[16];
	struct backend *b;

	(void)state;
	assert_int_equal(backend_dir_open(&b, "/proc/self", incoming), 0);
	assert_int_equal(
	    b->ops->get(b, "mem", bytes, sizeof(bytes), 0), ERR_DAMAGED);
	assert_int_equal(b->ops->get(b, "fd", bytes, sizeof(bytes), 0), ERR_IO);
	assert_int_equal(
	    b->ops->get(b, "nothing", bytes, sizeof(bytes), 0), ERR_NOENT);
	b->ops->close(b);
	fixture_remove(incoming);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_order),
	    TEST(test_listing_syncs),
	    TEST(test_failing_calls),
	    TEST(test_without_rename),
	    cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
