/*
 * Random histories of backups, interrupted ones, deletions, sweeps (whole and
 * abandoned after any step), damage that is healed, indexes made anew: the
 * power goes, or the process dies, at any step of the backend; the index is
 * kept, lost, or an older one.  The store opens by itself, every acknowledged
 * snapshot that was not deleted is there and whole, what else is there is
 * whole, and all work goes on.  SEED= and COUNT= choose other histories.
 */

#include "backend/mem.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "lib/sweep_world.h"
#include "sign/sign.h"
#include "store/backend.h"
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

#define COUNT 300 /* states, unless COUNT= says otherwise */
#define OPERATIONS 20 /* of a history */
#define STEPS_MAX 500 /* where the cut may be */

enum index_after { INDEX_KEPT, INDEX_GONE, INDEX_OLD, INDEX_AFTERS };

struct history {
	struct sweep_world w;
	int power_cut; /* else the process dies */
	int reindexed; /* which renews the generation */
	/* Bits: states that were damaged and may not be healed. */
	unsigned hurt;
	char *old; /* a copy of the index, taken amid the history */
};

static uint64_t
number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL || *text == '\0' ? otherwise
					     : strtoull(text, NULL, 10);
}

/* Take a copy of the index aside, or bring it back. */
static void
copy_index(struct history *h, int back)
{
	char *here = fs_join(h->w.index_dir, "data.mdb");
	const char *from = back ? h->old : here, *to = back ? here : h->old;
	struct buf b = BUF_INIT;

	if (access(from, F_OK) == 0 &&
	    fs_read_file(&b, AT_FDCWD, from, 1 << 30) == 0)
		assert_int_equal(
		    fs_write_file(AT_FDCWD, to, b.data, b.len, 0600, FS_NOSYNC),
		    0);
	buf_release(&b);
	free(here);
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
operation(struct history *h)
{
	struct sweep_world *w = &h->w;
	unsigned mount = sw_draw(w, SW_MOUNTS), kind = sw_draw(w, 16);
	uint64_t state = sw_draw(w, SW_STATES), seq;
	int ret;

	if (kind < 5)
		return sw_backup(w, mount, state,
		    kind < 2   ? SW_TRUST
		    : kind < 4 ? SW_ASK
			       : SW_LEAVE);
	if (kind < 9) {
		seq = pick_old(w, mount);
		return seq == 0 ? 0 : sw_delete(w, mount, seq);
	}
	if (kind < 13) {
		ret = kind == 9 ? abandon(w) : sw_sweep(w, NULL);
		/* What is damaged may hide what it needs. */
		return ret == ERR_DAMAGED && h->hurt ? 0 : ret;
	}
	if (kind == 13) {
		seq = w->mounts[mount].newest;
		if (seq == 0)
			return 0;
		state = w->mounts[mount].snapshots[seq].state;
		h->hurt |= 1u << state;
		sw_damage(w, sw_pick(w, state));
		return sw_backup(w, mount, state, SW_ASK);
	}
	if (kind == 14) {
		sw_close(w);
		return sw_open(w);
	}
	copy_index(h, 0);
	if (sw_draw(w, 2))
		return 0;
	h->reindexed = 1;
	return vault_reindex(w->v);
}

static int
run(struct history *h)
{
	unsigned i;
	int ret = sw_open(&h->w);

	for (i = 0; i < 3 && ret == 0; i++)
		ret = sw_backup(&h->w, i % 2, 3 * i, SW_ASK);
	for (i = 0; i < OPERATIONS && ret == 0; i++)
		ret = operation(h);
	return ret;
}

/* What was damaged is put again by a client that still has it. */
static unsigned
heal(struct history *h)
{
	unsigned k, wrong = 0;

	if (h->hurt == 0)
		return 0;
	h->w.hurt = 1;
	/* Reading it all finds the damage. */
	(void)sw_wrong(&h->w); /* that is expected */
	for (k = 0; k < SW_STATES; k++) {
		if (h->hurt >> k & 1)
			wrong += sw_backup(&h->w, 0, k, SW_ASK) != 0;
	}
	/* Other trees over what was healed come back when it is opened. */
	sw_close(&h->w);
	return wrong + (sw_open(&h->w) != 0);
}

static unsigned
recover(struct history *h, enum index_after index)
{
	uint8_t before[STORE_GENERATION_BYTES], now[STORE_GENERATION_BYTES];
	int same =
	    h->w.v != NULL && !h->hurt && !h->reindexed && index == INDEX_KEPT;
	unsigned wrong;

	if (same)
		vault_generation(before, h->w.v);
	sw_close(&h->w);
	backend_mem_restart(h->w.b, h->power_cut);

	if (index == INDEX_GONE)
		assert_int_equal(fs_remove_tree(h->w.index_dir), 0);
	if (index == INDEX_OLD)
		copy_index(h, 1);
	if (sw_open(&h->w) != 0) {
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
	wrong = heal(h);
	return wrong + sw_wrong_later(&h->w);
}

static void
make(struct history *h, uint64_t seed)
{
	memset(h, 0, sizeof(*h));
	sw_make(&h->w, seed);
	h->old = fs_join(h->w.folder, "old.mdb");
}

static void
end(struct history *h)
{
	free(h->old);
	sw_end(&h->w);
}

/* One state.  Returns nonzero when the fault happened. */
static int
one_state(uint64_t seed)
{
	struct history h;
	enum index_after index;
	int fired, ret;
	uint64_t at;

	make(&h, seed);
	at = 1 + sw_draw(&h.w, STEPS_MAX);
	index = (enum index_after)sw_draw(&h.w, INDEX_AFTERS);
	h.power_cut = sw_draw(&h.w, 4) != 0;
	backend_mem_cut(h.w.b, at);
	ret = run(&h);
	fired = backend_mem_fired(NULL, h.w.b) > 0;
	if (ret != 0 && !fired)
		fail_msg("SEED=%llu: %s", (unsigned long long)seed, err_text());
	if (recover(&h, index) != 0)
		fail_msg("SEED=%llu COUNT=1", (unsigned long long)seed);
	end(&h);
	return fired;
}

static void
test_cut_anywhere(void **state)
{
	uint64_t seed = number("SEED", 1), n = number("COUNT", COUNT), i;
	uint64_t fired = 0;

	(void)state;
	for (i = 0; i < n; i++)
		fired += one_state(seed + i) != 0;
	print_message("%llu states from SEED=%llu, cut in %llu\n",
	    (unsigned long long)n, (unsigned long long)seed,
	    (unsigned long long)fired);
	/* Faults that never happen prove nothing. */
	assert_true(n < 20 || fired * 2 > n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cut_anywhere),
	};

	if (sign_start() < 0)
		return 1;
	/* In memory where there is such a place: the index syncs a lot. */
	if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0 &&
	    setenv("TMPDIR", "/dev/shm", 1) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
