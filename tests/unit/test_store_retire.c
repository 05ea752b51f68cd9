/*
 * Retiring snapshots over the in-memory backend: what counts as live, retired
 * and gone, and that a cut at any step leaves each snapshot in one of them.
 */

#include "backend/mem.h"
#include "base/err.h"
#include "base/fs.h"
#include "lib/store_fixture.h"
#include "sign/sign.h"
#include "store/backend.h"
#include "store/envelope.h"
#include "store/retire.h"
#include "store/session.h"
#include "store/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t vault_id[16] = "a vault's name";
static const struct tomb by_policy = {
    .reason = TOMB_POLICY, .stamp_ns = 5, .retired_ns = 7, .wall_ns = 9};

#define SNAPSHOTS 4

struct world {
	char *folder, *index_dir;
	struct backend *b;
	struct vault *v;
	struct fixture_mount m;
	uint8_t seed[SIGN_SEED_BYTES], public_key[SIGN_PUBLIC_BYTES];
};

static int
open_vault(struct world *w)
{
	struct vault_options o = {.backend = w->b, .index_dir = w->index_dir};

	memcpy(o.id, vault_id, 16);
	return vault_open(&w->v, &o);
}

static void
close_vault(struct world *w)
{
	vault_close(w->v);
	w->v = NULL;
}

/* The server sequence that the snapshot got. */
static uint64_t
commit(struct world *w)
{
	uint64_t seq =
	    fixture_commit(w->v, &w->m, vault_id, 100 + w->m.client_seq);

	assert_true(seq > 0);
	return seq;
}

static void
begin(struct world *w, uint64_t seed)
{
	uint64_t i;

	memset(w, 0, sizeof(*w));
	w->folder = fixture_folder();
	w->index_dir = fs_join(w->folder, "index");
	fixture_mount(&w->m, 1);
	memset(w->seed, 7, sizeof(w->seed));
	sign_public(w->public_key, w->seed);
	assert_int_equal(backend_mem_open(&w->b, seed), 0);
	assert_int_equal(open_vault(w), 0);
	for (i = 1; i <= SNAPSHOTS; i++)
		assert_int_equal(commit(w), i);
}

static void
end(struct world *w)
{
	close_vault(w);
	w->b->ops->close(w->b);
	free(w->index_dir);
	fixture_remove(w->folder);
}

static enum retire_state
state_of(struct world *w, uint64_t seq)
{
	enum retire_state s;

	assert_int_equal(retire_look(&s, w->v, w->m.id, seq), 0);
	return s;
}

struct seen {
	unsigned roots, retired, damaged, listed, tombs, gone, bad;
	uint64_t last;
	const uint8_t *public_key;
};

static int
see_root(void *arg, const struct retire_root *r)
{
	struct seen *s = arg;

	assert_true(r->seq > s->last);
	s->last = r->seq;
	s->roots++;
	s->retired += r->state == RETIRE_RETIRED;
	s->damaged += r->damaged;
	assert_int_equal(r->e == NULL, r->damaged);
	assert_int_equal(r->tomb != NULL, r->state == RETIRE_RETIRED);
	if (!r->damaged)
		assert_int_equal(r->e->nrefs, 1);
	return 0;
}

static int
see_snapshot(void *arg, const struct store_snapshot *snapshot)
{
	struct seen *s = arg;

	(void)snapshot; /* only how many */
	s->listed++;
	return 0;
}

static int
see_tomb(void *arg, const struct retire_tomb *t)
{
	struct seen *s = arg;

	assert_int_equal(tomb_check_signature(t->bytes, s->public_key), 0);
	s->tombs++;
	s->gone += t->gone != 0;
	return 0;
}

static void
see_bad(void *arg, const char *name)
{
	struct seen *s = arg;

	assert_non_null(strstr(name, ".tomb"));
	s->bad++;
}

static struct seen
look(struct world *w)
{
	struct seen s = {.public_key = w->public_key};

	assert_int_equal(retire_roots(w->v, NULL, see_root, &s), 0);
	assert_int_equal(vault_snapshots(w->v, w->m.id, see_snapshot, &s), 0);
	assert_int_equal(retire_tombs(w->v, w->m.id, see_tomb, see_bad, &s), 0);
	return s;
}

static void
test_states(void **state)
{
	struct world w;
	struct seen s;

	(void)state;
	begin(&w, 1);
	assert_int_equal(state_of(&w, 2), RETIRE_LIVE);
	assert_int_equal(state_of(&w, 9), RETIRE_NONE);
	assert_int_equal(retire_undo(w.v, w.m.id, 2), 1);
	assert_int_equal(retire_remove(w.v, w.m.id, 2), 1);
	assert_int_equal(retire_put(w.v, w.m.id, 9, &by_policy, w.seed), 1);

	assert_int_equal(retire_put(w.v, w.m.id, 1, &by_policy, w.seed), 0);
	assert_int_equal(retire_put(w.v, w.m.id, 2, &by_policy, w.seed), 0);
	assert_int_equal(retire_put(w.v, w.m.id, 2, &by_policy, w.seed), 1);
	assert_int_equal(state_of(&w, 2), RETIRE_RETIRED);
	s = look(&w);
	assert_int_equal(s.roots, 4);
	assert_int_equal(s.retired, 2);
	assert_int_equal(s.listed, 2);
	assert_int_equal(s.tombs, 2);
	assert_int_equal(s.gone, 0);

	assert_int_equal(retire_undo(w.v, w.m.id, 1), 0);
	assert_int_equal(state_of(&w, 1), RETIRE_LIVE);
	assert_int_equal(retire_remove(w.v, w.m.id, 2), 0);
	assert_int_equal(state_of(&w, 2), RETIRE_GONE);
	assert_int_equal(retire_remove(w.v, w.m.id, 2), 1);
	assert_int_equal(retire_undo(w.v, w.m.id, 2), 1);
	s = look(&w);
	assert_int_equal(s.roots, 3);
	assert_int_equal(s.listed, 3);
	assert_int_equal(s.tombs, 1);
	assert_int_equal(s.gone, 1);
	/* Again as after a restart. */
	close_vault(&w);
	assert_int_equal(open_vault(&w), 0);
	assert_int_equal(look(&w).roots, 3);
	end(&w);
}

static void
test_damage(void **state)
{
	const char *tomb, *snap;
	struct world w;
	struct seen s;
	char path[2][BACKEND_NAME_MAX];
	char hex[33];
	size_t i;

	(void)state;
	begin(&w, 2);
	for (i = 0; i < 16; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", w.m.id[i]);
	(void)snprintf(
	    path[0], sizeof(path[0]), "retired/%s/0000000002.tomb", hex);
	(void)snprintf(
	    path[1], sizeof(path[1]), "snapshots/%s/0000000003.snap", hex);
	tomb = path[0];
	snap = path[1];
	assert_int_equal(retire_put(w.v, w.m.id, 2, &by_policy, w.seed), 0);
	/* A damaged tombstone retires nothing, and can be made anew. */
	for (i = 0; i < TOMB_BYTES; i++) {
		assert_int_equal(backend_mem_flip(w.b, tomb, i, 1), 0);
		assert_int_equal(state_of(&w, 2), RETIRE_LIVE);
		assert_int_equal(backend_mem_flip(w.b, tomb, i, 1), 0);
	}
	assert_int_equal(state_of(&w, 2), RETIRE_RETIRED);
	assert_int_equal(backend_mem_flip(w.b, tomb, 60, 1), 0);
	s = look(&w);
	assert_int_equal(s.bad, 1);
	assert_int_equal(s.retired, 0);
	assert_int_equal(s.listed, 4);
	assert_int_equal(retire_put(w.v, w.m.id, 2, &by_policy, w.seed), 0);
	assert_int_equal(state_of(&w, 2), RETIRE_RETIRED);
	/* A damaged snapshot is a root of which nobody knows what it holds. */
	assert_int_equal(backend_mem_flip(w.b, snap, 200, 1), 0);
	s = look(&w);
	assert_int_equal(s.roots, 4);
	assert_int_equal(s.damaged, 1);
	assert_int_equal(retire_put(w.v, w.m.id, 3, &by_policy, w.seed), 1);
	end(&w);
}

/* The number of a retired snapshot is given to no other one. */
static void
test_numbers(void **state)
{
	char path[HEADS_PATH_BYTES];
	struct world w;
	uint64_t seq;

	(void)state;
	begin(&w, 3);
	assert_int_equal(retire_put(w.v, w.m.id, 4, &by_policy, w.seed), 0);
	assert_int_equal(retire_remove(w.v, w.m.id, 4), 0);
	close_vault(&w);
	/* All others are lost, too. */
	for (seq = 1; seq <= 3; seq++) {
		heads_path(path, w.m.id, seq);
		assert_int_equal(w.b->ops->remove(w.b, path), 0);
	}
	assert_int_equal(open_vault(&w), 0);
	w.m.client_seq = 0;
	memset(w.m.previous, 0, sizeof(w.m.previous));
	assert_int_equal(commit(&w), 5);
	assert_int_equal(state_of(&w, 5), RETIRE_LIVE);
	end(&w);
}

/* Retire 1 to 3, bring 2 back, remove 3 and then 1. */
static int
history(struct world *w)
{
	uint64_t seq;
	int ret = 0;

	for (seq = 1; seq <= 3 && ret == 0; seq++)
		ret = retire_put(w->v, w->m.id, seq, &by_policy, w->seed);
	if (ret == 0)
		ret = retire_undo(w->v, w->m.id, 2);
	if (ret == 0)
		ret = retire_remove(w->v, w->m.id, 3);
	return ret == 0 ? retire_remove(w->v, w->m.id, 1) : ret;
}

/* One cut or death at step `at`; returns 0 when the history is shorter. */
static int
cut(uint64_t seed, uint64_t at, int power)
{
	/* By what was done so far: bit s of a row says that state s is fine. */
	enum retire_state is;
	struct world w;
	struct seen s;
	uint64_t seq, from;
	int fired;

	begin(&w, seed);
	from = backend_mem_count(w.b);
	if (power)
		backend_mem_cut(w.b, from + at);
	else
		backend_mem_fail(w.b, from + at, UINT64_MAX / 2, ERR_IO);
	(void)history(&w);
	fired = backend_mem_fired(NULL, w.b) > 0;
	close_vault(&w);
	backend_mem_restart(w.b, power);
	assert_int_equal(open_vault(&w), 0);
	for (seq = 1; seq <= SNAPSHOTS; seq++) {
		is = state_of(&w, seq);
		assert_int_not_equal(is, RETIRE_NONE);
		if (seq == 2 || seq == 4)
			assert_int_not_equal(is, RETIRE_GONE);
	}
	assert_int_equal(state_of(&w, 4), RETIRE_LIVE);
	s = look(&w);
	assert_int_equal(s.bad, 0);
	assert_int_equal(s.damaged, 0);
	assert_int_equal(s.roots + s.gone, SNAPSHOTS);
	assert_int_equal(s.listed + s.tombs, SNAPSHOTS);
	/* And the work goes on from there. */
	for (seq = 1; seq <= 3; seq++)
		assert_true(
		    retire_put(w.v, w.m.id, seq, &by_policy, w.seed) >= 0);
	assert_int_equal(look(&w).listed, 1);
	assert_int_equal(commit(&w), SNAPSHOTS + 1);
	end(&w);
	return fired;
}

/* What fails once to be read is neither damaged nor live again. */
static void
test_bad_moment(void **state)
{
	uint64_t at, from, hit = 0;

	struct world w;
	struct seen s;

	(void)state;
	begin(&w, 1);
	assert_int_equal(retire_put(w.v, w.m.id, 2, &by_policy, w.seed), 0);
	for (at = 1; at == hit + 1; at++) {
		memset(&s, 0, sizeof(s));
		from = backend_mem_count(w.b);
		backend_mem_fail(w.b, from + at, 1, ERR_DAMAGED);
		/* Which snapshots there are cannot be damaged. */
		if (retire_roots(w.v, NULL, see_root, &s) == 0) {
			assert_int_equal(s.roots, SNAPSHOTS);
			assert_int_equal(s.damaged, 0);
			assert_int_equal(s.retired, 1);
		}
		hit += backend_mem_fired(NULL, w.b) > 0;
		backend_mem_restart(w.b, 0);
	}
	/* Two listings; four snapshots and a tombstone. */
	assert_true(hit >= SNAPSHOTS + 3);
	end(&w);
}

static void
test_cuts(void **state)
{
	uint64_t at, seed, fired = 0;
	int power, more;

	(void)state;
	for (power = 0; power < 2; power++) {
		for (seed = 1; seed <= 6; seed++) {
			more = 1;
			for (at = 1; more; at++) {
				more = cut(seed, at, power);
				fired += more != 0;
			}
		}
	}
	assert_true(fired > 300);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_states),
	    cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_bad_moment),
	    cmocka_unit_test(test_cuts),
	};

	if (sign_start() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
