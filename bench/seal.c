/*
 * What does sealing cost (compress, pad, encrypt), beside encrypting alone?
 *
 * usage: seal [FILE]    (default: made-up text; noise as well)
 */

#include "bench.h"
#include "hash/hash.h"
#include "seal/cipher.h"
#include "seal/seal.h"

#define BYTES (32u << 20)

struct work {
	const uint8_t *data;
	size_t piece;
	struct seal *seal;
	struct cipher *cipher;
	uint8_t *scratch;
	struct buf out;
};

static int
seal_all(void *arg)
{
	static const uint8_t id[HASH_BYTES] = {1};
	struct seal_bind bind = {.epoch = 1, .type = 1, .id = id};
	struct work *w = arg;
	size_t at;
	int r = 0;

	for (at = 0; at < BYTES && r == 0; at += w->piece) {
		buf_reset(&w->out);
		r = seal_wrap(&w->out, w->seal, &bind, w->data + at, w->piece);
	}
	return r;
}

static int
encrypt_all(void *arg)
{
	static const uint8_t key[CIPHER_KEY_BYTES] = {1};
	static const uint8_t nonce[CIPHER_NONCE_BYTES] = {2};
	struct cipher_message m = {.key = key, .nonce = nonce};
	uint8_t tag[CIPHER_TAG_BYTES];
	struct work *w = arg;
	size_t at;
	int r = 0;

	for (at = 0; at < BYTES && r == 0; at += w->piece)
		r = cipher_encrypt(
		    w->cipher, &m, w->scratch + at, w->piece, tag);
	return r;
}

int
main(int argc, char **argv)
{
	static const size_t pieces[] = {
	    4u << 10, 64u << 10, 256u << 10, 1u << 20};
	uint8_t master[KEYS_BYTES] = {3}, *data = bench_alloc(BYTES);
	struct work w = {.data = data};
	struct keys keys;
	char text[64];
	size_t i;

	w.scratch = bench_alloc(BYTES);
	keys_derive(&keys, master, 1);
	bench_must(seal_new(&w.seal, &keys, &seal_default));
	bench_must(cipher_new(&w.cipher));
	if (argc > 1)
		bench_file(data, BYTES, argv[1]);
	else
		bench_text(data, BYTES, 1);
	for (i = 0; i < 4; i++) {
		w.piece = pieces[i];
		(void)snprintf(text, sizeof(text), "encrypt, pieces of %zu KiB",
		    w.piece >> 10); /* it fits */
		bench_run(text, "byte", BYTES, NULL, encrypt_all, &w);
		(void)snprintf(text, sizeof(text), "seal %s, pieces of %zu KiB",
		    argc > 1 ? "file" : "text", w.piece >> 10); /* it fits */
		bench_run(text, "byte", BYTES, NULL, seal_all, &w);
	}
	bench_noise(data, BYTES, 1);
	w.piece = 256u << 10;
	bench_run(
	    "seal noise, pieces of 256 KiB", "byte", BYTES, NULL, seal_all, &w);
	cipher_free(w.cipher);
	seal_free(w.seal);
	keys_wipe(&keys);
	buf_release(&w.out);
	free(w.scratch);
	free(data);
	return 0;
}
