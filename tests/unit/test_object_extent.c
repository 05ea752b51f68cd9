/* Extents, and chunk maps of every size. */

#include "object/extent.h"

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

#ifdef OBJECT_FIXTURE_SLOW
#define HUGE_CHUNKS (UINT64_C(1) << 22)
#else
#define HUGE_CHUNKS (UINT64_C(1) << 26)
#endif

/* What a writer emitted. */
struct sink {
	uint64_t count[LIMIT_LEVELS];
	uint64_t bytes;
	int keep; /* fill `ids` */
	struct buf ids;
	struct object last;
	int fail_at; /* count down to a failure */
};

static int
emit(void *arg, struct object *o)
{
	struct sink *s = arg;
	struct object swap;

	if (s->fail_at > 0 && --s->fail_at == 0)
		return err_set(ERR_NOSPACE, "as told");
	assert_int_equal(o->type, OBJECT_MAP);
	object_name(o, object_fixture_id_key);
	s->count[o->payload.data[0]]++;
	s->bytes += o->payload.len;
	if (s->keep)
		assert_int_equal(buf_append(&s->ids, o->id, 32), 0);
	/* Take the content out, as a pipeline does. */
	swap = s->last;
	s->last = *o;
	*o = swap;
	memcpy(o->id, s->last.id, 32);
	return 0;
}

static void
sink_begin(struct sink *s)
{
	memset(s, 0, sizeof(*s));
	object_init(&s->last, OBJECT_MAP);
}

static void
sink_end(struct sink *s)
{
	object_release(&s->last);
	buf_release(&s->ids);
}

static void
add(struct extent_writer *w, int hole, uint64_t number, uint64_t length)
{
	struct extent e = {.hole = hole, .length = length};

	object_fixture_id(e.id, number);
	assert_int_equal(extent_writer_add(w, &e), 0);
}

static void
test_few_stay_a_list(void **state)
{
	struct extent_writer *w;
	struct extent_result r;
	struct sink s;
	uint32_t i, n;

	(void)state;
	sink_begin(&s);
	assert_int_equal(extent_writer_new(&w, emit, &s), 0);
	assert_int_equal(extent_writer_finish(&r, w), ERR_FAIL);
	for (n = 1; n <= 16; n++) {
		extent_writer_reset(w);
		for (i = 0; i < n; i++)
			add(w, i % 2, i, 10 + i);
		assert_int_equal(extent_writer_finish(&r, w), 0);
		assert_int_equal(r.count, n);
		for (i = 0; i < n; i++) {
			assert_int_equal(r.list[i].hole, i % 2);
			assert_int_equal(r.list[i].length, 10 + i);
		}
	}
	assert_int_equal(s.bytes, 0);
	extent_writer_reset(w);
	for (i = 0; i < 17; i++)
		add(w, 0, i, 1);
	assert_int_equal(extent_writer_finish(&r, w), 0);
	assert_int_equal(r.count, 0);
	assert_int_equal(r.level, 0);
	assert_int_equal(s.count[0], 1);
	assert_memory_equal(r.map, s.last.id, 32);
	extent_writer_free(w);
	sink_end(&s);
}

static void
test_holes_merge(void **state)
{
	struct extent_writer *w;
	struct extent_result r;
	struct buf list = BUF_INIT;
	const struct extent *e;
	struct sink s;
	uint32_t i;

	(void)state;
	sink_begin(&s);
	assert_int_equal(extent_writer_new(&w, emit, &s), 0);
	for (i = 0; i < 40; i++)
		add(w, 1, 0, 100);
	assert_int_equal(extent_writer_finish(&r, w), 0);
	assert_int_equal(r.count, 1);
	assert_true(r.list[0].hole);
	assert_int_equal(r.list[0].length, 4000);

	/* Also where a map is full: the hole waits for the next one. */
	extent_writer_reset(w);
	for (i = 0; i < 4095; i++)
		add(w, i % 2, 1, 1);
	for (i = 0; i < 1000; i++)
		add(w, 1, 1, 1);
	assert_int_equal(extent_writer_finish(&r, w), 0);
	assert_int_equal(r.level, 0);
	assert_int_equal(s.count[0], 1);
	assert_int_equal(
	    extent_map_decode(&list, 0, 5095, s.last.refs.data,
		object_nrefs(&s.last), s.last.payload.data, s.last.payload.len),
	    0);
	assert_int_equal(list.len / sizeof(*e), 4096);
	e = (const void *)list.data;
	assert_int_equal(e[4095].length, 1000);
	assert_true(e[4095].hole);
	buf_release(&list);
	extent_writer_free(w);
	sink_end(&s);
}

static void
test_refusals(void **state)
{
	struct extent_writer *w;
	struct extent e = {.length = 0};
	struct extent_result r;
	struct sink s;
	uint32_t i;

	(void)state;
	sink_begin(&s);
	assert_int_equal(extent_writer_new(&w, emit, &s), 0);
	assert_int_equal(extent_writer_add(w, &e), ERR_FAIL);
	e.length = UINT64_MAX;
	assert_int_equal(extent_writer_add(w, &e), 0);
	e.length = 1;
	assert_int_equal(extent_writer_add(w, &e), ERR_LIMIT);
	extent_writer_reset(w);
	for (i = 0; i < 100; i++)
		add(w, 0, i, 1);
	s.fail_at = 1;
	assert_int_equal(extent_writer_finish(&r, w), ERR_NOSPACE);
	extent_writer_reset(w);
	add(w, 0, 1, 1);
	assert_int_equal(extent_writer_finish(&r, w), 0);
	extent_writer_free(w);
	sink_end(&s);
}

/*
 * The rule of the document, level by level over a whole list of marks; returns
 * the level of the top and counts the maps.
 */
static unsigned
model(uint64_t count[LIMIT_LEVELS], uint64_t *marks, size_t n)
{
	unsigned level = 0;
	size_t i, in_map, maps;

	for (;; level++) {
		assert_true(level < LIMIT_LEVELS);
		in_map = maps = 0;
		for (i = 0; i < n; i++) {
			in_map++;
			if (in_map == 4096 || i + 1 == n ||
			    (in_map >= 64 &&
				(marks[i] >> 9 * level) % 512 == 0)) {
				marks[maps++] = marks[i];
				in_map = 0;
			}
		}
		count[level] = maps;
		if (maps == 1)
			return level;
		n = maps;
	}
}

static void
test_rule(void **state)
{
	struct extent_writer *w;
	struct extent_result r;
	struct sink s;
	struct fill f;
	uint64_t want[LIMIT_LEVELS], *marks, number;
	size_t n, i;
	unsigned round, level;

	(void)state;
	fill_init(&f, 11);
	marks = calloc(300000, sizeof(*marks));
	assert_non_null(marks);
	for (round = 0; round < 60; round++) {
		n = 17 + fill_below(&f, round < 50 ? 3000 : 280000);
		sink_begin(&s);
		assert_int_equal(extent_writer_new(&w, emit, &s), 0);
		for (i = 0; i < n; i++) {
			struct extent e = {.length = 1 + i};

			/* Chunks that repeat, and marks that close often. */
			number = round % 3 == 0 ? i % 5 : i;
			object_fixture_id(e.id, number);
			if (round % 4 == 1 && e.id[1] < 40)
				memset(e.id, 0, 1 + e.id[1] % 8);
			e.hole = round % 5 == 2 && i % 2 == 1;
			marks[i] = e.hole ? UINT64_MAX : bytes_get64(e.id);
			assert_int_equal(extent_writer_add(w, &e), 0);
		}
		assert_int_equal(extent_writer_finish(&r, w), 0);
		memset(want, 0, sizeof(want));
		level = model(want, marks, n);
		assert_int_equal(r.level, level);
		assert_memory_equal(s.count, want, sizeof(want));
		extent_writer_free(w);
		sink_end(&s);
	}
	free(marks);
}

/* Marks of zero would close at every level but for the least number. */
static void
test_repeating_chunk_of_zero_mark(void **state)
{
	struct extent_writer *w;
	struct extent_result r;
	struct sink s;
	struct extent e = {.length = 1 << 20};
	uint32_t i;

	(void)state;
	sink_begin(&s);
	assert_int_equal(extent_writer_new(&w, emit, &s), 0);
	for (i = 0; i < 1000000; i++)
		assert_int_equal(extent_writer_add(w, &e), 0);
	assert_int_equal(extent_writer_finish(&r, w), 0);
	assert_int_equal(s.count[0], 15625); /* 64 each */
	assert_int_equal(s.count[1], 245);
	assert_int_equal(s.count[2], 4);
	assert_int_equal(r.level, 3);
	extent_writer_free(w);
	sink_end(&s);
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

static void
test_insert_at_the_front(void **state)
{
	struct extent_writer *w;
	struct extent_result r;
	struct sink s[2];
	size_t i, fresh = 0;
	int k;

	(void)state;
	for (k = 0; k < 2; k++) {
		sink_begin(&s[k]);
		s[k].keep = 1;
		assert_int_equal(extent_writer_new(&w, emit, &s[k]), 0);
		if (k == 1)
			add(w, 0, 1000000, 5);
		for (i = 0; i < 100000; i++)
			add(w, 0, i, 200000 + i);
		assert_int_equal(extent_writer_finish(&r, w), 0);
		extent_writer_free(w);
	}
	assert_true(s[0].ids.len / 32 > 100);
	qsort(s[0].ids.data, s[0].ids.len / 32, 32, compare);
	for (i = 0; i < s[1].ids.len / 32; i++)
		if (bsearch(s[1].ids.data + i * 32, s[0].ids.data,
			s[0].ids.len / 32, 32, compare) == NULL)
			fresh++;
	assert_in_range(fresh, 2, 5);
	sink_end(&s[0]);
	sink_end(&s[1]);
}

/* 16 TiB in chunks of 256 KiB. */
static void
test_huge_file(void **state)
{
	struct extent_writer *w;
	struct extent_result r;
	struct extent e = {.length = 256 << 10};
	struct buf list = BUF_INIT;
	struct fill f;
	struct sink s;
	uint64_t i;
	long before;

	(void)state;
	fill_init(&f, 5);
	sink_begin(&s);
	assert_int_equal(extent_writer_new(&w, emit, &s), 0);
	before = object_fixture_peak_kib();
	for (i = 0; i < HUGE_CHUNKS; i++) {
		bytes_put64(e.id, fill_next(&f));
		bytes_put64(e.id + 8, i);
		assert_false(extent_writer_add(w, &e) != 0);
	}
	assert_int_equal(extent_writer_finish(&r, w), 0);
	assert_true(object_fixture_peak_kib() - before < 4096);
	/* Some 200 maps of level 1: one or two above them. */
	assert_in_range(r.level, 2, 3);
	assert_int_equal(s.count[r.level], 1);
	assert_in_range(HUGE_CHUNKS / s.count[0], 500, 650);
	assert_memory_equal(r.map, s.last.id, 32);
	assert_int_equal(extent_map_decode(&list, r.level, HUGE_CHUNKS << 18,
			     s.last.refs.data, object_nrefs(&s.last),
			     s.last.payload.data, s.last.payload.len),
	    0);
	buf_release(&list);
	extent_writer_free(w);
	sink_end(&s);
}

/* A map of `n` extents in `s->last`; every third one is a hole. */
static void
make_map(struct sink *s, uint32_t n)
{
	struct extent_writer *w;
	struct extent_result r;
	uint32_t i;

	sink_begin(s);
	assert_int_equal(extent_writer_new(&w, emit, s), 0);
	for (i = 0; i < n; i++)
		add(w, i % 3 == 1, i % 9, 100 + i);
	assert_int_equal(extent_writer_finish(&r, w), 0);
	assert_int_equal(r.level, 0);
	extent_writer_free(w);
}

static void
test_broken_maps(void **state)
{
	struct again_bytes a = {0};
	struct sink s;

	(void)state;
	make_map(&s, 30);
	a.refs = s.last.refs.data;
	a.nrefs = object_nrefs(&s.last);
	a.length = 30 * 100 + 30 * 29 / 2;
	again_break(again_map, &a, s.last.payload.data, s.last.payload.len);
	/* What must not be taken although the bytes are a map. */
	a.length++;
	assert_int_equal(again_map(&a, s.last.payload.data, s.last.payload.len),
	    ERR_DAMAGED);
	a.length--;
	a.level = 1;
	assert_int_equal(again_map(&a, s.last.payload.data, s.last.payload.len),
	    ERR_DAMAGED);
	a.level = 0;
	a.nrefs--;
	assert_int_equal(again_map(&a, s.last.payload.data, s.last.payload.len),
	    ERR_DAMAGED);
	/* Holes stand only in maps of level 0. */
	a.nrefs++;
	a.level = 1;
	s.last.payload.data[0] = 1;
	assert_int_equal(again_map(&a, s.last.payload.data, s.last.payload.len),
	    ERR_DAMAGED);
	a.level = s.last.payload.data[0] = 8;
	assert_int_equal(again_map(&a, s.last.payload.data, s.last.payload.len),
	    ERR_DAMAGED);
	sink_end(&s);
}

static void
put_extent(struct buf *b, uint32_t ref, uint64_t length)
{
	assert_int_equal(buf_append32(b, ref), 0);
	assert_int_equal(buf_append64(b, length), 0);
}

static void
test_lengths_that_overflow(void **state)
{
	struct again_bytes a = {0};
	struct buf b = BUF_INIT;
	uint8_t id[32] = {1};

	(void)state;
	a.refs = id;
	a.nrefs = 1;
	assert_int_equal(buf_append_zeros(&b, 4), 0);
	assert_int_equal(buf_append32(&b, 2), 0);
	put_extent(&b, 0, UINT64_MAX);
	put_extent(&b, 0, 11);
	a.length = 10;
	assert_int_equal(again_map(&a, b.data, b.len), ERR_DAMAGED);
	/* Two holes in a row. */
	b.len = 8;
	put_extent(&b, UINT32_MAX, 5);
	put_extent(&b, UINT32_MAX, 5);
	a.nrefs = 0;
	assert_int_equal(again_map(&a, b.data, b.len), ERR_DAMAGED);
	/* A count that would wrap when multiplied. */
	bytes_put32(b.data + 4, 0x15555558);
	assert_int_equal(again_map(&a, b.data, b.len), ERR_DAMAGED);
	bytes_put32(b.data + 4, 1);
	b.len = 8;
	put_extent(&b, UINT32_MAX, 10);
	assert_int_equal(again_map(&a, b.data, b.len), 0);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_few_stay_a_list),
	    cmocka_unit_test(test_holes_merge),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_rule),
	    cmocka_unit_test(test_repeating_chunk_of_zero_mark),
	    cmocka_unit_test(test_insert_at_the_front),
	    cmocka_unit_test(test_huge_file),
	    cmocka_unit_test(test_broken_maps),
	    cmocka_unit_test(test_lengths_that_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
