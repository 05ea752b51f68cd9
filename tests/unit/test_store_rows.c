/*
 * store/index and store/admit where the index is not what it should be: rows
 * that are too short are damage and never a crash, places that hold something
 * else give no object, and a new index has everything.
 */

#include "backend/mem.h"
#include "base/err.h"
#include "base/fs.h"
#include "lib/sweep_world.h"
#include "sign/sign.h"
#include "store/admit.h"
#include "store/backend.h"
#include "store/index.h"
#include "store/pack.h"
#include "store/record.h"
#include "store/scrub.h"
#include "store/session.h"
#include "store/survey.h"
#include "store/vault.h"
#include "store/verify.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
begin(struct sweep_world *w)
{
	sw_make(w, 1);
	assert_int_equal(sw_open(w), 0);
	assert_int_equal(sw_backup(w, 0, 0, SW_ASK), 0);
	assert_int_equal(sw_backup(w, 0, 1, SW_ASK), 0);
	assert_int_equal(sw_backup(w, 1, 6, SW_LEAVE), 0);
}

/* Cut the last byte off every row of a table; how many there were. */
static unsigned
shorten(struct sweep_world *w, unsigned table)
{
	struct kv_slice key, value;
	struct kv_cursor *c;
	struct index_txn t;
	struct buf keys = BUF_INIT, values = BUF_INIT;
	size_t key_len = 0, i, n = 0;
	int ret;

	assert_int_equal(index_begin(&t, w->v->index, 1), 0);
	assert_int_equal(kv_cursor_open(&c, t.kv, table), 0);
	for (ret = kv_cursor_first(&key, &value, c); ret == 0;
	     ret = kv_cursor_next(&key, &value, c)) {
		/* Some tables have keys and values of several lengths. */
		if (value.len == 0 || (n > 0 && key.len != key_len))
			continue;
		key_len = key.len;
		n++;
		assert_int_equal(buf_append(&keys, key.data, key.len), 0);
		assert_int_equal(buf_append32(&values, (uint32_t)value.len), 0);
		assert_int_equal(buf_append(&values, value.data, value.len), 0);
	}
	assert_int_equal(ret, 1);
	kv_cursor_close(c);
	for (i = 0, key_len = n > 0 ? keys.len / n : 0, ret = 0; i < n; i++) {
		uint32_t len;

		memcpy(&len, values.data + ret, 4);
		assert_int_equal(kv_put(t.kv, table, keys.data + i * key_len,
				     key_len, values.data + ret + 4, len - 1),
		    0);
		ret += 4 + (int)len;
	}
	assert_int_equal(index_commit(&t), 0);
	buf_release(&keys);
	buf_release(&values);
	return (unsigned)n;
}

static void
found(void *arg, const char *where, const char *what)
{
	assert_true(where[0] != '\0' && what[0] != '\0');
	++*(unsigned *)arg;
}

static int
verify(struct sweep_world *w)
{
	unsigned told = 0;
	struct verify_options o = {.vault = w->v, .found = found, .arg = &told};
	struct verify_counts n;
	int ret = verify_vault(&n, &o);

	return ret == 0 && told > 0 ? err_set(ERR_DAMAGED, "findings") : ret;
}

static int
back_up(struct sweep_world *w)
{
	return sw_backup(w, 0, 5, SW_ASK);
}

static int
sweep(struct sweep_world *w)
{
	int ret = sw_delete(w, 0, 1);

	return ret == 0 ? sw_sweep(w, NULL) : ret;
}

static int
scrub(struct sweep_world *w)
{
	struct scrub_counts n = {0};
	unsigned told = 0;
	int ret;

	do
		ret = scrub_step(&n, w->v, found, &told);
	while (ret == 1);
	return ret;
}

static int
reopen(struct sweep_world *w)
{
	int ret;

	sw_close(w);
	ret = sw_open(w);
	if (ret < 0)
		w->v = NULL;
	return ret;
}

static int
damage(struct sweep_world *w)
{
	uint8_t id[32];

	fixture_id(id, 1000);
	/* No: the record is whole, and only said to be bad. */
	return vault_damaged(w->v, id, NULL);
}

static int
read_all(struct sweep_world *w)
{
	const struct fixture_mount *m = &w->mounts[0].m;
	struct fixture_reading r = {0};
	struct session *s;
	uint8_t ids[2 * 32];
	int ret = session_open(&s, w->v, m->id, m->public_key);

	if (ret < 0)
		return ret;
	fixture_id(ids, 1);
	fixture_id(ids + 32, 1000);
	ret = session_get(s, ids, 2, fixture_read_one, &r);
	(void)session_close(s); /* it has put nothing */
	return ret;
}

static void
test_short_rows(void **state)
{
	int (*const all[])(struct sweep_world * w) = {
	    verify, back_up, sweep, scrub, reopen, damage, read_all};
	/* What nobody can go on without. */
	static const unsigned vital[] = {
	    INDEX_OBJ, INDEX_REFS, INDEX_NUM, INDEX_PACK, INDEX_PACKNAME};
	unsigned table, i, k, refused;
	struct sweep_world w;
	int ret;

	(void)state;
	for (table = 0; table < INDEX_TABLES; table++) {
		refused = 0;
		for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			begin(&w);
			if (shorten(&w, table) == 0) {
				sw_end(&w);
				refused++;
				break;
			}
			err_set(0, "%s", "");
			ret = all[i](&w);
			assert_true(ret >= 0 || err_text()[0] != '\0');
			refused += ret < 0;
			if (w.v == NULL)
				assert_int_equal(sw_open(&w), 0);
			/* The packs have it all. */
			assert_int_equal(vault_reindex(w.v), 0);
			assert_int_equal(reopen(&w), 0);
			w.mounts[0].snapshots[1].gone = 1;
			assert_int_equal(sw_backup(&w, 0, 1, SW_ASK), 0);
			assert_int_equal(sw_wrong(&w), 0);
			sw_end(&w);
		}
		for (k = 0; k < sizeof(vital) / sizeof(vital[0]); k++) {
			if (vital[k] == table && refused < 2)
				fail_msg("table %u: %u", table, refused);
		}
	}
}

/* The place of object 1000 in the index is another one on the disk; the map of
 * a store that is open shows it, too. */
static void
spoil(struct sweep_world *w)
{
	char *path = fs_join(w->index_dir, KV_DATA_NAME);
	struct buf b = BUF_INIT;
	uint8_t id[32], *p;
	unsigned n = 0;
	int fd;

	fixture_id(id, 1000);
	assert_int_equal(fs_read_file(&b, AT_FDCWD, path, 1u << 28), 0);
	p = b.data;
	while ((p = memmem(p, b.len - (size_t)(p - b.data), id, 32)) != NULL) {
		/* As a key its length stands before it, the place behind. */
		if (p[-2] == 32 && p[-1] == 0) {
			p[32 + 9] ^= 0x10;
			n++;
		}
		p += 32;
	}
	assert_true(n > 0);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(fs_pwrite_all(fd, b.data, b.len, 0), 0);
	assert_int_equal(close(fd), 0);
	buf_release(&b);
	free(path);
}

static int
find_object(struct sweep_world *w)
{
	struct index_object o;
	struct index_txn t;
	uint8_t id[32];
	int ret = index_begin(&t, w->v->index, 0);

	fixture_id(id, 1000);
	assert_int_equal(ret, 0);
	ret = index_find(&o, &t, id);
	index_abort(&t);
	return ret;
}

/* A row that the disk spoilt is no answer, and the next opening has a new
 * index; one that was not closed is looked at before anything is asked. */
static void
test_spoilt_rows(void **state)
{
	struct sweep_world w;

	(void)state;
	begin(&w);
	spoil(&w);
	assert_int_equal(find_object(&w), ERR_DAMAGED);
	assert_int_equal(reopen(&w), 0);
	assert_int_equal(find_object(&w), 0);
	assert_int_equal(verify(&w), 0);
	sw_close(&w);
	fixture_unclosed_index(w.index_dir);
	spoil(&w);
	assert_int_equal(sw_open(&w), 0);
	assert_int_equal(find_object(&w), 0);
	assert_int_equal(verify(&w), 0);
	assert_int_equal(sw_wrong(&w), 0);
	sw_end(&w);
}

/* Where refs are missing nobody knows what is needed: nothing is deleted. */
static void
test_missing_refs(void **state)
{
	struct index_object o;
	struct sweep_world w;
	struct index_txn t;
	uint8_t id[32];

	(void)state;
	begin(&w);
	fixture_id(id, 1000);
	assert_int_equal(index_begin(&t, w.v->index, 1), 0);
	assert_int_equal(index_find(&o, &t, id), 0);
	assert_int_equal(kv_del(t.kv, INDEX_REFS, &o.num, sizeof(o.num)), 0);
	assert_int_equal(index_commit(&t), 0);
	assert_int_equal(sweep(&w), ERR_DAMAGED);
	assert_int_equal(reopen(&w), 0);
	assert_int_equal(sw_sweep(&w, NULL), 0);
	assert_int_equal(sw_wrong(&w), 0);
	sw_end(&w);
}

struct one_pack {
	uint8_t name[32];
	uint64_t size;
	unsigned n;
};

static int
note_pack(void *arg, const char *path, uint64_t size)
{
	struct one_pack *p = arg;

	assert_int_equal(pack_path_name(p->name, path), 0);
	p->size = size;
	p->n++;
	return 0;
}

/* A pack that is in already changes nothing, and tells what is closed. */
static void
test_admit_twice(void **state)
{
	static const uint8_t vault[16] = "a vault's name";
	struct one_pack one = {.n = 0};
	struct sweep_world w;
	struct idmap marks;
	struct index_txn t;
	struct survey s;
	uint32_t i, number;

	(void)state;
	begin(&w);
	assert_int_equal(w.b->ops->list(w.b, "packs", note_pack, &one), 0);
	assert_true(one.n > 1);
	idmap_init(&marks);
	survey_init(&s);
	assert_int_equal(
	    survey_pack(&s, w.b, one.name, one.size, vault, &marks), 0);
	assert_int_equal(index_begin(&t, w.v->index, 1), 0);
	assert_int_equal(index_pack_named(&s.pack, &t, one.name), 0);
	number = s.pack.number;
	s.pack.number = 0;
	for (i = 0; i < s.n; i++)
		s.items[i].closed = 0;
	assert_int_equal(admit_pack(&t, &s.pack, s.items, s.n, s.ids.data), 0);
	assert_int_equal(s.pack.number, number);
	assert_true(s.n > 0);
	for (i = 0; i < s.n; i++)
		assert_int_equal(s.items[i].closed, 1);
	assert_int_equal(t.rows, 0);
	/* Again because it is pending: nothing is in twice. */
	assert_int_equal(index_set_pending(&t, number, INDEX_PENDING_ROWS), 0);
	assert_int_equal(admit_pack(&t, &s.pack, s.items, s.n, s.ids.data), 0);
	assert_int_equal(index_pending(&t, number), 0);
	assert_int_equal(index_commit(&t), 0);
	assert_int_equal(sw_wrong_later(&w), 0);
	survey_release(&s);
	idmap_release(&marks);
	sw_end(&w);
}

/* The index names a place where something else is. */
static void
test_wrong_places(void **state)
{
	struct index_object o, other, wrong;
	struct buf bytes = BUF_INIT;
	struct sweep_world w;
	struct index_txn t;
	struct record r;
	uint8_t id[32], second[32];

	(void)state;
	begin(&w);
	fixture_id(id, 1000);
	fixture_id(second, 1001);
	assert_int_equal(index_begin(&t, w.v->index, 1), 0);
	assert_int_equal(index_find(&o, &t, id), 0);
	assert_int_equal(index_find(&other, &t, second), 0);
	assert_int_equal(admit_read(&r, &bytes, &t, w.b, id, &o), 0);
	/* Another object's record. */
	assert_int_equal(
	    admit_read(&r, &bytes, &t, w.b, id, &other), ERR_DAMAGED);
	/* In the middle of one; behind the end. */
	wrong = o;
	wrong.offset += 8;
	assert_int_equal(
	    admit_read(&r, &bytes, &t, w.b, id, &wrong), ERR_DAMAGED);
	wrong.offset = 1u << 30;
	assert_int_equal(
	    admit_read(&r, &bytes, &t, w.b, id, &wrong), ERR_DAMAGED);
	/* Longer than any record: no memory is taken for it. */
	wrong = o;
	wrong.length = UINT32_MAX;
	assert_int_equal(
	    admit_read(&r, &bytes, &t, w.b, id, &wrong), ERR_DAMAGED);
	/* In a pack that nobody knows. */
	wrong = o;
	wrong.pack = 12345;
	assert_int_equal(
	    admit_read(&r, &bytes, &t, w.b, id, &wrong), ERR_NOENT);
	/* There is no other record, or only one that will not do. */
	assert_int_equal(admit_other(&t, w.b, id, &o), 1);
	assert_int_equal(index_other_add(&t, id, &other), 0);
	assert_int_equal(admit_other(&t, w.b, id, &o), 1);
	index_abort(&t);
	assert_int_equal(sw_wrong(&w), 0);
	buf_release(&bytes);
	sw_end(&w);
}

/* The index is wrong about an object: verify names it, and reads are right
 * or say that they are not. */
static void
test_verify_names_them(void **state)
{
	struct index_object o, wrong;
	struct sweep_world w;
	struct index_txn t;
	uint8_t id[32];
	unsigned how;

	(void)state;
	for (how = 0; how < 5; how++) {
		begin(&w);
		assert_int_equal(verify(&w), 0);
		fixture_id(id, 1000);
		assert_int_equal(index_begin(&t, w.v->index, 1), 0);
		assert_int_equal(index_find(&o, &t, id), 0);
		wrong = o;
		if (how == 0)
			wrong.length++;
		else if (how == 1)
			wrong.epoch++;
		else if (how == 2)
			wrong.offset += 8;
		else if (how == 3)
			wrong.pack += 100;
		if (how < 4)
			assert_int_equal(index_move(&t, id, &wrong), 0);
		else
			assert_int_equal(
			    kv_del(t.kv, INDEX_OBJ, id, sizeof(id)), 0);
		assert_int_equal(index_commit(&t), 0);
		assert_true(verify(&w) < 0);
		(void)read_all(&w); /* right, absent, or an error */
		assert_int_equal(vault_reindex(w.v), 0);
		assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
		assert_int_equal(sw_wrong(&w), 0);
		sw_end(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_short_rows),
	    cmocka_unit_test(test_spoilt_rows),
	    cmocka_unit_test(test_missing_refs),
	    cmocka_unit_test(test_admit_twice),
	    cmocka_unit_test(test_wrong_places),
	    cmocka_unit_test(test_verify_names_them),
	};

	if (sign_start() != 0)
		return 1;
	/* Many indexes are made, and none has to outlive this. */
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
