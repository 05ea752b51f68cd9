/* store/idpos: finds what was put, wherever the ids lie by then. */

#include "lib/store_fixture.h"
#include "store/idpos.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Ids in an array that moves, and one id twice. */
static void
test_idpos(void **state)
{
	uint8_t *ids = malloc(1000 * 32), *moved = malloc(1000 * 32), id[32];
	struct idpos m;
	uint32_t i, pos;

	(void)state;
	assert_non_null(ids);
	assert_non_null(moved);
	idpos_init(&m);
	fixture_id(id, 0);
	assert_int_equal(idpos_get(&pos, &m, NULL, id), 1);
	for (i = 0; i < 999; i++) {
		fixture_id(ids + (size_t)i * 32, i);
		assert_int_equal(idpos_put(&m, ids, i), 0);
	}
	fixture_id(ids + (size_t)999 * 32, 5);
	assert_int_equal(idpos_put(&m, ids, 999), 0);
	assert_int_equal(m.len, 999);
	memcpy(moved, ids, 1000 * 32);
	free(ids);
	for (i = 0; i < 999; i++) {
		fixture_id(id, i);
		assert_int_equal(idpos_get(&pos, &m, moved, id), 0);
		assert_int_equal(pos, i);
	}
	fixture_id(id, 999);
	assert_int_equal(idpos_get(&pos, &m, moved, id), 1);
	idpos_release(&m);
	assert_int_equal(idpos_get(&pos, &m, moved, id), 1);
	free(moved);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_idpos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
