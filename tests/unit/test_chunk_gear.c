/* Where the keyed Gear hash cuts; src/chunk/gear.h. */

#include "base/bytes.h"
#include "chunk/chunker.h"
#include "hash/hash.h"
#include "lib/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (1u << 20)

static const uint8_t key[32] = {1, 2, 3};

static void
start(struct chunker *c, const uint8_t k[32], const struct chunker_sizes *sizes)
{
	const struct chunker_params params = {CHUNKER_GEAR, *sizes};

	assert_int_equal(chunker_init(c, k, &params), 0);
}

static size_t
cut(const struct chunker *c, const uint8_t *p, size_t len, int final)
{
	size_t passed = 0;

	return chunker_cut(c, &passed, p, len, final);
}

static size_t
slow_cut(const struct gear *g, const struct chunker_sizes *params,
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
test_table(void **state)
{
	struct chunker c;
	struct hash h;
	uint8_t bytes[2048];
	unsigned i;

	(void)state;
	start(&c, key, &chunker_default.sizes);
	hash_init_keyed(&h, key);
	hash_update(&h, "gear", 4);
	hash_final_len(&h, bytes, sizeof(bytes));
	for (i = 0; i < 256; i++)
		assert_true(c.by.gear.table[i] == bytes_get64(bytes + 8 * i));
	/* 2^64 / 2^17 */
	assert_true(c.by.gear.threshold == (uint64_t)1 << 47);
	assert_int_equal(chunker_default.sizes.avg_bytes, 256 << 10);
	assert_int_equal(chunker_default.sizes.min_bytes, 128 << 10);
	assert_int_equal(chunker_default.sizes.max_bytes, 1 << 20);
}

static void
test_threshold(void **state)
{
	struct chunker_sizes params = {4096, 64, 8192};
	struct chunker g;

	(void)state;
	for (params.min_bytes = 64; params.min_bytes <= 4032;
	     params.min_bytes++) {
		start(&g, key, &params);
		assert_true(g.by.gear.threshold ==
			    (uint64_t)(((unsigned __int128)1 << 64) /
				       (4096 - params.min_bytes)));
	}
}

static void
test_same_as_slow(void **state)
{
	struct chunker_sizes params;
	struct chunker g;
	struct fill f;
	uint8_t *p = malloc(70000), k[32];
	size_t len, i, period;
	int round;

	(void)state;
	assert_non_null(p);
	fill_init(&f, 7);
	for (round = 0; round < 3000; round++) {
		params.avg_bytes = 4096 + (uint32_t)fill_below(&f, 4096);
		params.min_bytes =
		    64 + (uint32_t)fill_below(&f, params.avg_bytes - 127);
		params.max_bytes =
		    params.avg_bytes + (uint32_t)fill_below(&f, 30000);
		fill_random(k, sizeof(k), fill_next(&f));
		start(&g, k, &params);
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
		assert_int_equal(cut(&g, p, len, 0),
		    slow_cut(&g.by.gear, &params, p, len, 0));
		assert_int_equal(cut(&g, p, len, 1),
		    slow_cut(&g.by.gear, &params, p, len, 1));
	}
	free(p);
}

static void
test_every_cut(void **state)
{
	const struct chunker_sizes params = {4096, 64, 4096};
	struct chunker g;
	uint8_t p[400];
	size_t n, len;
	uint64_t h, lowest;

	(void)state;
	fill_random(p, sizeof(p), 8);
	start(&g, key, &params);
	lowest = UINT64_MAX;
	for (n = 1, h = 0; n <= sizeof(p); n++) {
		h = 2 * h + g.by.gear.table[p[n - 1]];
		if (n < 64 || h >= lowest)
			continue;
		/* A threshold that only this hash and later ones meet. */
		lowest = h;
		g.by.gear.threshold = h + 1;
		for (len = 0; len <= sizeof(p); len++)
			assert_int_equal(cut(&g, p, len, 0), len < n ? 0 : n);
	}
	g.by.gear.threshold = 0;
	assert_int_equal(cut(&g, p, sizeof(p), 0), 0);
	assert_int_equal(cut(&g, p, sizeof(p), 1), sizeof(p));
	assert_int_equal(cut(&g, p, 0, 1), 0);
	assert_int_equal(cut(&g, p, 0, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_threshold),
	    cmocka_unit_test(test_same_as_slow),
	    cmocka_unit_test(test_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
