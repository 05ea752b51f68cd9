/* Names of objects, and references by position. */

#include "object/refs.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "lib/fill.h"
#include "lib/object_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_ids_cover_everything(void **state)
{
	uint8_t a[32], b[32], refs[64], long_form[5 + 64 + 3];
	struct object o;

	(void)state;
	object_fixture_id(refs, 1);
	object_fixture_id(refs + 32, 2);
	long_form[0] = OBJECT_TREE;
	bytes_put32(long_form + 1, 2);
	memcpy(long_form + 5, refs, 64);
	memcpy(long_form + 69, "xyz", 3);
	hash_keyed(a, object_fixture_id_key, long_form, sizeof(long_form));
	object_id(b, object_fixture_id_key, OBJECT_TREE, refs, 2,
	    (const uint8_t *)"xyz", 3);
	assert_memory_equal(a, b, 32);

	object_init(&o, OBJECT_TREE);
	assert_int_equal(buf_append(&o.refs, refs, 64), 0);
	assert_int_equal(buf_append(&o.payload, "xyz", 3), 0);
	object_name(&o, object_fixture_id_key);
	assert_memory_equal(o.id, b, 32);
	assert_int_equal(object_nrefs(&o), 2);
	o.type = OBJECT_MAP;
	object_name(&o, object_fixture_id_key);
	assert_memory_not_equal(o.id, b, 32);
	object_reset(&o, OBJECT_CHUNK);
	assert_int_equal(object_nrefs(&o), 0);
	object_name(&o, object_fixture_id_key);
	object_id(a, object_fixture_id_key, OBJECT_CHUNK, NULL, 0, NULL, 0);
	assert_memory_equal(o.id, a, 32);
	object_release(&o);
	assert_int_equal(object_class(OBJECT_CHUNK), OBJECT_DATA);
	assert_int_equal(object_class(OBJECT_BUNDLE), OBJECT_DATA);
	assert_int_equal(object_class(OBJECT_MAP), OBJECT_META);
	assert_int_equal(object_class(OBJECT_TREE), OBJECT_META);
}

static void
test_positions(void **state)
{
	struct refs r;
	struct buf payload = BUF_INIT, ids = BUF_INIT;
	struct fill f;
	uint8_t id[32];
	uint64_t numbers[500];
	size_t i, pos;

	(void)state;
	fill_init(&f, 7);
	refs_init(&r);
	for (i = 0; i < 500; i++) {
		numbers[i] = fill_below(&f, 100);
		assert_int_equal(buf_append8(&payload, 0xee), 0);
		object_fixture_id(id, numbers[i]);
		assert_int_equal(refs_add(&r, &payload, id), 0);
	}
	assert_int_equal(refs_uses(&r), 500);
	assert_int_equal(refs_finish(&ids, &r, &payload), 0);
	assert_int_equal(payload.len, 500 * 5);
	for (i = 1; i < ids.len / 32; i++)
		assert_true(
		    memcmp(ids.data + i * 32 - 32, ids.data + i * 32, 32) < 0);
	for (i = 0; i < 500; i++) {
		assert_int_equal(payload.data[i * 5], 0xee);
		pos = bytes_get32(payload.data + i * 5 + 1);
		assert_true(pos < ids.len / 32);
		object_fixture_id(id, numbers[i]);
		assert_memory_equal(ids.data + pos * 32, id, 32);
	}
	/* Without any, the list is empty. */
	assert_int_equal(refs_uses(&r), 0);
	assert_int_equal(refs_finish(&ids, &r, &payload), 0);
	assert_int_equal(ids.len, 0);
	refs_release(&r);
	buf_release(&payload);
	buf_release(&ids);
}

static void
test_too_many(void **state)
{
	struct refs r;
	struct buf payload = BUF_INIT, ids = BUF_INIT;
	uint8_t id[32];
	uint32_t i;

	(void)state;
	refs_init(&r);
	for (i = 0; i < LIMIT_REFS; i++) {
		object_fixture_id(id, i);
		assert_int_equal(refs_add(&r, &payload, id), 0);
	}
	/* The same again is not one more. */
	assert_int_equal(refs_add(&r, &payload, id), 0);
	assert_int_equal(refs_finish(&ids, &r, &payload), 0);
	assert_int_equal(ids.len, (size_t)LIMIT_REFS * 32);
	buf_reset(&payload);
	for (i = 0; i <= LIMIT_REFS; i++) {
		object_fixture_id(id, i);
		assert_int_equal(refs_add(&r, &payload, id), 0);
	}
	assert_int_equal(refs_finish(&ids, &r, &payload), ERR_LIMIT);
	refs_release(&r);
	buf_release(&payload);
	buf_release(&ids);
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

static void
test_readers_check(void **state)
{
	uint8_t ids[9 * 32];
	struct refs_check c;
	uint32_t i;

	(void)state;
	for (i = 0; i < 9; i++)
		object_fixture_id(ids + i * 32, i);
	qsort(ids, 9, 32, compare);
	assert_int_equal(refs_check_init(&c, ids, 9), 0);
	for (i = 0; i < 8; i++)
		assert_int_equal(refs_check_use(&c, i), 0);
	assert_int_equal(refs_check_done(&c), ERR_DAMAGED);
	assert_int_equal(refs_check_use(&c, 9), ERR_DAMAGED);
	assert_int_equal(refs_check_use(&c, UINT32_MAX), ERR_DAMAGED);
	assert_int_equal(refs_check_use(&c, 8), 0);
	assert_int_equal(refs_check_use(&c, 8), 0);
	assert_int_equal(refs_check_done(&c), 0);
	refs_check_release(&c);

	assert_int_equal(refs_check_init(&c, NULL, 0), 0);
	assert_int_equal(refs_check_use(&c, 0), ERR_DAMAGED);
	assert_int_equal(refs_check_done(&c), 0);
	refs_check_release(&c);

	memcpy(ids + 32, ids, 32);
	assert_int_equal(refs_check_init(&c, ids, 9), ERR_DAMAGED);
	refs_check_release(&c);
	assert_int_equal(refs_check_init(&c, ids, LIMIT_REFS + 1), ERR_DAMAGED);
	refs_check_release(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ids_cover_everything),
	    cmocka_unit_test(test_positions),
	    cmocka_unit_test(test_too_many),
	    cmocka_unit_test(test_readers_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
