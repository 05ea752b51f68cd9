/*
 * What does reading a sealed object cost: unseal it and hash it again to its
 * id?  A backup pays this too, for every record it makes.
 *
 * usage: verify [FILE]    (default: made-up text; noise as well)
 */

#include "bench.h"
#include "object/object.h"
#include "seal/seal.h"

#define BYTES (32u << 20)
#define PIECES_MAX (BYTES / (4u << 10))

struct work {
	const uint8_t *data;
	size_t piece;
	struct keys keys;
	struct seal *seal;
	struct buf sealed; /* end to end */
	size_t ends[PIECES_MAX];
	struct buf plain;
	int rehash;
};

static int
seal_all(struct work *w)
{
	static const uint8_t id[HASH_BYTES] = {1};
	struct seal_bind bind = {.epoch = 1, .type = OBJECT_CHUNK, .id = id};
	size_t i;
	int r = 0;

	buf_reset(&w->sealed);
	for (i = 0; i < BYTES / w->piece && r == 0; i++) {
		r = seal_wrap(&w->sealed, w->seal, &bind,
		    w->data + i * w->piece, w->piece);
		w->ends[i] = w->sealed.len;
	}
	return r;
}

static int
open_all(void *arg)
{
	static const uint8_t id[HASH_BYTES] = {1};
	struct seal_bind bind = {.epoch = 1, .type = OBJECT_CHUNK, .id = id};
	uint8_t again[OBJECT_ID_BYTES];
	struct work *w = arg;
	size_t i, at = 0;
	int r = 0;

	for (i = 0; i < BYTES / w->piece && r == 0; i++) {
		buf_reset(&w->plain);
		r = seal_unwrap(&w->plain, w->seal, &bind, w->sealed.data + at,
		    w->ends[i] - at);
		at = w->ends[i];
		if (w->rehash)
			object_id(again, w->keys.id, OBJECT_CHUNK, NULL, 0,
			    w->plain.data, w->plain.len);
	}
	return r;
}

static void
run_both(struct work *w, const char *kind)
{
	char text[64];

	bench_must(seal_all(w));
	for (w->rehash = 0; w->rehash < 2; w->rehash++) {
		(void)snprintf(text, sizeof(text), "%s %s, pieces of %zu KiB",
		    w->rehash ? "unseal and hash" : "unseal", kind,
		    w->piece >> 10); /* it fits */
		bench_run(text, "byte", BYTES, NULL, open_all, w);
	}
}

int
main(int argc, char **argv)
{
	static const size_t pieces[] = {4u << 10, 256u << 10, 1u << 20};
	uint8_t master[KEYS_BYTES] = {3}, *data = bench_alloc(BYTES);
	static struct work w;
	size_t i;

	w.data = data;
	keys_derive(&w.keys, master, 1);
	bench_must(seal_new(&w.seal, &w.keys, &seal_default));
	if (argc > 1)
		bench_file(data, BYTES, argv[1]);
	else
		bench_text(data, BYTES, 1);
	for (i = 0; i < 3; i++) {
		w.piece = pieces[i];
		run_both(&w, argc > 1 ? "file" : "text");
	}
	bench_noise(data, BYTES, 1);
	w.piece = 256u << 10;
	run_both(&w, "noise");
	seal_free(w.seal);
	keys_wipe(&w.keys);
	buf_release(&w.sealed);
	buf_release(&w.plain);
	free(data);
	return 0;
}
