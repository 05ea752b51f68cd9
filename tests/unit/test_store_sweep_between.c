/*
 * A sweep that has much to take out of `have` ends its transaction now and
 * then; what comes in between and needs what is about to leave is not lost.
 * The moment is that after LMDB's commit; it and the call that locks are
 * defined here.
 */

#include "lib/vault_world.h"
#include "sign/sign.h"
#include "store/session.h"
#include "store/sweep.h"

#include <dlfcn.h>
#include <lmdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* More than one transaction of rows, at two and more for each. */
#define DEAD 3000u

static int (*real_commit)(MDB_txn *t);
static int (*real_lock)(pthread_mutex_t *m);
static struct session *between; /* puts, after the next commit; NULL: nobody */
/* Locks that the thread takes until it begins anew: to leave its transaction,
 * then to enter another.  Before the second it holds nothing. */
static unsigned locks;
static unsigned fired;

/* The library's own; whatever starts first may lock. */
static void
find_calls(void)
{
	void *found;

	if (real_lock != NULL)
		return;
	found = dlsym(RTLD_NEXT, "mdb_txn_commit");
	memcpy(&real_commit, &found, sizeof(found));
	found = dlsym(RTLD_NEXT, "pthread_mutex_lock");
	memcpy(&real_lock, &found, sizeof(found));
}

int
mdb_txn_commit(MDB_txn *t)
{
	int rc;

	find_calls();
	rc = real_commit(t);
	if (between != NULL)
		locks = 2;
	return rc;
}

int
pthread_mutex_lock(pthread_mutex_t *m)
{
	struct session *s = between;

	find_calls();
	if (locks > 0 && --locks == 0) {
		between = NULL;
		fired++;
		world_put_meta(s, 70000, 1, 2);
		assert_int_equal(session_settle(s), 0);
	}
	return real_lock(m);
}

static void
test_newcomer_between(void **state)
{
	struct world *w = *state;
	struct sweep_options o = {.vault = w->v};
	struct buf missing = BUF_INIT;
	struct sweep *sweep;
	struct session *s = world_log_in(w);
	unsigned counts[3] = {0};
	uint32_t i;
	int ret;

	/* Uploads that the mount's next snapshot does not need. */
	for (i = 1; i <= DEAD; i++)
		world_put_data(s, i);
	assert_int_equal(session_settle(s), 0);
	world_put_data(s, 50000);
	world_put_meta(s, 60000, 50000, 1);
	assert_int_equal(world_commit(w, s, 60000, &missing), 0);
	assert_int_equal(session_close(s), 0);
	/* This one was told of two of them, and refers to them. */
	s = world_log_in(w);
	assert_true(world_have(s, 1));
	assert_true(world_have(s, 2));
	assert_int_equal(sweep_new(&sweep, &o), 0);
	between = s;
	do {
		ret = sweep_step(sweep);
		assert_true(between == NULL);
	} while (ret == SWEEP_MORE);
	assert_int_equal(fired, 1);
	assert_true(ret >= 0);
	assert_int_equal(world_commit(w, s, 70000, &missing), 0);
	assert_int_equal(session_close(s), 0);
	assert_int_equal(sweep_run(sweep), 0);
	sweep_free(sweep);
	s = world_log_in(w);
	world_get(counts, s, 1, 2);
	assert_int_equal(counts[STORE_GOT_RECORD], 2);
	assert_true(world_have(s, 1));
	assert_true(world_have(s, 70000));
	assert_false(world_have(s, DEAD));
	assert_int_equal(session_close(s), 0);
	buf_release(&missing);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_newcomer_between, world_set_up, world_tear_down),
	};
	if (sign_start() < 0)
		return 1;
	/* In memory where there is such a place: the index syncs a lot. */
	if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0 &&
	    setenv("TMPDIR", "/dev/shm", 1) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
