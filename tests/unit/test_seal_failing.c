/*
 * Every allocation and every call of a library that sealing makes fails once:
 * that is said, nothing leaks, no half sealed bytes are handed out, and the
 * next sealing gives the bytes that one gives which nothing disturbed.
 */

#include "base/err.h"
#include "fault/failing.h"
#include "lib/fill.h"
#include "seal/cipher.h"
#include "seal/keys.h"
#include "seal/seal.h"
#include "sign/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KINDS (FAILING_MEMORY | FAILING_LIBRARIES)
#define LARGE 300000u

static struct keys keys;
static uint8_t payload[LARGE], refs[2 * 32], id[32];

static struct seal_bind
bind_of(uint8_t type)
{
	struct seal_bind b = {.epoch = 1, .type = type, .id = id};

	b.refs = refs;
	b.nrefs = 2;
	return b;
}

/* Seal and open with contexts of its own; `sealed` gets the bytes. */
static int
seal_and_open(struct buf *sealed, uint8_t type, size_t len, int level)
{
	struct seal_options o = {.level = level, .pad = 1};
	struct seal_bind bind = bind_of(type);
	struct buf opened = BUF_INIT;
	struct seal *s;
	int ret = seal_new(&s, &keys, &o);

	if (ret < 0)
		return ret;
	ret = seal_wrap(sealed, s, &bind, payload, len);
	if (ret < 0)
		assert_int_equal(sealed->len, 0);
	if (ret == 0)
		ret = seal_unwrap(&opened, s, &bind, sealed->data, sealed->len);
	if (ret == 0) {
		assert_int_equal(opened.len, len);
		assert_memory_equal(opened.data, payload, len);
	} else {
		assert_int_equal(opened.len, 0);
	}
	buf_release(&opened);
	seal_free(s);
	return ret;
}

static void
each_place(uint8_t type, size_t len, int level, unsigned least)
{
	struct buf want = BUF_INIT, got = BUF_INIT;
	int ret;

	assert_int_equal(seal_and_open(&want, type, len, level), 0);
	while (failing_more()) {
		failing_arm();
		ret = seal_and_open(&got, type, len, level);
		failing_disarm();
		failing_check(ret, 0);
		buf_release(&got);
		if (failing_blocks() != 0)
			failing_fail("%d blocks leak", failing_blocks());
		assert_int_equal(seal_and_open(&got, type, len, level), 0);
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.data, want.data, want.len);
		buf_release(&got);
	}
	failing_check_count(least);
	buf_release(&want);
}

static void
test_text(void **state)
{
	(void)state;
	memset(payload, 'a', sizeof(payload));
	failing_start_ways(KINDS);
	each_place(4, LARGE, 0, 15);
	failing_start_ways(KINDS);
	each_place(1, 1000, 3, 15);
}

static void
test_incompressible(void **state)
{
	(void)state;
	fill_random(payload, sizeof(payload), 3);
	failing_start_ways(KINDS);
	each_place(2, LARGE, 0, 10);
	failing_start_ways(KINDS);
	each_place(1, 0, 0, 10);
}

/* One whose library refuses refuses for ever. */
static void
test_for_ever(void **state)
{
	(void)state;
	memset(payload, 'b', sizeof(payload));
	failing_start_forever(KINDS);
	each_place(1, 50000, 0, 15);
}

/* Bytes that were changed are refused as such, whatever was wrong before. */
static void
test_damage_after(void **state)
{
	struct seal_bind bind = bind_of(1);
	struct buf sealed = BUF_INIT, opened = BUF_INIT;
	struct seal *s;
	int ret;

	(void)state;
	assert_int_equal(seal_new(&s, &keys, &seal_default), 0);
	assert_int_equal(seal_wrap(&sealed, s, &bind, payload, 5000), 0);
	failing_start_ways(KINDS);
	while (failing_more()) {
		failing_arm();
		ret = seal_unwrap(&opened, s, &bind, sealed.data, sealed.len);
		failing_disarm();
		failing_check(ret, 0);
		sealed.data[sealed.len / 2] ^= 1;
		assert_int_equal(
		    seal_unwrap(&opened, s, &bind, sealed.data, sealed.len),
		    ERR_DAMAGED);
		sealed.data[sealed.len / 2] ^= 1;
		assert_int_equal(
		    seal_unwrap(&opened, s, &bind, sealed.data, sealed.len), 0);
		buf_reset(&opened);
	}
	failing_check_count(4);
	seal_free(s);
	buf_release(&sealed);
	buf_release(&opened);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_incompressible),
	    cmocka_unit_test(test_for_ever),
	    cmocka_unit_test(test_damage_after),
	};
	uint8_t master[KEYS_BYTES] = {1, 2, 3};

	if (sign_start() != 0)
		return 1;
	keys_derive(&keys, master, 1);
	fill_random(id, sizeof(id), 1);
	memset(refs, 1, 32);
	memset(refs + 32, 2, 32);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
