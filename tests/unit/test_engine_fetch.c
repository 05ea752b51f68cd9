/* Objects from a store: right bytes or an error, and few requests. */

#include "base/err.h"
#include "engine/fetch.h"
#include "lib/fill.h"
#include "lib/memory_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OBJECTS 100u
#define BYTES 10000u

struct fixture {
	struct memory_store *m;
	struct fetch *f;
	uint8_t ids[OBJECTS * OBJECT_ID_BYTES];
	uint8_t data[OBJECTS + BYTES];
};

static const uint8_t *
id_of(const struct fixture *f, unsigned i)
{
	return f->ids + i * OBJECT_ID_BYTES;
}

/* Even ones are trees as far as their type goes, odd ones chunks. */
static enum object_type
type_of(unsigned i)
{
	return i % 2 == 0 ? OBJECT_TREE : OBJECT_CHUNK;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct object o;
	unsigned i;

	f->m = memory_store_new();
	fill_random(f->data, sizeof(f->data), 1);
	for (i = 0; i < OBJECTS; i++) {
		object_init(&o, type_of(i));
		assert_int_equal(0, buf_append(&o.payload, f->data + i, BYTES));
		memory_store_put(f->m, &o);
		memcpy(f->ids + i * OBJECT_ID_BYTES, o.id, sizeof(o.id));
		object_release(&o);
	}
	/* Room for about ten. */
	assert_int_equal(
	    0, fetch_new(&f->f, &f->m->store, &f->m->keys, 12 * BYTES));
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	fetch_free(f->f);
	memory_store_free(f->m);
	free(f);
	return 0;
}

static void
reads(struct fixture *f, unsigned i, unsigned requests)
{
	unsigned before = f->m->gets;
	const struct object *o;

	assert_int_equal(0, fetch_get(&o, f->f, type_of(i), id_of(f, i)));
	assert_int_equal(BYTES, o->payload.len);
	assert_memory_equal(f->data + i, o->payload.data, BYTES);
	fetch_put(f->f, o);
	assert_int_equal(requests, f->m->gets - before);
}

static void
what_is_kept(void **state)
{
	struct fixture *f = *state;
	const struct object *o;
	unsigned i;

	reads(f, 0, 1);
	reads(f, 0, 0);
	for (i = 1; i < 8; i++)
		reads(f, i, 1);
	for (i = 0; i < 8; i++)
		reads(f, i, 0);
	/* One in use stays, however many come. */
	assert_int_equal(0, fetch_get(&o, f->f, type_of(3), id_of(f, 3)));
	for (i = 8; i < OBJECTS; i++)
		reads(f, i, 1);
	assert_memory_equal(f->data + 3, o->payload.data, BYTES);
	reads(f, 3, 0);
	fetch_put(f->f, o);
	reads(f, 0, 1);
}

static void
many_at_once(void **state)
{
	struct fixture *f = *state;
	uint8_t ids[8 * OBJECT_ID_BYTES];
	unsigned i, before = f->m->gets;

	/* Trees 0, 2, 4, 6, and three of them again, and one that is lost. */
	for (i = 0; i < 8; i++)
		memcpy(ids + i * OBJECT_ID_BYTES, id_of(f, i % 5 * 2),
		    OBJECT_ID_BYTES);
	memory_store_lose(f->m, id_of(f, 8));
	assert_int_equal(0, fetch_ahead(f->f, OBJECT_TREE, ids, 8));
	assert_int_equal(1, f->m->gets - before);
	for (i = 0; i < 4; i++)
		reads(f, 2 * i, 0);
	assert_false(fetch_has(f->f, OBJECT_TREE, id_of(f, 8)));
	assert_int_equal(0, fetch_ahead(f->f, OBJECT_TREE, ids, 4));
	assert_int_equal(0, fetch_ahead(f->f, OBJECT_TREE, ids, 0));
	assert_int_equal(1, f->m->gets - before);
	f->m->fail_get = f->m->gets + 1;
	f->m->fail_code = ERR_UNREACHABLE;
	assert_int_equal(
	    ERR_UNREACHABLE, fetch_ahead(f->f, OBJECT_TREE, id_of(f, 10), 1));
}

static void
fails(struct fixture *f, enum object_type type, unsigned i, const char *why)
{
	const struct object *o;

	assert_int_equal(ERR_DAMAGED, fetch_get(&o, f->f, type, id_of(f, i)));
	if (strstr(err_text(), why) == NULL)
		fail_msg("%s", err_text());
	assert_int_equal(0, strncmp(err_text(), "object ", 7));
}

static void
never_wrong_bytes(void **state)
{
	struct fixture *f = *state;
	struct buf *b, *other;
	size_t i;

	b = memory_store_record(f->m, id_of(f, 1));
	/* The checksum at its end is the store's to compare. */
	for (i = 0; i < b->len - HASH_BYTES; i += 97) {
		b->data[i] ^= 0x10;
		fails(f, OBJECT_CHUNK, 1, "");
		b->data[i] ^= 0x10;
	}
	/* A good record, of another object; the right one, as another type. */
	other = memory_store_record(f->m, id_of(f, 3));
	assert_int_equal(b->len, other->len);
	for (i = 0; i < b->len; i++) {
		uint8_t byte = b->data[i];

		b->data[i] = other->data[i];
		other->data[i] = byte;
	}
	fails(f, OBJECT_CHUNK, 1, "another id");
	fails(f, OBJECT_BUNDLE, 5, "");
	fails(f, OBJECT_TREE, 5, "another class");
	memory_store_lose(f->m, id_of(f, 7));
	fails(f, OBJECT_CHUNK, 7, "missing");
	assert_int_equal(0, f->m->reports);
	reads(f, 9, 1);
	/* Told at the end. */
	fetch_free(f->f);
	assert_true(f->m->reports > 3);
	assert_int_equal(
	    0, fetch_new(&f->f, &f->m->store, &f->m->keys, 12 * BYTES));
}

/* While the store has a good record, a bad one is no damage. */
static void
another_record(void **state)
{
	struct fixture *f = *state;
	struct buf *b = memory_store_record(f->m, id_of(f, 1));
	const struct object *o;

	memcpy(f->m->other_id, id_of(f, 1), 32);
	assert_int_equal(0, buf_append(&f->m->other, b->data, b->len));
	/* Whole for the store, but of another key. */
	b->data[b->len - 40] ^= 1;
	hash_bytes(b->data + b->len - 32, b->data, b->len - 32);
	assert_int_equal(0, fetch_get(&o, f->f, OBJECT_CHUNK, id_of(f, 1)));
	assert_memory_equal(f->data + 1, o->payload.data, BYTES);
	fetch_put(f->f, o);
	assert_int_equal(1, f->m->others);
	fetch_free(f->f);
	assert_int_equal(1, f->m->reports);
	assert_memory_equal(id_of(f, 1), f->m->reported, 32);
	/* Both are bad: said once, and the store is not asked for ever. */
	assert_int_equal(
	    0, fetch_new(&f->f, &f->m->store, &f->m->keys, 12 * BYTES));
	f->m->other.data[100] ^= 1;
	hash_bytes(f->m->other.data + f->m->other.len - 32, f->m->other.data,
	    f->m->other.len - 32);
	fails(f, OBJECT_CHUNK, 1, "");
	assert_int_equal(3, f->m->others);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(what_is_kept),
	    TEST(many_at_once),
	    TEST(never_wrong_bytes),
	    TEST(another_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
