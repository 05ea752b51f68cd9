/*
 * The examples of docs/format.md 2.1, 4, 5, 6.1, 9 and 10: keys, addresses,
 * sealing, chunkers, vault header, recovery key.
 */

#include "base/bytes.h"
#include "chunk/chunker.h"
#include "hash/address.h"
#include "lib/vectors.h"
#include "seal/frame.h"
#include "seal/recovery.h"
#include "seal/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HELLO "hello\n"
#define HELLO_BYTES 6

static struct vectors *vectors;
static struct keys keys;

/* The examples' master key is the bytes 00, 01, ... 1f; the epoch is 0. */
static int
start(void **state)
{
	uint8_t master[KEYS_BYTES];
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(master); i++)
		master[i] = (uint8_t)i;
	keys_derive(&keys, master, 0);
	vectors = vectors_open("docs/format.md");
	return sign_start();
}

static int
stop(void **state)
{
	(void)state;
	vectors_close(vectors);
	return 0;
}

static void
check_buf(const char *name, const struct buf *b)
{
	vectors_check(vectors, name, b->data, b->len);
}

static void
add(struct buf *b, const void *p, size_t len)
{
	assert_int_equal(buf_append(b, p, len), 0);
}

static void
test_keys(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	add(&b, keys.vault, sizeof(keys.vault));
	add(&b, keys.id, KEYS_BYTES);
	add(&b, keys.file, KEYS_BYTES);
	add(&b, keys.chunker, KEYS_BYTES);
	add(&b, keys.split, KEYS_BYTES);
	add(&b, keys.link, KEYS_BYTES);
	add(&b, keys.header, KEYS_BYTES);
	add(&b, keys.cache, KEYS_BYTES);
	add(&b, keys.join_seed, SIGN_SEED_BYTES);
	add(&b, keys.seal, KEYS_BYTES);
	add(&b, keys.nonce, KEYS_BYTES);
	add(&b, keys.join_public, SIGN_PUBLIC_BYTES);
	check_buf("keys", &b);
	buf_release(&b);
}

/* a.txt holds "hello\n", b is a symlink to it, c an empty directory. */
static void
test_addresses(void **state)
{
	uint8_t file[HASH_BYTES], link[HASH_BYTES], dir[HASH_BYTES];
	uint8_t fifo[HASH_BYTES], device[HASH_BYTES], empty_dir[HASH_BYTES];
	char text[ADDRESS_TEXT_BYTES];
	struct buf b = BUF_INIT;
	struct hash h;

	(void)state;
	hash_bytes(file, HELLO, HELLO_BYTES);
	address_symlink(link, "a.txt", 5);
	address_fifo(fifo);
	address_device(device, 1, 3);
	address_dir_init(&h);
	address_dir_final(&h, empty_dir);
	address_dir_init(&h);
	address_dir_add(&h, ADDRESS_FILE, "a.txt", 5, file);
	address_dir_add(&h, ADDRESS_SYMLINK, "b", 1, link);
	address_dir_add(&h, ADDRESS_DIR, "c", 1, empty_dir);
	address_dir_final(&h, dir);
	add(&b, file, HASH_BYTES);
	add(&b, link, HASH_BYTES);
	add(&b, fifo, HASH_BYTES);
	add(&b, device, HASH_BYTES);
	add(&b, empty_dir, HASH_BYTES);
	add(&b, dir, HASH_BYTES);
	check_buf("addresses", &b);
	address_text(text, ADDRESS_DIR, dir);
	vectors_check(vectors, "directory key", text, strlen(text));
	buf_release(&b);
}

/* "hello\n" as a chunk.  It is raw, so that no version of zstd matters. */
static void
test_sealed_frame(void **state)
{
	static const uint8_t no_refs[5] = {1};
	struct seal_bind bind = {.epoch = 0, .type = 1};
	struct buf b = BUF_INIT, back = BUF_INIT;
	uint8_t id[HASH_BYTES];
	struct frame *frame;
	struct seal *seal;
	struct hash h;

	(void)state;
	hash_init_keyed(&h, keys.id);
	hash_update(&h, no_refs, sizeof(no_refs));
	hash_update(&h, HELLO, HELLO_BYTES);
	hash_final(&h, id);
	bind.id = id;
	assert_int_equal(frame_new(&frame, 3, 1), 0);
	assert_int_equal(frame_pack(&b, frame, FRAME_META,
			     (const uint8_t *)HELLO, HELLO_BYTES),
	    0);
	check_buf("frame", &b);
	frame_free(frame);
	buf_reset(&b);
	assert_int_equal(seal_new(&seal, &keys, &seal_default), 0);
	assert_int_equal(
	    seal_wrap(&b, seal, &bind, (const uint8_t *)HELLO, HELLO_BYTES), 0);
	check_buf("sealed frame", &b);
	assert_int_equal(seal_unwrap(&back, seal, &bind, b.data, b.len), 0);
	assert_int_equal(back.len, HELLO_BYTES);
	assert_memory_equal(back.data, HELLO, HELLO_BYTES);
	seal_free(seal);
	buf_release(&b);
	buf_release(&back);
}

/* How the input of the examples is cut. */
static void
check_cuts(const char *name, const struct chunker *c)
{
	enum { INPUT_BYTES = 1 << 20 };
	struct hash h;
	struct buf b = BUF_INIT;
	uint8_t *input = malloc(INPUT_BYTES);
	size_t done, n, passed = 0;

	assert_non_null(input);
	hash_init(&h);
	hash_final_len(&h, input, INPUT_BYTES);
	for (done = 0; done < INPUT_BYTES; done += n) {
		n = chunker_cut(
		    c, &passed, input + done, INPUT_BYTES - done, 1);
		assert_int_equal(buf_append32(&b, (uint32_t)n), 0);
	}
	check_buf(name, &b);
	buf_release(&b);
	free(input);
}

static void
test_gear(void **state)
{
	struct chunker_params params = chunker_default;
	struct chunker c;
	struct buf b = BUF_INIT;
	unsigned i;

	(void)state;
	params.id = CHUNKER_GEAR;
	assert_int_equal(chunker_init(&c, keys.chunker, &params), 0);
	for (i = 0; i < 256; i++)
		if (i < 3 || i == 255)
			assert_int_equal(
			    buf_append64(&b, c.by.gear.table[i]), 0);
	check_buf("gear table", &b);
	check_cuts("gear cuts", &c);
	buf_release(&b);
}

static void
test_private(void **state)
{
	struct chunker_params params = chunker_default;
	struct chunker c;
	struct buf b = BUF_INIT;
	uint64_t digest[TOEPLITZ_HALVES];
	uint8_t derived[144], window[64], block[16];
	unsigned i;

	(void)state;
	params.id = CHUNKER_PRIVATE;
	assert_int_equal(chunker_init(&c, keys.chunker, &params), 0);
	hash_derive(derived, sizeof(derived),
	    "hashstore 2026 private chunker v1", keys.chunker, KEYS_BYTES);
	vectors_check(vectors, "private keys", derived, sizeof(derived));
	for (i = 0; i < sizeof(window); i++)
		window[i] = (uint8_t)i;
	toeplitz_digest(digest, &c.by.prf.toeplitz, window);
	bytes_put64(block, digest[0]);
	bytes_put64(block + 8, digest[1]);
	add(&b, block, sizeof(block));
	aes_encrypt(&c.by.prf.aes, block, block);
	add(&b, block, sizeof(block));
	check_buf("private value", &b);
	assert_true(bytes_get64(block) == prf_value(&c.by.prf, window));
	check_cuts("private cuts", &c);
	buf_release(&b);
}

static void
test_vault_header(void **state)
{
	struct chunker_params params = chunker_default;
	struct keys_header h;

	(void)state;
	params.id = CHUNKER_GEAR;
	keys_header_make(&h, &keys, &params);
	vectors_check(vectors, "vault header MAC", h.mac, sizeof(h.mac));
}

static void
test_recovery(void **state)
{
	char text[RECOVERY_TEXT_BYTES];
	uint8_t master[KEYS_BYTES];

	(void)state;
	recovery_encode(text, keys.master);
	vectors_check(vectors, "recovery key", text, strlen(text));
	assert_int_equal(recovery_decode(master, text), 0);
	assert_memory_equal(master, keys.master, sizeof(master));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_sealed_frame),
	    cmocka_unit_test(test_gear),
	    cmocka_unit_test(test_private),
	    cmocka_unit_test(test_vault_header),
	    cmocka_unit_test(test_recovery),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
