/*
 * Random histories of backups, interrupted ones, deletions, prunes, what they
 * retire brought back, sweeps (whole and abandoned after any step, with their
 * compaction), damage that is healed, packs with damaged frames, scrubs that
 * find them and copy what is whole, indexes made anew:
 * the power goes, or the process dies, at any step of the backend; the index
 * is kept, damaged, lost, or an older one; the power goes again, up to three
 * times, while the store opens; and some lives later once more.  The store
 * opens by itself, every acknowledged snapshot that was not deleted is there
 * and whole, what else is there is whole, and all work goes on.  SEED= and
 * COUNT= choose other histories; COUNT=1 tells the steps of one.
 */

#include "backend/mem.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "lib/seeded.h"
#include "lib/setting.h"
#include "lib/sweep_world.h"
#include "store/backend.h"
#include "store/scrub.h"
#include "store/session.h"
#include "store/sweep.h"
#include "store/vault.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT 300 /* histories, unless COUNT= says otherwise */
#define OPERATIONS 20 /* of a life */
#define LIVES 3 /* of a history, at most */
#define STEPS_MAX 500 /* where the cut may be */
#define OPENING_STEPS_MAX 60 /* the same, while the store opens */
#define OPENINGS_CUT_MAX 3

enum index_after { INDEX_KEPT, INDEX_GONE, INDEX_OLD, INDEX_BAD, INDEX_AFTERS };

static const char *const index_names[INDEX_AFTERS] = {
    "kept", "gone", "an older one", "damaged"};

/* What happened, over all histories: what never does proves nothing. */
enum event {
	CUTS,
	OPENINGS_CUT,
	POWER,
	BACKUPS,
	LEFT, /* interrupted before the commit */
	DELETIONS,
	PRUNES,
	UNPRUNES,
	SWEEPS,
	ABANDONED,
	COPIED, /* packs that a compaction made */
	FREED,
	SCRUBS,
	FOUND, /* damaged records, by a scrub */
	HEALED,
	TORN, /* frames of packs that were damaged */
	REINDEXES,
	EVENTS
};

static const char *const event_names[EVENTS] = {"cuts", "cuts while opening",
    "of them power", "backups", "interrupted", "deletions", "prunes",
    "brought back", "sweeps", "abandoned", "packs copied", "packs freed",
    "scrubs", "damage found by them", "heals", "frames damaged", "reindexes"};

struct history {
	struct sweep_world w;
	int power_cut; /* else the process dies */
	int reindexed; /* which renews the generation */
	/* Bits: states that were damaged and may not be healed. */
	uint64_t hurt;
	uint64_t *events;
	int told; /* its steps are told on stderr */
};

static void
count(struct history *h, enum event e, uint64_t n)
{
	h->events[e] += n;
	if (h->told && n > 0)
		(void)fprintf(stderr, "%6llu  %s\n",
		    (unsigned long long)backend_mem_count(h->w.b),
		    event_names[e]);
}

/* A snapshot of the mount to delete, which is not its newest; 0: none. */
static uint64_t
pick_old(struct sweep_world *w, unsigned mount)
{
	const struct sw_mount *m = &w->mounts[mount];
	uint64_t seq, n = 0, at;

	for (seq = 1; seq < m->newest; seq++)
		n += m->snapshots[seq].acked && !m->snapshots[seq].gone;
	if (n == 0)
		return 0;
	at = sw_draw(w, (unsigned)n);
	for (seq = 1; seq < m->newest; seq++) {
		if (m->snapshots[seq].acked && !m->snapshots[seq].gone &&
		    at-- == 0)
			break;
	}
	return seq;
}

/* A sweep that nobody goes on with. */
static int
abandon(struct sweep_world *w)
{
	unsigned left = sw_draw(w, 7);
	struct sweep *s;
	int ret = sw_sweep_begin(&s, w);

	if (ret < 0)
		return ret;
	do
		ret = sweep_step(s);
	while (ret == SWEEP_MORE && left-- > 0);
	sweep_free(s);
	return ret < 0 ? ret : 0;
}

static int
sweep(struct history *h)
{
	struct sweep_counts n = {0};
	int ret;

	if (sw_draw(&h->w, 4) == 0) {
		count(h, ABANDONED, 1);
		ret = abandon(&h->w);
	} else {
		ret = sw_sweep(&h->w, &n);
		count(h, SWEEPS, 1);
		count(h, COPIED, n.copied_packs);
		count(h, FREED, n.freed_packs);
	}
	/* What is damaged may hide what it needs. */
	return ret == ERR_DAMAGED && h->hurt ? 0 : ret;
}

/* An object of the newest snapshot rots; the store sees it at once, by a
 * scrub, or not yet; then the same tree is backed up again. */
static int
damage(struct history *h, unsigned mount)
{
	struct sweep_world *w = &h->w;
	uint64_t seq = w->mounts[mount].newest, state, victim;
	struct scrub_counts n;
	int ret = 0;

	if (seq == 0 || w->mounts[mount].snapshots[seq].gone)
		return 0;
	state = w->mounts[mount].snapshots[seq].state;
	victim = sw_pick(w, state);
	h->hurt |= UINT64_C(1) << state;
	switch (sw_draw(w, 3)) {
	case 0:
		sw_damage(w, victim);
		break;
	case 1:
		sw_flip(w, victim);
		ret = sw_scrub(w, &n, 0);
		count(h, SCRUBS, 1);
		count(h, FOUND, n.findings);
		break;
	default:
		sw_flip(w, victim);
		return 0;
	}
	if (ret == 0)
		ret = sw_backup(w, mount, state, SW_ASK);
	count(h, HEALED, ret == 0);
	return ret;
}

/* The frame of a pack rots; the store sees it at once, or later. */
static int
tear(struct history *h)
{
	char name[BACKEND_NAME_MAX];
	struct scrub_counts n;
	uint64_t at;

	if (sw_frame(name, &at, &h->w) != 0 ||
	    backend_mem_flip(
		h->w.b, name, at, (uint8_t)(1 << sw_draw(&h->w, 8))) != 0)
		return 0;
	h->w.torn = 1;
	count(h, TORN, 1);
	if (sw_draw(&h->w, 2))
		return 0;
	count(h, SCRUBS, 1);
	return sw_scrub(&h->w, &n, 0);
}

static int
back_up(struct history *h, unsigned mount)
{
	static const enum sw_way ways[] = {
	    SW_TRUST, SW_TRUST, SW_ASK, SW_ASK, SW_LEAVE};
	enum sw_way way = ways[sw_draw(&h->w, 5)];

	count(h, way == SW_LEAVE ? LEFT : BACKUPS, 1);
	return sw_backup(&h->w, mount, sw_draw(&h->w, SW_STATES), way);
}

static int
make_index_anew(struct history *h)
{
	sw_copy_index(&h->w, 0);
	if (sw_draw(&h->w, 2))
		return 0;
	h->reindexed = 1;
	count(h, REINDEXES, 1);
	return vault_reindex(h->w.v);
}

static int
operation(struct history *h)
{
	struct sweep_world *w = &h->w;
	unsigned mount = sw_draw(w, SW_MOUNTS), kind = sw_draw(w, 21);
	struct scrub_counts n;
	uint64_t seq;

	if (kind < 6)
		return back_up(h, mount);
	if (kind < 9) {
		seq = pick_old(w, mount);
		count(h, DELETIONS, seq != 0);
		return seq == 0 ? 0 : sw_delete(w, mount, seq);
	}
	if (kind < 13)
		return sweep(h);
	switch (kind) {
	case 13:
	case 14:
		count(h, PRUNES, 1);
		return sw_prune(w, sw_draw(w, 3) == 0);
	case 15:
		count(h, UNPRUNES, 1);
		return sw_unprune(w);
	case 16:
		count(h, SCRUBS, 1);
		return sw_scrub(w, &n, 1 + sw_draw(w, 4));
	case 17:
		return damage(h, mount);
	case 18:
		return tear(h);
	case 19:
		sw_close(w);
		return sw_open(w);
	default:
		return make_index_anew(h);
	}
}

static int
live(struct history *h)
{
	unsigned i;
	int ret = 0;

	for (i = 0; i < OPERATIONS && ret == 0; i++)
		ret = operation(h);
	return ret;
}

static int
begin(struct history *h)
{
	unsigned i;
	int ret = sw_open(&h->w);

	for (i = 0; i < 3 && ret == 0; i++)
		ret = sw_backup(&h->w, i % 2, 3 * (uint64_t)i, SW_ASK);
	return ret;
}

/* It is cut off, or its first pages are not what they were. */
static void
spoil_index(struct history *h)
{
	char *path = fs_join(h->w.index_dir, "data.mdb");
	struct buf b = BUF_INIT;

	if (access(path, F_OK) == 0 &&
	    fs_read_file(&b, AT_FDCWD, path, 1 << 30) == 0 && b.len >= 8192) {
		if (sw_draw(&h->w, 2))
			b.len = sw_draw(&h->w, (unsigned)b.len);
		else
			memset(b.data, (int)sw_draw(&h->w, 256), 8192);
		assert_int_equal(fs_write_file(AT_FDCWD, path, b.data, b.len,
				     0600, FS_NOSYNC),
		    0);
	}
	buf_release(&b);
	free(path);
}

static void
spoil(struct history *h, enum index_after index)
{
	if (h->told)
		(void)fprintf(
		    stderr, "        the index is %s\n", index_names[index]);
	if (index == INDEX_GONE)
		assert_int_equal(fs_remove_tree(h->w.index_dir), 0);
	if (index == INDEX_OLD)
		sw_copy_index(&h->w, 1);
	if (index == INDEX_BAD)
		spoil_index(h);
}

/* Open the store, which the power, or a kill, may interrupt. */
static int
open_again(struct history *h)
{
	unsigned i, cuts = sw_draw(&h->w, OPENINGS_CUT_MAX + 1);
	uint64_t at;

	for (i = 0; i < cuts; i++) {
		at = backend_mem_count(h->w.b) + 1 +
		     sw_draw(&h->w, OPENING_STEPS_MAX);
		backend_mem_cut(h->w.b, at);
		(void)sw_open(&h->w); /* it may get by */
		sw_close(&h->w);
		count(h, OPENINGS_CUT, backend_mem_fired(NULL, h->w.b));
		backend_mem_restart(h->w.b, sw_draw(&h->w, 4) != 0);
	}
	return sw_open(&h->w);
}

/* The crash is over.  Returns what is wrong. */
static unsigned
recover(struct history *h)
{
	uint8_t before[STORE_GENERATION_BYTES], now[STORE_GENERATION_BYTES];
	enum index_after index = (enum index_after)sw_draw(&h->w, INDEX_AFTERS);
	int same =
	    h->w.v != NULL && !h->hurt && !h->reindexed && index == INDEX_KEPT;

	if (same)
		vault_generation(before, h->w.v);
	sw_close(&h->w);
	backend_mem_restart(h->w.b, h->power_cut);
	spoil(h, index);
	if (open_again(h) != 0) {
		(void)fprintf(stderr, "open: %s\n", err_text());
		return 1;
	}
	if (same)
		vault_generation(now, h->w.v);
	/* What a sweep deletes is no loss, and told nobody as one. */
	if (same && memcmp(before, now, sizeof(now)) != 0) {
		(void)fprintf(stderr, "a loss was told\n");
		return 1;
	}
	if (sw_heal(&h->w, h->hurt) != 0) {
		(void)fprintf(stderr, "heal: %s\n", err_text());
		return 1;
	}
	return sw_wrong(&h->w);
}

/* One life up to its cut.  Returns nonzero when something is wrong. */
static unsigned
one_life(struct history *h, int first)
{
	uint64_t at = backend_mem_count(h->w.b) + 1 + sw_draw(&h->w, STEPS_MAX);
	int fired, ret;

	h->power_cut = sw_draw(&h->w, 4) != 0;
	backend_mem_cut(h->w.b, at);
	ret = first ? begin(h) : 0;
	if (ret == 0)
		ret = live(h);
	fired = backend_mem_fired(NULL, h->w.b) > 0;
	count(h, CUTS, fired != 0);
	count(h, POWER, fired && h->power_cut);
	if (ret != 0 && !fired) {
		(void)fprintf(stderr, "without a cut: %s\n", err_text());
		return 1;
	}
	return recover(h);
}

static void
one_history(uint64_t *events, uint64_t seed, int told)
{
	struct history h;
	unsigned life, lives, wrong = 0;

	memset(&h, 0, sizeof(h));
	h.events = events;
	h.told = told;
	seeded_start(seed);
	sw_make(&h.w, seed);
	lives = 1 + sw_draw(&h.w, LIVES);
	for (life = 0; life < lives && wrong == 0; life++)
		wrong = one_life(&h, life == 0);
	if (wrong == 0)
		wrong = sw_wrong_later(&h.w);
	if (wrong != 0)
		fail_msg("SEED=%llu COUNT=1", (unsigned long long)seed);
	sw_end(&h.w);
}

static void
test_cut_anywhere(void **state)
{
	uint64_t seed = setting("SEED", 1), n = setting("COUNT", COUNT), i;
	uint64_t events[EVENTS] = {0};

	(void)state;
	for (i = 0; i < n; i++)
		one_history(events, seed + i, n == 1);
	print_message("%llu states in %llu histories from SEED=%llu",
	    (unsigned long long)(events[CUTS] + events[OPENINGS_CUT]),
	    (unsigned long long)n, (unsigned long long)seed);
	for (i = 0; i < EVENTS; i++)
		print_message("%s%llu %s", i == 0 ? ": " : ", ",
		    (unsigned long long)events[i], event_names[i]);
	print_message("\n");
	for (i = 0; i < EVENTS && n >= COUNT; i++) {
		if (events[i] < n / 20)
			fail_msg("only %llu %s", (unsigned long long)events[i],
			    event_names[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cut_anywhere),
	};

	return sw_start() != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
