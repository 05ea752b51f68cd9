#include "base/pool.h"

#include "base/clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define WORKERS 4
#define ITEMS 20000

struct shared {
	struct pool_lock lock;
	struct pool_cond cond;
	struct pool_queue *in;
	struct pool_queue *out;
	unsigned long count;
	int ready;
	int result;
};

static struct shared *
new_shared(size_t capacity)
{
	struct shared *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	pool_lock_init(&s->lock);
	pool_cond_init(&s->cond);
	assert_int_equal(pool_queue_new(&s->in, capacity), 0);
	assert_int_equal(pool_queue_new(&s->out, capacity), 0);
	return s;
}

static void
free_shared(struct shared *s)
{
	pool_queue_free(s->in);
	pool_queue_free(s->out);
	pool_cond_release(&s->cond);
	pool_lock_release(&s->lock);
	free(s);
}

static void
test_cpus(void **state)
{
	(void)state;
	assert_in_range(pool_cpus(), 1, 65536);
}

static void
test_queue_keeps_the_order(void **state)
{
	struct pool_queue *q = NULL;
	int items[10], round, i;
	void *p;

	(void)state;
	assert_int_equal(pool_queue_new(&q, 3), 0);
	assert_int_equal(pool_queue_try_pop(&p, q), 1);
	for (round = 0; round < 10; round++) {
		for (i = 0; i < 3; i++)
			assert_int_equal(pool_queue_push(q, &items[i]), 0);
		for (i = 0; i < 2; i++) {
			assert_int_equal(pool_queue_pop(&p, q), 0);
			assert_ptr_equal(p, &items[i]);
		}
		assert_int_equal(pool_queue_try_pop(&p, q), 0);
		assert_ptr_equal(p, &items[2]);
	}
	pool_queue_free(q);
	pool_queue_free(NULL);
}

static void
test_closed_queue_empties(void **state)
{
	struct pool_queue *q = NULL;
	int a, b;
	void *p;

	(void)state;
	assert_int_equal(pool_queue_new(&q, 4), 0);
	assert_int_equal(pool_queue_push(q, &a), 0);
	assert_int_equal(pool_queue_push(q, &b), 0);
	pool_queue_close(q);
	assert_int_equal(pool_queue_push(q, &a), 1);
	assert_int_equal(pool_queue_pop(&p, q), 0);
	assert_ptr_equal(p, &a);
	assert_int_equal(pool_queue_try_pop(&p, q), 0);
	assert_ptr_equal(p, &b);
	assert_int_equal(pool_queue_pop(&p, q), 1);
	assert_int_equal(pool_queue_try_pop(&p, q), 1);
	pool_queue_close(q);
	pool_queue_free(q);
}

static void
push_one(void *arg)
{
	struct shared *s = arg;

	s->result = pool_queue_push(s->in, s);
}

static void
pop_one(void *arg)
{
	struct shared *s = arg;
	void *p;

	s->result = pool_queue_pop(&p, s->in);
}

static void
test_closing_wakes_who_waits(void **state)
{
	struct shared *s = new_shared(1);
	struct pool_thread *t = NULL;

	(void)state;
	/* For an item. */
	s->result = -1;
	assert_int_equal(pool_thread_start(&t, pop_one, s), 0);
	usleep(10000);
	pool_queue_close(s->in);
	pool_thread_join(t);
	assert_int_equal(s->result, 1);
	pool_queue_free(s->in);
	/* For room. */
	assert_int_equal(pool_queue_new(&s->in, 1), 0);
	assert_int_equal(pool_queue_push(s->in, s), 0);
	s->result = -1;
	assert_int_equal(pool_thread_start(&t, push_one, s), 0);
	usleep(10000);
	pool_queue_close(s->in);
	pool_thread_join(t);
	assert_int_equal(s->result, 1);
	free_shared(s);
	pool_thread_join(NULL);
}

/* Hand on what comes in, each item once. */
static void
work(void *arg)
{
	struct shared *s = arg;
	void *p;

	while (pool_queue_pop(&p, s->in) == 0) {
		++*(int *)p;
		if (pool_queue_push(s->out, p) != 0)
			break;
		pool_lock_enter(&s->lock);
		s->count++;
		pool_lock_leave(&s->lock);
	}
}

static void
collect(void *arg)
{
	struct shared *s = arg;
	void *p;

	while (pool_queue_pop(&p, s->out) == 0)
		++*(int *)p;
}

static void
test_workers_see_each_item_once(void **state)
{
	struct pool_thread *workers[WORKERS], *collector = NULL;
	struct shared *s = new_shared(3);
	int *items = calloc(ITEMS, sizeof(*items));
	size_t i;

	(void)state;
	assert_non_null(items);
	assert_int_equal(pool_thread_start(&collector, collect, s), 0);
	for (i = 0; i < WORKERS; i++)
		assert_int_equal(pool_thread_start(&workers[i], work, s), 0);
	for (i = 0; i < ITEMS; i++)
		assert_int_equal(pool_queue_push(s->in, &items[i]), 0);
	pool_queue_close(s->in);
	for (i = 0; i < WORKERS; i++)
		pool_thread_join(workers[i]);
	pool_queue_close(s->out);
	pool_thread_join(collector);
	assert_int_equal(s->count, ITEMS);
	for (i = 0; i < ITEMS; i++)
		assert_int_equal(items[i], 2);
	free(items);
	free_shared(s);
}

static void
raise_ready(void *arg)
{
	struct shared *s = arg;

	pool_lock_enter(&s->lock);
	s->ready = 1;
	pool_cond_wake_all(&s->cond);
	pool_lock_leave(&s->lock);
}

static void
test_condition(void **state)
{
	struct shared *s = new_shared(1);
	struct pool_thread *t = NULL;
	int64_t start;

	(void)state;
	pool_lock_enter(&s->lock);
	start = clock_mono_ns();
	assert_int_equal(pool_cond_wait_ms(&s->cond, &s->lock, 20), 1);
	assert_true(clock_mono_ns() - start >= 19 * 1000000);
	assert_int_equal(pool_thread_start(&t, raise_ready, s), 0);
	while (!s->ready)
		pool_cond_wait(&s->cond, &s->lock);
	pool_lock_leave(&s->lock);
	pool_thread_join(t);

	s->ready = 0;
	pool_lock_enter(&s->lock);
	assert_int_equal(pool_thread_start(&t, raise_ready, s), 0);
	while (!s->ready)
		assert_int_equal(
		    pool_cond_wait_ms(&s->cond, &s->lock, 60999), 0);
	pool_lock_leave(&s->lock);
	pool_thread_join(t);
	free_shared(s);
}

static void
read_mask(void *arg)
{
	pthread_sigmask(SIG_BLOCK, NULL, arg);
}

static void
test_threads_leave_signals_to_main(void **state)
{
	struct pool_thread *t = NULL;
	sigset_t mask, before, after;

	(void)state;
	pthread_sigmask(SIG_BLOCK, NULL, &before);
	assert_int_equal(pool_thread_start(&t, read_mask, &mask), 0);
	pool_thread_join(t);
	assert_true(sigismember(&mask, SIGTERM));
	assert_true(sigismember(&mask, SIGINT));
	assert_true(sigismember(&mask, SIGPIPE));
	assert_false(sigismember(&mask, SIGSEGV));
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	assert_int_equal(
	    sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cpus),
	    cmocka_unit_test(test_queue_keeps_the_order),
	    cmocka_unit_test(test_closed_queue_empties),
	    cmocka_unit_test(test_closing_wakes_who_waits),
	    cmocka_unit_test(test_workers_see_each_item_once),
	    cmocka_unit_test(test_condition),
	    cmocka_unit_test(test_threads_leave_signals_to_main),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
