/*
 * A sweep whose LEAVE takes several transactions of the index, and a session
 * whose pack comes in between two of them (docs/sweep.md 4): what it refers to
 * has left already, or is about to leave.  kv_begin() is wrapped by the linker,
 * so the pack comes at exactly that moment.
 */

#include "base/err.h"
#include "lib/sweep_world.h"
#include "store/index.h"
#include "store/session.h"
#include "store/sweep.h"
#include "store/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Dead objects, which have about three rows each. */
#define DEAD INDEX_TXN_ROWS
#define DEAD_DATA 100000u
#define DEAD_TREE 200000u /* refers to the last data */
#define NEW_TREE 300000u

static struct {
	struct sweep_world *w; /* NULL: not armed */
	struct session *s;
	uint64_t used; /* what the new tree refers to */
	unsigned begins, at; /* write transactions, and before which one */
	unsigned came; /* bits: 1 it came, 2 what it uses was in `have` then */
} between;

int __real_kv_begin(struct kv_txn **out, struct kv *kv, int write);
int __wrap_kv_begin(struct kv_txn **out, struct kv *kv, int write);

static int
has(struct sweep_world *w, uint64_t number)
{
	uint8_t id[32], bit = 0;

	fixture_id(id, number);
	assert_int_equal(vault_have(w->v, &bit, id, 1), 0);
	return bit;
}

static void
put_tree(struct session *s, uint64_t number, uint64_t kid)
{
	struct buf b = BUF_INIT;
	uint8_t id[32], ref[32];

	fixture_id(id, number);
	fixture_id(ref, kid);
	fixture_meta(&b, id, ref, 1, 60);
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	buf_release(&b);
}

int
__wrap_kv_begin(struct kv_txn **out, struct kv *kv, int write)
{
	struct sweep_world *w = between.w;

	if (w != NULL && write && ++between.begins == between.at) {
		between.w = NULL;
		between.came = 1u | (has(w, between.used) ? 2u : 0);
		put_tree(between.s, NEW_TREE, between.used);
		assert_int_equal(session_settle(between.s), 0);
	}
	return __real_kv_begin(out, kv, write);
}

static struct session *
log_in(struct sweep_world *w, unsigned mount)
{
	struct fixture_mount *m = &w->mounts[mount].m;
	struct session *s;

	assert_int_equal(session_open(&s, w->v, m->id, m->public_key), 0);
	return s;
}

/* Uploads of mount 1, and then a commit without them. */
static void
make_dead(struct sweep_world *w)
{
	struct session *s = log_in(w, 1);
	struct buf b = BUF_INIT;
	uint8_t id[32];
	unsigned i;

	for (i = 0; i < DEAD; i++) {
		fixture_id(id, DEAD_DATA + i);
		fixture_data(&b, id, NULL, 0, 80);
	}
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	put_tree(s, DEAD_TREE, DEAD_DATA + DEAD - 1);
	assert_int_equal(session_close(s), 0);
	assert_int_equal(sw_backup(w, 1, 3, SW_ASK), 0);
	assert_true(has(w, DEAD_TREE) && has(w, DEAD_DATA));
	buf_release(&b);
}

/* Returns what `came` says, of a pack before write transaction `at`. */
static unsigned
sweep_with_pack(uint64_t used, unsigned at)
{
	struct sweep_world w;
	struct sweep *sweep;
	int ret;

	sw_make(&w, at);
	assert_int_equal(sw_open(&w), 0);
	assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
	make_dead(&w);
	memset(&between, 0, sizeof(between));
	between.s = log_in(&w, 0);
	between.used = used;
	between.at = at;
	assert_int_equal(sw_sweep_begin(&sweep, &w), 0);
	between.w = &w;
	do {
		ret = sweep_step(sweep);
		/* `have` is closed after each step. */
		if (has(&w, NEW_TREE))
			assert_true(has(&w, used));
	} while (ret == SWEEP_MORE && sweep_state(sweep) <= SWEEP_FILES);
	between.w = NULL;
	/* The dead left all the same. */
	assert_false(has(&w, DEAD_TREE) && used != DEAD_TREE);
	assert_int_equal(session_close(between.s), 0);
	while (ret == SWEEP_MORE || ret == SWEEP_WAITS)
		ret = sweep_step(sweep);
	assert_int_equal(ret, 0);
	sweep_free(sweep);
	if (between.came != 0) {
		struct fixture_reading r = {0};
		struct session *s = log_in(&w, 0);
		uint8_t id[32];

		/* An upload that waits for its commit keeps what it needs. */
		fixture_id(id, used);
		assert_int_equal(
		    session_get(s, id, 1, fixture_read_one, &r), 0);
		assert_int_equal(r.records, 1);
		assert_int_equal(session_close(s), 0);
	}
	assert_int_equal(sw_wrong_later(&w), 0);
	sw_end(&w);
	return between.came;
}

/* What it refers to is about to leave: the step ends, and marks again. */
static void
test_pack_uses_what_is_about_to_leave(void **state)
{
	(void)state;
	assert_int_equal(sweep_with_pack(DEAD_DATA, 2), 3);
	assert_int_equal(sweep_with_pack(DEAD_DATA, 3), 3);
}

/* It has left already: the new tree is not closed until something closes it. */
static void
test_pack_uses_what_has_left(void **state)
{
	(void)state;
	assert_int_equal(sweep_with_pack(DEAD_TREE, 2), 1);
	assert_int_equal(sweep_with_pack(DEAD_DATA + DEAD - 1, 3), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pack_uses_what_is_about_to_leave),
	    cmocka_unit_test(test_pack_uses_what_has_left),
	};

	return sw_start() != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
