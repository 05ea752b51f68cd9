/* store/pack over backend/dir: written, read, and every flip noticed. */

#include "backend/dir.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/limits.h"
#include "lib/store_fixture.h"
#include "store/backend.h"
#include "store/pack.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

static const uint8_t vault[16] = "a vault's name";

struct world {
	char *folder;
	struct backend *b;
};

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char *vault_dir, *incoming;

	assert_non_null(w);
	w->folder = fixture_folder();
	vault_dir = fs_join(w->folder, "vault");
	incoming = fs_join(w->folder, "incoming");
	assert_int_equal(fs_make_dirs(vault_dir, 0700), 0);
	assert_int_equal(fs_make_dirs(incoming, 0700), 0);
	assert_int_equal(backend_dir_open(&w->b, vault_dir, incoming), 0);
	free(vault_dir);
	free(incoming);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	w->b->ops->close(w->b);
	fixture_remove(w->folder);
	free(w);
	return 0;
}

/* A pack of `n` records of `sealed_len` bytes; each is read back at once. */
static void
write_pack(uint8_t name[32], struct backend *b, unsigned n, size_t sealed_len)
{
	struct buf one = BUF_INIT, back = BUF_INIT;
	struct pack_writer *pw;
	struct record r;
	uint8_t id[32], *to;
	uint32_t offset;
	unsigned i;

	assert_int_equal(pack_writer_open(&pw, b, RECORD_DATA, vault), 0);
	for (i = 0; i < n; i++) {
		buf_reset(&one);
		buf_reset(&back);
		fixture_id(id, i);
		fixture_data(&one, id, NULL, 0, sealed_len + i);
		assert_int_equal(record_decode(&r, one.data, one.len), 0);
		assert_true(pack_writer_fits(pw, r.len));
		assert_int_equal(pack_writer_add(&offset, pw, &r), 0);
		assert_int_equal(buf_extend(&to, &back, r.len), 0);
		assert_int_equal(pack_writer_read(pw, to, r.len, offset), 0);
		assert_memory_equal(to, one.data, r.len);
	}
	assert_int_equal(pack_writer_commit(name, pw), 0);
	buf_release(&one);
	buf_release(&back);
}

static void
read_whole(struct buf *out, struct backend *b, const char *path)
{
	uint64_t size;
	uint8_t *to;

	assert_int_equal(b->ops->size(&size, b, path), 0);
	assert_int_equal(buf_extend(&to, out, size), 0);
	assert_int_equal(b->ops->get(b, path, to, size, 0), 0);
}

/* Whether every check finds the pack in `p` good. */
static int
whole_is_good(const uint8_t name[32], const uint8_t *p, size_t len)
{
	struct pack_entry e;
	struct pack k = PACK_INIT;
	uint32_t i;
	int good;

	if (pack_decode(&k, name, p, len, vault) != 0)
		return 0;
	good = 1;
	for (i = 0; i < k.count && good; i++) {
		pack_entry(&e, &k, i);
		good = pack_check_record(NULL, &e, p + e.offset, e.length) == 0;
	}
	pack_release(&k);
	return good;
}

static void
test_round_trip(void **state)
{
	struct world *w = *state;
	struct pack k = PACK_INIT;
	struct pack_entry e;
	char path[PACK_PATH_BYTES];
	uint8_t name[32], again[32], id[32];

	/* Longer than a piece, and of a length that is not aligned. */
	write_pack(name, w->b, 5, 700001);
	assert_int_equal(pack_load(&k, w->b, name, 0, vault), 0);
	assert_int_equal(k.count, 5);
	pack_entry(&e, &k, 3);
	fixture_id(id, 3);
	assert_memory_equal(e.id, id, 32);
	pack_release(&k);
	pack_path(path, name);
	assert_int_equal(pack_path_name(again, path), 0);
	assert_memory_equal(name, again, 32);
	path[6] ^= 1;
	assert_int_equal(pack_path_name(again, path), 1);
	/* Another vault's pack is refused. */
	assert_int_equal(
	    pack_load(&k, w->b, name, 0, (const uint8_t *)"another vault!!!"),
	    ERR_DAMAGED);
	name[0] ^= 1;
	assert_int_equal(pack_load(&k, w->b, name, 0, vault), ERR_NOENT);
}

static void
test_every_flip(void **state)
{
	struct world *w = *state;
	struct buf b = BUF_INIT;
	char path[PACK_PATH_BYTES];
	uint8_t name[32];
	size_t i;

	write_pack(name, w->b, 3, 61);
	pack_path(path, name);
	read_whole(&b, w->b, path);
	assert_true(whole_is_good(name, b.data, b.len));
	for (i = 0; i < b.len; i++) {
		b.data[i] ^= (uint8_t)(1 << i % 8);
		assert_false(whole_is_good(name, b.data, b.len));
		b.data[i] ^= (uint8_t)(1 << i % 8);
		assert_false(whole_is_good(name, b.data, i));
	}
	assert_true(whole_is_good(name, b.data, b.len));
	buf_release(&b);
}

static void
test_fills_to_the_limit(void **state)
{
	struct world *w = *state;
	struct buf one = BUF_INIT;
	struct pack_writer *pw;
	struct pack k = PACK_INIT;
	struct record r;
	uint8_t id[32] = {1}, name[32];
	uint32_t offset;

	fixture_data(&one, id, NULL, 0, 4u << 20);
	assert_int_equal(record_decode(&r, one.data, one.len), 0);
	assert_int_equal(pack_writer_open(&pw, w->b, RECORD_DATA, vault), 0);
	while (pack_writer_fits(pw, r.len))
		assert_int_equal(pack_writer_add(&offset, pw, &r), 0);
	assert_int_equal(pack_writer_count(pw), 15);
	assert_int_equal(pack_writer_commit(name, pw), 0);
	assert_int_equal(pack_load(&k, w->b, name, 0, vault), 0);
	assert_true(k.size <= LIMIT_PACK_BYTES);
	pack_release(&k);
	buf_release(&one);
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
test_backend_rules(void **state)
{
	struct world *w = *state;
	const struct backend_ops *ops = w->b->ops;
	struct backend_put *p;
	uint64_t size;
	uint8_t byte;
	int n = 0;

	assert_int_equal(ops->list(w->b, "state", count_one, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(ops->put_begin(&p, w->b, 3), 0);
	assert_int_equal(ops->put_write(p, "one", 3), 0);
	assert_int_equal(ops->list(w->b, "state", count_one, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(ops->put_commit(p, "state/a"), 0);
	assert_int_equal(ops->list(w->b, "state", count_one, &n), 0);
	assert_int_equal(n, 1);
	/* Never replaced, and what was there stays. */
	assert_int_equal(ops->put_begin(&p, w->b, 3), 0);
	assert_int_equal(ops->put_write(p, "twice", 5), 0);
	assert_int_equal(ops->put_commit(p, "state/a"), ERR_EXIST);
	assert_int_equal(ops->size(&size, w->b, "state/a"), 0);
	assert_int_equal(size, 3);
	assert_int_equal(ops->get(w->b, "state/a", &byte, 1, 3), ERR_DAMAGED);
	assert_int_equal(ops->get(w->b, "state/b", &byte, 1, 0), ERR_NOENT);
	assert_int_equal(ops->remove(w->b, "state/a"), 0);
	assert_int_equal(ops->remove(w->b, "state/a"), ERR_NOENT);
	/* An aborted put leaves nothing. */
	assert_int_equal(ops->put_begin(&p, w->b, 0), 0);
	assert_int_equal(ops->put_write(p, "x", 1), 0);
	ops->put_abort(p);
	n = 0;
	assert_int_equal(ops->list(w->b, "state", count_one, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(ops->space(&size, w->b), 0);
	assert_true(size > 0);
}

/* A write that fails half-way leaves nothing behind, and is no sync error:
 * the next one goes through. */
static void
test_failed_write(void **state)
{
	struct world *w = *state;
	const struct backend_ops *ops = w->b->ops;
	struct rlimit old, small;
	static uint8_t bytes[300000];
	struct backend_put *p;
	char *incoming = fs_join(w->folder, "incoming");
	const struct dirent *e;
	int n = 0, files = 0, ret = 0;
	DIR *dir;

	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 5u << 20;
	assert_int_equal(ops->put_begin(&p, w->b, 0), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	while (ret == 0 && ++n < 100)
		ret = ops->put_write(p, bytes, sizeof(bytes));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(ret, ERR_IO);
	ops->put_abort(p);
	n = 0;
	assert_int_equal(ops->list(w->b, "packs", count_one, &n), 0);
	assert_int_equal(n, 0);
	dir = opendir(incoming);
	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL)
		files += e->d_name[0] != '.';
	assert_int_equal(closedir(dir), 0);
	assert_int_equal(files, 0);
	free(incoming);
	assert_int_equal(backend_put_all(w->b, "state/a", "abc", 3), 0);
}

/* A vault whose directory has gone is an error, never an empty one. */
static void
test_gone_directory(void **state)
{
	struct world *w = *state;
	char *vault_dir = fs_join(w->folder, "vault");
	int n = 0;

	assert_int_equal(fs_remove_tree(vault_dir), 0);
	assert_int_equal(w->b->ops->list(w->b, "packs", count_one, &n), ERR_IO);
	free(vault_dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_every_flip, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_fills_to_the_limit, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_backend_rules, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_failed_write, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_gone_directory, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
