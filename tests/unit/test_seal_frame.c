/* Compression and padding, and frames that an enemy with the key would make. */

#include "seal/frame.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "lib/fill.h"
#include "seal/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include <cmocka.h>

#define HEADER SEAL_FRAME_HEADER_BYTES
#define MAX LIMIT_PAYLOAD_BYTES

static struct frame *frame;
static uint8_t *payload;

static int
start(void **state)
{
	(void)state;
	payload = malloc(MAX + 1);
	return payload == NULL || frame_new(&frame, 3, 1);
}

static int
stop(void **state)
{
	(void)state;
	free(payload);
	frame_free(frame);
	frame_free(NULL);
	return 0;
}

static void
test_padded(void **state)
{
	/* From the definition: E bits before, S bits kept. */
	static const size_t rows[][2] = {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 4},
	    {8, 8}, {9, 10}, {10, 10}, {11, 12}, {15, 16}, {16, 16}, {17, 18},
	    {31, 32}, {33, 36}, {100, 104}, {127, 128}, {129, 144},
	    {1000, 1024}, {1025, 1088}, {16383, 16384}, {16385, 16640},
	    {65535, 65536}, {65537, 66048}, {1000000, 1003520},
	    {4194316, 4227072}};
	size_t i, len, last = 0;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(frame_padded(rows[i][0]), rows[i][1]);
	for (len = 2; len < 3000000; len = len + 1 + len / 1000) {
		size_t padded = frame_padded(len);

		assert_true(padded >= len && padded >= last);
		/* The paper: at most 12 %; and idempotent. */
		assert_true((padded - len) * 100 <= 12 * len);
		/* In finer steps at most a 64th. */
		assert_true(len < 16384 || (padded - len) * 64 <= len);
		assert_int_equal(frame_padded(padded), padded);
		last = padded;
	}
}

static void
test_levels(void **state)
{
	struct frame *f = NULL;
	struct buf out = BUF_INIT, back = BUF_INIT;
	int level, kind;

	(void)state;
	assert_int_equal(frame_new(&f, -6, 0), ERR_USAGE);
	assert_int_equal(frame_new(&f, 20, 0), ERR_USAGE);
	assert_null(f);
	fill_text(payload, 300000, 1);
	for (level = -5; level <= 19; level++) {
		assert_int_equal(frame_new(&f, level, level % 2), 0);
		for (kind = 0; kind < FRAME_KINDS; kind++) {
			buf_reset(&out);
			buf_reset(&back);
			assert_int_equal(
			    frame_pack(&out, f, (enum frame_kind)kind, payload,
				300000),
			    0);
			assert_int_equal(out.data[0], 1);
			/* Read by a frame of another level. */
			assert_int_equal(
			    frame_unpack(&back, frame, out.data, out.len), 0);
			assert_int_equal(back.len, 300000);
			assert_memory_equal(back.data, payload, back.len);
		}
		frame_free(f);
	}
	buf_release(&out);
	buf_release(&back);
}

/* Pack, check the header, unpack; both append.  Returns the codec. */
static int
round_trip(size_t len)
{
	struct buf out = BUF_INIT, back = BUF_INIT;
	const uint8_t *p;
	size_t packed_len;
	int codec;

	assert_int_equal(buf_append(&out, "before", 6), 0);
	assert_int_equal(buf_append(&back, "in front", 8), 0);
	assert_int_equal(frame_pack(&out, frame, FRAME_META, payload, len), 0);
	assert_memory_equal(out.data, "before", 6);
	p = out.data + 6;
	assert_true(out.len - 6 <= frame_bound(len));
	assert_true(out.len - 6 <= LIMIT_SEALED_BYTES - 40);
	codec = p[0];
	assert_true(bytes_are_zero(p + 1, 3));
	assert_int_equal(bytes_get32(p + 4), len);
	packed_len = bytes_get32(p + 8);
	assert_int_equal(out.len - 6, frame_padded(HEADER + packed_len));
	if (codec == 0) {
		assert_int_equal(packed_len, len);
		if (len > 0)
			assert_memory_equal(p + HEADER, payload, len);
	} else {
		assert_int_equal(codec, 1);
		assert_true(packed_len * 100 <= len * 97);
	}
	assert_int_equal(frame_unpack(&back, frame, p, out.len - 6), 0);
	assert_int_equal(back.len, 8 + len);
	assert_memory_equal(back.data, "in front", 8);
	if (len > 0)
		assert_memory_equal(back.data + 8, payload, len);
	buf_release(&out);
	buf_release(&back);
	return codec;
}

static void
test_round_trip(void **state)
{
	static const size_t lengths[] = {0, 1, 2, 3, 10, 11, 12, 13, 100, 1000,
	    4095, 16383, 16384, 16385, 65535, 65536, 262144, 1000000, MAX - 1,
	    MAX};
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		len = lengths[i];
		fill_random(payload, len, i);
		assert_int_equal(round_trip(len), 0);
		fill_text(payload, len, i);
		assert_int_equal(round_trip(len), len >= 1000 || len == 100);
		memset(payload, 0, len);
		assert_int_equal(round_trip(len), len >= 100);
	}
}

static void
test_too_large(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(
	    frame_pack(&out, frame, FRAME_META, payload, MAX + 1), ERR_LIMIT);
	assert_int_equal(
	    frame_pack(&out, frame, FRAME_META, payload, SIZE_MAX), ERR_LIMIT);
	assert_int_equal(out.len, 0);
	assert_null(out.data);
}

/* One compressible stretch among random bytes is found by the samples. */
static void
test_samples(void **state)
{
	static const size_t lengths[] = {16384, 65536, 262144, 1 << 20};
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		len = lengths[i];
		fill_random(payload, len, i);
		memset(payload, 0, len / 8);
		assert_int_equal(round_trip(len), 1);
		fill_random(payload, len, i);
		fill_text(payload + len - len / 8, len / 8, i);
		assert_int_equal(round_trip(len), 1);
		fill_random(payload, len, i);
		fill_text(payload + len / 3, len / 4 + 4096, i);
		assert_int_equal(round_trip(len), 1);
	}
}

/*
 * A frame from its parts.  Hostile: lengths say what they want.
 */
static void
make(struct buf *b, uint32_t codec, uint32_t plain_len, uint32_t packed_len,
    const void *packed, size_t len, size_t zeros)
{
	buf_reset(b);
	assert_int_equal(buf_append32(b, codec), 0);
	assert_int_equal(buf_append32(b, plain_len), 0);
	assert_int_equal(buf_append32(b, packed_len), 0);
	if (len > 0)
		assert_int_equal(buf_append(b, packed, len), 0);
	assert_int_equal(buf_append_zeros(b, zeros), 0);
}

static void
refuse(const uint8_t *p, size_t len)
{
	struct buf out = BUF_INIT;
	uint8_t *exact = malloc(len > 0 ? len : 1);
	const uint8_t *view = NULL;
	size_t view_len;

	/* In a block of its own, so that ASan sees a byte read too far. */
	assert_non_null(exact);
	memcpy(exact, p, len);
	assert_int_equal(buf_append(&out, "keep", 4), 0);
	assert_int_equal(frame_unpack(&out, frame, exact, len), ERR_DAMAGED);
	assert_int_equal(out.len, 4);
	assert_memory_equal(out.data, "keep", 4);
	assert_int_equal(
	    frame_view(&view, &view_len, &out, frame, exact, len), ERR_DAMAGED);
	assert_null(view);
	/* What is promised is checked before memory is taken for it. */
	assert_true(out.cap <= 2 * MAX);
	free(exact);
	buf_release(&out);
}

static void
accept(const uint8_t *p, size_t len, size_t plain_len)
{
	struct buf out = BUF_INIT;
	const uint8_t *view;
	size_t view_len;

	assert_int_equal(frame_unpack(&out, frame, p, len), 0);
	assert_int_equal(out.len, plain_len);
	assert_memory_equal(out.data, payload, plain_len);
	/* Of what was in the room, nothing is left. */
	assert_int_equal(frame_view(&view, &view_len, &out, frame, p, len), 0);
	assert_int_equal(view_len, plain_len);
	assert_memory_equal(view, payload, plain_len);
	buf_release(&out);
}

static void
test_raw_lies(void **state)
{
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	fill_random(payload, 100, 1);
	make(&b, 0, 100, 100, payload, 100, 0);
	accept(b.data, b.len, 100);
	for (i = 0; i < b.len; i++)
		refuse(b.data, i);
	make(&b, 0, 100, 100, payload, 100, 1000);
	accept(b.data, b.len, 100);
	for (i = HEADER + 100; i < b.len; i++) {
		b.data[i] = 1;
		refuse(b.data, b.len);
		b.data[i] = 0;
	}
	for (i = 0; i < HEADER; i++) {
		b.data[i] ^= 0x40;
		refuse(b.data, b.len);
		b.data[i] ^= 0x40;
	}
	make(&b, 0, 99, 100, payload, 100, 0);
	refuse(b.data, b.len);
	make(&b, 0, 101, 100, payload, 100, 10);
	refuse(b.data, b.len);
	make(&b, 0, 99, 99, payload, 100, 0);
	refuse(b.data, b.len);
	make(&b, 0, UINT32_MAX, UINT32_MAX, payload, 100, 0);
	refuse(b.data, b.len);
	make(&b, 2, 100, 100, payload, 100, 0);
	refuse(b.data, b.len);
	make(&b, 0x100, 100, 100, payload, 100, 0);
	refuse(b.data, b.len);
	make(&b, 0, 0, 0, NULL, 0, 7);
	accept(b.data, b.len, 0);
	make(&b, 0, MAX + 1, MAX + 1, payload, MAX + 1, 0);
	refuse(b.data, b.len);
	buf_release(&b);
}

/* Compress with any parameters: window, content size, checksum. */
static size_t
compress(uint8_t *dst, size_t cap, size_t len, int window, int size, int sum)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t n;

	assert_non_null(c);
	if (window > 0)
		assert_false(ZSTD_isError(
		    ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window)));
	assert_false(ZSTD_isError(
	    ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, size)));
	assert_false(
	    ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, sum)));
	n = ZSTD_compress2(c, dst, cap, payload, len);
	assert_false(ZSTD_isError(n));
	ZSTD_freeCCtx(c);
	return n;
}

static void
test_zstd_lies(void **state)
{
	static uint8_t packed[200000], twice[400000];
	struct buf b = BUF_INIT;
	uint32_t n, half;

	(void)state;
	fill_text(payload, 100000, 2);
	n = (uint32_t)compress(packed, sizeof(packed), 100000, 0, 1, 0);
	make(&b, 1, 100000, n, packed, n, 50);
	accept(b.data, b.len, 100000);
	make(&b, 1, 99999, n, packed, n, 0);
	refuse(b.data, b.len);
	make(&b, 1, 100001, n, packed, n, 0);
	refuse(b.data, b.len);
	make(&b, 1, 100000, n - 1, packed, n, 0);
	refuse(b.data, b.len);
	make(&b, 1, 100000, n - 1, packed, n - 1, 0);
	refuse(b.data, b.len);
	make(&b, 1, 100000, n + 1, packed, n, 1);
	refuse(b.data, b.len);
	make(&b, 0, 100000, n, packed, n, 0);
	refuse(b.data, b.len);
	make(&b, 1, 0, n, packed, n, 0);
	refuse(b.data, b.len);
	/* No content size; a checksum; a huge window. */
	n = (uint32_t)compress(packed, sizeof(packed), 100000, 0, 0, 0);
	make(&b, 1, 100000, n, packed, n, 0);
	refuse(b.data, b.len);
	n = (uint32_t)compress(packed, sizeof(packed), 100000, 0, 1, 1);
	make(&b, 1, 100000, n, packed, n, 0);
	refuse(b.data, b.len);
	/* Two frames, of which each is fine. */
	half = (uint32_t)compress(packed, sizeof(packed), 50000, 0, 1, 0);
	memcpy(twice, packed, half);
	memcpy(twice + half, packed, half);
	make(&b, 1, 100000, 2 * half, twice, 2 * half, 0);
	refuse(b.data, b.len);
	make(&b, 1, 50000, 2 * half, twice, 2 * half, 0);
	refuse(b.data, b.len);
	make(&b, 1, 50000, half, twice, half, 0);
	accept(b.data, b.len, 50000);
	buf_release(&b);
}

static void
test_zstd_odd_frames(void **state)
{
	/* Skippable; version 0.7; a dictionary id; a reserved bit. */
	static const uint8_t skippable[] = {
	    0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4};
	static const uint8_t old[] = {
	    0x27, 0xb5, 0x2f, 0xfd, 0x20, 100, 1, 0, 0, 0, 0, 0};
	static const uint8_t dictionary[] = {
	    0x28, 0xb5, 0x2f, 0xfd, 0x21, 1, 100, 0x23, 0x03, 0, 0xaa};
	static const uint8_t reserved[] = {
	    0x28, 0xb5, 0x2f, 0xfd, 0x28, 100, 0x23, 0x03, 0, 0xaa};
	/* A block of 100 bytes that is one byte repeated, with and without a
	 * window; the second has one of 2^41 bytes, the third of 16 MiB. */
	static const uint8_t single[] = {
	    0x28, 0xb5, 0x2f, 0xfd, 0x20, 100, 0x23, 0x03, 0, 0xaa};
	static const uint8_t wide[] = {0x28, 0xb5, 0x2f, 0xfd, 0x80, 0xf8, 100,
	    0, 0, 0, 0x23, 0x03, 0, 0xaa};
	static const uint8_t wider[] = {0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x70, 100,
	    0, 0, 0, 0x23, 0x03, 0, 0xaa};
	static const uint8_t window[] = {0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x68,
	    100, 0, 0, 0, 0x23, 0x03, 0, 0xaa};
	const struct {
		const uint8_t *p;
		uint32_t len;
		int good;
	} rows[] = {{skippable, sizeof(skippable), 0}, {old, sizeof(old), 0},
	    {dictionary, sizeof(dictionary), 0},
	    {reserved, sizeof(reserved), 0}, {single, sizeof(single), 1},
	    {wide, sizeof(wide), 0}, {wider, sizeof(wider), 0},
	    {window, sizeof(window), 1}};
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	memset(payload, 0xaa, 100);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(&b, 1, 100, rows[i].len, rows[i].p, rows[i].len, 0);
		if (rows[i].good)
			accept(b.data, b.len, 100);
		else
			refuse(b.data, b.len);
	}
	make(&b, 1, 0, sizeof(skippable), skippable, sizeof(skippable), 0);
	refuse(b.data, b.len);
	for (i = 0; i < 6; i++) {
		make(&b, 1, 100, (uint32_t)i, single, i, 0);
		refuse(b.data, b.len);
	}
	buf_release(&b);
}

/* A few KiB that would become gigabytes. */
static void
test_bombs(void **state)
{
	/* Blocks of 128 KiB of one byte: 40,000 of them are 5 GiB. */
	static const uint8_t head[] = {0x28, 0xb5, 0x2f, 0xfd, 0xa0};
	static const uint8_t block[] = {0x02, 0x00, 0x10, 0x61};
	static const uint32_t claims[] = {MAX, MAX + 1, 1u << 30, UINT32_MAX};
	struct buf packed = BUF_INIT, b = BUF_INIT;
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		buf_reset(&packed);
		assert_int_equal(buf_append(&packed, head, sizeof(head)), 0);
		assert_int_equal(buf_append32(&packed, claims[i]), 0);
		for (j = 0; j < 40000; j++)
			assert_int_equal(
			    buf_append(&packed, block, sizeof(block)), 0);
		packed.data[packed.len - sizeof(block)] |= 1;
		make(&b, 1, claims[i], (uint32_t)packed.len, packed.data,
		    packed.len, 0);
		refuse(b.data, b.len);
	}
	buf_release(&packed);
	buf_release(&b);
}

/* Random damage of a good frame: a refusal, or exactly the promised bytes. */
static void
test_mutations(void **state)
{
	struct buf good = BUF_INIT, b = BUF_INIT, out = BUF_INIT;
	struct fill f;
	uint32_t plain_len;
	size_t i, n;
	int round, err;

	(void)state;
	fill_text(payload, 20000, 3);
	assert_int_equal(
	    frame_pack(&good, frame, FRAME_META, payload, 20000), 0);
	fill_init(&f, 4);
	for (round = 0; round < 20000; round++) {
		buf_reset(&b);
		n = fill_below(&f, 10) ? good.len : fill_below(&f, good.len);
		assert_int_equal(buf_append(&b, good.data, n), 0);
		for (i = fill_below(&f, 4); n > 0 && i < 4; i++)
			b.data[fill_below(
			    &f, fill_below(&f, 2) ? n : 1 + n / 50)] =
			    (uint8_t)fill_next(&f);
		plain_len = n >= 8 ? bytes_get32(b.data + 4) : 0;
		buf_reset(&out);
		err = frame_unpack(&out, frame, b.data, b.len);
		assert_true(err == 0 || err == ERR_DAMAGED);
		assert_int_equal(out.len, err ? 0 : plain_len);
	}
	/* The codec survived all that. */
	accept(good.data, good.len, 20000);
	buf_release(&good);
	buf_release(&b);
	buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_padded),
	    cmocka_unit_test(test_levels),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_too_large),
	    cmocka_unit_test(test_samples),
	    cmocka_unit_test(test_raw_lies),
	    cmocka_unit_test(test_zstd_lies),
	    cmocka_unit_test(test_zstd_odd_frames),
	    cmocka_unit_test(test_bombs),
	    cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
