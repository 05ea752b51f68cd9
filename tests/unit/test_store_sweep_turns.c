/*
 * Two clients, a sweep with its compaction, a prune and a scrub on a
 * cooperative schedule: each runs in a thread of its own, one at a time, and
 * who goes on after each request or step is drawn.  Snapshots come and go
 * meanwhile, records rot, and every third time the power goes amid all this, or
 * the process dies; whatever the schedule, every acknowledged snapshot that was
 * not deleted is whole, and so is one that a reader began to read.  SEED= and
 * COUNT= choose other schedules.
 */

#include "backend/mem.h"
#include "base/err.h"
#include "base/pool.h"
#include "lib/seeded.h"
#include "lib/setting.h"
#include "lib/sweep_world.h"
#include "store/scrub.h"
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

#define COUNT 200 /* schedules, unless COUNT= says otherwise */
#define BACKUPS 4 /* of each client */
#define SWEEPS 5
#define PRUNES 5
#define SCRUBS 20 /* packs that it reads */
#define CUT_MAX 400 /* steps of the backend, from the beginning on */
/* A sweep that waits asks so often before it is abandoned. */
#define WAITS_MAX 40

enum actor_kind { CLIENT_1, CLIENT_2, SWEEP, PRUNE, SCRUB, ACTORS };

struct stage {
	struct sweep_world w;
	struct pool_lock lock;
	struct pool_cond turn;
	unsigned current; /* whose turn it is */
	unsigned alive; /* bits of the actors */
	uint64_t seed;
	unsigned wrong;
	int rots; /* records rot in this schedule */
	uint64_t hurt; /* bits: states that were damaged */
	/* Over all schedules. */
	uint64_t freed, waited, copied, pruned, scrubbed, found, cuts, refused;
};

struct actor {
	struct stage *stage;
	unsigned number;
};

static _Thread_local unsigned me;

/* By a seed of its own: with the baton. */
static unsigned
draw(struct stage *s, unsigned below)
{
	return sw_random(&s->seed, below);
}

/* With the lock: somebody who is alive goes on. */
static void
choose(struct stage *s)
{
	unsigned at;

	if (s->alive == 0)
		return;
	do
		at = draw(s, ACTORS);
	while ((s->alive >> at & 1) == 0);
	s->current = at;
	pool_cond_wake_all(&s->turn);
}

static void
pass_on(void *arg)
{
	struct stage *s = arg;

	pool_lock_enter(&s->lock);
	choose(s);
	while (s->current != me)
		pool_cond_wait(&s->turn, &s->lock);
	pool_lock_leave(&s->lock);
}

static void
complain(struct stage *s, const char *what)
{
	/* Nothing goes any more without power. */
	if (backend_mem_fired(NULL, s->w.b) > 0)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, err_text());
	s->wrong++;
}

static void
act_client(struct stage *s, unsigned mount)
{
	enum sw_way way;
	unsigned i, kind;
	int ret;

	for (i = 0; i < BACKUPS; i++) {
		kind = draw(s, 5);
		way = kind < 2 ? SW_TRUST : kind < 4 ? SW_ASK : SW_LEAVE;
		ret = sw_backup(&s->w, mount, draw(s, SW_STATES), way);
		/* Too many sweeps in between are no mistake: P1 and P4 are
		 * about what was acknowledged. */
		if (ret < 0 && ret != ERR_MISSING)
			complain(s, "backup");
		s->refused += ret == ERR_MISSING;
		pass_on(s);
	}
}

static void
act_sweep(struct stage *s)
{
	struct sweep_counts n;
	struct sweep *sweep;
	unsigned i, waits;
	int ret;

	for (i = 0; i < SWEEPS; i++) {
		ret = sw_sweep_begin(&sweep, &s->w);
		for (waits = 0; ret >= 0 && waits < WAITS_MAX;) {
			ret = sweep_step(sweep);
			if (ret <= 0)
				break;
			if (ret == SWEEP_WAITS) {
				s->waited++;
				waits++;
			}
			pass_on(s);
		}
		/* What is damaged may hide what it needs. */
		if (ret < 0 && (ret != ERR_DAMAGED || s->hurt == 0))
			complain(s, "sweep");
		sweep_counts(&n, sweep);
		s->freed += n.freed_packs;
		s->copied += n.copied_packs;
		sweep_free(sweep);
	}
}

/* By a policy, or one snapshot by hand. */
static void
act_prune(struct stage *s)
{
	const struct sw_mount *m;
	unsigned i, mount;
	uint64_t seq;
	int ret;

	for (i = 0; i < PRUNES; i++) {
		mount = draw(s, SW_MOUNTS);
		m = &s->w.mounts[mount];
		for (seq = 1; seq < m->newest; seq++) {
			if (m->snapshots[seq].acked && !m->snapshots[seq].gone)
				break;
		}
		switch (draw(s, 4)) {
		case 0:
			ret = sw_unprune(&s->w);
			break;
		case 1:
			ret =
			    seq < m->newest ? sw_delete(&s->w, mount, seq) : 0;
			break;
		default:
			ret = sw_prune(&s->w, draw(s, 2));
			s->pruned += ret == 0;
		}
		if (ret < 0)
			complain(s, "prune");
		pass_on(s);
		pass_on(s);
	}
}

/* Something rots now and then, and the scrub goes round. */
static void
act_scrub(struct stage *s)
{
	struct scrub_counts n;
	uint64_t state;
	unsigned i;

	for (i = 0; i < SCRUBS; i++) {
		if (s->rots && draw(s, 8) == 0) {
			state = draw(s, SW_STATES);
			s->hurt |= UINT64_C(1) << state;
			sw_flip(&s->w, sw_pick(&s->w, state));
		}
		if (sw_scrub(&s->w, &n, 1) < 0)
			complain(s, "scrub");
		s->scrubbed += n.packs;
		s->found += n.findings;
		pass_on(s);
	}
}

static void
act(void *arg)
{
	struct actor *a = arg;
	struct stage *s = a->stage;

	me = a->number;
	pool_lock_enter(&s->lock);
	while (s->current != me)
		pool_cond_wait(&s->turn, &s->lock);
	pool_lock_leave(&s->lock);
	switch (a->number) {
	case SWEEP:
		act_sweep(s);
		break;
	case PRUNE:
		act_prune(s);
		break;
	case SCRUB:
		act_scrub(s);
		break;
	default:
		act_client(s, a->number);
	}
	pool_lock_enter(&s->lock);
	s->alive &= ~(1u << a->number);
	choose(s);
	pool_lock_leave(&s->lock);
}

static void
play(struct stage *s)
{
	struct pool_thread *threads[ACTORS];
	struct actor actors[ACTORS];
	unsigned i;

	s->w.pause = pass_on;
	s->w.pause_arg = s;
	s->alive = (1u << ACTORS) - 1;
	s->current = draw(s, ACTORS);
	for (i = 0; i < ACTORS; i++) {
		actors[i].stage = s;
		actors[i].number = i;
		assert_int_equal(
		    pool_thread_start(&threads[i], act, &actors[i]), 0);
	}
	for (i = 0; i < ACTORS; i++)
		pool_thread_join(threads[i]);
	s->w.pause = NULL;
}

/* Nobody works any more; is all well? */
static void
look(struct stage *s, uint64_t seed)
{
	int cut = backend_mem_fired(NULL, s->w.b) > 0;

	s->cuts += cut != 0;
	if (cut) {
		sw_close(&s->w);
		backend_mem_restart(s->w.b, draw(s, 4) != 0);
		if (sw_open(&s->w) != 0)
			complain(s, "open");
	}
	backend_mem_cut(s->w.b, 0);
	if (s->wrong == 0 && sw_heal(&s->w, s->hurt) != 0)
		complain(s, "heal");
	if (s->wrong == 0)
		s->wrong += sw_wrong(&s->w);
	/* Every other time the index is lost now. */
	if (s->wrong == 0 && seed % 2 == 0)
		s->wrong += vault_reindex(s->w.v) != 0;
	if (s->wrong == 0)
		s->wrong += sw_wrong_later(&s->w);
}

static void
one_schedule(struct stage *s, uint64_t seed)
{
	unsigned i;

	seeded_start(seed);
	sw_make(&s->w, seed);
	s->seed = seed * 77;
	s->wrong = 0;
	s->hurt = 0;
	s->rots = draw(s, 3) == 0;
	assert_int_equal(sw_open(&s->w), 0);
	for (i = 0; i < 3 * SW_MOUNTS; i++)
		assert_int_equal(
		    sw_backup(&s->w, i % 2, draw(s, SW_STATES), SW_ASK), 0);
	if (draw(s, 3) == 0)
		backend_mem_cut(
		    s->w.b, backend_mem_count(s->w.b) + 1 + draw(s, CUT_MAX));
	play(s);
	look(s, seed);
	if (s->wrong != 0)
		fail_msg("SEED=%llu COUNT=1", (unsigned long long)seed);
	sw_end(&s->w);
}

static void
test_schedules(void **state)
{
	uint64_t seed = setting("SEED", 1), n = setting("COUNT", COUNT), i;
	struct stage s;

	(void)state;
	memset(&s, 0, sizeof(s));
	pool_lock_init(&s.lock);
	pool_cond_init(&s.turn);
	for (i = 0; i < n; i++)
		one_schedule(&s, seed + i);
	print_message(
	    "%llu schedules from SEED=%llu: %llu packs freed, %llu written, "
	    "%llu times waited, %llu prunes, %llu packs scrubbed, %llu damaged "
	    "records found, %llu backups refused, %llu cuts\n",
	    (unsigned long long)n, (unsigned long long)seed,
	    (unsigned long long)s.freed, (unsigned long long)s.copied,
	    (unsigned long long)s.waited, (unsigned long long)s.pruned,
	    (unsigned long long)s.scrubbed, (unsigned long long)s.found,
	    (unsigned long long)s.refused, (unsigned long long)s.cuts);
	/* Schedules in which nothing happens prove nothing. */
	assert_true(n < COUNT || (s.freed > n && s.waited > n && s.copied > 0 &&
				     s.pruned > n && s.scrubbed > n &&
				     s.found > n / 20 && s.cuts > n / 10));
	pool_cond_release(&s.turn);
	pool_lock_release(&s.lock);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_schedules),
	};

	return sw_start() != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
