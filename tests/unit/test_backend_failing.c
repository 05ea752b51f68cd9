/*
 * Every call that a backend makes fails once: the error is said, an object is
 * absent or whole, and after a new start the same succeeds.
 */

#include "backend/dir.h"
#include "backend/mem.h"
#include "backend/unsure.h"
#include "base/err.h"
#include "base/fs.h"
#include "fault/failing.h"
#include "lib/store_fixture.h"
#include "store/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KINDS (FAILING_MEMORY | FAILING_FILES)
/* Two pieces past the page cache, an aligned part, and a rest. */
#define LARGE (2 * (1u << 20) + 4096u * 3 + 77)
#define SMALL 1000u

struct place {
	char *folder, *vault_dir, *incoming;
	struct backend *b; /* NULL: closed */
	int in_memory;
};

static uint8_t bytes[LARGE], back[LARGE];

static int
start(struct place *p)
{
	return p->in_memory
		   ? backend_mem_open(&p->b, 1)
		   : backend_dir_open(&p->b, p->vault_dir, p->incoming);
}

static void
stop(struct place *p)
{
	if (p->b != NULL)
		p->b->ops->close(p->b);
	p->b = NULL;
}

static void
make(struct place *p, int in_memory)
{
	size_t i;

	for (i = 0; i < LARGE; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 4096);
	memset(p, 0, sizeof(*p));
	p->in_memory = in_memory;
	p->folder = fixture_folder();
	p->vault_dir = fs_join(p->folder, "vault");
	p->incoming = fs_join(p->folder, "incoming");
	assert_int_equal(fs_make_dirs(p->vault_dir, 0700), 0);
	assert_int_equal(fs_make_dirs(p->incoming, 0700), 0);
	assert_int_equal(start(p), 0);
	assert_int_equal(
	    backend_put_all(p->b, "packs/aa/old", bytes, SMALL), 0);
}

static void
end(struct place *p)
{
	stop(p);
	fixture_remove(p->folder);
	free(p->vault_dir);
	free(p->incoming);
}

/* What is unsure after a failed sync is read by the store; here it is only
 * counted. */
static int
note_unsure(void *arg, const char *name)
{
	assert_true(name[0] != '\0');
	++*(unsigned *)arg;
	return 0;
}

/* After a failed sync nothing is taken until a new start. */
static void
start_again_if_stopped(struct place *p)
{
	unsigned n = 0;

	if (p->b != NULL && p->b->ops->check(p->b) == 0)
		return;
	if (p->b != NULL) {
		assert_int_equal(
		    backend_put_all(p->b, "packs/bb/not", bytes, 1),
		    ERR_READONLY);
		assert_int_equal(
		    p->b->ops->remove(p->b, "packs/aa/old"), ERR_READONLY);
		if (p->in_memory)
			backend_mem_restart(p->b, 0);
	}
	if (!p->in_memory) {
		stop(p);
		assert_int_equal(start(p), 0);
	}
	assert_int_equal(p->b->ops->check(p->b), 0);
	assert_int_equal(p->b->ops->unsure(p->b, note_unsure, &n), 0);
	assert_int_equal(p->b->ops->sure(p->b), 0);
}

/* The object is there and whole. */
static void
expect_whole(struct place *p, const char *name, size_t len)
{
	uint64_t size = 0;

	if (p->b->ops->size(&size, p->b, name) != 0 || size != len)
		failing_fail("%s: %llu bytes", name, (unsigned long long)size);
	memset(back, 0, len);
	if (p->b->ops->get(p->b, name, back, len, 0) != 0 ||
	    memcmp(back, bytes, len) != 0)
		failing_fail("%s has other bytes", name);
}

typedef int step(struct place *p);

static void
each_place(int in_memory, step *run, unsigned least)
{
	int descriptors = failing_descriptors(), ret;
	struct place p;

	while (failing_more()) {
		make(&p, in_memory);
		failing_arm();
		ret = run(&p);
		failing_disarm();
		failing_check(ret, 0);
		start_again_if_stopped(&p);
		if (ret != 0) {
			ret = run(&p);
			if (ret != 0)
				failing_fail(
				    "the second: %d: %s", ret, err_text());
		}
		expect_whole(&p, "packs/aa/old", SMALL);
		end(&p);
		failing_check_leaks(descriptors);
	}
	failing_check_count(least);
}

/* Put in parts and read back what is on its way; when it fails nobody sees
 * it. */
static int
put_parts(struct place *p, const char *name, size_t len, uint64_t hint)
{
	struct backend_put *put;
	uint64_t size;
	size_t at = 0, n;
	int ret = p->b->ops->put_begin(&put, p->b, hint);

	if (ret < 0)
		return ret;
	while (ret == 0 && at < len) {
		n = len - at < 700001 ? len - at : 700001;
		ret = p->b->ops->put_write(put, bytes + at, n);
		at += n;
		if (ret == 0)
			ret = p->b->ops->put_read(put, back, at, 0);
		if (ret == 0)
			assert_memory_equal(back, bytes, at);
	}
	if (ret == 0)
		assert_int_equal(
		    p->b->ops->put_read(put, back, 2, at - 1), ERR_IO);
	if (ret != 0) {
		p->b->ops->put_abort(put);
		return ret;
	}
	ret = p->b->ops->put_commit(put, name);
	if (ret < 0 && ret != ERR_EXIST) {
		char said[ERR_TEXT_MAX];

		/* What failed stays said. */
		(void)snprintf(said, sizeof(said), "%s", err_text());
		failing_disarm();
		assert_int_equal(p->b->ops->size(&size, p->b, name), ERR_NOENT);
		err_set(0, "%s", said);
	}
	return ret;
}

static int
put_large(struct place *p)
{
	int ret = put_parts(p, "packs/cc/large", LARGE, 0);

	failing_disarm();
	if (ret == 0)
		expect_whole(p, "packs/cc/large", LARGE);
	return ret;
}

static int
put_small(struct place *p)
{
	int ret = put_parts(p, "snapshots/m/1", SMALL, SMALL);

	/* The one before did not come as far as the second one. */
	if (ret == ERR_EXIST)
		ret = 0;
	return ret == 0 ? backend_put_all(p->b, "state/empty", NULL, 0) : ret;
}

static void
test_put(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place(0, put_large, 15);
	failing_start_ways(KINDS);
	each_place(0, put_small, 15);
	failing_start_ways(KINDS);
	each_place(1, put_large, 3);
	failing_start_short();
	each_place(0, put_large, 3);
	failing_start(FAILING_FILES);
	failing_errno(EINTR);
	failing_only("pwrite");
	each_place(0, put_large, 2);
	/* A file system that takes no writes past its cache after all. */
	failing_start_forever(FAILING_FILES);
	failing_errno(EINVAL);
	failing_only("pwrite");
	each_place(0, put_small, 1);
	/* Nor a rename that replaces nothing: links do as well. */
	failing_start_forever(FAILING_FILES);
	failing_errno(EINVAL);
	failing_only("renameat2");
	each_place(0, put_small, 1);
}

static int
reopen(struct place *p)
{
	stop(p);
	return start(p);
}

static void
test_open(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place(0, reopen, 5);
	failing_start_ways(KINDS);
	each_place(0, reopen, 5);
	/* Where nothing goes past the cache, it is used. */
	failing_start_forever(FAILING_FILES);
	failing_errno(EINVAL);
	failing_only("pwrite");
	each_place(0, reopen, 1);
	failing_start_forever(FAILING_FILES);
	failing_errno(EINVAL);
	failing_only("open");
	each_place(0, reopen, 1);
}

struct names {
	unsigned n, seen;
};

static int
note_name(void *arg, const char *name, uint64_t size)
{
	struct names *k = arg;

	k->n++;
	k->seen += strcmp(name, "packs/aa/old") == 0 && size == SMALL;
	return 0;
}

/* Look at what is there, and at what is not. */
static int
look(struct place *p)
{
	const struct backend_ops *ops = p->b->ops;
	struct names k = {0}, none = {0};
	uint64_t size = 0, room;
	int ret = ops->size(&size, p->b, "packs/aa/old");

	if (ret == 0)
		ret = ops->get(p->b, "packs/aa/old", back, SMALL - 2, 2);
	if (ret == 0)
		ret = ops->list(p->b, "packs", note_name, &k);
	if (ret == 0)
		ret = ops->list(p->b, "nothing", note_name, &none);
	if (ret == 0)
		ret = ops->space(&room, p->b);
	/* Its list tells of what could not be synced, but no more is put. */
	if (ret == 0 && failing_name() != NULL &&
	    strcmp(failing_name(), "fsync") == 0)
		ret = ops->check(p->b);
	if (ret != 0)
		return ret;
	assert_int_equal(size, SMALL);
	assert_memory_equal(back, bytes + 2, SMALL - 2);
	assert_int_equal(k.n, 1);
	assert_int_equal(k.seen, 1);
	assert_int_equal(none.n, 0);
	return 0;
}

static void
test_look(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place(0, look, 10);
	failing_start_ways(KINDS);
	each_place(1, look, 1);
	failing_start_short();
	each_place(0, look, 1);
}

/* Absent afterwards, or still whole. */
static int
put_and_remove(struct place *p)
{
	uint64_t size;
	int ret = backend_put_all(p->b, "packs/aa/new", bytes, SMALL);

	if (ret == ERR_EXIST)
		ret = 0;
	if (ret == 0)
		ret = p->b->ops->remove(p->b, "packs/aa/new");
	/* The one before failed when it was gone. */
	if (ret == ERR_NOENT)
		ret = 0;
	failing_disarm();
	if (ret == 0)
		assert_int_equal(
		    p->b->ops->size(&size, p->b, "packs/aa/new"), ERR_NOENT);
	return ret;
}

static void
test_remove(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place(0, put_and_remove, 10);
	failing_start_ways(KINDS);
	each_place(1, put_and_remove, 2);
}

/* An object was under way when a sync failed in an earlier life: it is told
 * and read from the device, until somebody is sure of it. */
static int
read_unsure(struct place *p)
{
	static const char line[] = "packs/aa/old\n";
	char *path = fs_join(p->vault_dir, "unsynced");
	unsigned n = 0;
	int ret = path == NULL ? err_nomem(0)
			       : fs_write_file(AT_FDCWD, path, line,
				     sizeof(line) - 1, 0600, FS_NOSYNC);

	free(path);
	if (ret == 0)
		ret = reopen(p);
	if (ret == 0)
		ret = p->b->ops->unsure(p->b, note_unsure, &n);
	if (ret == 0)
		assert_int_equal(n, 1);
	if (ret == 0)
		ret = p->b->ops->get(p->b, "packs/aa/old", back, SMALL, 0);
	if (ret == 0)
		assert_memory_equal(back, bytes, SMALL);
	if (ret == 0)
		ret = p->b->ops->sure(p->b);
	n = 0;
	if (ret == 0)
		ret = p->b->ops->unsure(p->b, note_unsure, &n);
	if (ret == 0)
		assert_int_equal(n, 0);
	return ret;
}

static void
test_unsure(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place(0, read_unsure, 10);
	failing_start_short();
	each_place(0, read_unsure, 1);
	failing_start(FAILING_FILES);
	failing_errno(EINTR);
	failing_only("pread");
	each_place(0, read_unsure, 1);
}

/* All that is under way is noted, although there is no memory. */
static void
test_unsure_without_memory(void **state)
{
	struct unsure_put one = {.name = "packs/aa/one"};
	struct unsure_put two = {.name = "snapshots/m/2"};
	struct unsure *u;
	char *dir;

	(void)state;
	failing_start_forever(FAILING_MEMORY);
	while (failing_more()) {
		dir = fixture_folder();
		assert_int_equal(unsure_open(&u, dir), 0);
		unsure_enter(u, &one);
		unsure_enter(u, &two);
		failing_arm();
		unsure_fail(u, "state");
		failing_disarm();
		unsure_leave(u, &one);
		unsure_leave(u, &two);
		unsure_close(u);
		assert_int_equal(unsure_open(&u, dir), 0);
		if (!unsure_is(u, one.name) || !unsure_is(u, two.name) ||
		    !unsure_is(u, "state/x"))
			failing_fail("a name was lost");
		unsure_close(u);
		fixture_remove(dir);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_put),
	    cmocka_unit_test(test_open),
	    cmocka_unit_test(test_look),
	    cmocka_unit_test(test_remove),
	    cmocka_unit_test(test_unsure),
	    cmocka_unit_test(test_unsure_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
