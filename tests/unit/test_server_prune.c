/*
 * Prunes of a vault over the in-memory backend, whose power goes at random and
 * whose store time is moved on by hand: whatever happens,
 *  - the two newest snapshots and all that are younger than the floor are live;
 *  - nothing is removed that did not wait for its grace, unless it was waived;
 *  - each snapshot is live, retired or gone, and what is gone has a tombstone;
 *  - stamps never go back, nor lie in the future.
 * SEED= and COUNT= choose other histories.
 */

#include "backend/mem.h"
#include "base/err.h"
#include "base/fs.h"
#include "lib/setting.h"
#include "lib/store_fixture.h"
#include "lib/sweep_world.h"
#include "server/policy.h"
#include "server/prune.h"
#include "sign/sign.h"
#include "store/backend.h"
#include "store/envelope.h"
#include "store/retire.h"
#include "store/session.h"
#include "store/stamps.h"
#include "store/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY KEEP_NS_PER_DAY
/* 2010: behind the wall clock, so a stamp is the store time of the moment. */
#define T0 (14610 * DAY)
#define MAX 200

static const uint8_t vault_id[16] = "a vault's name";

struct world {
	char *folder, *index_dir, *store_dir;
	struct account *account;
	struct storeclock *clock;
	struct backend *b;
	struct vault *v;
	struct fixture_mount m;
	uint64_t seed;
	uint64_t n; /* snapshots so far */
	/* By sequence: what is known of each. */
	int64_t made[MAX + 1], retired[MAX + 1];
	enum retire_state state[MAX + 1];
	uint64_t fates[PRUNE_BACK + 1];
};

static uint64_t
draw(struct world *w, uint64_t below)
{
	uint64_t z = w->seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % below;
}

static void
open_all(struct world *w)
{
	struct vault_options o = {.backend = w->b, .index_dir = w->index_dir};

	memcpy(o.id, vault_id, 16);
	assert_int_equal(vault_open(&w->v, &o), 0);
	assert_int_equal(storeclock_open(&w->clock, w->store_dir), 0);
}

static void
close_all(struct world *w)
{
	vault_close(w->v);
	storeclock_close(w->clock);
}

static void
begin(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->folder = fixture_folder();
	w->index_dir = fs_join(w->folder, "index");
	w->store_dir = fs_join(w->folder, "store");
	assert_int_equal(
	    account_open(&w->account, w->store_dir, ACCOUNT_CREATE), 0);
	fixture_mount(&w->m, 1);
	assert_int_equal(backend_mem_open(&w->b, seed), 0);
	open_all(w);
	storeclock_meet(w->clock, T0);
	assert_int_equal(storeclock_save(w->clock), 0);
}

static void
end(struct world *w)
{
	close_all(w);
	w->b->ops->close(w->b);
	account_close(w->account);
	free(w->index_dir);
	free(w->store_dir);
	fixture_remove(w->folder);
}

static void
commit(struct world *w)
{
	assert_int_equal(fixture_commit(w->v, &w->m, vault_id, 1), w->n + 1);
	w->n++;
	w->made[w->n] = storeclock_now(w->clock);
	w->state[w->n] = RETIRE_LIVE;
}

static int
count(void *arg, const struct prune_item *item)
{
	struct world *w = arg;

	w->fates[item->fate]++;
	return 0;
}

static int
prune(struct world *w, int dry_run, int now)
{
	struct prune_options o = {.account = w->account,
	    .clock = w->clock,
	    .dry_run = dry_run,
	    .now = now,
	    .found = count,
	    .arg = w};

	memset(w->fates, 0, sizeof(w->fates));
	return prune_vault(w->v, &o);
}

static void
policy(struct world *w, enum keep_count kind, uint32_t n, uint32_t floor_days)
{
	struct keep_policy p = {0};
	struct policy_terms t = {floor_days, POLICY_GRACE_DAYS};

	p.count[kind] = n;
	assert_int_equal(policy_write(w->store_dir, NULL, &p, &t), 0);
}

/* Look at all snapshots, after what was done at `now` with this floor. */
static void
check(struct world *w, int64_t now, int64_t floor_ns, int waived)
{
	struct buf stamps = BUF_INIT;
	enum retire_state is;
	int64_t ns, before = 0;
	uint64_t seq;

	assert_int_equal(stamps_load(&stamps, w->v, NULL, NULL), 0);
	for (seq = 1; seq <= w->n; seq++) {
		assert_int_equal(retire_look(&is, w->v, w->m.id, seq), 0);
		assert_int_not_equal(is, RETIRE_NONE);
		if (seq + 2 > w->n)
			assert_int_equal(is, RETIRE_LIVE);
		if (is == RETIRE_RETIRED && w->state[seq] == RETIRE_LIVE) {
			assert_true(now - w->made[seq] >= floor_ns);
			w->retired[seq] = now;
		}
		if (is == RETIRE_GONE && w->state[seq] == RETIRE_LIVE)
			assert_true(waived);
		if (is == RETIRE_GONE && w->state[seq] == RETIRE_RETIRED)
			assert_true(waived || now - w->retired[seq] >=
						  POLICY_GRACE_DAYS * DAY);
		/* Nothing comes back from the grave. */
		if (w->state[seq] == RETIRE_GONE)
			assert_int_equal(is, RETIRE_GONE);
		w->state[seq] = is;
		if (stamps_find(&ns, &stamps, w->m.id, seq) == 0) {
			assert_true(ns >= before);
			assert_true(ns >= w->made[seq]);
			assert_true(ns <= storeclock_now(w->clock));
			before = ns;
		}
	}
	buf_release(&stamps);
}

static void
pass(struct world *w, int64_t ns)
{
	storeclock_meet(w->clock, storeclock_now(w->clock) + ns);
}

/* From the first prune to the grave, step by step. */
static void
test_life(void **state)
{
	struct world w;
	int i;

	(void)state;
	begin(&w, 1);
	for (i = 0; i < 10; i++) {
		commit(&w);
		assert_int_equal(prune_stamp(w.v, w.clock), 0);
		pass(&w, DAY);
	}
	/* Nothing was said, nothing goes. */
	assert_int_equal(prune(&w, 0, 0), 0);
	assert_int_equal(w.fates[PRUNE_KEEP], 10);
	policy(&w, KEEP_LAST, 3, 30);
	assert_int_equal(prune(&w, 0, 0), 0);
	assert_int_equal(w.fates[PRUNE_KEEP], 10);
	pass(&w, 25 * DAY);
	/* Of 10, 9 .. are as old as the floor by now: 35 to 26 days. */
	assert_int_equal(prune(&w, 1, 0), 0);
	assert_int_equal(w.fates[PRUNE_RETIRE], 3);
	check(&w, storeclock_now(w.clock), 30 * DAY, 0);
	assert_int_equal(prune(&w, 0, 0), 0);
	assert_int_equal(w.fates[PRUNE_RETIRE], 3);
	check(&w, storeclock_now(w.clock), 30 * DAY, 0);
	pass(&w, 13 * DAY);
	policy(&w, KEEP_LAST, 3, 60);
	assert_int_equal(prune(&w, 0, 0), 0);
	assert_int_equal(w.fates[PRUNE_WAIT], 3);
	/* One comes back, two go. */
	memset(w.fates, 0, sizeof(w.fates));
	assert_int_equal(prune_undo(w.v, w.m.id, 2, count, &w), 0);
	assert_int_equal(w.fates[PRUNE_BACK], 1);
	pass(&w, DAY);
	assert_int_equal(prune(&w, 0, 0), 0);
	assert_int_equal(w.fates[PRUNE_REMOVE], 2);
	assert_int_equal(w.fates[PRUNE_KEEP], 8);
	check(&w, storeclock_now(w.clock), 0, 0);
	/* The waiver. */
	policy(&w, KEEP_LAST, 1, 0);
	assert_int_equal(prune(&w, 0, 1), 0);
	assert_int_equal(w.fates[PRUNE_REMOVE], 6);
	check(&w, storeclock_now(w.clock), 0, 1);
	assert_int_equal(prune_undo(w.v, NULL, 0, count, &w), 0);
	assert_int_equal(w.fates[PRUNE_BACK], 0);
	end(&w);
}

/* Whose tombstone the store did not sign waits for ever. */
static void
test_forged(void **state)
{
	struct tomb t = {.reason = TOMB_POLICY, .retired_ns = 1};
	uint8_t seed[SIGN_SEED_BYTES] = "somebody else";
	struct world w;
	int i;

	(void)state;
	begin(&w, 2);
	for (i = 0; i < 4; i++)
		commit(&w);
	assert_int_equal(retire_put(w.v, w.m.id, 1, &t, seed), 0);
	assert_int_equal(
	    retire_put(w.v, w.m.id, 2, &t, account_seed(w.account)), 0);
	assert_int_equal(prune(&w, 0, 1), 0);
	assert_int_equal(w.fates[PRUNE_WAIT], 1);
	assert_int_equal(w.fates[PRUNE_REMOVE], 1);
	end(&w);
}

/* A policy that cannot be read keeps everything, and says so. */
static void
test_damaged_policy(void **state)
{
	struct keep_policy p;
	struct world w;
	char *path;
	int i;

	(void)state;
	begin(&w, 3);
	for (i = 0; i < 6; i++)
		commit(&w);
	policy(&w, KEEP_LAST, 1, 0);
	path = fs_join(w.store_dir, "keep/default.json");
	assert_int_equal(fs_write_file(-100, path, "{}\n", 3, 0600, 0), 0);
	assert_int_equal(policy_read(&p, w.store_dir, NULL), ERR_DAMAGED);
	assert_int_equal(prune(&w, 0, 1), ERR_DAMAGED);
	check(&w, storeclock_now(w.clock), DAY, 0);
	free(path);
	end(&w);
}

/* The clock's file is lost: time goes on from the highest stamp. */
static void
test_lost_clock(void **state)
{
	struct world w;
	char *path;
	int64_t t;
	int i;

	(void)state;
	begin(&w, 4);
	for (i = 0; i < 6; i++) {
		commit(&w);
		assert_int_equal(prune_stamp(w.v, w.clock), 0);
		pass(&w, DAY);
	}
	policy(&w, KEEP_LAST, 1, 3);
	assert_int_equal(prune(&w, 0, 0), 0);
	assert_int_equal(w.fates[PRUNE_RETIRE], 3);
	check(&w, storeclock_now(w.clock), 3 * DAY, 0);
	t = storeclock_now(w.clock);
	close_all(&w);
	path = fs_join(w.store_dir, "clock.json");
	assert_int_equal(fs_remove_tree(path), 0);
	open_all(&w);
	assert_int_equal(prune(&w, 0, 0), 0);
	assert_int_equal(w.fates[PRUNE_WAIT], 3);
	/* Not by a second more than really went by. */
	assert_true(storeclock_now(w.clock) - t < 60 * 1000000000ll);
	free(path);
	end(&w);
}

/* One random step, perhaps cut; returns nonzero when the grace was waived. */
static int
step(struct world *w, int64_t *floor_ns)
{
	uint32_t days;
	int waived = 0;

	switch (draw(w, 8)) {
	case 0:
		days = (uint32_t)draw(w, 12);
		*floor_ns = (int64_t)days * DAY;
		policy(w, draw(w, 2) ? KEEP_LAST : KEEP_DAILY,
		    1 + (uint32_t)draw(w, 4), days);
		break;
	case 1:
		pass(w, (int64_t)draw(w, 6) * DAY);
		break;
	case 2:
		(void)prune_undo(
		    w->v, NULL, draw(w, 3) ? draw(w, w->n + 1) : 0, count, w);
		break;
	case 3:
		waived = draw(w, 4) == 0;
		(void)prune(w, 0, waived);
		break;
	case 4:
		(void)prune(w, 1, 1);
		break;
	case 5:
		(void)prune_stamp(w->v, w->clock);
		break;
	default:
		(void)prune(w, 0, 0);
	}
	return waived;
}

static unsigned
history(uint64_t seed, int power)
{
	struct world w;
	int64_t floor_ns = 30 * DAY, used;
	unsigned fired = 0;
	int i, waived;

	begin(&w, seed);
	for (i = 0; i < 40; i++) {
		if (w.n < 3 || (draw(&w, 3) == 0 && w.n < MAX))
			commit(&w);
		pass(&w, (int64_t)draw(&w, 3) * DAY / 2);
		if (draw(&w, 2)) {
			uint64_t at = backend_mem_count(w.b) + 1 + draw(&w, 40);

			if (power)
				backend_mem_cut(w.b, at);
			else
				backend_mem_fail(
				    w.b, at, UINT64_MAX / 2, ERR_IO);
		}
		used = floor_ns;
		waived = step(&w, &floor_ns);
		/* Of two floors either may have been in force. */
		if (floor_ns < used)
			used = floor_ns;
		fired += backend_mem_fired(NULL, w.b) > 0;
		close_all(&w);
		backend_mem_restart(w.b, power && draw(&w, 2));
		open_all(&w);
		check(&w, storeclock_now(w.clock), used, waived);
	}
	/* And it all works still. */
	assert_int_equal(prune(&w, 0, 0), 0);
	commit(&w);
	end(&w);
	return fired;
}

static void
test_cuts(void **state)
{
	uint64_t seed = setting("SEED", 1), n = setting("COUNT", 12), i;
	unsigned fired = 0;

	(void)state;
	for (i = 0; i < n; i++)
		fired += history(seed + i, (seed + i) % 2 != 0);
	print_message("%llu histories from SEED=%llu, %u faults fired\n",
	    (unsigned long long)n, (unsigned long long)seed, fired);
	assert_true(fired > 5 * n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_life),
	    cmocka_unit_test(test_forged),
	    cmocka_unit_test(test_damaged_policy),
	    cmocka_unit_test(test_lost_clock),
	    cmocka_unit_test(test_cuts),
	};

	if (sign_start() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
