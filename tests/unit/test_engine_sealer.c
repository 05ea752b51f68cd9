/* Records arrive in the order of submission, each once; what does not read
 * back as it was never leaves. */

#include "base/err.h"
#include "engine/recent.h"
#include "engine/run.h"
#include "engine/sealer.h"
#include "lib/fill.h"
#include "seal/keys.h"
#include "seal/seal.h"
#include "store/record.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORKERS 3u
#define OBJECTS 500u

/* A store that remembers the ids in the order in which puts began. */
struct memory {
	struct store base;
	struct pool_lock lock;
	struct buf ids;
	unsigned asked;
	const uint8_t *known; /* the one id that it says it has */
};

static int
memory_put(struct store *s, const uint8_t *records, size_t len)
{
	struct memory *m = (struct memory *)(void *)s;
	struct record r;
	size_t at;

	pool_lock_enter(&m->lock);
	for (at = 0; at < len; at += r.len) {
		assert_int_equal(record_parse(&r, records + at, len - at), 0);
		assert_int_equal(record_check(&r), 0);
		assert_int_equal(buf_append(&m->ids, r.id, 32), 0);
	}
	pool_lock_leave(&m->lock);
	return 0;
}

static int
memory_have(struct store *s, uint8_t *bitmap, const uint8_t *ids, uint32_t n)
{
	struct memory *m = (struct memory *)(void *)s;
	uint32_t i;

	pool_lock_enter(&m->lock);
	m->asked++;
	pool_lock_leave(&m->lock);
	for (i = 0; i < n; i++)
		if (m->known != NULL && memcmp(ids + 32 * i, m->known, 32) == 0)
			bitmap[i / 8] |= (uint8_t)(1u << i % 8);
	return 0;
}

static const struct store_ops ops = {.have = memory_have, .put = memory_put};

struct fixture {
	struct run run;
	struct memory memory;
	struct keys keys;
	struct notes_counts counts;
	struct worker *workers[WORKERS];
};

static int
setup(void **state)
{
	static const uint8_t master[KEYS_BYTES] = {9};
	struct fixture *f = aligned_alloc(_Alignof(struct fixture), sizeof(*f));
	struct run_options o = {0};
	unsigned i;

	assert_non_null(f);
	memset(f, 0, sizeof(*f));
	o.counts = &f->counts;
	assert_int_equal(sign_start(), 0);
	keys_derive(&f->keys, master, 0);
	pool_lock_init(&f->memory.lock);
	f->memory.base.ops = &ops;
	assert_int_equal(run_init(&f->run, &o), 0);
	f->run.store = &f->memory.base;
	f->run.keys = &f->keys;
	for (i = 0; i < WORKERS; i++) {
		assert_int_equal(run_worker_new(&f->workers[i], &f->run), 0);
		assert_int_equal(
		    seal_new(&f->workers[i]->seal, &f->keys, &seal_default), 0);
	}
	assert_int_equal(
	    crew_start(&f->run.crew, (void *const *)f->workers, WORKERS), 0);
	assert_int_equal(sealer_new(&f->run.sealer, &f->run), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	unsigned i;

	sealer_free(f->run.sealer);
	crew_stop(f->run.crew);
	for (i = 0; i < WORKERS; i++)
		run_worker_free(f->workers[i]);
	run_release(&f->run);
	pool_lock_release(&f->memory.lock);
	buf_release(&f->memory.ids);
	free(f);
	return 0;
}

/* A chunk that depends on the number, of very different lengths. */
static void
make_object(struct object *o, const struct fixture *f, unsigned number)
{
	size_t len = 1 + (size_t)number * number * 37 % 300000;
	uint8_t *p;

	object_reset(o, OBJECT_CHUNK);
	assert_int_equal(buf_extend(&p, &o->payload, len), 0);
	fill_text(p, len, number);
	object_name(o, f->keys.id);
}

/* Several requests are under way at once: an id may come early by one request,
 * so all are there and none twice. */
static void
check_sent(const struct fixture *f, const struct buf *expected)
{
	size_t at, i;

	assert_int_equal(f->memory.ids.len, expected->len);
	for (i = 0; i < expected->len; i += 32) {
		for (at = 0; at < expected->len; at += 32)
			if (memcmp(f->memory.ids.data + at, expected->data + i,
				32) == 0)
				break;
		assert_true(at < expected->len);
	}
}

static void
test_order(void **state)
{
	struct fixture *f = *state;
	struct buf expected = BUF_INIT;
	struct object o;
	unsigned i;

	object_init(&o, OBJECT_CHUNK);
	for (i = 0; i < OBJECTS; i++) {
		make_object(&o, f, i);
		assert_int_equal(buf_append(&expected, o.id, 32), 0);
		assert_int_equal(sealer_submit(f->run.sealer, &o, NULL), 0);
		assert_true(sealer_knows(f->run.sealer, o.id));
		/* A second time it is not sent. */
		make_object(&o, f, i);
		assert_int_equal(sealer_submit(f->run.sealer, &o, NULL), 0);
	}
	assert_int_equal(sealer_finish(f->run.sealer), 0);
	assert_int_equal(f->counts.objects, OBJECTS);
	check_sent(f, &expected);
	object_release(&o);
	buf_release(&expected);
}

static void
test_flipped_bit(void **state)
{
	struct fixture *f = *state;
	struct object o;

	object_init(&o, OBJECT_CHUNK);
	make_object(&o, f, 77);
	o.payload.data[o.payload.len / 2] ^= 4;
	assert_int_equal(sealer_submit(f->run.sealer, &o, NULL), 0);
	assert_int_equal(sealer_finish(f->run.sealer), ERR_FAIL);
	assert_int_equal(f->memory.ids.len, 0);
	assert_int_equal(fate_result(&f->run.fate), ERR_FAIL);
	assert_non_null(strstr(err_text(), "memory"));
	object_release(&o);
}

/* What the store has is not sent. */
static void
test_offer(void **state)
{
	struct fixture *f = *state;
	struct buf expected = BUF_INIT;
	uint8_t known[32];
	struct object o;
	unsigned i;

	object_init(&o, OBJECT_CHUNK);
	make_object(&o, f, 3);
	memcpy(known, o.id, sizeof(known));
	f->memory.known = known;
	for (i = 0; i < OBJECTS; i++) {
		make_object(&o, f, i);
		if (i != 3)
			assert_int_equal(buf_append(&expected, o.id, 32), 0);
		/* Some are known to be new; all stay in their order. */
		if (i % 7 == 5)
			assert_int_equal(
			    sealer_submit(f->run.sealer, &o, NULL), 0);
		else
			assert_int_equal(
			    sealer_offer(f->run.sealer, &o, NULL), 0);
	}
	assert_int_equal(sealer_finish(f->run.sealer), 0);
	assert_true(f->memory.asked > 0);
	assert_int_equal(f->counts.objects, OBJECTS - 1);
	check_sent(f, &expected);
	buf_release(&expected);
	object_release(&o);
}

static void
test_recent(void **state)
{
	struct recent *r;
	uint8_t id[HASH_BYTES];
	uint64_t i, found = 0;

	(void)state;
	assert_int_equal(recent_new(&r, 4), 0);
	assert_int_equal(recent_places(r), 64);
	for (i = 0; i < 1000; i++) {
		hash_bytes(id, &i, sizeof(i));
		assert_int_equal(recent_find(r, id), RECENT_NONE);
		assert_true(recent_add(r, id) < 64);
		assert_true(recent_find(r, id) < 64);
	}
	for (i = 0; i < 1000; i++) {
		hash_bytes(id, &i, sizeof(i));
		if (recent_find(r, id) != RECENT_NONE)
			found++;
	}
	assert_int_equal(found, 64);
	recent_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_flipped_bit, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_offer, setup, teardown),
	    cmocka_unit_test(test_recent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
