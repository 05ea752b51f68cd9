/* What holds for every chunker; src/chunk/chunker.h. */

#include "base/err.h"
#include "base/limits.h"
#include "chunk/chunker.h"
#include "lib/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (1u << 20)
#define CUTS_MAX 20000

static const uint8_t key[32] = {1, 2, 3};
static const struct chunker_sizes small = {4096, 2048, 16384};

struct cuts {
	size_t at[CUTS_MAX]; /* ends of the chunks */
	size_t count;
};

static void
start(struct chunker *c, uint32_t id, const uint8_t k[32],
    const struct chunker_sizes *sizes)
{
	const struct chunker_params params = {id, *sizes};

	assert_int_equal(chunker_init(c, k, &params), 0);
}

static size_t
cut(const struct chunker *c, const uint8_t *p, size_t len, int final)
{
	size_t passed = 0;
	size_t n = chunker_cut(c, &passed, p, len, final);

	assert_int_equal(passed, n == 0 ? len : 0);
	return n;
}

static uint8_t *
take(size_t len)
{
	uint8_t *p = malloc(len);

	assert_non_null(p);
	return p;
}

static void
cut_all(struct cuts *c, const struct chunker *g, const uint8_t *p, size_t len)
{
	size_t done = 0, n;

	c->count = 0;
	while (done < len) {
		n = cut(g, p + done, len - done, 1);
		assert_true(n > 0 && n <= len - done && n <= g->max_bytes);
		assert_true(n >= g->min_bytes || done + n == len);
		done += n;
		assert_true(c->count < CUTS_MAX);
		c->at[c->count++] = done;
	}
}

static void
test_parameters(void **state)
{
	const uint32_t id = *(const uint32_t *)*state;
	static const struct chunker_sizes bad[] = {
	    {4095, 2048, 16384},
	    {MIB + 1, 2048, 2 * MIB},
	    {4096, 63, 16384},
	    {4096, 0, 16384},
	    {4096, 4096, 16384},
	    {4096, 4033, 16384},
	    {4096, 5000, 16384},
	    {4096, UINT32_MAX, 16384},
	    {4096, 2048, 4095},
	    {4096, 2048, 0},
	    {4096, 2048, LIMIT_PAYLOAD_BYTES + 1},
	    {4096, 2048, UINT32_MAX},
	    {0, 0, 0},
	    {UINT32_MAX, UINT32_MAX, UINT32_MAX},
	};
	static const struct chunker_sizes good[] = {
	    {4096, 64, 4096},
	    {4096, 4032, 16384},
	    {MIB, 64, LIMIT_PAYLOAD_BYTES},
	    {256 << 10, 128 << 10, MIB},
	};
	struct chunker c;
	struct chunker_params params = {id, {0, 0, 0}};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		params.sizes = bad[i];
		assert_int_equal(chunker_init(&c, key, &params), ERR_DAMAGED);
	}
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		params.sizes = good[i];
		assert_int_equal(chunker_init(&c, key, &params), 0);
	}
}

static void
test_streaming(void **state)
{
	const uint32_t id = *(const uint32_t *)*state;
	static const size_t steps[] = {1, 7, 1000, 4096, 20000};
	struct chunker g;
	struct cuts c;
	uint8_t *p = take(MIB / 8);
	size_t i, begin, have, n, index, passed;

	fill_random(p, MIB / 8, 9);
	start(&g, id, key, &small);
	cut_all(&c, &g, p, MIB / 8);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		for (begin = have = index = passed = 0; begin < MIB / 8;) {
			n = chunker_cut(&g, &passed, p + begin, have - begin,
			    have == MIB / 8);
			if (n == 0) {
				assert_true(have < MIB / 8);
				assert_int_equal(passed, have - begin);
				assert_true(have - begin < g.max_bytes);
				have += steps[i];
				if (have > MIB / 8)
					have = MIB / 8;
				continue;
			}
			begin += n;
			assert_int_equal(begin, c.at[index++]);
		}
		assert_int_equal(index, c.count);
	}
	free(p);
}

static void
test_mean(void **state)
{
	const uint32_t id = *(const uint32_t *)*state;
	struct chunker_sizes params = {4096, 2048, 1u << 20};
	struct chunker g;
	struct cuts c;
	uint8_t *p = take(16 * MIB);
	size_t mean;

	fill_random(p, 16 * MIB, 10);
	start(&g, id, key, &params);
	cut_all(&c, &g, p, 16 * MIB);
	mean = 16 * MIB / c.count;
	/* 4,096 chunks whose lengths deviate by 2,048: 32 is one sigma. */
	assert_in_range(mean, 4096 - 128, 4096 + 128);
	free(p);
}

/* What a change does: the cuts before it stay, those soon after it return. */
static void
check_edit(const struct chunker *g, const struct cuts *old, const uint8_t *p,
    size_t len, size_t at, int removed, int inserted)
{
	size_t new_len = len - (size_t)removed + (size_t)inserted;
	uint8_t *q = take(new_len);
	struct cuts c;
	size_t i, j, moved = 0, met = 0;

	memcpy(q, p, at);
	memset(q + at, 0xa5, (size_t)inserted);
	memcpy(q + at + inserted, p + at + removed, len - at - (size_t)removed);
	cut_all(&c, g, q, new_len);
	for (i = 0; i < old->count && old->at[i] <= at; i++)
		assert_int_equal(c.at[i], old->at[i]);
	for (j = i; j < c.count && !met; j++) {
		for (i = 0; i < old->count; i++)
			if (old->at[i] + (size_t)inserted ==
				c.at[j] + (size_t)removed &&
			    old->at[i] > at + 64)
				met = i + 1;
		moved++;
	}
	assert_true(met > 0);
	/* One cut in common, and all later ones are. */
	for (i = met; i < old->count; i++, j++)
		assert_int_equal(
		    c.at[j] + (size_t)removed, old->at[i] + (size_t)inserted);
	assert_int_equal(j, c.count);
	/* Cuts meet again after two or three chunks on average. */
	assert_true(moved <= 25);
	free(q);
}

static void
test_resync(void **state)
{
	const uint32_t id = *(const uint32_t *)*state;
	struct chunker g;
	struct cuts c;
	struct fill f;
	uint8_t *p = take(MIB);
	size_t i, at;

	fill_random(p, MIB, 11);
	fill_init(&f, 12);
	start(&g, id, key, &small);
	cut_all(&c, &g, p, MIB);
	for (i = 0; i < 100; i++) {
		at = fill_below(&f, MIB - 300000);
		check_edit(&g, &c, p, MIB, at, 0, 1);
		check_edit(&g, &c, p, MIB, at, 1, 0);
		check_edit(&g, &c, p, MIB, at, 1, 1);
		check_edit(&g, &c, p, MIB, at, 100, 3);
	}
	free(p);
}

/* Nothing to cut at: every chunk is as long as the first. */
static void
test_uniform(void **state)
{
	const uint32_t id = *(const uint32_t *)*state;
	struct chunker g;
	struct cuts c;
	uint8_t *p = take(MIB);
	size_t i;
	int byte;

	start(&g, id, key, &small);
	for (byte = 0; byte < 256; byte++) {
		memset(p, byte, MIB);
		cut_all(&c, &g, p, MIB);
		assert_true(
		    c.at[0] == small.min_bytes || c.at[0] == small.max_bytes);
		for (i = 0; i + 1 < c.count; i++)
			assert_int_equal(c.at[i], (i + 1) * c.at[0]);
	}
	free(p);
}

/* Of the cuts of a MiB hardly any are the same, but for its end. */
static void
assert_apart(const struct cuts *a, const struct cuts *b)
{
	size_t i, j, same = 0;

	for (i = 0; i + 1 < a->count; i++)
		for (j = 0; j + 1 < b->count; j++)
			same += a->at[i] == b->at[j];
	/* By chance: 256 cuts that meet one in 4096 times. */
	assert_true(same < 5);
}

static void
test_key_matters(void **state)
{
	const uint32_t id = *(const uint32_t *)*state;
	static const uint8_t other[32] = {1, 2, 4};
	struct chunker g;
	struct cuts a, b;
	uint8_t *p = take(MIB);

	fill_random(p, MIB, 13);
	start(&g, id, key, &small);
	cut_all(&a, &g, p, MIB);
	start(&g, id, other, &small);
	cut_all(&b, &g, p, MIB);
	assert_apart(&a, &b);
	free(p);
}

static void
test_names(void **state)
{
	struct chunker_params params = chunker_default;
	struct chunker c;

	(void)state;
	assert_string_equal(chunker_name(1), "gear");
	assert_string_equal(chunker_name(2), "private");
	assert_null(chunker_name(0));
	assert_null(chunker_name(3));
	assert_int_equal(chunker_by_name("gear"), 1);
	assert_int_equal(chunker_by_name("private"), 2);
	assert_int_equal(chunker_by_name(""), 0);
	assert_int_equal(chunker_by_name("Gear"), 0);
	for (params.id = 0; params.id < 10; params.id++)
		assert_int_equal(chunker_init(&c, key, &params),
		    params.id == 1 || params.id == 2 ? 0 : ERR_DAMAGED);
}

/* Other chunkers cut elsewhere, though their key is the same. */
static void
test_chunkers_differ(void **state)
{
	struct chunker g;
	struct cuts a, b;
	uint8_t *p = take(MIB);

	(void)state;
	fill_random(p, MIB, 14);
	start(&g, CHUNKER_GEAR, key, &small);
	cut_all(&a, &g, p, MIB);
	start(&g, CHUNKER_PRIVATE, key, &small);
	cut_all(&b, &g, p, MIB);
	assert_apart(&a, &b);
	free(p);
}

#define BOTH(test) \
	{#test "_gear", test, NULL, NULL, &gear}, \
	{ \
#test "_private", test, NULL, NULL, &private \
	}

int
main(void)
{
	static uint32_t gear = CHUNKER_GEAR, private = CHUNKER_PRIVATE;
	const struct CMUnitTest tests[] = {
	    BOTH(test_parameters),
	    BOTH(test_streaming),
	    BOTH(test_mean),
	    BOTH(test_resync),
	    BOTH(test_uniform),
	    BOTH(test_key_matters),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_chunkers_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
