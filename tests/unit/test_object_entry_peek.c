/* Peeking at encoded entries sees what was encoded, and never more bytes than
 * there are; a payload's refs can be placed among another object's. */

#include "base/err.h"
#include "lib/object_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct entry entries[OBJECT_FIXTURE_ENTRIES];

static void
encode(struct buf *payload, struct refs *refs, const struct entry *e)
{
	buf_init(payload);
	refs_init(refs);
	assert_int_equal(entry_encode(payload, refs, e), 0);
}

static void
fields(void **state)
{
	struct entry_peek peek;
	struct buf payload, sorted = BUF_INIT;
	const struct entry *e;
	struct refs refs;
	const uint8_t *id;
	unsigned i;

	(void)state;
	for (i = 0; i < OBJECT_FIXTURE_ENTRIES; i++) {
		e = &entries[i];
		encode(&payload, &refs, e);
		assert_int_equal(refs_finish(&sorted, &refs, &payload), 0);
		/* What is behind the entry does not matter. */
		assert_int_equal(buf_append(&payload, "behind", 6), 0);
		assert_int_equal(
		    entry_peek(&peek, payload.data, payload.len), 0);
		assert_int_equal(peek.len, payload.len - 6);
		assert_int_equal(peek.kind, e->kind);
		assert_int_equal(peek.flags, e->flags);
		assert_int_equal(peek.location, e->location);
		assert_int_equal(peek.size, e->size);
		assert_memory_equal(peek.address, e->address, HASH_BYTES);
		assert_int_equal(peek.name_len, e->name_len);
		assert_memory_equal(peek.name, e->name, e->name_len);
		assert_int_equal(
		    peek.xattr_ref != 0, (e->flags & ENTRY_XATTR_REF) != 0);
		if (e->location == ENTRY_AT_BUNDLE ||
		    e->location == ENTRY_AT_MAP ||
		    e->location == ENTRY_AT_TREE) {
			assert_int_equal(peek.nrefs, 1);
			id = sorted.data +
			     (size_t)bytes_get32(payload.data + peek.refs_at) *
				 OBJECT_ID_BYTES;
			assert_memory_equal(id, e->id, OBJECT_ID_BYTES);
		} else if (e->location == ENTRY_AT_EXTENTS) {
			assert_int_equal(peek.nrefs, e->nextents);
		} else {
			assert_int_equal(peek.nrefs, 0);
		}
		buf_release(&payload);
		refs_release(&refs);
	}
	buf_release(&sorted);
}

static void
cut_and_flipped(void **state)
{
	struct entry_peek peek;
	struct buf payload;
	struct refs refs;
	uint8_t *copy;
	unsigned i;
	size_t at;

	(void)state;
	for (i = 0; i < OBJECT_FIXTURE_ENTRIES; i++) {
		encode(&payload, &refs, &entries[i]);
		for (at = 0; at < payload.len; at++) {
			/* Memory of that length shows reads behind it. */
			copy = malloc(at + 1);
			assert_non_null(copy);
			memcpy(copy, payload.data, at);
			assert_int_equal(
			    entry_peek(&peek, copy, at), ERR_DAMAGED);
			free(copy);
			payload.data[at] ^= 0xff;
			if (entry_peek(&peek, payload.data, payload.len) == 0)
				assert_true(peek.len <= payload.len);
			payload.data[at] ^= 0xff;
		}
		buf_release(&payload);
		refs_release(&refs);
	}
}

static void
placed(void **state)
{
	struct buf payload, again, all = BUF_INIT, sorted = BUF_INIT;
	struct refs refs;
	unsigned i;
	int absent;

	(void)state;
	/* The refs of all entries together. */
	buf_init(&again);
	refs_init(&refs);
	for (i = 0; i < OBJECT_FIXTURE_ENTRIES; i++)
		assert_int_equal(entry_encode(&again, &refs, &entries[i]), 0);
	assert_int_equal(refs_finish(&all, &refs, &again), 0);
	refs_release(&refs);
	size_t at = 0;
	for (i = 0; i < OBJECT_FIXTURE_ENTRIES; i++) {
		encode(&payload, &refs, &entries[i]);
		assert_int_equal(refs_place(&refs, &payload, all.data,
				     (uint32_t)(all.len / OBJECT_ID_BYTES)),
		    0);
		assert_memory_equal(payload.data, again.data + at, payload.len);
		at += payload.len;
		buf_release(&payload);
		refs_release(&refs);
		encode(&payload, &refs, &entries[i]);
		absent = refs_uses(&refs) > 0;
		assert_int_equal(refs_place(&refs, &payload, NULL, 0), absent);
		assert_int_equal(refs_uses(&refs), 0);
		buf_release(&payload);
		refs_release(&refs);
	}
	assert_int_equal(at, again.len);
	buf_release(&again);
	buf_release(&all);
	buf_release(&sorted);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields),
	    cmocka_unit_test(cut_and_flipped),
	    cmocka_unit_test(placed),
	};

	object_fixture_entries(entries);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
