/* Of each bundle that was laid the cache knows whether half of it is used. */

#include "base/bytes.h"
#include "engine/usage.h"
#include "lib/tempdir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t check_key[32] = {1};
static const struct cache_head head = {.snapshot = {2}};

static void
make_id(uint8_t id[HASH_BYTES], uint32_t i)
{
	memset(id, 7, HASH_BYTES);
	bytes_put32(id, i * 2654435761u);
	bytes_put32(id + 4, i);
}

/* One run: bundle i of `laid` (from, to) is laid with 1000 bytes, and each
 * uses what `used` says. */
static unsigned
run(const char *dir, uint32_t laid_from, uint32_t laid_to, uint32_t n,
    uint64_t (*used)(uint32_t))
{
	struct usage u;
	struct cache *c;
	uint8_t id[HASH_BYTES];
	unsigned sparse;
	uint32_t i;

	usage_init(&u);
	assert_int_equal(cache_open(&c, dir, check_key, &head), 0);
	assert_int_equal(usage_load(&u, c), 0);
	sparse = (unsigned)(u.sparse.len / HASH_BYTES);
	for (i = laid_from; i < laid_to; i++) {
		make_id(id, i);
		usage_laid(&u, id, 1000);
	}
	for (i = 0; i < n; i++) {
		make_id(id, i);
		if (used(i) > 1)
			usage_used(&u, id, used(i) - 1);
		if (used(i) > 0)
			usage_used(&u, id, 1);
	}
	assert_int_equal(usage_save(&u, c), 0);
	assert_int_equal(
	    cache_finish(c, head.snapshot, head.root, head.generation), 0);
	cache_close(c);
	usage_release(&u);
	return sparse;
}

static uint64_t
all(uint32_t i)
{
	(void)i;
	return 1000;
}

static uint64_t
some(uint32_t i)
{
	return i % 10 == 0 ? 0 : i % 10 < 4 ? 499 : 500;
}

static void
half_used(void **state)
{
	char *dir = tempdir_new();
	struct usage u;
	struct cache *c;
	uint8_t id[HASH_BYTES];
	uint32_t i;

	(void)state;
	/* 3000 are laid; of the other 2000 nothing is known. */
	assert_int_equal(run(dir, 0, 3000, 5000, all), 0);
	assert_int_equal(run(dir, 3000, 3000, 5000, some), 0);
	usage_init(&u);
	assert_int_equal(cache_open(&c, dir, check_key, &head), 0);
	assert_int_equal(usage_load(&u, c), 0);
	for (i = 0; i < 5000; i++) {
		make_id(id, i);
		assert_int_equal(usage_is_sparse(&u, id),
		    i < 3000 && i % 10 >= 1 && i % 10 < 4);
	}
	cache_close(c);
	usage_release(&u);
	/* Used again; those of which nothing was left are forgotten. */
	assert_int_equal(run(dir, 3000, 3000, 5000, all), 900);
	assert_int_equal(run(dir, 3000, 3000, 5000, some), 0);
	assert_int_equal(run(dir, 3000, 3000, 0, all), 900);
	tempdir_free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(half_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
