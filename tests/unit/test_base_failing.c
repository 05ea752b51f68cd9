/*
 * Every call that src/base makes fails once: the error is said, a file is the
 * old one or the new one, an environment has what was committed, and the same
 * succeeds when it is repeated.
 */

#include "base/ballast.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/kv.h"
#include "base/marker.h"
#include "base/os.h"
#include "base/pool.h"
#include "base/ticker.h"
#include "fault/failing.h"
#include "lib/tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define KINDS (FAILING_MEMORY | FAILING_FILES)

struct place {
	char *dir;
	int fd;
};

typedef int step(struct place *p);

static void
make(struct place *p)
{
	p->dir = tempdir_new();
	p->fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->fd >= 0);
}

static void
end(struct place *p)
{
	close(p->fd);
	tempdir_free(p->dir);
}

static char *
path_of(const struct place *p, const char *name)
{
	size_t len = strlen(p->dir) + strlen(name) + 2;
	char *path = malloc(len);

	assert_non_null(path);
	(void)snprintf(path, len, "%s/%s", p->dir, name); /* it fits */
	return path;
}

static void
each_place(step *prepare, step *run, unsigned least)
{
	int descriptors = failing_descriptors(), ret;
	struct place p;

	while (failing_more()) {
		make(&p);
		if (prepare != NULL)
			assert_int_equal(prepare(&p), 0);
		failing_arm();
		ret = run(&p);
		failing_disarm();
		failing_check(ret, 0);
		ret = run(&p);
		if (ret != 0)
			failing_fail("the second: %d: %s", ret, err_text());
		end(&p);
		failing_check_leaks(descriptors);
	}
	failing_check_count(least);
}

/* What `name` holds is one of two texts. */
static void
expect_either(struct place *p, const char *name, const char *a, const char *b)
{
	char text[100] = {0};
	int fd = openat(p->fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(n >= 0);
	if (strcmp(text, a) != 0 && strcmp(text, b) != 0)
		failing_fail("%s is \"%s\"", name, text);
}

static int
write_old(struct place *p)
{
	return fs_write_file(p->fd, "f", "old", 3, 0600, 0);
}

static int
write_new(struct place *p)
{
	int ret = fs_write_file(p->fd, "f", "newer", 5, 0640, 0);

	failing_disarm();
	expect_either(p, "f", ret == 0 ? "newer" : "old", "newer");
	return ret;
}

/* A link instead of a rename: another's file is never replaced. */
static int
write_exclusive(struct place *p)
{
	int ret = fs_write_file(p->fd, "x", "mine", 4, 0600, FS_EXCLUSIVE);

	/* There all the same, when only the sync of the directory failed. */
	if (ret == ERR_EXIST)
		ret = 0;
	failing_disarm();
	if (ret == 0)
		expect_either(p, "x", "mine", "mine");
	return ret;
}

static int
read_it(struct place *p)
{
	struct buf b = BUF_INIT;
	int ret = fs_read_file(&b, p->fd, "f", 100);

	if (ret == 0) {
		assert_int_equal(b.len, 3);
		assert_memory_equal(b.data, "old", 3);
	}
	buf_release(&b);
	return ret;
}

static int
make_and_remove(struct place *p)
{
	char *deep = path_of(p, "a/b/c"), *top = path_of(p, "a");
	int ret = fs_make_dirs(deep, 0700);

	if (ret == 0)
		ret = fs_write_file(p->fd, "a/b/file", "x", 1, 0600, 0);
	if (ret == 0)
		ret = fs_remove_tree(top);
	if (ret == 0)
		assert_int_equal(access(top, F_OK), -1);
	free(deep);
	free(top);
	return ret;
}

static int
lock_and_sync(struct place *p)
{
	char *path = path_of(p, "lock"), *joined;
	int fd = -1, other = -1, ret = fs_lock_file(&fd, path);

	if (ret == 0) {
		/* Nobody else gets it. */
		ret = fs_lock_file(&other, path);
		ret = ret == ERR_BUSY ? 0 : ret == 0 ? ERR_FAIL : ret;
		close(fd);
	}
	free(path);
	if (ret == 0)
		ret = fs_sync_dir(AT_FDCWD, p->dir);
	if (ret < 0)
		return ret;
	joined = fs_join(p->dir, "x");
	if (joined == NULL)
		return err_nomem(0);
	free(joined);
	joined = fs_printf("%s-%d", p->dir, 7);
	if (joined == NULL)
		return err_nomem(0);
	free(joined);
	return 0;
}

static void
test_fs(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place(write_old, write_new, 8);
	failing_start_ways(KINDS);
	each_place(write_old, write_exclusive, 8);
	failing_start_ways(KINDS);
	each_place(write_old, read_it, 4);
	failing_start_ways(KINDS);
	each_place(NULL, make_and_remove, 8);
	failing_start_ways(KINDS);
	each_place(NULL, lock_and_sync, 5);
	/* Half of it, or an interrupt, is gone on from. */
	failing_start_short();
	each_place(write_old, write_new, 1);
	failing_start_short();
	each_place(write_old, read_it, 1);
	failing_start(FAILING_FILES);
	failing_errno(EINTR);
	failing_only("write");
	each_place(write_old, write_new, 1);
	failing_start(FAILING_FILES);
	failing_errno(EINTR);
	failing_only("read");
	each_place(write_old, read_it, 1);
}

/* An interrupted call is repeated, so that nothing fails. */
static void
test_positions(void **state)
{
	static const char *const names[] = {"pread", "pwrite", "write"};
	char text[10];
	struct place p;
	size_t i;
	int fd;

	(void)state;
	make(&p);
	fd = openat(p.fd, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		failing_start(FAILING_FILES);
		failing_errno(EINTR);
		failing_only(names[i]);
		while (failing_more()) {
			failing_arm();
			assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
			assert_int_equal(fs_write_all(fd, "0123456789", 10), 0);
			assert_int_equal(fs_pwrite_all(fd, "ab", 2, 4), 0);
			assert_int_equal(fs_pread_all(fd, text, 10, 0), 0);
			assert_int_equal(fs_pread_all(fd, text, 10, 1), 1);
			failing_disarm();
			assert_int_equal(fs_pread_all(fd, text, 10, 0), 0);
			assert_memory_equal(text, "0123ab6789", 10);
		}
		assert_true(failing_count() > 0);
		/* Anything else is an error. */
		failing_start(FAILING_FILES);
		failing_only(names[i]);
		failing_arm();
		assert_int_equal(
		    fs_write_all(fd, "0123456789", 10) < 0, i == 2);
		assert_int_equal(fs_pwrite_all(fd, "ab", 2, 4) < 0, i == 1);
		assert_int_equal(fs_pread_all(fd, text, 10, 0) < 0, i == 0);
		assert_true(failing_disarm());
		assert_true(err_text()[0] != '\0');
	}
	close(fd);
	end(&p);
}

static int
mark(struct place *p)
{
	struct marker *m, *other;
	int ret = marker_new(&m, p->dir);

	if (ret < 0)
		return ret;
	ret = marker_put(m);
	if (ret == 0)
		ret = marker_check(m);
	if (ret == 0)
		ret = marker_new(&other, p->dir);
	if (ret == 0) {
		assert_true(marker_is_ours(m));
		assert_false(marker_is_ours(other));
		marker_free(other);
		marker_remove(m);
		ret = marker_check(m);
	}
	marker_free(m);
	/* That data may be missing is no lie where nobody can tell. */
	return ret == 1 && failing_kind() == FAILING_FILES ? 0 : ret;
}

/* What says that data can never be synced must be believed, or have failed. */
static int
spoil(struct place *p)
{
	struct marker *m;
	int ret = marker_new(&m, p->dir);

	if (ret < 0)
		return ret;
	ret = marker_put(m);
	failing_disarm();
	if (ret == 0) {
		marker_spoil(m);
		assert_int_equal(marker_check(m), 1);
	}
	marker_free(m);
	return ret;
}

static void
test_marker(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place(NULL, mark, 8);
	failing_start_ways(KINDS);
	each_place(NULL, spoil, 4);
}

static int
hold(struct place *p)
{
	char *dir = path_of(p, "ballast"), *file = path_of(p, "ballast/0");
	struct ballast_room room;
	struct stat st;
	int ret = ballast_room(&room, p->dir);

	if (ret == 0)
		ret = ballast_hold(dir, 3, 20000);
	if (ret == 0)
		ret = ballast_hold(dir, 3, 40000);
	if (ret == 0)
		ret = ballast_blocks(p->dir, "map", 8192);
	if (ret == 0) {
		assert_true(room.bytes <= room.bytes_all);
		assert_int_equal(stat(file, &st), 0);
		assert_true(st.st_blocks * 512 >= 40000);
		ret = ballast_drop(dir);
	}
	if (ret == 0)
		assert_int_equal(access(file, F_OK), -1);
	free(dir);
	free(file);
	return ret;
}

static void
test_ballast(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place(NULL, hold, 8);
	/* Where blocks cannot be had without writing, they are written. */
	failing_start_forever(FAILING_FILES);
	failing_only("fallocate");
	failing_errno(EOPNOTSUPP);
	each_place(NULL, hold, 2);
}

/* What cannot be made smaller is kept. */
static void
test_trim(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(buf_reserve(&b, 1000), 0);
	assert_int_equal(buf_append(&b, "abc", 3), 0);
	failing_start(FAILING_MEMORY);
	failing_only("realloc");
	failing_arm();
	buf_trim(&b);
	assert_true(failing_disarm());
	assert_true(b.cap >= 1000);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "abc", 3);
	buf_trim(&b);
	assert_int_equal(b.cap, 3);
	assert_memory_equal(b.data, "abc", 3);
	buf_release(&b);
}

static int
encode(struct buf *out)
{
	struct json *j = json_new_object(), *list = NULL, *one;
	int ret = j == NULL ? ERR_NOMEM : json_set_text(j, "text", "words");

	if (ret == 0)
		ret = json_set_bytes(j, "bytes", "a\xff", 2);
	if (ret == 0)
		ret = json_set_int(j, "int", -5);
	if (ret == 0)
		ret = json_set_bool(j, "bool", 1);
	if (ret == 0)
		ret = json_set_hex(j, "hex", (const uint8_t *)"\1\2", 2);
	if (ret == 0) {
		list = json_new_array();
		ret = list == NULL ? ERR_NOMEM : json_push_text(list, "one");
	}
	if (ret == 0) {
		one = json_new_object();
		ret = one == NULL ? ERR_NOMEM : json_push(list, one);
	}
	if (ret == 0) {
		one = list;
		list = NULL;
		ret = json_set(j, "list", one);
	}
	if (ret == 0)
		ret = json_encode(out, j);
	if (ret == 0)
		ret = json_encode_ascii(out, j);
	if (ret == 0)
		ret = json_encode_pretty(out, j);
	json_free(list);
	json_free(j);
	return ret;
}

static int
encode_and_decode(struct place *p)
{
	static const char text[] = "{\"a\":[\"b\"],\"c\":1,\"d\":true}";
	struct buf b = BUF_INIT;
	struct json *j = NULL;
	const char *item;
	int64_t v;
	int ret = encode(&b);

	(void)p;
	if (ret == 0)
		ret = json_decode(&j, text, sizeof(text) - 1);
	if (ret == 0)
		ret = json_get_int(&v, j, "c", 1, 1);
	if (ret == 0)
		ret = json_item_text(&item, json_get(j, "a"), 0, 1);
	if (ret == 0)
		assert_string_equal(item, "b");
	json_free(j);
	buf_release(&b);
	return ret;
}

static void
test_json(void **state)
{
	(void)state;
	failing_start_ways(FAILING_MEMORY | FAILING_LIBRARIES);
	each_place(NULL, encode_and_decode, 15);
}

static const char *const tables[] = {"one", "two"};
static const unsigned table_flags[] = {0, KV_INTKEY};

static int
open_env(struct kv **kv, struct place *p, unsigned flags)
{
	char *dir = path_of(p, "env");
	int ret = kv_open(kv, dir, tables, table_flags, 2, KV_CREATE | flags);

	free(dir);
	return ret;
}

/* A thousand rows in each table, in one transaction. */
static int
fill(struct kv *kv)
{
	static const char value[100];
	struct kv_txn *t;
	uint32_t i;
	int ret = kv_begin(&t, kv, 1);

	if (ret < 0)
		return ret;
	for (i = 0; i < 1000 && ret == 0; i++) {
		ret = kv_put(t, 0, &i, sizeof(i), value, sizeof(value));
		if (ret == 0)
			ret = kv_put(t, 1, &i, sizeof(i), value, i % 100);
	}
	if (ret < 0) {
		kv_abort(t);
		return ret;
	}
	return kv_commit(t);
}

/* All of it in both directions, and what is not there. */
static int
read_env(struct kv *kv)
{
	struct kv_slice key, value;
	struct kv_cursor *c = NULL;
	struct kv_txn *t;
	uint32_t at = 990, none = 5000;
	uint64_t n = 0;
	unsigned forth = 0, back = 0;
	int ret = kv_begin(&t, kv, 0);

	if (ret < 0)
		return ret;
	ret = kv_count(&n, t, 0);
	if (ret == 0)
		ret = kv_get(&value, t, 1, &at, sizeof(at));
	if (ret == 0)
		ret = kv_get(&value, t, 1, &none, sizeof(none));
	if (ret == 1)
		ret = kv_cursor_open(&c, t, 1);
	if (ret == 0)
		ret = kv_cursor_seek(&key, &value, c, &at, sizeof(at));
	for (; ret == 0; forth++)
		ret = kv_cursor_next(&key, &value, c);
	if (ret == 1)
		ret = kv_cursor_last(&key, &value, c);
	for (; ret == 0; back++)
		ret = kv_cursor_prev(&key, &value, c);
	if (ret == 1)
		ret = kv_cursor_first(&key, &value, c);
	kv_cursor_close(c);
	kv_abort(t);
	if (ret == 0 && (n != 1000 || forth != 10 || back != 1000))
		failing_fail("%u %u", forth, back);
	return ret;
}

/* Delete, by key and under a cursor, and empty a table. */
static int
take_out(struct kv *kv)
{
	struct kv_slice key, value;
	struct kv_cursor *c = NULL;
	struct kv_txn *t;
	uint32_t at = 17;
	int ret = kv_begin(&t, kv, 1);

	if (ret < 0)
		return ret;
	ret = kv_del(t, 0, &at, sizeof(at));
	if (ret >= 0)
		ret = kv_clear(t, 1);
	if (ret == 0)
		ret = kv_cursor_open(&c, t, 0);
	if (ret == 0)
		ret = kv_cursor_first(&key, &value, c);
	if (ret == 0)
		ret = kv_cursor_del(c);
	kv_cursor_close(c);
	if (ret < 0) {
		kv_abort(t);
		return ret;
	}
	return kv_commit(t);
}

static int
use_env_with(struct place *p, unsigned flags)
{
	struct kv *kv;
	int ret = open_env(&kv, p, flags);

	/* Unsynced, and nobody could say so: it is made anew. */
	if (ret == ERR_DAMAGED) {
		char *dir = path_of(p, "env");

		failing_disarm();
		assert_int_equal(fs_remove_tree(dir), 0);
		free(dir);
		ret = open_env(&kv, p, flags);
	}
	if (ret < 0)
		return ret;
	ret = fill(kv);
	if (ret == 0)
		ret = read_env(kv);
	if (ret == 0)
		ret = take_out(kv);
	kv_close(kv);
	return ret;
}

static int
use_env(struct place *p)
{
	return use_env_with(p, 0);
}

static int
use_env_unsynced(struct place *p)
{
	return use_env_with(p, KV_NOSYNC | KV_TINY_MAP | KV_CHECK | KV_SUMS);
}

static void
test_kv(void **state)
{
	(void)state;
	failing_start_ways(KINDS | FAILING_LIBRARIES);
	each_place(NULL, use_env, 30);
	failing_start_ways(KINDS | FAILING_LIBRARIES);
	each_place(use_env_unsynced, use_env_unsynced, 30);
	failing_start_forever(FAILING_LIBRARIES);
	each_place(NULL, use_env, 15);
	/* What LMDB says in other words. */
	failing_start(FAILING_FILES);
	failing_errno(ENOENT);
	each_place(NULL, use_env, 3);
}

/* Free pages at the end that were never written, so that the file ends before
 * them: whoever opens it makes it longer. */
static int
make_short_env(struct place *p)
{
	static const uint8_t value[4 << 20];
	uint32_t i, key, kept = 2, last = 3;
	char *data = path_of(p, "env/data.mdb");
	struct kv_txn *t;
	struct stat st;
	struct kv *kv;

	assert_int_equal(open_env(&kv, p, 0), 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(kv_begin(&t, kv, 1), 0);
		key = 1;
		assert_int_equal(
		    kv_put(t, 1, &key, sizeof(key), value, i == 2 ? 10 : 40000),
		    0);
		assert_int_equal(
		    kv_put(t, 1, &kept, sizeof(kept), value, 100), 0);
		if (i == 3) {
			assert_int_equal(kv_put(t, 1, &last, sizeof(last),
					     value, sizeof(value)),
			    0);
			assert_int_equal(kv_del(t, 1, &last, sizeof(last)), 0);
		}
		assert_int_equal(kv_commit(t), 0);
	}
	kv_close(kv);
	assert_int_equal(stat(data, &st), 0);
	assert_true(st.st_size < 4 << 20);
	free(data);
	return 0;
}

static int
use_short_env(struct place *p)
{
	uint32_t kept = 2;
	struct kv_slice value;
	struct kv_txn *t;
	struct kv *kv;
	int ret = open_env(&kv, p, 0);

	if (ret < 0)
		return ret;
	ret = kv_begin(&t, kv, 0);
	if (ret == 0) {
		ret = kv_get(&value, t, 1, &kept, sizeof(kept));
		if (ret == 0 && value.len != 100)
			failing_fail("another value");
		kv_abort(t);
	}
	kv_close(kv);
	return ret;
}

static void
test_short_kv(void **state)
{
	(void)state;
	failing_start(KINDS | FAILING_LIBRARIES);
	each_place(make_short_env, use_short_env, 12);
}

static void
run_nothing(void *arg)
{
	++*(unsigned *)arg;
}

static void
tick(void *arg, int kicked)
{
	(void)arg;
	(void)kicked;
}

static int
start_threads(struct place *p)
{
	struct pool_queue *q;
	struct pool_thread *t;
	struct ticker *k;
	unsigned ran = 0;
	int ret = pool_queue_new(&q, 2);

	(void)p;
	if (ret < 0)
		return ret;
	pool_queue_free(q);
	ret = pool_thread_start(&t, run_nothing, &ran);
	if (ret < 0)
		return ret;
	pool_thread_join(t);
	assert_int_equal(ran, 1);
	ret = ticker_start(&k, tick, NULL, 60000);
	if (ret < 0)
		return ret;
	ticker_kick(k);
	ticker_stop(k);
	return 0;
}

static void
test_threads(void **state)
{
	(void)state;
	failing_start_ways(FAILING_MEMORY | FAILING_SYSTEM);
	each_place(NULL, start_threads, 4);
}

/* What the system does not tell is no error of ours, only less. */
static void
test_system(void **state)
{
	char boot[OS_BOOT_ID_LEN + 1], machine[OS_MACHINE_ID_LEN + 1];
	uint64_t begin, finish;
	struct place p;
	int fd;

	(void)state;
	make(&p);
	fd = openat(p.fd, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 100000), 0);
	failing_start_ways(FAILING_ALL);
	while (failing_more()) {
		int told, ret;

		failing_arm();
		assert_true(os_cpus() >= 1);
		(void)os_is_network(fd);
		(void)os_mount_id(fd);
		ret = os_next_extent(&begin, &finish, fd, 0);
		assert_int_equal(ret, 1);
		ret = os_sync_fs(fd);
		if (ret != 0)
			assert_string_equal(failing_name(), "syncfs");
		(void)os_can_map(1 << 20);
		told = os_boot_id(boot) == 0;
		if (told)
			assert_int_equal(strlen(boot), OS_BOOT_ID_LEN);
		told = os_machine_id(machine) == 0;
		if (told)
			assert_int_equal(strlen(machine), OS_MACHINE_ID_LEN);
		failing_disarm();
	}
	failing_check_count(6);
	close(fd);
	end(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fs),
	    cmocka_unit_test(test_positions),
	    cmocka_unit_test(test_marker),
	    cmocka_unit_test(test_ballast),
	    cmocka_unit_test(test_trim),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_kv),
	    cmocka_unit_test(test_short_kv),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_system),
	};

	/* Hundreds of folders are made, and none has to outlive this. */
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
