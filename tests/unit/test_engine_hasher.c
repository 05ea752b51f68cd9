/* A hash made beside the thread that reads is that of the bytes in order,
 * whoever computes its pieces. */

#include "base/err.h"
#include "engine/hasher.h"
#include "lib/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define BYTES (8u << 20)

static uint8_t *data;

static int
start(void **state)
{
	(void)state;
	data = malloc(BYTES);
	if (data == NULL)
		return 1;
	fill_random(data, BYTES, 1);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	free(data);
	return 0;
}

/* Pieces of many lengths, most given to the crew. */
static void
check(struct hasher *h, size_t len)
{
	uint8_t expected[HASH_BYTES], got[HASH_BYTES];
	size_t at = 0, n = 1;
	unsigned left;

	hash_bytes(expected, data, len);
	hasher_begin(h);
	for (; at < len; at += n, n = n * 3 + 1) {
		n = n < len - at ? n : len - at;
		hasher_add(h, data + at, n);
		left = (unsigned)(n % 5);
		if (n % 2 == 0) {
			hasher_wait(h, left);
			assert_true(hasher_pending(h) <= left);
		}
	}
	hasher_final(h, got);
	assert_memory_equal(got, expected, HASH_BYTES);
}

static void
check_all(struct crew *crew)
{
	struct hasher *h = aligned_alloc(_Alignof(struct hasher), sizeof(*h));
	int i;

	assert_non_null(h);
	hasher_init(h, crew);
	for (i = 0; i < 20; i++) {
		check(h, BYTES);
		check(h, BYTES - (size_t)i * 1000);
		check(h, (size_t)i * 70000);
	}
	/* One that is given up does not reach into the next. */
	hasher_begin(h);
	hasher_add(h, data, BYTES);
	check(h, 3000000);
	hasher_release(h);
	free(h);
}

static void
test_alone(void **state)
{
	(void)state;
	check_all(NULL);
}

static void
test_beside(void **state)
{
	void *contexts[2] = {NULL, NULL};
	struct crew *crew;

	(void)state;
	assert_int_equal(crew_start(&crew, contexts, 2), 0);
	check_all(crew);
	crew_stop(crew);
}

/* Many pieces wait; the last ones may, and those before them are hashed. */
static void
test_many(void **state)
{
	void *contexts[1] = {NULL};
	uint8_t expected[HASH_BYTES], got[HASH_BYTES];
	struct hasher *h = aligned_alloc(_Alignof(struct hasher), sizeof(*h));
	struct crew *crew;
	unsigned round, i, left;

	(void)state;
	assert_non_null(h);
	assert_int_equal(crew_start(&crew, contexts, 1), 0);
	hasher_init(h, crew);
	hash_bytes(expected, data, BYTES);
	for (round = 0; round < 50; round++) {
		hasher_begin(h);
		for (i = 0; i < BYTES >> 20; i++) {
			hasher_add(h, data + ((size_t)i << 20), 1u << 20);
			assert_true(hasher_pending(h) <= HASHER_PIECES);
			left = (round + i) % (HASHER_PIECES + 1);
			hasher_wait(h, left);
			assert_true(hasher_pending(h) <= left);
		}
		hasher_final(h, got);
		assert_memory_equal(got, expected, HASH_BYTES);
		assert_int_equal(hasher_pending(h), 0);
	}
	hasher_release(h);
	crew_stop(crew);
	free(h);
}

/* Nobody is free: what was given is taken back, whatever stands before it. */
struct blocker {
	struct crew_task task;
	struct pool_lock lock;
	struct pool_cond changed;
	int began, go;
};

static void
block(struct crew_task *task, void *context)
{
	struct blocker *b = (struct blocker *)(void *)task;

	(void)context;
	pool_lock_enter(&b->lock);
	b->began = 1;
	pool_cond_wake_all(&b->changed);
	while (!b->go)
		pool_cond_wait(&b->changed, &b->lock);
	pool_lock_leave(&b->lock);
}

static void
count(struct crew_task *task, void *context)
{
	(void)task;
	++*(unsigned *)context;
}

static void
test_busy(void **state)
{
	struct crew_task before = {.run = count}, behind = {.run = count};
	struct blocker b = {.task = {.run = block}};
	unsigned ran = 0;
	void *contexts[1] = {&ran};
	struct crew *crew;

	(void)state;
	pool_lock_init(&b.lock);
	pool_cond_init(&b.changed);
	assert_int_equal(crew_start(&crew, contexts, 1), 0);
	crew_submit(crew, &b.task, 1);
	pool_lock_enter(&b.lock);
	while (!b.began)
		pool_cond_wait(&b.changed, &b.lock);
	pool_lock_leave(&b.lock);
	assert_int_equal(crew_withdraw(crew, &b.task), 0); /* it has begun */
	check_all(crew);
	crew_submit(crew, &before, 1);
	check_all(crew);
	crew_submit(crew, &behind, 1);
	assert_int_equal(crew_withdraw(crew, &before), 1);
	assert_int_equal(crew_withdraw(crew, &before), 0);
	crew_submit(crew, &before, 1);
	pool_lock_enter(&b.lock);
	b.go = 1;
	pool_cond_wake_all(&b.changed);
	pool_lock_leave(&b.lock);
	crew_stop(crew);
	assert_int_equal(ran, 2);
	pool_cond_release(&b.changed);
	pool_lock_release(&b.lock);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_alone),
	    cmocka_unit_test(test_beside),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_busy),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
