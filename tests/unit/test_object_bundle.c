/* Bundles of small files: where they end, and what readers reject. */

#include "object/bundle.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "lib/fill.h"
#include "lib/object_again.h"
#include "lib/object_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct again_bytes no_refs;
static uint8_t bytes[BUNDLE_BYTES_MAX + 1];

static void
test_members_come_back(void **state)
{
	struct bundle b;
	struct object o;
	uint8_t id[32];
	const uint8_t *p;
	size_t len;
	uint32_t i;
	int closed;

	(void)state;
	fill_random(bytes, sizeof(bytes), 1);
	bundle_init(&b);
	object_init(&o, OBJECT_CHUNK);
	for (i = 0; i < 20; i++) {
		object_fixture_id(id, i);
		assert_int_equal(
		    bundle_add(&closed, &b, id, bytes + i, 1 + i * 3), 0);
		assert_false(closed);
	}
	assert_int_equal(bundle_count(&b), 20);
	assert_int_equal(bundle_finish(&o, &b), 0);
	assert_int_equal(bundle_count(&b), 0);
	assert_int_equal(o.type, OBJECT_BUNDLE);
	assert_int_equal(object_nmembers(&o), 20);
	assert_int_equal(object_nrefs(&o), 0);
	for (i = 0; i < 20; i++) {
		object_fixture_id(id, i);
		assert_memory_equal(o.members.data + i * 32, id, 32);
		assert_int_equal(
		    bundle_member(&p, &len, i, o.payload.data, o.payload.len),
		    0);
		assert_int_equal(len, 1 + i * 3);
		assert_memory_equal(p, bytes + i, len);
	}
	assert_int_equal(
	    bundle_member(&p, &len, 20, o.payload.data, o.payload.len),
	    ERR_DAMAGED);
	assert_int_equal(bundle_check(20, o.payload.data, o.payload.len), 0);
	assert_int_equal(
	    bundle_check(19, o.payload.data, o.payload.len), ERR_DAMAGED);
	again_break(again_bundle, &no_refs, o.payload.data, o.payload.len);
	object_release(&o);
	bundle_release(&b);
}

static void
test_refusals(void **state)
{
	struct bundle b;
	struct object o;
	uint8_t id[32] = {0};
	uint32_t i;
	int closed;

	(void)state;
	bundle_init(&b);
	object_init(&o, OBJECT_BUNDLE);
	assert_int_equal(bundle_finish(&o, &b), ERR_FAIL);
	assert_int_equal(bundle_add(&closed, &b, id, bytes, 0), ERR_LIMIT);
	assert_int_equal(
	    bundle_add(&closed, &b, id, bytes, BUNDLE_BYTES_MAX + 1),
	    ERR_LIMIT);
	assert_int_equal(
	    bundle_add(&closed, &b, id, bytes, BUNDLE_BYTES_MAX), 0);
	assert_true(closed);
	assert_true(bundle_full(&b, 1));
	assert_int_equal(bundle_add(&closed, &b, id, bytes, 1), ERR_FAIL);
	bundle_reset(&b);
	for (i = 0; i < LIMIT_MEMBERS; i++) {
		assert_false(bundle_full(&b, 1));
		assert_int_equal(bundle_add(&closed, &b, id, bytes, 1), 0);
	}
	assert_true(bundle_full(&b, 1));
	assert_int_equal(bundle_finish(&o, &b), 0);
	assert_int_equal(
	    bundle_check(LIMIT_MEMBERS, o.payload.data, o.payload.len), 0);
	assert_true(o.payload.len <= LIMIT_PAYLOAD_BYTES);
	object_release(&o);
	bundle_release(&b);
}

/* The rule of the document, word by word. */
static int
ends(uint64_t held, const uint8_t *id, uint64_t n)
{
	unsigned __int128 limit = (unsigned __int128)n << 45;

	return held >= 512u << 10 && bytes_get64(id) < limit;
}

static void
test_ends_depend_on_content(void **state)
{
	struct bundle b;
	struct fill f;
	uint8_t id[32];
	uint64_t held = 0, bundles = 0, total = 0;
	uint32_t i;
	size_t len;
	int closed;

	(void)state;
	fill_init(&f, 3);
	bundle_init(&b);
	for (i = 0; i < 20000; i++) {
		object_fixture_id(id, i);
		len = 1 + fill_below(&f, i % 100 == 0 ? 600000 : 20000);
		if (bundle_full(&b, len)) {
			assert_true(held + len > BUNDLE_BYTES_MAX);
			bundle_reset(&b);
			held = 0;
			bundles++;
		}
		assert_int_equal(bundle_add(&closed, &b, id, bytes, len), 0);
		held += len;
		total += len;
		assert_int_equal(closed, ends(held, id, len));
		if (closed) {
			bundle_reset(&b);
			held = 0;
			bundles++;
		}
	}
	/* About 1 MiB each. */
	assert_in_range(total / bundles, 700u << 10, 1300u << 10);
	bundle_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_members_come_back),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_ends_depend_on_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
