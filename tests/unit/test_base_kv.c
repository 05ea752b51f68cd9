#include "base/kv.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/pool.h"

#include "lib/counted.h"
#include "lib/tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* These stand in front of the C library's: a disk that fails at a sync. */
static int sync_errno;

int
fdatasync(int fd)
{
	if (sync_errno != 0) {
		errno = sync_errno;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static const char *const names[] = {"text", "number", "other"};
static const unsigned table_flags[] = {0, KV_INTKEY, 0};
enum { TEXT, NUMBER, OTHER, TABLES };

struct fixture {
	char *dir;
	char *path; /* of the environment */
	char *data; /* of its file */
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->dir = tempdir_new();
	f->path = fs_join(f->dir, "a/env");
	f->data = fs_join(f->path, "data.mdb");
	sync_errno = 0;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	tempdir_free(f->dir);
	free(f->path);
	free(f->data);
	free(f);
	return 0;
}

static void
ok(int r)
{
	if (r != 0)
		fail_msg("%d: %s", r, err_text());
}

static struct kv *
open_kv(const struct fixture *f, unsigned flags)
{
	struct kv *kv = NULL;

	ok(kv_open(
	    &kv, f->path, names, table_flags, TABLES, flags | KV_CREATE));
	return kv;
}

static int
try_open(const struct fixture *f, unsigned flags)
{
	struct kv *kv = NULL;
	int r = kv_open(&kv, f->path, names, table_flags, TABLES, flags);

	if (r == 0)
		kv_close(kv);
	else
		assert_null(kv);
	return r;
}

static struct kv_txn *
begin(struct kv *kv, int write)
{
	struct kv_txn *t = NULL;

	ok(kv_begin(&t, kv, write));
	return t;
}

/* One value of `len` bytes under a number. */
static int
put_number(struct kv_txn *t, uint64_t key, size_t len)
{
	uint8_t *value = malloc(len);
	int r;

	assert_non_null(value);
	memset(value, (int)(key & 0xff), len);
	r = kv_put(t, NUMBER, &key, sizeof(key), value, len);
	free(value);
	return r;
}

static void
check_number(struct kv_txn *t, uint64_t key, size_t len)
{
	struct kv_slice v;
	size_t i;

	ok(kv_get(&v, t, NUMBER, &key, sizeof(key)));
	assert_int_equal(v.len, len);
	for (i = 0; i < len; i++)
		assert_int_equal(((const uint8_t *)v.data)[i], key & 0xff);
}

static void
test_put_get_del(void **state)
{
	struct kv *kv = open_kv(*state, 0);
	struct kv_txn *t = begin(kv, 1);
	struct kv_slice v;
	uint64_t n = 0;

	assert_int_equal(kv_get(&v, t, TEXT, "a", 1), 1);
	ok(kv_put(t, TEXT, "a", 1, "one", 3));
	ok(kv_put(t, TEXT, "a", 1, "two", 3));
	ok(kv_put(t, TEXT, "b", 1, NULL, 0));
	ok(kv_put(t, OTHER, "a", 1, "other", 5));
	ok(kv_get(&v, t, TEXT, "a", 1));
	assert_int_equal(v.len, 3);
	assert_memory_equal(v.data, "two", 3);
	ok(kv_commit(t));

	t = begin(kv, 0);
	ok(kv_get(&v, t, TEXT, "b", 1));
	assert_int_equal(v.len, 0);
	ok(kv_count(&n, t, TEXT));
	assert_int_equal(n, 2);
	ok(kv_get(&v, t, OTHER, "a", 1));
	assert_memory_equal(v.data, "other", 5);
	ok(kv_commit(t));

	t = begin(kv, 1);
	ok(kv_del(t, TEXT, "a", 1));
	assert_int_equal(kv_del(t, TEXT, "a", 1), 1);
	ok(kv_clear(t, OTHER));
	kv_abort(t);
	t = begin(kv, 1);
	ok(kv_get(&v, t, TEXT, "a", 1));
	ok(kv_del(t, TEXT, "a", 1));
	ok(kv_clear(t, OTHER));
	ok(kv_count(&n, t, OTHER));
	assert_int_equal(n, 0);
	ok(kv_commit(t));
	kv_abort(NULL);
	kv_close(kv);

	/* It is all there the next time. */
	ok(kv_open(&kv, ((struct fixture *)*state)->path, names, table_flags,
	    TABLES, 0));
	t = begin(kv, 0);
	assert_int_equal(kv_get(&v, t, TEXT, "a", 1), 1);
	ok(kv_get(&v, t, TEXT, "b", 1));
	kv_abort(t);
	kv_close(kv);
	kv_close(NULL);
}

static void
test_key_limits(void **state)
{
	struct kv *kv = open_kv(*state, 0);
	struct kv_txn *t = begin(kv, 1);
	uint8_t key[KV_KEY_BYTES_MAX + 1] = {0};

	ok(kv_put(t, TEXT, key, KV_KEY_BYTES_MAX, "x", 1));
	assert_int_equal(
	    kv_put(t, TEXT, key, KV_KEY_BYTES_MAX + 1, "x", 1), ERR_LIMIT);
	assert_int_equal(kv_put(t, TEXT, key, 0, "x", 1), ERR_LIMIT);
	kv_abort(t);
	kv_close(kv);
}

static void
test_cursor_moves(void **state)
{
	struct kv *kv = open_kv(*state, 0);
	struct kv_txn *t = begin(kv, 1);
	struct kv_cursor *c = NULL;
	struct kv_slice k, v;
	uint64_t i, key;

	ok(kv_cursor_open(&c, t, NUMBER));
	assert_int_equal(kv_cursor_first(&k, &v, c), 1);
	assert_int_equal(kv_cursor_last(&k, &v, c), 1);
	assert_int_equal(kv_cursor_next(&k, &v, c), 1);
	kv_cursor_close(c);
	/* Numbers are in their order, not in that of their bytes. */
	for (i = 0; i < 1000; i++)
		ok(put_number(t, i * 3, 8));
	ok(kv_cursor_open(&c, t, NUMBER));
	ok(kv_cursor_first(&k, &v, c));
	for (i = 0; i < 1000; i++) {
		assert_int_equal(k.len, sizeof(key));
		memcpy(&key, k.data, sizeof(key));
		assert_int_equal(key, i * 3);
		assert_int_equal(kv_cursor_next(&k, &v, c), i == 999 ? 1 : 0);
	}
	ok(kv_cursor_last(&k, &v, c));
	memcpy(&key, k.data, sizeof(key));
	assert_int_equal(key, 999 * 3);
	key = 301;
	ok(kv_cursor_seek(&k, &v, c, &key, sizeof(key)));
	memcpy(&key, k.data, sizeof(key));
	assert_int_equal(key, 303);
	ok(kv_cursor_prev(&k, &v, c));
	memcpy(&key, k.data, sizeof(key));
	assert_int_equal(key, 300);
	key = 2998;
	assert_int_equal(kv_cursor_seek(&k, &v, c, &key, sizeof(key)), 1);
	kv_cursor_close(c);
	kv_cursor_close(NULL);
	ok(kv_commit(t));
	kv_close(kv);
}

static void
test_cursor_deletes(void **state)
{
	struct kv *kv = open_kv(*state, KV_NOSYNC);
	struct kv_cursor *c = NULL;
	struct kv_slice k, v;
	struct kv_txn *t;
	uint64_t i, key, left, seen;
	unsigned mod;
	int r;

	/* Every mod-th entry stays; 1 keeps all, 0 none. */
	for (mod = 0; mod < 8; mod++) {
		t = begin(kv, 1);
		for (i = 0; i < 3000; i++)
			ok(put_number(t, i, 40));
		ok(kv_cursor_open(&c, t, NUMBER));
		seen = 0;
		for (r = kv_cursor_first(&k, &v, c); r == 0;
		     r = kv_cursor_next(&k, &v, c)) {
			memcpy(&key, k.data, sizeof(key));
			assert_int_equal(key, seen);
			seen++;
			if (mod == 0 || key % mod != 0)
				ok(kv_cursor_del(c));
		}
		assert_int_equal(r, 1);
		assert_int_equal(seen, 3000);
		kv_cursor_close(c);
		ok(kv_count(&left, t, NUMBER));
		assert_int_equal(left, mod == 0 ? 0 : (3000 + mod - 1) / mod);
		ok(kv_clear(t, NUMBER));
		ok(kv_commit(t));
	}
	kv_close(kv);
}

static void
test_the_map_grows(void **state)
{
	struct fixture *f = *state;
	struct kv *kv = open_kv(f, KV_TINY_MAP | KV_NOSYNC);
	struct kv_txn *t;
	struct stat st;
	uint64_t i;

	/* 1 MiB of map, 64 MiB of data. */
	for (i = 0; i < 512; i++) {
		t = begin(kv, 1);
		ok(put_number(t, i, 128 << 10));
		ok(kv_commit(t));
	}
	t = begin(kv, 0);
	for (i = 0; i < 512; i++)
		check_number(t, i, 128 << 10);
	kv_abort(t);
	kv_close(kv);
	assert_int_equal(stat(f->data, &st), 0);
	assert_true(st.st_size > 64 << 20);

	/* And it opens again, whatever the size of the map. */
	kv = open_kv(f, KV_TINY_MAP);
	t = begin(kv, 1);
	check_number(t, 511, 128 << 10);
	ok(put_number(t, 1000, 128 << 10));
	ok(kv_commit(t));
	kv_close(kv);
}

static void
test_too_large_a_transaction_harms_nothing(void **state)
{
	struct kv *kv = open_kv(*state, KV_TINY_MAP);
	struct kv_txn *t = begin(kv, 1);
	uint64_t n = 0;

	ok(put_number(t, 1, 1000));
	assert_int_equal(put_number(t, 2, 8 << 20), ERR_NOSPACE);
	kv_abort(t);
	t = begin(kv, 1);
	ok(kv_count(&n, t, NUMBER));
	assert_int_equal(n, 0);
	ok(put_number(t, 1, 1000));
	ok(kv_commit(t));
	kv_close(kv);
}

struct reader {
	struct kv *kv;
	struct pool_lock lock;
	uint64_t last; /* what the writer has committed */
	int stop;
};

static void
read_often(void *arg)
{
	struct reader *r = arg;
	struct kv_txn *t;
	uint64_t last;
	int stop = 0;

	while (!stop) {
		pool_lock_enter(&r->lock);
		last = r->last;
		stop = r->stop;
		pool_lock_leave(&r->lock);
		t = begin(r->kv, 0);
		if (last > 0) {
			check_number(t, last, 64 << 10);
			check_number(t, 1, 64 << 10);
		}
		kv_abort(t);
	}
}

static void
test_the_map_grows_under_readers(void **state)
{
	struct reader r = {.kv = open_kv(*state, KV_TINY_MAP | KV_NOSYNC)};
	struct pool_thread *threads[3];
	struct kv_txn *t;
	uint64_t i;

	pool_lock_init(&r.lock);
	for (i = 0; i < 3; i++)
		ok(pool_thread_start(&threads[i], read_often, &r));
	for (i = 1; i <= 400; i++) {
		t = begin(r.kv, 1);
		ok(put_number(t, i, 64 << 10));
		ok(kv_commit(t));
		pool_lock_enter(&r.lock);
		r.last = i;
		r.stop = i == 400;
		pool_lock_leave(&r.lock);
	}
	for (i = 0; i < 3; i++)
		pool_thread_join(threads[i]);
	pool_lock_release(&r.lock);
	kv_close(r.kv);
}

static void
test_a_reader_of_the_same_thread_does_not_block(void **state)
{
	struct kv *kv = open_kv(*state, KV_TINY_MAP | KV_NOSYNC);
	struct kv_txn *t = begin(kv, 1), *reading;
	int64_t start;
	uint64_t i;

	ok(put_number(t, 1, 1000));
	ok(kv_commit(t));
	reading = begin(kv, 0);
	start = clock_mono_ns();
	for (i = 2; i < 7; i++) {
		t = begin(kv, 1);
		ok(put_number(t, i, 128 << 10));
		ok(kv_commit(t));
	}
	/* A pause that cannot succeed is given up. */
	assert_true(clock_mono_ns() - start < 20 * (int64_t)1000000000);
	check_number(reading, 1, 1000);
	kv_abort(reading);
	t = begin(kv, 1);
	ok(put_number(t, 7, 512 << 10));
	ok(kv_commit(t));
	kv_close(kv);
}

static void
test_another_process_grows_the_file(void **state)
{
	struct fixture *f = *state;
	int go[2], status;
	struct kv_txn *t;
	struct kv *kv;
	uint64_t i;
	pid_t pid;
	char c;

	assert_int_equal(pipe(go), 0);
	kv_close(open_kv(f, 0));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* Begin only when the parent has mapped the small file. */
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		kv = open_kv(f, KV_NOSYNC);
		for (i = 0; i < 64; i++) {
			t = begin(kv, 1);
			ok(put_number(t, i, 128 << 10));
			ok(kv_commit(t));
		}
		kv_close(kv);
		counted_exit(0);
	}
	kv = open_kv(f, KV_TINY_MAP);
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	t = begin(kv, 0);
	for (i = 0; i < 64; i++)
		check_number(t, i, 128 << 10);
	kv_abort(t);
	t = begin(kv, 1);
	ok(put_number(t, 64, 128 << 10));
	ok(kv_commit(t));
	kv_close(kv);
	close(go[0]);
	close(go[1]);
}

static void
test_what_is_not_an_environment(void **state)
{
	struct fixture *f = *state;
	struct kv *kv = NULL;
	static uint8_t junk[65536];
	size_t i;

	assert_int_equal(try_open(f, 0), ERR_NOENT);
	ok(fs_make_dirs(f->path, 0700));
	assert_int_equal(try_open(f, 0), ERR_NOENT);
	/* Empty, too short, no magic number. */
	ok(fs_write_file(AT_FDCWD, f->data, NULL, 0, 0600, FS_NOSYNC));
	assert_int_equal(try_open(f, KV_CREATE), ERR_DAMAGED);
	ok(fs_write_file(AT_FDCWD, f->data, junk, 4096, 0600, FS_NOSYNC));
	assert_int_equal(try_open(f, KV_CREATE), ERR_DAMAGED);
	for (i = 0; i < sizeof(junk); i++)
		junk[i] = (uint8_t)(i * 31 + 7);
	ok(fs_write_file(
	    AT_FDCWD, f->data, junk, sizeof(junk), 0600, FS_NOSYNC));
	assert_int_equal(try_open(f, KV_CREATE), ERR_DAMAGED);
	ok(fs_remove_tree(f->path));
	/* A table that nobody made. */
	ok(kv_open(&kv, f->path, names, table_flags, 1, KV_CREATE));
	kv_close(kv);
	assert_int_equal(try_open(f, 0), ERR_DAMAGED);
	ok(try_open(f, KV_CREATE));
	ok(try_open(f, 0));
}

static void
test_a_file_cut_off_is_damaged(void **state)
{
	struct fixture *f = *state;
	struct kv *kv = open_kv(f, 0);
	struct kv_txn *t = begin(kv, 1);
	struct stat st;
	off_t len;
	uint64_t i;

	for (i = 0; i < 2000; i++)
		ok(put_number(t, i, 200));
	ok(kv_commit(t));
	kv_close(kv);
	ok(try_open(f, 0));
	assert_int_equal(stat(f->data, &st), 0);
	for (len = st.st_size - 1; len > 0; len -= st.st_size / 50) {
		assert_int_equal(truncate(f->data, len), 0);
		assert_int_equal(try_open(f, KV_CREATE), ERR_DAMAGED);
		/* Seen again: nobody made it look whole. */
		assert_int_equal(try_open(f, 0), ERR_DAMAGED);
	}
}

/* A pseudo-random number; the same ones in every run. */
static uint32_t
next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

/*
 * The file may end before its last page, when that page is free and was never
 * written.  Opening it must succeed.
 */
static void
test_a_file_that_ends_early_is_fine(void **state)
{
	struct fixture *f = *state;
	struct kv *kv = open_kv(f, 0);
	struct kv_txn *t;
	struct stat st;
	uint64_t key;
	int i;

	/* Pages to use again, and then new ones that are given back. */
	for (i = 0; i < 4; i++) {
		t = begin(kv, 1);
		ok(put_number(t, 1, i == 2 ? 10 : 40000));
		ok(put_number(t, 2, 100));
		if (i == 3) {
			key = 3;
			ok(put_number(t, key, 4 << 20));
			ok(kv_del(t, NUMBER, &key, sizeof(key)));
		}
		ok(kv_commit(t));
	}
	kv_close(kv);
	assert_int_equal(stat(f->data, &st), 0);
	assert_true(st.st_size < 4 << 20);
	kv = open_kv(f, 0);
	t = begin(kv, 0);
	check_number(t, 1, 40000);
	check_number(t, 2, 100);
	kv_abort(t);
	kv_close(kv);
	/* The missing pages, all free, are there now, as holes. */
	assert_int_equal(stat(f->data, &st), 0);
	assert_true(st.st_size > 4 << 20);
}

static void
test_random_changes_and_reopening(void **state)
{
	struct fixture *f = *state;
	struct kv *kv = open_kv(f, KV_NOSYNC);
	uint32_t sizes[2][500], i, n, key, table;
	struct kv_slice v;
	static uint8_t value[20000];
	uint64_t seed = 3;
	struct kv_txn *t;
	int round;

	memset(sizes, 0xff, sizeof(sizes));
	for (round = 0; round < 600; round++) {
		t = begin(kv, 1);
		n = next_random(&seed) % 200;
		for (i = 0; i < n; i++) {
			table = next_random(&seed) % 2 == 0 ? TEXT : OTHER;
			key = next_random(&seed) % 500;
			if (next_random(&seed) % 3 == 0) {
				assert_true(
				    kv_del(t, table, &key, sizeof(key)) >= 0);
				sizes[table == OTHER][key] = UINT32_MAX;
				continue;
			}
			sizes[table == OTHER][key] =
			    next_random(&seed) %
			    (round % 3 == 0 ? sizeof(value) : 100);
			ok(kv_put(t, table, &key, sizeof(key), value,
			    sizes[table == OTHER][key]));
		}
		ok(kv_commit(t));
		if (round % 4 == 0) {
			kv_close(kv);
			kv = open_kv(f, KV_NOSYNC);
		}
	}
	t = begin(kv, 0);
	for (table = 0; table < 2; table++) {
		for (key = 0; key < 500; key++) {
			int r = kv_get(&v, t, table == 0 ? TEXT : OTHER, &key,
			    sizeof(key));

			assert_int_equal(r, sizes[table][key] == UINT32_MAX);
			if (r == 0)
				assert_int_equal(v.len, sizes[table][key]);
		}
	}
	kv_abort(t);
	kv_close(kv);
}

static void
test_unsynced_data_of_another_boot(void **state)
{
	static const char other[] = "00000000-0000-0000-0000-000000000000";
	struct fixture *f = *state;
	char *marker = fs_join(f->path, "unsynced");
	struct kv *kv;
	struct kv_txn *t;
	int status;
	pid_t pid;

	/* Reading leaves no marker, writing does until it is closed. */
	kv_close(open_kv(f, 0));
	kv = open_kv(f, KV_NOSYNC);
	t = begin(kv, 0);
	kv_abort(t);
	assert_int_not_equal(access(marker, F_OK), 0);
	t = begin(kv, 1);
	ok(put_number(t, 1, 10));
	ok(kv_commit(t));
	assert_int_equal(access(marker, F_OK), 0);
	kv_close(kv);
	assert_int_not_equal(access(marker, F_OK), 0);

	/* A writer that dies does no harm. */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		kv = open_kv(f, KV_NOSYNC);
		t = begin(kv, 1);
		ok(put_number(t, 2, 10));
		ok(kv_commit(t));
		t = begin(kv, 1);
		ok(put_number(t, 3, 10));
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(access(marker, F_OK), 0);
	kv = open_kv(f, KV_NOSYNC);
	t = begin(kv, 1);
	check_number(t, 2, 10);
	ok(put_number(t, 3, 10));
	ok(kv_commit(t));
	kv_close(kv);
	assert_int_not_equal(access(marker, F_OK), 0);

	/* A machine that stops may. */
	ok(fs_write_file(
	    AT_FDCWD, marker, other, sizeof(other) - 1, 0600, FS_NOSYNC));
	assert_int_equal(try_open(f, KV_NOSYNC), ERR_DAMAGED);
	assert_int_equal(try_open(f, KV_CREATE), ERR_DAMAGED);
	free(marker);
}

static void
test_a_failed_sync_is_the_end(void **state)
{
	struct fixture *f = *state;
	struct kv *kv = open_kv(f, 0);
	struct kv_txn *t = begin(kv, 1);
	struct kv_slice v;
	uint64_t key = 1;

	ok(put_number(t, key, 10));
	sync_errno = EIO;
	assert_int_equal(kv_commit(t), ERR_IO);
	sync_errno = 0;
	/* Not even when the next sync would succeed. */
	assert_true(kv_failed(kv));
	t = NULL;
	assert_int_equal(kv_begin(&t, kv, 1), ERR_IO);
	assert_null(t);
	/* What was there before is read. */
	t = begin(kv, 0);
	assert_int_equal(kv_get(&v, t, NUMBER, &key, sizeof(key)), 1);
	kv_abort(t);
	kv_close(kv);
	/* And nobody takes the file for a good one again. */
	assert_int_equal(try_open(f, 0), ERR_DAMAGED);
	assert_int_equal(fs_remove_tree(f->path), 0);

	/* A full disk is another matter. */
	kv = open_kv(f, 0);
	assert_false(kv_failed(kv));
	t = begin(kv, 1);
	assert_int_equal(kv_get(&v, t, NUMBER, &key, sizeof(key)), 1);
	ok(put_number(t, key, 10));
	sync_errno = ENOSPC;
	assert_int_equal(kv_commit(t), ERR_NOSPACE);
	sync_errno = 0;
	t = begin(kv, 1);
	assert_int_equal(kv_get(&v, t, NUMBER, &key, sizeof(key)), 1);
	ok(put_number(t, key, 10));
	ok(kv_commit(t));
	kv_close(kv);
}

static void
count_up(void *arg)
{
	struct kv *kv = arg;
	struct kv_slice v;
	struct kv_txn *t;
	uint64_t n;
	int i;

	for (i = 0; i < 200; i++) {
		t = begin(kv, 1);
		n = 0;
		if (kv_get(&v, t, TEXT, "n", 1) == 0)
			memcpy(&n, v.data, sizeof(n));
		n++;
		ok(kv_put(t, TEXT, "n", 1, &n, sizeof(n)));
		ok(kv_commit(t));
	}
}

static void
test_writers_take_turns(void **state)
{
	struct kv *kv = open_kv(*state, KV_NOSYNC);
	struct pool_thread *threads[4];
	struct kv_slice v;
	struct kv_txn *t;
	uint64_t n = 0;
	int i;

	for (i = 0; i < 4; i++)
		ok(pool_thread_start(&threads[i], count_up, kv));
	for (i = 0; i < 4; i++)
		pool_thread_join(threads[i]);
	t = begin(kv, 0);
	ok(kv_get(&v, t, TEXT, "n", 1));
	memcpy(&n, v.data, sizeof(n));
	assert_int_equal(n, 800);
	kv_abort(t);
	kv_close(kv);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_put_get_del),
	    TEST(test_key_limits),
	    TEST(test_cursor_moves),
	    TEST(test_cursor_deletes),
	    TEST(test_the_map_grows),
	    TEST(test_too_large_a_transaction_harms_nothing),
	    TEST(test_the_map_grows_under_readers),
	    TEST(test_a_reader_of_the_same_thread_does_not_block),
	    TEST(test_another_process_grows_the_file),
	    TEST(test_what_is_not_an_environment),
	    TEST(test_a_file_cut_off_is_damaged),
	    TEST(test_a_file_that_ends_early_is_fine),
	    TEST(test_random_changes_and_reopening),
	    TEST(test_unsynced_data_of_another_boot),
	    TEST(test_a_failed_sync_is_the_end),
	    TEST(test_writers_take_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
