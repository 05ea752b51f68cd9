/*
 * The sweep: what no snapshot needs goes, everything else stays, whatever
 * sessions do meanwhile; docs/sweep.md.  The peers' lost backups are replayed
 * by name.
 */

#include "backend/mem.h"
#include "base/err.h"
#include "base/fs.h"
#include "hash/hash.h"
#include "lib/sweep_world.h"
#include "sign/sign.h"
#include "store/backend.h"
#include "store/compact.h"
#include "store/heads.h"
#include "store/pack.h"
#include "store/session.h"
#include "store/sweep.h"
#include "store/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
begin(struct sweep_world *w, uint64_t seed)
{
	sw_make(w, seed);
	assert_int_equal(sw_open(w), 0);
}

static struct session *
log_in(struct sweep_world *w, unsigned mount)
{
	struct fixture_mount *m = &w->mounts[mount].m;
	struct session *s;

	assert_int_equal(session_open(&s, w->v, m->id, m->public_key), 0);
	return s;
}

static void
test_dead_packs_go(void **state)
{
	struct sweep_counts n;
	struct sweep_world w;
	uint64_t before, k;

	(void)state;
	begin(&w, 1);
	for (k = 0; k < 6; k++)
		assert_int_equal(sw_backup(&w, 0, k, SW_ASK), 0);
	before = sw_bytes(&w);
	assert_int_equal(sw_sweep(&w, &n), 0);
	assert_int_equal(n.freed_packs, 0);
	assert_int_equal(n.snapshots, 6);
	for (k = 1; k < 6; k++)
		assert_int_equal(sw_delete(&w, 0, k), 0);
	assert_int_equal(sw_sweep(&w, &n), 0);
	assert_int_equal(n.snapshots, 1);
	assert_true(n.freed_packs > 0);
	assert_true(n.dead > 0);
	assert_int_equal(n.waiting_packs, 0);
	assert_true(sw_bytes(&w) < before);
	assert_int_equal(sw_wrong_later(&w), 0);
	sw_end(&w);
}

static void
test_dry_run_changes_nothing(void **state)
{
	struct sweep_options o = {.dry_run = 1};
	struct sweep_counts n;
	struct sweep_world w;
	struct sweep *s;
	uint64_t before;

	(void)state;
	begin(&w, 2);
	assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
	assert_int_equal(sw_backup(&w, 0, 5, SW_ASK), 0);
	assert_int_equal(sw_delete(&w, 0, 1), 0);
	before = sw_bytes(&w);
	o.vault = w.v;
	assert_int_equal(sweep_new(&s, &o), 0);
	assert_int_equal(sweep_run(s), 0);
	sweep_counts(&n, s);
	sweep_free(s);
	assert_true(n.dead_packs > 0);
	assert_int_equal(n.freed_packs, 0);
	assert_int_equal(sw_bytes(&w), before);
	assert_true(sw_has(&w, 0));
	sw_end(&w);
}

/* Interrupted uploads wait for their mount, not for another's commit. */
static void
test_uploads_wait_for_their_mount(void **state)
{
	struct sweep_counts n;
	struct sweep_world w;

	(void)state;
	begin(&w, 3);
	assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
	assert_int_equal(sw_backup(&w, 0, 4, SW_LEAVE), 0);
	assert_int_equal(sw_backup(&w, 1, 7, SW_ASK), 0);
	assert_int_equal(sw_sweep(&w, &n), 0);
	assert_int_equal(n.freed_packs, 0);
	assert_true(sw_has(&w, 4));
	/* Also with an index made anew. */
	assert_int_equal(vault_reindex(w.v), 0);
	assert_int_equal(sw_sweep(&w, &n), 0);
	assert_int_equal(n.freed_packs, 0);
	assert_true(sw_has(&w, 4));
	assert_int_equal(sw_backup(&w, 0, 1, SW_ASK), 0);
	assert_int_equal(sw_sweep(&w, &n), 0);
	assert_false(sw_has(&w, 4));
	assert_int_equal(sw_wrong_later(&w), 0);
	sw_end(&w);
}

/* A session was told "have", the sweep comes, then the commit. */
static void
test_have_then_sweep_then_commit(void **state)
{
	struct sweep_counts n;
	struct sweep_world w;
	struct session *s;
	struct sweep *sweep;
	uint8_t bit, id[32];

	(void)state;
	begin(&w, 4);
	assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
	assert_int_equal(sw_backup(&w, 0, 5, SW_ASK), 0);
	s = log_in(&w, 1);
	fixture_id(id, 5000);
	assert_int_equal(session_have(s, &bit, id, 1), 0);
	assert_int_equal(bit, 1);
	assert_int_equal(sw_delete(&w, 0, 1), 0);
	assert_int_equal(sw_sweep_begin(&sweep, &w), 0);
	assert_int_equal(sweep_run(sweep), SWEEP_WAITS);
	sweep_counts(&n, sweep);
	assert_int_equal(n.sessions, 1);
	assert_true(n.waiting_packs > 0);
	assert_int_equal(n.freed_packs, 0);
	/* Nobody else is told. */
	assert_false(sw_has(&w, 0));
	/* Another session does not make it wait longer, nor shorter. */
	assert_int_equal(sw_backup(&w, 0, 6, SW_ASK), 0);
	assert_int_equal(sweep_run(sweep), SWEEP_WAITS);
	/* The commit re-admits what is still on disk. */
	assert_int_equal(sw_backup(&w, 1, 0, SW_ASK), 0);
	assert_true(sw_has(&w, 0));
	assert_int_equal(session_close(s), 0);
	assert_int_equal(sweep_run(sweep), 0);
	sweep_free(sweep);
	assert_int_equal(sw_wrong_later(&w), 0);
	sw_end(&w);
}

static int
ignore_record(void *arg, enum store_got got, const uint8_t *id,
    const uint8_t *record, size_t len)
{
	unsigned *counts = arg;

	(void)id;
	(void)record;
	(void)len;
	counts[got]++;
	return 0;
}

/* A restore of a snapshot that was deleted meanwhile comes to its end. */
static void
test_reader_of_a_dying_pack(void **state)
{
	unsigned counts[3] = {0};
	struct sweep_counts n;
	struct sweep_world w;
	struct session *s;
	struct sweep *sweep;
	uint8_t id[32];

	(void)state;
	begin(&w, 5);
	assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
	assert_int_equal(sw_backup(&w, 0, 5, SW_ASK), 0);
	s = log_in(&w, 0);
	assert_int_equal(sw_delete(&w, 0, 1), 0);
	assert_int_equal(sw_sweep_begin(&sweep, &w), 0);
	assert_int_equal(sweep_run(sweep), SWEEP_WAITS);
	fixture_id(id, 5000);
	assert_int_equal(session_get(s, id, 1, ignore_record, counts), 0);
	assert_int_equal(counts[STORE_GOT_RECORD], 1);
	/* A fence ends the waiting as its end would. */
	session_fence(s);
	assert_int_equal(
	    session_get(s, id, 1, ignore_record, counts), ERR_STALE);
	assert_int_equal(sweep_run(sweep), 0);
	sweep_counts(&n, sweep);
	assert_true(n.freed_packs > 0);
	sweep_free(sweep);
	assert_int_equal(session_close(s), 0);
	assert_int_equal(sw_wrong_later(&w), 0);
	sw_end(&w);
}

/* An upload that meets a dying object uses it again: its pack stays. */
static void
test_upload_uses_a_dying_object(void **state)
{
	struct sweep_counts n;
	struct sweep_world w;
	struct session *held;
	struct sweep *sweep;

	(void)state;
	begin(&w, 6);
	assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
	assert_int_equal(sw_backup(&w, 0, 5, SW_ASK), 0);
	assert_int_equal(sw_delete(&w, 0, 1), 0);
	held = log_in(&w, 1);
	assert_int_equal(sw_sweep_begin(&sweep, &w), 0);
	assert_int_equal(sweep_run(sweep), SWEEP_WAITS);
	/* Opened after the sweep's first part: is told no, and puts all. */
	assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
	assert_int_equal(session_close(held), 0);
	assert_int_equal(sweep_run(sweep), 0);
	sweep_counts(&n, sweep);
	sweep_free(sweep);
	assert_int_equal(sw_wrong(&w), 0);
	assert_int_equal(vault_reindex(w.v), 0);
	assert_int_equal(sw_wrong_later(&w), 0);
	sw_end(&w);
}

/* PBS PSA-2025-00019: a snapshot comes and the one it is based on goes while
 * the sweep is under way. */
static void
test_parent_goes_while_used(void **state)
{
	struct sweep_world w;
	struct sweep *sweep;
	unsigned at;

	(void)state;
	for (at = 0; at < 8; at++) {
		unsigned i;
		int ret = SWEEP_MORE;

		begin(&w, 70 + at);
		assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
		assert_int_equal(sw_backup(&w, 1, 8, SW_ASK), 0);
		assert_int_equal(sw_sweep_begin(&sweep, &w), 0);
		for (i = 0; i < at && ret == SWEEP_MORE; i++)
			ret = sweep_step(sweep);
		assert_int_equal(sw_backup(&w, 0, 0, SW_TRUST), 0);
		assert_int_equal(sw_delete(&w, 0, 1), 0);
		while (ret == SWEEP_MORE)
			ret = sweep_step(sweep);
		assert_int_equal(ret, 0);
		sweep_free(sweep);
		assert_int_equal(sw_wrong_later(&w), 0);
		sw_end(&w);
	}
}

/* A listing that lacks a snapshot, with success, deletes nothing. */
static void
test_short_listing(void **state)
{
	char path[BACKEND_NAME_MAX];
	struct sweep_world w;
	uint64_t before, seq;

	(void)state;
	for (seq = 1; seq <= 3; seq++) {
		begin(&w, 80 + seq);
		assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
		assert_int_equal(sw_backup(&w, 0, 4, SW_ASK), 0);
		assert_int_equal(sw_backup(&w, 0, 8, SW_ASK), 0);
		before = sw_bytes(&w);
		heads_path(path, w.mounts[0].m.id, seq);
		backend_mem_hide(w.b, path);
		assert_int_equal(sw_sweep(&w, NULL), ERR_IO);
		backend_mem_hide(w.b, NULL);
		assert_int_equal(sw_bytes(&w), before);
		assert_true(sw_has(&w, 0) && sw_has(&w, 4) && sw_has(&w, 8));
		assert_int_equal(sw_wrong_later(&w), 0);
		sw_end(&w);
	}
}

/* A snapshot that is lost or damaged holds everything, until the operator
 * says otherwise. */
static void
test_lost_snapshot_holds_all(void **state)
{
	struct sweep_options o = {.give_up_lost = 1};
	char path[BACKEND_NAME_MAX];
	struct sweep_counts n;
	struct sweep_world w;
	struct sweep *s;
	uint64_t before;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		begin(&w, 90 + i);
		assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
		assert_int_equal(sw_backup(&w, 0, 5, SW_ASK), 0);
		before = sw_bytes(&w);
		heads_path(path, w.mounts[0].m.id, 1);
		if (i == 0)
			assert_int_equal(w.b->ops->remove(w.b, path), 0);
		else
			assert_int_equal(
			    backend_mem_flip(w.b, path, 300, 1), 0);
		assert_int_equal(sw_sweep(&w, NULL), ERR_DAMAGED);
		assert_int_equal(sw_bytes(&w), before);
		o.vault = w.v;
		assert_int_equal(sweep_new(&s, &o), 0);
		assert_int_equal(sweep_run(s), 0);
		sweep_counts(&n, s);
		sweep_free(s);
		assert_true(n.freed_packs > 0);
		sw_end(&w);
	}
}

/* Trees that are not closed, for something below is damaged, still count. */
static void
test_damage_keeps_the_rest(void **state)
{
	struct sweep_counts n;
	struct sweep_world w;

	(void)state;
	begin(&w, 100);
	assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
	assert_int_equal(sw_backup(&w, 0, 5, SW_ASK), 0);
	assert_int_equal(sw_delete(&w, 0, 1), 0);
	sw_damage(&w, 35); /* data of state 5 */
	assert_false(sw_has(&w, 5));
	assert_int_equal(sw_sweep(&w, &n), 0);
	assert_true(n.freed_packs > 0);
	/* The next backup heals it. */
	assert_int_equal(sw_backup(&w, 0, 5, SW_ASK), 0);
	assert_true(sw_has(&w, 5));
	assert_int_equal(sw_sweep(&w, &n), 0);
	assert_int_equal(sw_wrong(&w), 0);
	/* A damaged tree hides what it needs: nothing is deleted. */
	sw_damage(&w, 1051);
	assert_int_equal(sw_sweep(&w, &n), ERR_DAMAGED);
	assert_int_equal(sw_backup(&w, 0, 5, SW_ASK), 0);
	assert_int_equal(sw_sweep(&w, &n), 0);
	assert_int_equal(sw_wrong(&w), 0);
	sw_end(&w);
}

/*
 * While the sweep waits, a snapshot uses dying objects again, and then one of
 * them is damaged, which takes what refers to it out of `have`: it is needed
 * all the same.
 */
static void
test_damage_while_it_waits(void **state)
{
	struct sweep_world w;
	struct session *held;
	struct sweep *sweep;

	(void)state;
	begin(&w, 140);
	w.copy_bytes_max = 0;
	assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
	assert_int_equal(sw_backup(&w, 0, 5, SW_ASK), 0);
	assert_int_equal(sw_delete(&w, 0, 1), 0);
	held = log_in(&w, 1);
	assert_int_equal(sw_sweep_begin(&sweep, &w), 0);
	assert_int_equal(sweep_run(sweep), SWEEP_WAITS);
	assert_false(sw_has(&w, 0));
	assert_int_equal(sw_commit(&w, 1, 0), 0);
	assert_true(sw_has(&w, 0));
	/* Data of each of its trees: nothing of them stays in `have`. */
	sw_damage(&w, 1);
	sw_damage(&w, 4);
	sw_damage(&w, 7);
	assert_false(sw_has(&w, 0));
	assert_int_equal(session_close(held), 0);
	assert_int_equal(sweep_run(sweep), 0);
	sweep_free(sweep);
	/* The trees came to no harm, only the data has to come anew; one of
	 * them is in two trees. */
	assert_int_equal(sw_count_lost(&w, 0), 4);
	assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
	assert_int_equal(sw_wrong(&w), 0);
	sw_end(&w);
}

/* A further record of another make is no copy: only who has the keys can tell
 * which of the two is right. */
static void
test_another_record_is_no_copy(void **state)
{
	struct buf b = BUF_INIT;
	struct sweep_counts n;
	struct sweep_world w;
	struct session *s;
	uint8_t id[32], *end;
	size_t from;
	uint64_t before, k;

	(void)state;
	begin(&w, 150);
	assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
	s = log_in(&w, 0);
	/* All data of state 0 once more, sealed to other bytes. */
	for (k = 0; k < 12; k++) {
		fixture_id(id, k);
		from = b.len;
		fixture_data(&b, id, NULL, 0, 400);
		end = b.data + b.len - HASH_BYTES;
		end[-1] ^= 1;
		hash_bytes(end, b.data + from, (size_t)(end - b.data) - from);
	}
	assert_int_equal(session_put(s, b.data, b.len, SESSION_REPLACE), 0);
	assert_int_equal(session_close(s), 0);
	assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
	before = sw_bytes(&w);
	assert_int_equal(sw_sweep(&w, &n), 0);
	assert_true(n.dead_packs > 0);
	assert_int_equal(n.freed_packs, 0);
	assert_int_equal(sw_bytes(&w), before);
	buf_release(&b);
	sw_end(&w);
}

/* The power goes, or the process dies, at each step of a sweep: nobody takes
 * what was deleted for a loss, and the next sweep goes on. */
static void
test_cut_at_every_step(void **state)
{
	uint8_t before[STORE_GENERATION_BYTES], now[STORE_GENERATION_BYTES];
	struct sweep_world w;
	uint64_t at, k, fired = 1;
	unsigned power;

	(void)state;
	for (at = 1; fired; at++) {
		for (power = 0; power < 4; power++) {
			begin(&w, 160 + 4 * at + power);
			for (k = 0; k < 6; k++)
				assert_int_equal(
				    sw_backup(&w, 0, k, SW_ASK), 0);
			for (k = 1; k < 4; k++)
				assert_int_equal(sw_delete(&w, 0, k), 0);
			vault_generation(before, w.v);
			backend_mem_cut(w.b, backend_mem_count(w.b) + at);
			(void)sw_sweep(&w, NULL); /* ends somewhere */
			fired = backend_mem_fired(NULL, w.b);
			sw_close(&w);
			backend_mem_restart(w.b, power > 0);
			assert_int_equal(sw_open(&w), 0);
			vault_generation(now, w.v);
			assert_memory_equal(before, now, sizeof(now));
			assert_int_equal(sw_wrong_later(&w), 0);
			sw_end(&w);
		}
	}
	assert_true(at > 20);
}

/* A second sweep finds nothing; a sweep of what needs all writes nothing. */
static void
test_healthy_store_is_left_alone(void **state)
{
	struct sweep_world w;
	uint64_t steps;

	(void)state;
	begin(&w, 110);
	assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
	assert_int_equal(sw_backup(&w, 1, 3, SW_ASK), 0);
	assert_int_equal(sw_sweep(&w, NULL), 0);
	steps = backend_mem_changes(w.b);
	assert_int_equal(sw_sweep(&w, NULL), 0);
	assert_int_equal(backend_mem_changes(w.b), steps);
	sw_end(&w);
}

/* Half-dead packs, and many small ones, are written anew. */
static void
test_compaction(void **state)
{
	struct sweep_counts n;
	struct sweep_world w;
	uint64_t k, before;
	unsigned round;

	(void)state;
	begin(&w, 120);
	for (k = 0; k < 9; k++)
		assert_int_equal(sw_backup(&w, k % 2, k, SW_ASK), 0);
	before = sw_bytes(&w);
	assert_int_equal(sw_sweep(&w, &n), 0);
	assert_true(n.copied_packs >= 1);
	assert_true(n.freed_packs >= COMPACT_MERGE_MIN);
	assert_true(sw_bytes(&w) < before);
	assert_int_equal(sw_wrong(&w), 0);
	assert_int_equal(sw_delete(&w, 0, 1), 0);
	assert_int_equal(sw_delete(&w, 0, 2), 0);
	assert_int_equal(sw_delete(&w, 1, 1), 0);
	assert_int_equal(sw_delete(&w, 1, 2), 0);
	assert_int_equal(sw_sweep(&w, &n), 0);
	assert_int_equal(sw_wrong(&w), 0);
	/* It comes to an end. */
	for (round = 0; round < 4; round++)
		assert_int_equal(sw_sweep(&w, &n), 0);
	assert_int_equal(n.copied_packs, 0);
	assert_int_equal(n.freed_packs, 0);
	assert_int_equal(sw_wrong_later(&w), 0);
	sw_end(&w);
}

struct meanwhile {
	struct sweep_world *w;
	struct session *s;
};

/* The session is fenced amid its get, and the sweep goes to its end. */
static void
sweep_meanwhile(void *arg)
{
	struct meanwhile *m = arg;
	struct sweep_counts n;

	session_fence(m->s);
	assert_int_equal(sw_sweep(m->w, &n), 0);
	assert_true(n.copied_packs > 0 && n.freed_packs > 0);
}

/* A reader that looked the place up before the pack went looks again. */
static void
test_reader_of_a_moved_record(void **state)
{
	unsigned counts[3] = {0};
	struct sweep_world w;
	struct meanwhile m;
	uint8_t id[32];
	uint64_t k;

	(void)state;
	begin(&w, 130);
	for (k = 0; k < 9; k++)
		assert_int_equal(sw_backup(&w, 0, k, SW_ASK), 0);
	m.w = &w;
	m.s = log_in(&w, 0);
	fixture_id(id, 5000);
	backend_mem_before_get(w.b, sweep_meanwhile, &m);
	assert_int_equal(session_get(m.s, id, 1, ignore_record, counts), 0);
	assert_int_equal(counts[STORE_GOT_RECORD], 1);
	assert_int_equal(session_close(m.s), 0);
	sw_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dead_packs_go),
	    cmocka_unit_test(test_dry_run_changes_nothing),
	    cmocka_unit_test(test_uploads_wait_for_their_mount),
	    cmocka_unit_test(test_have_then_sweep_then_commit),
	    cmocka_unit_test(test_reader_of_a_dying_pack),
	    cmocka_unit_test(test_upload_uses_a_dying_object),
	    cmocka_unit_test(test_parent_goes_while_used),
	    cmocka_unit_test(test_short_listing),
	    cmocka_unit_test(test_lost_snapshot_holds_all),
	    cmocka_unit_test(test_damage_keeps_the_rest),
	    cmocka_unit_test(test_damage_while_it_waits),
	    cmocka_unit_test(test_another_record_is_no_copy),
	    cmocka_unit_test(test_cut_at_every_step),
	    cmocka_unit_test(test_compaction),
	    cmocka_unit_test(test_reader_of_a_moved_record),
	    cmocka_unit_test(test_healthy_store_is_left_alone),
	};

	if (sign_start() < 0)
		return 1;
	/* In memory where there is such a place: the index syncs a lot. */
	if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0 &&
	    setenv("TMPDIR", "/dev/shm", 1) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
