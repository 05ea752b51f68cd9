/*
 * base/kvpages: whatever LMDB writes passes, and of what is damaged nothing
 * passes that LMDB would stumble on: it reads all rows, finds each by its key,
 * and writes, without a crash, and what it then wrote passes again.
 *
 * COUNT: so many damaged files, drawn by SEED.
 */

#include "base/kvpages.h"

#include "lib/fill.h"
#include "lib/setting.h"
#include "lib/tempdir.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/kv.h"

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

#define DRAWS 600
#define PAGE 4096u
#define LONG_BYTES 9000u

static const char *const names[] = {"text", "number", "other"};
static const unsigned flags[] = {0, KV_INTKEY, 0};
enum { TEXT, NUMBER, OTHER, TABLES };

static struct fill draws;
static char *dir, *env, *data;

static size_t
draw(size_t below)
{
	return fill_below(&draws, below);
}

static int
setup(void **state)
{
	(void)state; /* the names are static */
	dir = tempdir_new();
	env = fs_join(dir, "env");
	data = fs_join(env, KV_DATA_NAME);
	return 0;
}

static int
teardown(void **state)
{
	(void)state; /* the same */
	tempdir_free(dir);
	free(env);
	free(data);
	return 0;
}

static int
open_env(struct kv **out)
{
	return kv_open(out, env, names, flags, TABLES,
	    KV_CREATE | KV_NOSYNC | KV_TINY_MAP | KV_CHECK);
}

static void
must(int ret, const char *what)
{
	if (ret != 0)
		fail_msg("%s: %d: %s", what, ret, err_text());
}

/* One row is written or removed. */
static void
change(struct kv_txn *t)
{
	static uint8_t value[LONG_BYTES];
	unsigned table = (unsigned)draw(TABLES);
	size_t len = draw(12) == 0 ? draw(LONG_BYTES) : draw(90);
	uint32_t number = (uint32_t)draw(4000);
	char text[300];
	size_t key_len = sizeof(number);
	const void *key = &number;
	int ret;

	if (table != NUMBER) {
		key = text;
		key_len = (size_t)snprintf(text, sizeof(text), "%0*x",
		    1 + (int)(number % (table == TEXT ? 40 : 250)), number);
	}
	if (draw(5) < 2) {
		ret = kv_del(t, table, key, key_len);
		assert_true(ret == 0 || ret == 1);
		return;
	}
	memset(value, (int)draw(256), len);
	must(kv_put(t, table, key, key_len, value, len), "put");
}

/* Some transactions; now and then one that empties a table, or has no end. */
static void
work(struct kv *kv, unsigned transactions, size_t rows)
{
	struct kv_txn *t;
	size_t i;

	while (transactions-- > 0) {
		must(kv_begin(&t, kv, 1), "begin");
		if (draw(40) == 0)
			must(kv_clear(t, (unsigned)draw(TABLES)), "clear");
		for (i = draw(rows); i > 0; i--)
			change(t);
		if (draw(8) == 0)
			kv_abort(t);
		else
			must(kv_commit(t), "commit");
	}
}

/* All rows: LMDB must find by its key what it shows in turn. */
static unsigned
read_all(struct kv *kv)
{
	struct kv_slice key, value, again;
	unsigned table, rows = 0, sum = 0;
	struct kv_cursor *c;
	struct kv_txn *t;
	int ret;

	must(kv_begin(&t, kv, 0), "begin");
	for (table = 0; table < TABLES; table++) {
		must(kv_cursor_open(&c, t, table), "cursor");
		for (ret = kv_cursor_first(&key, &value, c); ret == 0;
		     ret = kv_cursor_next(&key, &value, c), rows++) {
			must(
			    kv_get(&again, t, table, key.data, key.len), "get");
			assert_ptr_equal(again.data, value.data);
			assert_int_equal(again.len, value.len);
			for (size_t i = 0; i < value.len; i++)
				sum += ((const uint8_t *)value.data)[i];
		}
		assert_int_equal(ret, 1);
		kv_cursor_close(c);
	}
	kv_abort(t);
	return rows + sum % 1; /* each byte was read */
}

static void
test_whatever_is_written(void **state)
{
	struct kv *kv;
	unsigned i;

	(void)state; /* the names are static */
	fill_init(&draws, setting("SEED", 1));
	assert_int_equal(kvpages_check(env), 1);
	for (i = 0; i < 60; i++) {
		must(open_env(&kv), "open");
		(void)read_all(kv); /* it looks by itself */
		work(kv, 1 + (unsigned)draw(8), i % 7 == 0 ? 3000 : 60);
		kv_close(kv);
		must(kvpages_check(env), "what was written");
	}
}

/* One file, damaged in one of several ways. */
static void
damage(const struct buf *whole)
{
	size_t pages = whole->len / PAGE, a = draw(pages), b = draw(pages), at;
	uint8_t *p;
	int fd;

	must(fs_write_file(
		 AT_FDCWD, data, whole->data, whole->len, 0600, FS_NOSYNC),
	    "write");
	fd = open(data, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	p = malloc(PAGE);
	assert_non_null(p);
	memcpy(p, whole->data + a * PAGE, PAGE);
	/* What LMDB reads of a page stands at its ends. */
	at = draw(4) != 0   ? draw(64)
	     : draw(2) != 0 ? draw(PAGE)
			    : PAGE - 1 - draw(600);
	switch (draw(8)) {
	case 0:
		memcpy(p, whole->data + b * PAGE, PAGE);
		break;
	case 1:
		memset(p + at, 0, PAGE - at);
		break;
	case 2:
		assert_int_equal(ftruncate(fd, (off_t)draw(whole->len)), 0);
		break;
	case 3:
		p[at] = (uint8_t)draw(256);
		break;
	default:
		p[at] ^= (uint8_t)(1u << draw(8));
	}
	must(fs_pwrite_all(fd, p, PAGE, a * PAGE), "write");
	free(p);
	assert_int_equal(close(fd), 0);
}

static void
test_damage(void **state)
{
	unsigned count = (unsigned)setting("COUNT", DRAWS), i, no = 0;
	struct buf whole = BUF_INIT;
	struct kv *kv;
	int ret;

	(void)state; /* the names are static */
	fill_init(&draws, setting("SEED", 1));
	for (i = 0; i < count; i++) {
		if (i % 150 == 0) {
			assert_int_equal(fs_remove_tree(env), 0);
			must(open_env(&kv), "open");
			work(kv, 60, i % 300 == 0 ? 60 : 400);
			kv_close(kv);
			buf_reset(&whole);
			must(fs_read_file(&whole, AT_FDCWD, data, 64u << 20),
			    "read");
		}
		damage(&whole);
		ret = kvpages_check(env);
		assert_true(ret == 0 || ret == ERR_DAMAGED);
		no += ret != 0;
		if (ret != 0) {
			assert_int_equal(open_env(&kv), ERR_DAMAGED);
			continue;
		}
		/* A table may be gone, or be called otherwise. */
		ret = open_env(&kv);
		if (ret != 0) {
			assert_int_equal(ret, ERR_DAMAGED);
			continue;
		}
		(void)read_all(kv); /* it looks by itself */
		work(kv, 2, 200);
		kv_close(kv);
		must(kvpages_check(env), "what was written");
	}
	print_message("%u damaged files, of which %u were refused\n", i, no);
	assert_true(no > i / 4 && no < i);
	buf_release(&whole);
}

static void
test_no_file(void **state)
{
	struct kv *kv;

	(void)state; /* the names are static */
	assert_int_equal(mkdir(env, 0700), 0);
	assert_int_equal(mkdir(data, 0700), 0);
	assert_int_equal(kvpages_check(env), ERR_DAMAGED);
	assert_int_equal(open_env(&kv), ERR_DAMAGED);
	assert_int_equal(rmdir(data), 0);
	assert_int_equal(mkfifo(data, 0600), 0);
	assert_int_equal(kvpages_check(env), ERR_DAMAGED);
	assert_int_equal(unlink(data), 0);
	assert_int_equal(symlink(KV_DATA_NAME, data), 0);
	assert_int_equal(kvpages_check(env), ERR_DAMAGED);
	assert_int_equal(open_env(&kv), ERR_DAMAGED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_whatever_is_written, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
