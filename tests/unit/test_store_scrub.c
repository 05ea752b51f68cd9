/*
 * The scrub reads every pack once in a round, goes on where it was after a
 * restart, has damage healed by the next backup, and leaves a healthy store as
 * it is.
 */

#include "backend/mem.h"
#include "lib/sweep_world.h"
#include "server/scrubber.h"
#include "sign/sign.h"
#include "store/scrub.h"
#include "store/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
found(void *arg, const char *where, const char *what)
{
	unsigned *n = arg;

	assert_non_null(strstr(where, "packs/"));
	assert_true(strlen(what) > 0);
	(*n)++;
}

/* To the end of a round. */
static unsigned
scrub(struct sweep_world *w, struct scrub_counts *n)
{
	unsigned findings = 0;
	int ret;

	memset(n, 0, sizeof(*n));
	do
		ret = scrub_step(n, w->v, found, &findings);
	while (ret == 1);
	assert_int_equal(ret, 0);
	assert_int_equal(findings, n->findings);
	return findings;
}

static void
begin(struct sweep_world *w, uint64_t seed)
{
	uint64_t k;

	sw_make(w, seed);
	assert_int_equal(sw_open(w), 0);
	for (k = 0; k < 4; k++)
		assert_int_equal(sw_backup(w, k % 2, k, SW_ASK), 0);
}

static void
test_healthy(void **state)
{
	struct scrub_counts n;
	struct sweep_world w;
	uint64_t changes, bytes;

	(void)state;
	begin(&w, 1);
	changes = backend_mem_changes(w.b);
	assert_int_equal(scrub(&w, &n), 0);
	assert_int_equal(n.bytes, sw_bytes(&w));
	assert_int_equal(scrub_bytes(&bytes, w.v), 0);
	assert_int_equal(bytes, n.bytes);
	assert_int_equal(backend_mem_changes(w.b), changes);
	sw_end(&w);
}

static void
test_damage_is_healed(void **state)
{
	struct scrub_counts n;
	struct sweep_world w;

	(void)state;
	begin(&w, 2);
	/* Nobody has seen it yet. */
	sw_flip(&w, 1021);
	assert_true(sw_has(&w, 2));
	assert_int_equal(scrub(&w, &n), 1);
	assert_false(sw_has(&w, 2));
	/* It is told once. */
	assert_int_equal(scrub(&w, &n), 0);
	/* The same tree once more, though nothing has changed. */
	assert_int_equal(sw_backup(&w, 0, 2, SW_ASK), 0);
	assert_true(sw_has(&w, 2));
	assert_int_equal(sw_wrong(&w), 0);
	sw_end(&w);
}

static void
test_goes_on_after_a_restart(void **state)
{
	struct scrub_counts all, n;
	struct sweep_world w;
	unsigned findings = 0, k;

	(void)state;
	begin(&w, 3);
	assert_int_equal(scrub(&w, &all), 0);
	memset(&n, 0, sizeof(n));
	for (k = 0; k < all.packs; k++) {
		assert_int_equal(scrub_step(&n, w.v, found, &findings), 1);
		sw_close(&w);
		assert_int_equal(sw_open(&w), 0);
	}
	assert_int_equal(n.bytes, all.bytes);
	assert_int_equal(scrub_step(&n, w.v, found, &findings), 0);
	/* And begins anew. */
	assert_int_equal(scrub_step(&n, w.v, found, &findings), 1);
	/* In the middle of a round it can be begun anew, too. */
	assert_int_equal(scrub_rewind(w.v), 0);
	assert_int_equal(scrub(&w, &n), 0);
	assert_int_equal(n.bytes, all.bytes);
	sw_end(&w);
}

/* What a tick may read adds up to everything in time, and not to more. */
static void
test_share(void **state)
{
	static const uint64_t totals[] = {0, 1u << 20, UINT64_C(1) << 30,
	    UINT64_C(1) << 44, UINT64_C(1) << 50};
	uint64_t ticks = 30 * 24 * 60;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
		uint64_t sum = ticks * scrubber_share(totals[i], 60000, 30);

		assert_true(sum <= totals[i]);
		assert_true(sum + ticks >= totals[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_healthy),
	    cmocka_unit_test(test_damage_is_healed),
	    cmocka_unit_test(test_goes_on_after_a_restart),
	    cmocka_unit_test(test_share),
	};

	if (sign_start() < 0)
		return 1;
	/* In memory where there is such a place: the index syncs a lot. */
	if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0 &&
	    setenv("TMPDIR", "/dev/shm", 1) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
