/* Answers in segments: every flip and every cut is noticed. */

#include "base/err.h"
#include "base/random.h"
#include "hash/hash.h"
#include "proto/body.h"
#include "proto/segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct taken {
	struct buf all;
	uint32_t flags;
};

static int
take(void *arg, const uint8_t *p, size_t len, uint32_t flags)
{
	struct taken *t = arg;

	t->flags = flags;
	return buf_append(&t->all, p, len);
}

static struct mac_session session;

static void
make_key(struct segment_key *k)
{
	memset(k, 0, sizeof(*k));
	memset(&session, 3, sizeof(session));
	k->session = &session;
	k->number = 42;
	k->status = 200;
	memset(k->request_mac, 9, sizeof(k->request_mac));
}

/* Three segments: 5 bytes, none, 100 bytes. */
static void
make_answer(struct buf *out)
{
	uint8_t long_one[100];
	struct segment_key k;

	make_key(&k);
	memset(long_one, 'x', sizeof(long_one));
	assert_int_equal(
	    segment_append(out, &k, 0, (const uint8_t *)"hello", 5), 0);
	assert_int_equal(segment_append(out, &k, 0, NULL, 0), 0);
	assert_int_equal(
	    segment_append(out, &k, SEGMENT_LAST, long_one, 100), 0);
}

/* Read `b` in pieces of `step` bytes; what came is in `t`. */
static int
read_all(struct taken *t, const struct buf *b, size_t step,
    const struct segment_key *with)
{
	struct segment_key k = *with;
	struct segment_reader r;
	size_t at, n;
	int ret = 0;

	buf_init(&t->all);
	segment_reader_init(&r, &k, SEGMENT_PAYLOAD_MAX);
	for (at = 0; at < b->len && ret == 0; at += n) {
		n = b->len - at < step ? b->len - at : step;
		ret = segment_reader_feed(&r, b->data + at, n, take, t);
	}
	if (ret == 0)
		ret = segment_reader_end(&r);
	segment_reader_release(&r);
	return ret;
}

static void
test_any_pieces(void **state)
{
	struct buf b = BUF_INIT;
	struct segment_key k;
	struct taken t;
	size_t step;

	(void)state;
	make_answer(&b);
	make_key(&k);
	for (step = 1; step <= b.len; step++) {
		assert_int_equal(read_all(&t, &b, step, &k), 0);
		assert_int_equal(t.all.len, 105);
		assert_memory_equal(t.all.data, "helloxx", 7);
		assert_int_equal(t.flags, SEGMENT_LAST);
		buf_release(&t.all);
	}
	buf_release(&b);
}

static void
test_every_flip_and_cut(void **state)
{
	struct buf b = BUF_INIT;
	struct segment_key k;
	struct taken t;
	size_t i, len;
	int bit;

	(void)state;
	make_answer(&b);
	make_key(&k);
	len = b.len;
	for (i = 0; i < len; i++) {
		for (bit = 0; bit < 8; bit++) {
			b.data[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(
			    read_all(&t, &b, 64, &k), ERR_UNREACHABLE);
			/* What was handed out before is right. */
			assert_true(t.all.len == 0 || t.all.len == 5);
			buf_release(&t.all);
			b.data[i] ^= (uint8_t)(1 << bit);
		}
		b.len = i;
		assert_int_equal(read_all(&t, &b, 64, &k), ERR_UNREACHABLE);
		buf_release(&t.all);
		b.len = len;
	}
	/* Nothing may follow the last one. */
	assert_int_equal(buf_append8(&b, 0), 0);
	assert_int_equal(read_all(&t, &b, 64, &k), ERR_UNREACHABLE);
	buf_release(&t.all);
	buf_release(&b);
}

static void
test_bound_to_the_request(void **state)
{
	struct buf b = BUF_INIT;
	struct mac_session other;
	struct segment_key k;
	struct taken t;
	int i;

	(void)state;
	make_answer(&b);
	for (i = 0; i < 6; i++) {
		make_key(&k);
		other = session;
		k.session = &other;
		if (i == 0)
			k.number++;
		if (i == 1)
			k.status = 500;
		if (i == 2)
			k.request_mac[31] ^= 1;
		if (i == 3)
			k.position = 1;
		if (i == 4)
			other.session[0] ^= 1;
		if (i == 5)
			other.answer_key[0] ^= 1;
		assert_int_equal(read_all(&t, &b, 64, &k), ERR_UNREACHABLE);
		assert_int_equal(t.all.len, 0);
		buf_release(&t.all);
	}
	buf_release(&b);
}

/* Nonzero when each item's record is what its last 32 bytes say. */
static int
records_right(const struct buf *b)
{
	struct body_items items;
	struct body_item i;
	uint8_t sum[HASH_BYTES];

	body_items_init(&items, b->data, b->len);
	while (body_items_next(&i, &items) == 0) {
		if (i.record == NULL)
			continue;
		hash_bytes(sum, i.record, i.len - HASH_BYTES);
		if (memcmp(sum, i.record + i.len - HASH_BYTES, HASH_BYTES) != 0)
			return 0;
	}
	return 1;
}

static void
append_item(struct buf *out, uint8_t status, uint8_t number)
{
	uint8_t id[32], record[100] = {0};

	memset(id, number, sizeof(id));
	memset(record, number, 68);
	hash_bytes(record + 68, record, 68);
	assert_int_equal(body_item_encode(out, status, id, record,
			     status == BODY_ITEM_RECORD ? sizeof(record) : 0),
	    0);
}

/*
 * With `records` the MAC passes over a record's bytes but not over its
 * checksum: every flip fails the one or the other.
 */
static void
test_records_by_their_checksums(void **state)
{
	struct buf items = BUF_INIT, b = BUF_INIT, swapped = BUF_INIT;
	struct segment_key k;
	struct taken t;
	size_t i, passed = 0;

	(void)state;
	append_item(&items, BODY_ITEM_RECORD, 1);
	append_item(&items, BODY_ITEM_ABSENT, 2);
	append_item(&items, BODY_ITEM_RECORD, 3);
	make_key(&k);
	k.records = 1;
	assert_int_equal(
	    segment_append(&b, &k, SEGMENT_LAST, items.data, items.len), 0);
	make_key(&k);
	k.records = 1;
	for (i = 0; i < b.len; i++) {
		int ret;

		b.data[i] ^= (uint8_t)(1 << i % 8);
		ret = read_all(&t, &b, 64, &k);
		if (ret == 0) {
			passed++;
			assert_false(records_right(&t.all));
		} else {
			assert_int_equal(ret, ERR_UNREACHABLE);
			assert_int_equal(t.all.len, 0);
		}
		buf_release(&t.all);
		b.data[i] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(passed, 2 * 68);
	/* The same records with their announcements the other way round. */
	append_item(&swapped, BODY_ITEM_RECORD, 3);
	append_item(&swapped, BODY_ITEM_ABSENT, 2);
	append_item(&swapped, BODY_ITEM_RECORD, 1);
	memcpy(b.data + SEGMENT_HEAD_BYTES, swapped.data, swapped.len);
	assert_int_equal(read_all(&t, &b, 64, &k), ERR_UNREACHABLE);
	buf_release(&t.all);
	/* A MAC of the one kind is none of the other, and errors have no
	 * items. */
	k.records = 0;
	memcpy(b.data + SEGMENT_HEAD_BYTES, items.data, items.len);
	assert_int_equal(read_all(&t, &b, 64, &k), ERR_UNREACHABLE);
	buf_release(&t.all);
	buf_reset(&b);
	make_key(&k);
	k.records = 1;
	assert_int_equal(
	    segment_append(&b, &k, 0, (const uint8_t *)"odd", 3), ERR_DAMAGED);
	buf_reset(&b);
	assert_int_equal(segment_append(&b, &k, SEGMENT_LAST | SEGMENT_ERROR,
			     (const uint8_t *)"odd", 3),
	    0);
	k.position = 0;
	assert_int_equal(read_all(&t, &b, 64, &k), 0);
	buf_release(&t.all);
	buf_release(&items);
	buf_release(&swapped);
	buf_release(&b);
}

static void
test_too_long(void **state)
{
	struct buf b = BUF_INIT;
	struct segment_key k;
	struct taken t;

	(void)state;
	/* A head that announces too much is refused before memory is. */
	make_key(&k);
	assert_int_equal(buf_append32(&b, 0x3fffffff), 0);
	assert_int_equal(read_all(&t, &b, 4, &k), ERR_UNREACHABLE);
	buf_release(&t.all);
	/* An error is always the last. */
	buf_reset(&b);
	assert_int_equal(buf_append32(&b, SEGMENT_ERROR), 0);
	assert_int_equal(read_all(&t, &b, 4, &k), ERR_UNREACHABLE);
	buf_release(&t.all);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_any_pieces),
	    cmocka_unit_test(test_every_flip_and_cut),
	    cmocka_unit_test(test_bound_to_the_request),
	    cmocka_unit_test(test_records_by_their_checksums),
	    cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
