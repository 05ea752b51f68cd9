/* Several records of one object: which counts, and who gets the others. */

#include "backend/dir.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/fs.h"
#include "lib/store_fixture.h"
#include "lib/vault_world.h"
#include "sign/sign.h"
#include "store/backend.h"
#include "store/damage.h"
#include "store/pack.h"
#include "store/session.h"
#include "store/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What a member of the vault can make who wants to do harm: a record that is
 * whole, of an id that is not its own; other bytes, and no refs. */
static void
put_forged(struct session *s, uint64_t number, uint32_t epoch)
{
	struct buf b = BUF_INIT;
	uint8_t id[32];

	fixture_id(id, number);
	fixture_meta(&b, id, NULL, 0, 99);
	bytes_put32(b.data + 8, epoch);
	hash_bytes(b.data + b.len - 32, b.data, b.len - 32);
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	buf_release(&b);
}

struct lengths {
	size_t len[4];
	unsigned n;
};

static int
note_length(void *arg, enum store_got got, const uint8_t *id,
    const uint8_t *record, size_t len)
{
	struct lengths *l = arg;

	(void)id;
	(void)record;
	assert_int_equal(got, STORE_GOT_RECORD);
	l->len[l->n++] = len;
	return 0;
}

static size_t
length_of(struct session *s, uint64_t number)
{
	struct lengths l = {0};
	uint8_t id[32];

	fixture_id(id, number);
	assert_int_equal(session_get(s, id, 1, note_length, &l), 0);
	assert_int_equal(l.n, 1);
	return l.len[0];
}

/* Note a checksum; without one there are no more. */
static int
note_sum(void *arg, enum store_got got, const uint8_t *id,
    const uint8_t *record, size_t len)
{
	(void)id;
	if (got != STORE_GOT_RECORD)
		return 0;
	return buf_append(arg, record + len - 32, 32);
}

/* How many records of an object the vault gives, one after the other. */
static size_t
others_of(struct world *w, uint64_t number)
{
	struct session *s = world_log_in(w);
	struct buf sums = BUF_INIT;
	uint8_t id[32];
	size_t n = 0, before;

	fixture_id(id, number);
	do {
		before = sums.len;
		assert_int_equal(
		    session_get_other(s, id, sums.data,
			(uint32_t)(sums.len / 32), note_sum, &sums),
		    0);
		n++;
	} while (sums.len > before);
	buf_release(&sums);
	assert_int_equal(session_close(s), 0);
	return n - 1;
}

/*
 * A record that is there stays the one that is served, and what it needs
 * stays what the object needs, also while that is not all there.
 */
static void
test_first_record_stays(void **state)
{
	struct world *w = *state;
	struct buf missing = BUF_INIT;
	struct session *s = world_log_in(w);
	size_t good;

	w->v->epoch = 2;
	/* 10 needs 1 and 2; 2 does not come. */
	world_put_data(s, 1);
	world_put_meta(s, 10, 1, 2);
	assert_int_equal(session_close(s), 0);
	s = world_log_in(w);
	good = length_of(s, 10);
	assert_false(world_have(s, 10));
	/* In the same epoch, and in a later one. */
	put_forged(s, 10, 0);
	assert_int_equal(session_close(s), 0);
	s = world_log_in(w);
	put_forged(s, 10, 2);
	assert_int_equal(session_close(s), 0);
	s = world_log_in(w);
	assert_false(world_have(s, 10));
	assert_int_equal(length_of(s, 10), good);
	/* The others are there for who cannot use the first. */
	assert_int_equal(others_of(w, 10), 3);
	/* Complete, it is what it was. */
	world_put_data(s, 2);
	world_put_meta(s, 20, 10, 1);
	assert_int_equal(world_commit(w, s, 20, &missing), 0);
	assert_true(world_have(s, 10));
	assert_int_equal(length_of(s, 10), good);
	assert_int_equal(session_close(s), 0);
	assert_int_equal(vault_reindex(w->v), 0);
	assert_int_equal(others_of(w, 10), 3);
	buf_release(&missing);
}

/* Another whole record takes the place of a damaged one: nothing is lost. */
static void
test_other_record_heals(void **state)
{
	struct world *w = *state;
	uint8_t before[32], after[32], id[32];
	struct session *a = world_log_in(w), *b = world_log_in(w);
	char name[BACKEND_NAME_MAX];
	unsigned counts[3] = {0};

	/* Two sessions at once store the same. */
	world_put_data(a, 1);
	world_put_data(b, 1);
	assert_int_equal(session_close(a), 0);
	assert_int_equal(
	    w->b->ops->list(w->b, "packs", world_copy_name, name), 0);
	assert_int_equal(session_close(b), 0);
	a = world_log_in(w);
	world_put_meta(a, 10, 1, 1);
	assert_int_equal(session_close(a), 0);
	assert_int_equal(others_of(w, 1), 1); /* with equal checksums */
	vault_generation(before, w->v);
	assert_int_equal(world_spoil(w, name, 0), 0);
	a = world_log_in(w);
	world_get(counts, a, 1, 1);
	assert_int_equal(counts[STORE_GOT_DAMAGED], 1);
	assert_true(world_have(a, 1));
	assert_true(world_have(a, 10));
	vault_generation(after, w->v);
	assert_memory_equal(before, after, 32);
	world_get(counts, a, 1, 1);
	assert_int_equal(counts[STORE_GOT_RECORD], 1);
	/* Of a pack that is gone nothing is kept in mind. */
	memset(counts, 0, sizeof(counts));
	fixture_id(id, 1);
	assert_int_equal(
	    session_get_other(a, id, NULL, 0, world_got, counts), 0);
	assert_int_equal(counts[STORE_GOT_RECORD], 1);
	assert_int_equal(session_close(a), 0);
	world_close(w);
	assert_int_equal(world_erase(w, name, 0), 0);
	world_open(w);
	a = world_log_in(w);
	assert_true(world_have(a, 10));
	assert_int_equal(session_close(a), 0);
}

/* The same after the process died between the mark and the index. */
static void
test_other_record_heals_later(void **state)
{
	struct world *w = *state;
	uint8_t before[32], after[32], pack[32];
	struct session *a = world_log_in(w), *b = world_log_in(w);
	char name[BACKEND_NAME_MAX];

	world_put_data(a, 1);
	world_put_data(b, 1);
	assert_int_equal(session_close(a), 0);
	assert_int_equal(
	    w->b->ops->list(w->b, "packs", world_copy_name, name), 0);
	assert_int_equal(session_close(b), 0);
	a = world_log_in(w);
	world_put_meta(a, 10, 1, 1);
	assert_int_equal(session_close(a), 0);
	vault_generation(before, w->v);
	assert_int_equal(world_spoil(w, name, 0), 0);
	assert_int_equal(pack_path_name(pack, name), 0);
	assert_int_equal(damage_mark(w->b, pack, PACK_HEADER_BYTES), 0);
	world_close(w);
	world_open(w);
	a = world_log_in(w);
	assert_true(world_have(a, 1));
	assert_true(world_have(a, 10));
	assert_true(length_of(a, 1) > 0);
	vault_generation(after, w->v);
	assert_memory_equal(before, after, 32);
	assert_int_equal(session_close(a), 0);
}

#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_first_record_stays),
	    TEST(test_other_record_heals),
	    TEST(test_other_record_heals_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
