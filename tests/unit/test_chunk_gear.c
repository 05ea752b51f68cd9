/* The chunker against a second, slow one, and the properties it promises. */

#include "chunk/gear.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "hash/hash.h"
#include "lib/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (1u << 20)
#define CUTS_MAX 20000

static const uint8_t key[32] = {1, 2, 3};
static const struct gear_params small = {4096, 2048, 16384};

struct cuts {
	size_t at[CUTS_MAX]; /* ends of the chunks */
	size_t count;
};

static uint8_t *
take(size_t len)
{
	uint8_t *p = malloc(len);

	assert_non_null(p);
	return p;
}

/* docs/format.md 6.1, word by word. */
static size_t
slow_cut(const struct gear *g, const struct gear_params *params,
    const uint8_t *p, size_t len, int final)
{
	unsigned __int128 threshold = ((unsigned __int128)1 << 64) /
				      (params->avg_bytes - params->min_bytes);
	uint64_t h = 0;
	size_t n;

	for (n = 1; n <= len && n <= params->max_bytes; n++) {
		if (n > params->min_bytes - 64)
			h = 2 * h + g->table[p[n - 1]];
		if (n >= params->min_bytes && h < threshold)
			return n;
		if (n == params->max_bytes)
			return n;
	}
	return final ? len : 0;
}

static void
cut_all(struct cuts *c, const struct gear *g, const uint8_t *p, size_t len)
{
	size_t done = 0, n;

	c->count = 0;
	while (done < len) {
		n = gear_cut(g, p + done, len - done, 1);
		assert_true(n > 0 && n <= len - done && n <= g->max_bytes);
		assert_true(n >= g->min_bytes || done + n == len);
		done += n;
		assert_true(c->count < CUTS_MAX);
		c->at[c->count++] = done;
	}
}

static void
test_table(void **state)
{
	struct gear g;
	struct hash h;
	uint8_t bytes[2048];
	unsigned i;

	(void)state;
	assert_int_equal(gear_init(&g, key, &gear_default), 0);
	hash_init_keyed(&h, key);
	hash_update(&h, "gear", 4);
	hash_final_len(&h, bytes, sizeof(bytes));
	for (i = 0; i < 256; i++)
		assert_true(g.table[i] == bytes_get64(bytes + 8 * i));
	/* 2^64 / 2^17 */
	assert_true(g.threshold == (uint64_t)1 << 47);
	assert_int_equal(gear_default.avg_bytes, 256 << 10);
	assert_int_equal(gear_default.min_bytes, 128 << 10);
	assert_int_equal(gear_default.max_bytes, 1 << 20);
}

static void
test_threshold(void **state)
{
	struct gear_params params = {4096, 64, 8192};
	struct gear g;

	(void)state;
	for (params.min_bytes = 64; params.min_bytes <= 4032;
	     params.min_bytes++) {
		assert_int_equal(gear_init(&g, key, &params), 0);
		assert_true(
		    g.threshold == (uint64_t)(((unsigned __int128)1 << 64) /
					      (4096 - params.min_bytes)));
	}
}

static void
test_parameters(void **state)
{
	static const struct gear_params bad[] = {
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
	static const struct gear_params good[] = {
	    {4096, 64, 4096},
	    {4096, 4032, 16384},
	    {MIB, 64, LIMIT_PAYLOAD_BYTES},
	    {256 << 10, 128 << 10, MIB},
	};
	struct gear g;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(gear_init(&g, key, &bad[i]), ERR_DAMAGED);
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(gear_init(&g, key, &good[i]), 0);
}

/* Data of many kinds, lengths around every limit, both values of final. */
static void
test_same_as_slow(void **state)
{
	struct gear_params params;
	struct gear g;
	struct fill f;
	uint8_t *p = take(70000), k[32];
	size_t len, i, period;
	int round;

	(void)state;
	fill_init(&f, 7);
	for (round = 0; round < 3000; round++) {
		params.avg_bytes = 4096 + (uint32_t)fill_below(&f, 4096);
		params.min_bytes =
		    64 + (uint32_t)fill_below(&f, params.avg_bytes - 127);
		params.max_bytes =
		    params.avg_bytes + (uint32_t)fill_below(&f, 30000);
		fill_random(k, sizeof(k), fill_next(&f));
		assert_int_equal(gear_init(&g, k, &params), 0);
		switch (round % 4) {
		case 0:
			len = fill_below(&f, 70000);
			break;
		case 1:
			len = params.min_bytes - 10 + fill_below(&f, 20);
			break;
		case 2:
			len = params.max_bytes - 10 + fill_below(&f, 20);
			break;
		default:
			len = fill_below(&f, 200);
		}
		switch (fill_below(&f, 4)) {
		case 0:
			memset(p, (int)fill_below(&f, 256), len);
			break;
		case 1:
			fill_text(p, len, fill_next(&f));
			break;
		case 2:
			fill_random(p, len, fill_next(&f));
			period = 1 + fill_below(&f, 300);
			for (i = period; i < len; i++)
				p[i] = p[i - period];
			break;
		default:
			fill_random(p, len, fill_next(&f));
		}
		assert_int_equal(
		    gear_cut(&g, p, len, 0), slow_cut(&g, &params, p, len, 0));
		assert_int_equal(
		    gear_cut(&g, p, len, 1), slow_cut(&g, &params, p, len, 1));
	}
	free(p);
}

/* Every cut position of the unrolled loop, and its last bytes. */
static void
test_every_cut(void **state)
{
	const struct gear_params params = {4096, 64, 4096};
	struct gear g;
	uint8_t p[400];
	size_t n, len;
	uint64_t h, lowest;

	(void)state;
	fill_random(p, sizeof(p), 8);
	assert_int_equal(gear_init(&g, key, &params), 0);
	lowest = UINT64_MAX;
	for (n = 1, h = 0; n <= sizeof(p); n++) {
		h = 2 * h + g.table[p[n - 1]];
		if (n < 64 || h >= lowest)
			continue;
		/* A threshold that only this hash and later ones meet. */
		lowest = h;
		g.threshold = h + 1;
		for (len = 0; len <= sizeof(p); len++)
			assert_int_equal(
			    gear_cut(&g, p, len, 0), len < n ? 0 : n);
	}
	g.threshold = 0;
	assert_int_equal(gear_cut(&g, p, sizeof(p), 0), 0);
	assert_int_equal(gear_cut(&g, p, sizeof(p), 1), sizeof(p));
	assert_int_equal(gear_cut(&g, p, 0, 1), 0);
	assert_int_equal(gear_cut(&g, p, 0, 0), 0);
}

/* Windows that grow by any step give the cuts of one call. */
static void
test_streaming(void **state)
{
	static const size_t steps[] = {1, 7, 1000, 4096, 20000};
	struct gear g;
	struct cuts c;
	uint8_t *p = take(MIB / 8);
	size_t i, start, have, n, index;

	(void)state;
	fill_random(p, MIB / 8, 9);
	assert_int_equal(gear_init(&g, key, &small), 0);
	cut_all(&c, &g, p, MIB / 8);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		for (start = have = index = 0; start < MIB / 8;) {
			n = gear_cut(
			    &g, p + start, have - start, have == MIB / 8);
			if (n == 0) {
				assert_true(have < MIB / 8);
				assert_true(have - start < g.max_bytes);
				have += steps[i];
				if (have > MIB / 8)
					have = MIB / 8;
				continue;
			}
			start += n;
			assert_int_equal(start, c.at[index++]);
		}
		assert_int_equal(index, c.count);
	}
	free(p);
}

static void
test_mean(void **state)
{
	struct gear_params params = {4096, 2048, 1u << 20};
	struct gear g;
	struct cuts c;
	uint8_t *p = take(16 * MIB);
	size_t mean;

	(void)state;
	fill_random(p, 16 * MIB, 10);
	assert_int_equal(gear_init(&g, key, &params), 0);
	cut_all(&c, &g, p, 16 * MIB);
	mean = 16 * MIB / c.count;
	/* 4,096 chunks whose lengths deviate by 2,048: 32 is one sigma. */
	assert_in_range(mean, 4096 - 128, 4096 + 128);
	free(p);
}

/* What a change does: the cuts before it stay, those soon after it return. */
static void
check_edit(const struct gear *g, const struct cuts *old, const uint8_t *p,
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
	struct gear g;
	struct cuts c;
	struct fill f;
	uint8_t *p = take(MIB);
	size_t i, at;

	(void)state;
	fill_random(p, MIB, 11);
	fill_init(&f, 12);
	assert_int_equal(gear_init(&g, key, &small), 0);
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
	struct gear g;
	struct cuts c;
	uint8_t *p = take(MIB);
	size_t i;
	int byte;

	(void)state;
	assert_int_equal(gear_init(&g, key, &small), 0);
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

static void
test_key_matters(void **state)
{
	static const uint8_t other[32] = {1, 2, 4};
	struct gear g;
	struct cuts a, b;
	uint8_t *p = take(MIB);
	size_t i, j, same = 0;

	(void)state;
	fill_random(p, MIB, 13);
	assert_int_equal(gear_init(&g, key, &small), 0);
	cut_all(&a, &g, p, MIB);
	assert_int_equal(gear_init(&g, other, &small), 0);
	cut_all(&b, &g, p, MIB);
	for (i = 0; i + 1 < a.count; i++)
		for (j = 0; j + 1 < b.count; j++)
			same += a.at[i] == b.at[j];
	/* By chance: 256 cuts that meet one in 4096 times. */
	assert_true(same < 5);
	free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_threshold),
	    cmocka_unit_test(test_parameters),
	    cmocka_unit_test(test_same_as_slow),
	    cmocka_unit_test(test_every_cut),
	    cmocka_unit_test(test_streaming),
	    cmocka_unit_test(test_mean),
	    cmocka_unit_test(test_resync),
	    cmocka_unit_test(test_uniform),
	    cmocka_unit_test(test_key_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
