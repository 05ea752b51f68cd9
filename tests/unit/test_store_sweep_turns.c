/*
 * Two clients, a sweep and a prune on a cooperative schedule: each runs in a
 * thread of its own, one at a time, and who goes on after each request or step
 * is drawn.  Snapshots come and go meanwhile; whatever the schedule, every
 * acknowledged snapshot that was not deleted is whole, and so is one that a
 * reader began to read.  SEED= and COUNT= choose other schedules.
 */

#include "backend/mem.h"
#include "base/err.h"
#include "base/pool.h"
#include "lib/sweep_world.h"
#include "sign/sign.h"
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
#define ACTORS 4
#define BACKUPS 4 /* of each client */
#define SWEEPS 5
#define DELETIONS 5
/* A sweep that waits asks so often before it is abandoned. */
#define WAITS_MAX 40

struct stage {
	struct sweep_world w;
	struct pool_lock lock;
	struct pool_cond turn;
	unsigned current; /* whose turn it is */
	unsigned alive; /* bits of the actors */
	uint64_t seed;
	unsigned wrong;
	uint64_t freed, waited, copied; /* over all sweeps */
};

struct actor {
	struct stage *stage;
	unsigned number;
};

static _Thread_local unsigned me;

static uint64_t
number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL || *text == '\0' ? otherwise
					     : strtoull(text, NULL, 10);
}

/* By a seed of its own: with the baton. */
static unsigned
draw(struct stage *s, unsigned below)
{
	uint64_t z = s->seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ z >> 31) % below);
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
		if (ret < 0)
			complain(s, "sweep");
		sweep_counts(&n, sweep);
		s->freed += n.freed_packs;
		s->copied += n.copied_packs;
		sweep_free(sweep);
	}
}

static void
act_prune(struct stage *s)
{
	const struct sw_mount *m;
	unsigned i, mount;
	uint64_t seq;

	for (i = 0; i < DELETIONS; i++) {
		mount = draw(s, SW_MOUNTS);
		m = &s->w.mounts[mount];
		for (seq = 1; seq < m->newest; seq++) {
			if (m->snapshots[seq].acked && !m->snapshots[seq].gone)
				break;
		}
		if (seq < m->newest && sw_delete(&s->w, mount, seq) < 0)
			complain(s, "delete");
		pass_on(s);
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
	if (a->number < SW_MOUNTS)
		act_client(s, a->number);
	else if (a->number == SW_MOUNTS)
		act_sweep(s);
	else
		act_prune(s);
	pool_lock_enter(&s->lock);
	s->alive &= ~(1u << a->number);
	choose(s);
	pool_lock_leave(&s->lock);
}

static void
one_schedule(struct stage *s, uint64_t seed)
{
	struct pool_thread *threads[ACTORS];
	struct actor actors[ACTORS];
	unsigned i;

	sw_make(&s->w, seed);
	s->seed = seed * 77;
	s->wrong = 0;
	assert_int_equal(sw_open(&s->w), 0);
	for (i = 0; i < 3 * SW_MOUNTS; i++)
		assert_int_equal(
		    sw_backup(&s->w, i % 2, draw(s, SW_STATES), SW_ASK), 0);
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
	s->wrong += sw_wrong(&s->w);
	/* Every other time the index is lost now. */
	if (seed % 2 == 0)
		s->wrong += vault_reindex(s->w.v) != 0;
	s->wrong += sw_wrong_later(&s->w);
	if (s->wrong != 0)
		fail_msg("SEED=%llu COUNT=1", (unsigned long long)seed);
	sw_end(&s->w);
}

static void
test_schedules(void **state)
{
	uint64_t seed = number("SEED", 1), n = number("COUNT", COUNT), i;
	struct stage s;

	(void)state;
	memset(&s, 0, sizeof(s));
	pool_lock_init(&s.lock);
	pool_cond_init(&s.turn);
	for (i = 0; i < n; i++)
		one_schedule(&s, seed + i);
	print_message("%llu schedules from SEED=%llu: %llu packs freed, %llu "
		      "written, %llu times waited\n",
	    (unsigned long long)n, (unsigned long long)seed,
	    (unsigned long long)s.freed, (unsigned long long)s.copied,
	    (unsigned long long)s.waited);
	/* Schedules in which nothing happens prove nothing. */
	assert_true(n < 20 || (s.freed > n && s.waited > n && s.copied > 0));
	pool_cond_release(&s.turn);
	pool_lock_release(&s.lock);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_schedules),
	};

	if (sign_start() < 0)
		return 1;
	/* In memory where there is such a place: the index syncs a lot. */
	if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0 &&
	    setenv("TMPDIR", "/dev/shm", 1) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
