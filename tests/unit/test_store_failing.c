/*
 * Every call that an operation of the store makes fails once: the error is
 * said, nothing that was acknowledged is lost, no memory and no descriptor
 * leaks, and the operation succeeds when it is repeated on what is left.
 */

#include "backend/mem.h"
#include "base/err.h"
#include "base/fs.h"
#include "fault/failing.h"
#include "lib/sweep_world.h"
#include "sign/sign.h"
#include "store/backend.h"
#include "store/local.h"
#include "store/pack.h"
#include "store/retire.h"
#include "store/scrub.h"
#include "store/session.h"
#include "store/sweep.h"
#include "store/vault.h"
#include "store/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define KINDS (FAILING_MEMORY | FAILING_FILES | FAILING_LIBRARIES)

typedef int step(struct sweep_world *w);

/* Three snapshots of one mount, one of the other, and what an interrupted
 * upload left. */
static void
begin(struct sweep_world *w)
{
	sw_make(w, 1);
	assert_int_equal(sw_open(w), 0);
	assert_int_equal(sw_backup(w, 0, 0, SW_ASK), 0);
	assert_int_equal(sw_backup(w, 0, 1, SW_ASK), 0);
	assert_int_equal(sw_backup(w, 0, 4, SW_ASK), 0);
	assert_int_equal(sw_backup(w, 1, 1, SW_ASK), 0);
	assert_int_equal(sw_backup(w, 1, 6, SW_LEAVE), 0);
}

/* Do it again.  After a failed commit of the index nothing is written until
 * the store was opened anew; verify does its work all the same, but for marks.
 */
static void
repeat(struct sweep_world *w, step *run)
{
	int ret = run(w);

	if ((ret == ERR_READONLY || ret == ERR_IO || ret == 0) &&
	    failing_name() != NULL &&
	    strcmp(failing_name(), "mdb_txn_commit") == 0) {
		sw_close(w);
		ret = sw_open(w);
		if (ret == 0)
			ret = run(w);
	}
	if (ret != 0)
		failing_fail("the second: %d: %s", ret, err_text());
}

/* All passes of one loop; `prepare` (or NULL) brings about what `run` does
 * something about. */
static void
each_place(step *prepare, step *run, unsigned least)
{
	int descriptors = failing_descriptors(), ret;
	struct sweep_world w;

	while (failing_more()) {
		begin(&w);
		if (prepare != NULL)
			assert_int_equal(prepare(&w), 0);
		failing_arm();
		ret = run(&w);
		failing_disarm();
		failing_check(ret, 0);
		if (w.v == NULL && sw_open(&w) != 0)
			failing_fail("does not open: %s", err_text());
		if (sw_wrong(&w) != 0)
			failing_fail("something is wrong");
		repeat(&w, run);
		if (sw_wrong(&w) != 0)
			failing_fail("something is wrong later");
		sw_end(&w);
		failing_check_leaks(descriptors);
	}
	failing_check_count(least);
}

static int
back_up(struct sweep_world *w)
{
	return sw_backup(w, 0, 8, SW_ASK);
}

static void
test_backup(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place(NULL, back_up, 50);
}

static int
back_up_trusting(struct sweep_world *w)
{
	return sw_backup(w, 0, 5, SW_TRUST);
}

static void
test_backup_trusting(void **state)
{
	(void)state;
	failing_start_ways(FAILING_MEMORY);
	each_place(NULL, back_up_trusting, 20);
}

static int
reopen(struct sweep_world *w)
{
	sw_close(w);
	return sw_open(w);
}

static void
test_open(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place(NULL, reopen, 30);
}

static int
lose_index(struct sweep_world *w)
{
	sw_close(w);
	return fs_remove_tree(w->index_dir);
}

static void
test_open_without_index(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place(lose_index, reopen, 50);
}

/* A store that was stopped in the middle is read as it is: started again. */
static int
reindex(struct sweep_world *w)
{
	int ret = vault_reindex(w->v);

	if (ret < 0 && vault_check(w->v) < 0)
		sw_close(w);
	return ret;
}

static void
test_reindex(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place(NULL, reindex, 50);
}

static int
delete_two(struct sweep_world *w)
{
	int ret = sw_delete(w, 0, 1);

	return ret == 0 ? sw_delete(w, 0, 2) : ret;
}

static int
sweep(struct sweep_world *w)
{
	return sw_sweep(w, NULL);
}

static void
test_sweep(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place(delete_two, sweep, 50);
}

/* Retired, brought back, retired again and removed. */
static int
retire(struct sweep_world *w)
{
	struct tomb t = {.reason = TOMB_POLICY};
	const struct fixture_mount *m = &w->mounts[0].m;
	int ret = retire_put(w->v, m->id, 1, &t, m->seed);

	if (ret >= 0)
		ret = retire_undo(w->v, m->id, 1);
	if (ret >= 0)
		ret = retire_put(w->v, m->id, 1, &t, m->seed);
	w->mounts[0].snapshots[1].gone = 1;
	if (ret >= 0)
		ret = retire_remove(w->v, m->id, 1);
	return ret < 0 ? ret : 0;
}

static void
test_retire(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place(NULL, retire, 10);
}

static void
found(void *arg, const char *where, const char *what)
{
	(void)where;
	(void)what;
	++*(unsigned *)arg;
}

static int
verify_with(struct sweep_world *w, int mark)
{
	unsigned told = 0;
	struct verify_options o = {
	    .vault = w->v, .found = found, .arg = &told, .mark = mark};
	struct verify_counts n;
	int ret = verify_vault(&n, &o);

	if (ret == 0)
		assert_int_equal(n.findings, told);
	/* All of it is healthy, whatever failed. */
	if (ret == 0 && !w->hurt && told != 0)
		failing_fail("%u findings", told);
	return ret;
}

static int
verify(struct sweep_world *w)
{
	return verify_with(w, 0);
}

static void
test_verify(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place(NULL, verify, 30);
}

/* One of the shared data objects is damaged on the disk, and a tree.  What
 * is not whole then is no news; that it can be told, is. */
static int
hurt(struct sweep_world *w)
{
	w->hurt = 1;
	sw_flip(w, 1);
	sw_flip(w, 1000);
	return 0;
}

static int
heal(struct sweep_world *w)
{
	return sw_backup(w, 0, 0, SW_ASK);
}

/* Passes over a damaged store: after the repetition, the next backup of what
 * was damaged heals it. */
static void
each_place_hurt(step *run, unsigned least)
{
	int descriptors = failing_descriptors(), ret;
	struct sweep_world w;

	while (failing_more()) {
		begin(&w);
		assert_int_equal(hurt(&w), 0);
		failing_arm();
		ret = run(&w);
		failing_disarm();
		failing_check(ret, 0);
		repeat(&w, run);
		repeat(&w, heal);
		w.hurt = 0;
		if (sw_wrong(&w) != 0)
			failing_fail("is not healed");
		sw_end(&w);
		failing_check_leaks(descriptors);
	}
	failing_check_count(least);
}

static int
verify_and_mark(struct sweep_world *w)
{
	return verify_with(w, 1);
}

static void
test_verify_marks(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place_hurt(verify_and_mark, 30);
}

static int
scrub(struct sweep_world *w)
{
	struct scrub_counts n;

	return sw_scrub(w, &n, 0);
}

static void
test_scrub(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place_hurt(scrub, 20);
}

/* Who reads finds it. */
static int
read_all(struct sweep_world *w)
{
	const struct fixture_mount *m = &w->mounts[0].m;
	struct fixture_reading r = {0};
	struct session *s;
	uint8_t ids[2 * 32];
	int ret = session_open(&s, w->v, m->id, m->public_key), closed;

	if (ret < 0)
		return ret;
	fixture_id(ids, 1);
	fixture_id(ids + 32, 1000);
	ret = session_get(s, ids, 2, fixture_read_one, &r);
	if (ret == 0)
		ret = session_report(s, ids);
	closed = session_close(s);
	return ret == 0 ? closed : ret;
}

static void
test_read_damaged(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place_hurt(read_all, 20);
}

static int
count_snapshot(void *arg, const struct store_snapshot *s)
{
	assert_true(s->seq > 0);
	++*(unsigned *)arg;
	return 0;
}

static int
count_mount(void *arg, const uint8_t mount[16], const uint8_t key[32],
    const char *label)
{
	(void)mount;
	(void)key;
	assert_string_equal(label, "");
	++*(unsigned *)arg;
	return 0;
}

/* All that is asked of the store of this machine and changes nothing. */
static int
ask_local(struct sweep_world *w)
{
	const struct fixture_mount *m = &w->mounts[0].m;
	struct store_local_options o = {.vault = w->v};
	struct fixture_reading r = {0};
	struct store_member member = {0};
	unsigned snapshots = 0, tombs = 0, mounts = 0;
	struct store *s;
	uint8_t id[32], bit = 0;
	int ret;

	memcpy(o.mount, m->id, 16);
	memcpy(o.mount_public, m->public_key, 32);
	ret = store_local_open(&s, &o);
	if (ret < 0)
		return ret;
	fixture_id(id, 1000);
	ret = s->ops->have(s, &bit, id, 1);
	if (ret == 0)
		ret = s->ops->have_files(s, &member, id, 1);
	if (ret == 0)
		ret = s->ops->get(s, id, 1, fixture_read_one, &r);
	if (ret == 0)
		ret = s->ops->get_other(s, id, NULL, 0, fixture_read_one, &r);
	if (ret == 0)
		ret = s->ops->snapshots(s, m->id, count_snapshot, &snapshots);
	if (ret == 0)
		ret = s->ops->snapshots(s, NULL, count_snapshot, &snapshots);
	if (ret == 0)
		ret = s->ops->tombs(s, NULL, count_snapshot, &tombs);
	if (ret == 0)
		ret = s->ops->mounts(s, count_mount, &mounts);
	if (ret == 0 && s->ops->settle != NULL)
		ret = s->ops->settle(s);
	s->ops->close(s);
	if (ret != 0)
		return ret;
	/* Of three snapshots, one is gone and leaves a tombstone. */
	if (bit != 1 || member.found || r.records != 2 || snapshots != 2 + 3 ||
	    tombs != 1 || mounts != 1)
		failing_fail(
		    "wrong: %u %u %u %u", r.records, snapshots, tombs, mounts);
	return 0;
}

static int
delete_one(struct sweep_world *w)
{
	return sw_delete(w, 0, 1);
}

static void
test_local(void **state)
{
	(void)state;
	failing_start_ways(KINDS);
	each_place(delete_one, ask_local, 20);
}

/* Descriptors that run out, a disk that is full: for as long as it lasts. */
static void
test_for_ever(void **state)
{
	(void)state;
	failing_start_forever(KINDS & ~FAILING_MEMORY);
	each_place(NULL, back_up, 20);
	failing_start_forever(KINDS & ~FAILING_MEMORY);
	each_place(delete_two, sweep, 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_backup),
	    cmocka_unit_test(test_backup_trusting),
	    cmocka_unit_test(test_open),
	    cmocka_unit_test(test_open_without_index),
	    cmocka_unit_test(test_reindex),
	    cmocka_unit_test(test_sweep),
	    cmocka_unit_test(test_retire),
	    cmocka_unit_test(test_verify),
	    cmocka_unit_test(test_verify_marks),
	    cmocka_unit_test(test_scrub),
	    cmocka_unit_test(test_read_damaged),
	    cmocka_unit_test(test_local),
	    cmocka_unit_test(test_for_ever),
	};

	if (sign_start() != 0)
		return 1;
	/* Hundreds of indexes are made, and none has to outlive this. */
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
