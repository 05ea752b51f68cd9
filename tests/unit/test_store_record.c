/* store/record: what is written is read, and every flip is noticed. */

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "lib/store_fixture.h"
#include "store/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
make_meta(struct buf *b)
{
	uint8_t refs[3 * 32], id[32];
	int i;

	for (i = 0; i < 3; i++)
		fixture_id(refs + (size_t)32 * i, (uint64_t)i);
	fixture_id(id, 100);
	fixture_meta(b, id, refs, 3, 77);
}

static void
test_round_trip(void **state)
{
	struct buf b = BUF_INIT;
	struct record r, first;
	uint8_t id[32], members[2 * 32];

	(void)state;
	make_meta(&b);
	assert_int_equal(record_decode(&r, b.data, b.len), 0);
	assert_int_equal(r.class, RECORD_META);
	assert_int_equal(r.nrefs, 3);
	assert_int_equal(r.sealed_len, 77);
	fixture_id(id, 100);
	assert_memory_equal(r.id, id, 32);
	assert_true(record_ids_sorted(r.refs, 3));
	first = r;

	/* A second one behind it: parsing tells where it begins. */
	fixture_id(members, 7);
	memcpy(members + 32, members, 32);
	fixture_data(&b, id, members, 2, 1000);
	assert_int_equal(record_parse(&r, b.data, b.len), 0);
	assert_int_equal(r.len, first.len);
	assert_int_equal(
	    record_decode(&r, b.data + first.len, b.len - first.len), 0);
	assert_int_equal(r.nmembers, 2);
	assert_memory_equal(r.members, members, 64);
	/* Bytes left over are damage. */
	assert_int_equal(record_decode(&r, b.data, b.len), ERR_DAMAGED);
	buf_release(&b);
}

static void
test_every_flip_and_length(void **state)
{
	struct buf b = BUF_INIT;
	struct record r;
	size_t i;
	int bit;

	(void)state;
	make_meta(&b);
	for (i = 0; i < b.len; i++) {
		for (bit = 0; bit < 8; bit++) {
			b.data[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(
			    record_decode(&r, b.data, b.len), ERR_DAMAGED);
			b.data[i] ^= (uint8_t)(1 << bit);
		}
		assert_int_equal(record_decode(&r, b.data, i), ERR_DAMAGED);
	}
	assert_int_equal(record_decode(&r, b.data, b.len), 0);
	buf_release(&b);
}

/* Length and checksum of each, and nothing else. */
static void
test_sums(void **state)
{
	uint8_t expected[32], sums[72], found[32];
	struct buf b = BUF_INIT;
	struct hash h;
	size_t one, i;

	(void)state;
	make_meta(&b);
	one = b.len;
	make_meta(&b);
	assert_int_equal(b.len, 2 * one);
	for (i = 0; i < 2; i++) {
		bytes_put32(sums + 36 * i, (uint32_t)one);
		memcpy(sums + 36 * i + 4, b.data + one * (i + 1) - 32, 32);
	}
	hash_bytes(expected, sums, sizeof(sums));
	hash_init(&h);
	assert_int_equal(record_feed_sums(&h, b.data, b.len), 0);
	hash_final(&h, found);
	assert_memory_equal(found, expected, 32);
	for (i = 1; i < b.len; i++) {
		hash_init(&h);
		assert_int_equal(record_feed_sums(&h, b.data, i),
		    i == one ? 0 : ERR_DAMAGED);
	}
	assert_int_equal(record_check_bytes(b.data, one), 0);
	for (i = 0; i < one; i++)
		assert_int_equal(record_check_bytes(b.data, i), ERR_DAMAGED);
	buf_release(&b);
}

static void
test_rules(void **state)
{
	struct buf b = BUF_INIT;
	struct record r;
	uint8_t swap[32];

	(void)state;
	make_meta(&b);
	/* Unsorted refs are refused even with a right checksum. */
	memcpy(swap, b.data + RECORD_HEADER_BYTES, 32);
	memcpy(b.data + RECORD_HEADER_BYTES, b.data + RECORD_HEADER_BYTES + 32,
	    32);
	memcpy(b.data + RECORD_HEADER_BYTES + 32, swap, 32);
	hash_bytes(b.data + b.len - 32, b.data, b.len - 32);
	assert_int_equal(record_decode(&r, b.data, b.len), ERR_DAMAGED);
	buf_reset(&b);

	/* Class data has no refs, class meta no members. */
	make_meta(&b);
	b.data[4] = RECORD_DATA;
	hash_bytes(b.data + b.len - 32, b.data, b.len - 32);
	assert_int_equal(record_decode(&r, b.data, b.len), ERR_DAMAGED);
	b.data[4] = RECORD_META;
	bytes_put32(b.data + 12, 0);
	bytes_put32(b.data + 16, 3);
	hash_bytes(b.data + b.len - 32, b.data, b.len - 32);
	assert_int_equal(record_decode(&r, b.data, b.len), ERR_DAMAGED);
	/* No frame is below 12 bytes, so none is sealed in fewer than 52. */
	buf_reset(&b);
	fixture_data(&b, swap, NULL, 0, 52);
	assert_int_equal(record_decode(&r, b.data, b.len), 0);
	bytes_put32(b.data + 20, 51);
	hash_bytes(b.data + b.len - 33, b.data, b.len - 33);
	assert_int_equal(record_decode(&r, b.data, b.len - 1), ERR_DAMAGED);
	buf_reset(&b);
	make_meta(&b);
	/* Counts beyond the limits are refused before memory is looked at. */
	bytes_put32(b.data + 16, 0);
	bytes_put32(b.data + 12, LIMIT_REFS + 1);
	assert_int_equal(record_parse(&r, b.data, SIZE_MAX / 2), ERR_DAMAGED);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_every_flip_and_length),
	    cmocka_unit_test(test_sums),
	    cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
