/*
 * Sealing, with docs/format.md 5 written a second time by means of libsodium
 * alone, which also seals what no honest writer would.
 */

#include "seal/seal.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "hash/hash.h"
#include "lib/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <cmocka.h>

#define OVERHEAD (SEAL_NONCE_BYTES + SEAL_TAG_BYTES)
#define MAX LIMIT_PAYLOAD_BYTES
#define NREFS 3
#define NMEMBERS 2

static struct keys keys;
static struct seal *seal;
static uint8_t *payload;
static uint8_t id[32], refs[32 * NREFS], members[32 * NMEMBERS];
static const uint8_t master[KEYS_BYTES] = {9, 8, 7};

static int
start(void **state)
{
	(void)state;
	payload = malloc(MAX + 1);
	if (payload == NULL || sign_start())
		return 1;
	keys_derive(&keys, master, 5);
	fill_random(id, sizeof(id), 100);
	fill_random(refs, sizeof(refs), 101);
	fill_random(members, sizeof(members), 102);
	return seal_new(&seal, &keys, &seal_default);
}

static int
stop(void **state)
{
	(void)state;
	free(payload);
	seal_free(seal);
	seal_free(NULL);
	keys_wipe(&keys);
	return 0;
}

static struct seal_bind
bind_default(void)
{
	struct seal_bind bind = {.epoch = 5,
	    .type = 4,
	    .id = id,
	    .refs = refs,
	    .nrefs = NREFS,
	    .members = members,
	    .nmembers = NMEMBERS};

	return bind;
}

static size_t
make_aad(uint8_t *p, const struct seal_bind *bind)
{
	static const uint8_t start_bytes[] = {'H', 'S', 'A', '1', 1};
	uint8_t *o = p;

	memcpy(o, start_bytes, sizeof(start_bytes));
	o += sizeof(start_bytes);
	*o++ = bind->type;
	*o++ = 0;
	*o++ = 0;
	bytes_put32(o, bind->epoch);
	memcpy(o + 4, keys.vault, 16);
	memcpy(o + 20, bind->key_id, 16);
	memcpy(o + 36, bind->id, 32);
	bytes_put32(o + 68, bind->nrefs);
	bytes_put32(o + 72, bind->nmembers);
	o += 76;
	if (bind->nrefs > 0)
		memcpy(o, bind->refs, 32 * (size_t)bind->nrefs);
	o += 32 * (size_t)bind->nrefs;
	if (bind->nmembers > 0)
		memcpy(o, bind->members, 32 * (size_t)bind->nmembers);
	o += 32 * (size_t)bind->nmembers;
	return (size_t)(o - p);
}

/* Seal any frame, by libsodium. */
static void
seal_frame(struct buf *out, const struct seal_bind *bind, const uint8_t *frame,
    size_t len)
{
	uint8_t aad[1000], *bytes;
	size_t aad_len = make_aad(aad, bind);
	struct hash h;

	buf_reset(out);
	assert_int_equal(buf_extend(&bytes, out, OVERHEAD + len), 0);
	hash_init_keyed(&h, keys.nonce);
	hash_update(&h, aad, aad_len);
	hash_update(&h, frame, len);
	hash_final_len(&h, bytes, SEAL_NONCE_BYTES);
	assert_int_equal(
	    crypto_aead_xchacha20poly1305_ietf_encrypt(bytes + SEAL_NONCE_BYTES,
		NULL, frame, len, aad, aad_len, NULL, bytes, keys.seal),
	    0);
}

/* The frame inside, by libsodium. */
static void
open_frame(
    struct buf *out, const struct seal_bind *bind, const uint8_t *p, size_t len)
{
	uint8_t aad[1000], *bytes;
	size_t aad_len = make_aad(aad, bind);

	buf_reset(out);
	assert_int_equal(buf_extend(&bytes, out, len - OVERHEAD), 0);
	assert_int_equal(crypto_aead_xchacha20poly1305_ietf_decrypt(bytes, NULL,
			     NULL, p + SEAL_NONCE_BYTES, len - SEAL_NONCE_BYTES,
			     aad, aad_len, p, keys.seal),
	    0);
}

static void
refuse(const struct seal_bind *bind, const uint8_t *p, size_t len)
{
	struct buf out = BUF_INIT;
	uint8_t *exact = malloc(len > 0 ? len : 1);
	const uint8_t *view;
	size_t view_len;

	/* In a block of its own, so that ASan sees a byte read too far. */
	assert_non_null(exact);
	memcpy(exact, p, len);
	assert_int_equal(buf_append(&out, "keep", 4), 0);
	assert_int_equal(
	    seal_unwrap(&out, seal, bind, exact, len), ERR_DAMAGED);
	assert_int_equal(out.len, 4);
	assert_memory_equal(out.data, "keep", 4);
	assert_int_equal(
	    seal_view(&view, &view_len, seal, bind, exact, len), ERR_DAMAGED);
	free(exact);
	buf_release(&out);
}

static void
accept(const struct seal_bind *bind, const uint8_t *p, size_t len,
    size_t plain_len)
{
	struct buf out = BUF_INIT;
	const uint8_t *view;
	size_t view_len;

	assert_int_equal(buf_append(&out, "keep", 4), 0);
	assert_int_equal(seal_unwrap(&out, seal, bind, p, len), 0);
	assert_int_equal(out.len, 4 + plain_len);
	assert_memory_equal(out.data, "keep", 4);
	assert_memory_equal(out.data + 4, payload, plain_len);
	assert_int_equal(seal_view(&view, &view_len, seal, bind, p, len), 0);
	assert_int_equal(view_len, plain_len);
	assert_memory_equal(view, payload, plain_len);
	buf_release(&out);
}

/* Both ways, and bytes equal to those of libsodium. */
static void
round_trip(const struct seal_bind *bind, size_t len)
{
	struct buf sealed = BUF_INIT, frame = BUF_INIT, again = BUF_INIT;

	assert_int_equal(buf_append(&sealed, "front", 5), 0);
	assert_int_equal(seal_wrap(&sealed, seal, bind, payload, len), 0);
	assert_memory_equal(sealed.data, "front", 5);
	assert_true(sealed.len - 5 <= LIMIT_SEALED_BYTES);
	accept(bind, sealed.data + 5, sealed.len - 5, len);
	open_frame(&frame, bind, sealed.data + 5, sealed.len - 5);
	assert_int_equal(bytes_get32(frame.data + 4), len);
	seal_frame(&again, bind, frame.data, frame.len);
	assert_int_equal(again.len, sealed.len - 5);
	assert_memory_equal(again.data, sealed.data + 5, again.len);
	buf_release(&sealed);
	buf_release(&frame);
	buf_release(&again);
}

static void
test_round_trip(void **state)
{
	static const size_t lengths[] = {
	    0, 1, 50, 1000, 16384, 100000, 1 << 20, MAX};
	struct seal_bind bind = bind_default();
	struct seal_bind bare = {.epoch = 5, .type = 1, .id = id};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		fill_text(payload, lengths[i], i);
		round_trip(&bind, lengths[i]);
		round_trip(&bare, lengths[i]);
		fill_random(payload, lengths[i], i);
		round_trip(&bind, lengths[i]);
	}
}

static void
test_limits(void **state)
{
	struct seal_bind bind = bind_default();
	struct buf out = BUF_INIT;
	struct seal *s = NULL;
	uint8_t *large = calloc(1, LIMIT_SEALED_BYTES + 1);

	(void)state;
	assert_non_null(large);
	assert_int_equal(
	    seal_wrap(&out, seal, &bind, payload, MAX + 1), ERR_LIMIT);
	assert_int_equal(
	    seal_wrap(&out, seal, &bind, payload, SIZE_MAX), ERR_LIMIT);
	assert_int_equal(out.len, 0);
	assert_null(out.data);
	refuse(&bind, large, LIMIT_SEALED_BYTES + 1);
	refuse(&bind, large, LIMIT_SEALED_BYTES);
	/* The counts are looked at before what they count. */
	bind.nrefs = LIMIT_REFS + 1;
	refuse(&bind, large, 1000);
	bind = bind_default();
	bind.nmembers = UINT32_MAX;
	refuse(&bind, large, 1000);
	assert_int_equal(
	    seal_new(&s, &keys, &(struct seal_options){.level = 20}),
	    ERR_USAGE);
	assert_int_equal(
	    seal_new(&s, &keys, &(struct seal_options){.level = -6}),
	    ERR_USAGE);
	assert_null(s);
	free(large);
}

static void
test_padding(void **state)
{
	struct seal_bind bind = bind_default();
	const struct seal_options bare = {.level = 3, .pad = 0};
	struct buf a = BUF_INIT, b = BUF_INIT;
	struct seal *s;

	(void)state;
	assert_int_equal(seal_new(&s, &keys, &bare), 0);
	fill_random(payload, 20000, 1);
	assert_int_equal(seal_wrap(&a, s, &bind, payload, 20000), 0);
	assert_int_equal(a.len, 20000 + SEAL_FRAME_HEADER_BYTES + OVERHEAD);
	accept(&bind, a.data, a.len, 20000);
	/* 20,012 has 15 bits, of which 4 + 2 behind the first are kept. */
	assert_int_equal(seal_wrap(&b, seal, &bind, payload, 20000), 0);
	assert_int_equal(b.len, 20224 + OVERHEAD);
	accept(&bind, b.data, b.len, 20000);
	buf_release(&a);
	buf_release(&b);
	seal_free(s);
}

/* Equal input, equal bytes; any difference, another nonce. */
static void
test_nonces(void **state)
{
	struct seal_bind bind = bind_default();
	const struct seal_options other = {.level = 1, .pad = 1};
	struct buf a = BUF_INIT, b = BUF_INIT, c = BUF_INIT;
	struct seal *s;

	(void)state;
	assert_int_equal(seal_new(&s, &keys, &other), 0);
	fill_text(payload, 200000, 1);
	assert_int_equal(seal_wrap(&a, seal, &bind, payload, 200000), 0);
	assert_int_equal(seal_wrap(&b, seal, &bind, payload, 200000), 0);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	/* Another level under the same id. */
	assert_int_equal(seal_wrap(&c, s, &bind, payload, 200000), 0);
	assert_memory_not_equal(a.data, c.data, SEAL_NONCE_BYTES);
	buf_reset(&c);
	payload[3] ^= 1;
	assert_int_equal(seal_wrap(&c, seal, &bind, payload, 200000), 0);
	assert_memory_not_equal(a.data, c.data, SEAL_NONCE_BYTES);
	payload[3] ^= 1;
	buf_reset(&c);
	bind.type = 3;
	assert_int_equal(seal_wrap(&c, seal, &bind, payload, 200000), 0);
	assert_memory_not_equal(a.data, c.data, SEAL_NONCE_BYTES);
	buf_release(&a);
	buf_release(&b);
	buf_release(&c);
	seal_free(s);
}

/* Sealed bytes fit only what they were made for. */
static void
test_bindings(void **state)
{
	const struct seal_bind good = bind_default();
	struct seal_bind bind = good;
	struct buf b = BUF_INIT;
	uint8_t other[32 * NREFS];
	unsigned i;

	(void)state;
	fill_text(payload, 500, 1);
	assert_int_equal(seal_wrap(&b, seal, &good, payload, 500), 0);
	accept(&good, b.data, b.len, 500);
	for (i = 0; i < 8; i++) {
		bind = good;
		bind.type ^= (uint8_t)(1 << i);
		refuse(&bind, b.data, b.len);
	}
	for (i = 0; i < 32; i++) {
		bind = good;
		bind.epoch ^= 1u << i;
		refuse(&bind, b.data, b.len);
		memcpy(other, id, 32);
		other[i] ^= 1;
		bind = good;
		bind.id = other;
		refuse(&bind, b.data, b.len);
	}
	for (i = 0; i < 16; i++) {
		bind = good;
		bind.key_id[i] = 1;
		refuse(&bind, b.data, b.len);
	}
	for (i = 0; i < sizeof(refs); i++) {
		memcpy(other, refs, sizeof(refs));
		other[i] ^= 0x80;
		bind = good;
		bind.refs = other;
		refuse(&bind, b.data, b.len);
	}
	for (i = 0; i < sizeof(members); i++) {
		memcpy(other, members, sizeof(members));
		other[i] ^= 0x80;
		bind = good;
		bind.members = other;
		refuse(&bind, b.data, b.len);
	}
	bind = good;
	bind.nrefs--;
	refuse(&bind, b.data, b.len);
	bind = good;
	bind.nmembers--;
	refuse(&bind, b.data, b.len);
	/* The same bytes, counted otherwise. */
	memcpy(other, refs + 64, 32);
	memcpy(other + 32, members, sizeof(members));
	bind = good;
	bind.nrefs = 2;
	bind.members = other;
	bind.nmembers = 3;
	refuse(&bind, b.data, b.len);
	accept(&good, b.data, b.len, 500);
	buf_release(&b);
}

static void
test_every_byte_counts(void **state)
{
	struct seal_bind bind = bind_default();
	struct buf b = BUF_INIT;
	size_t i;
	int bit;

	(void)state;
	fill_text(payload, 2000, 2);
	assert_int_equal(seal_wrap(&b, seal, &bind, payload, 2000), 0);
	for (i = 0; i < b.len; i++)
		for (bit = 1; bit < 256; bit <<= 1) {
			b.data[i] ^= (uint8_t)bit;
			refuse(&bind, b.data, b.len);
			b.data[i] ^= (uint8_t)bit;
		}
	for (i = 0; i < b.len; i++)
		refuse(&bind, b.data, i);
	for (i = 1; i < 40; i++) {
		assert_int_equal(buf_append8(&b, 0), 0);
		refuse(&bind, b.data, b.len);
	}
	accept(&bind, b.data, b.len - 39, 2000);
	buf_release(&b);
}

/* What is sealed in another epoch has a key that is not derived from ours. */
static void
test_epochs(void **state)
{
	static const uint32_t others[] = {0, 4, 6, UINT32_MAX};
	struct keys writer_keys;
	struct seal *writer;
	struct seal_bind bind = bind_default();
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	fill_text(payload, 700, 3);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		keys_derive(&writer_keys, master, others[i]);
		assert_int_equal(
		    seal_new(&writer, &writer_keys, &seal_default), 0);
		bind.epoch = others[i];
		buf_reset(&b);
		assert_int_equal(seal_wrap(&b, writer, &bind, payload, 700), 0);
		refuse(&bind, b.data, b.len);
		bind.epoch = 5;
		refuse(&bind, b.data, b.len);
		seal_free(writer);
	}
	buf_release(&b);
}

static void
test_other_vault(void **state)
{
	static const uint8_t other_master[KEYS_BYTES] = {9, 8, 6};
	struct keys other_keys;
	struct seal *other;
	struct seal_bind bind = bind_default();
	struct buf b = BUF_INIT;

	(void)state;
	keys_derive(&other_keys, other_master, 5);
	assert_int_equal(seal_new(&other, &other_keys, &seal_default), 0);
	assert_int_equal(seal_wrap(&b, other, &bind, payload, 100), 0);
	refuse(&bind, b.data, b.len);
	seal_free(other);
	buf_release(&b);
}

/* Frames that are authentic and wrong; test_seal_frame.c has more of them. */
static void
test_hostile_frames(void **state)
{
	static const uint8_t zstd_head[] = {0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0,
	    0x40, 0, 0x02, 0x00, 0x10, 0x61};
	struct seal_bind bind = bind_default();
	struct buf frame = BUF_INIT, b = BUF_INIT;
	struct fill f;
	size_t len;
	int round;

	(void)state;
	fill_init(&f, 6);
	for (round = 0; round < 3000; round++) {
		buf_reset(&frame);
		len = fill_below(&f, 300);
		assert_int_equal(buf_append32(&frame, fill_below(&f, 2)), 0);
		assert_int_equal(
		    buf_append32(&frame, round % 2 ? (uint32_t)fill_next(&f)
						   : (uint32_t)len + 1),
		    0);
		assert_int_equal(
		    buf_append32(&frame,
			round % 3 ? (uint32_t)len : (uint32_t)fill_next(&f)),
		    0);
		fill_random(payload, len, fill_next(&f));
		if (len >= sizeof(zstd_head) && round % 5 != 0)
			memcpy(payload, zstd_head, sizeof(zstd_head));
		assert_int_equal(buf_append(&frame, payload, len), 0);
		seal_frame(&b, &bind, frame.data, frame.len);
		refuse(&bind, b.data, b.len);
	}
	/* Shorter than a frame's header. */
	for (len = 0; len < SEAL_FRAME_HEADER_BYTES; len++) {
		seal_frame(&b, &bind, frame.data, len);
		refuse(&bind, b.data, b.len);
	}
	/* And one that is right, so that the helper is. */
	buf_reset(&frame);
	fill_random(payload, 64, 1);
	assert_int_equal(buf_append32(&frame, 0), 0);
	assert_int_equal(buf_append32(&frame, 64), 0);
	assert_int_equal(buf_append32(&frame, 64), 0);
	assert_int_equal(buf_append(&frame, payload, 64), 0);
	assert_int_equal(buf_append_zeros(&frame, 5), 0);
	seal_frame(&b, &bind, frame.data, frame.len);
	accept(&bind, b.data, b.len, 64);
	buf_release(&frame);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_padding),
	    cmocka_unit_test(test_nonces),
	    cmocka_unit_test(test_bindings),
	    cmocka_unit_test(test_every_byte_counts),
	    cmocka_unit_test(test_epochs),
	    cmocka_unit_test(test_other_vault),
	    cmocka_unit_test(test_hostile_frames),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
