/*
 * What does hashing cost: BLAKE3 of contents (addresses), keyed (object ids),
 * and of many small files.  Floor: `b3sum --num-threads 1`.
 */

#include "bench.h"
#include "hash/hash.h"

#define BYTES (64u << 20)

struct work {
	uint8_t *data;
	size_t piece;
	int keyed;
	uint8_t sum[HASH_BYTES];
};

static int
hash_all(void *arg)
{
	static const uint8_t key[HASH_BYTES] = {1};
	struct work *w = arg;
	size_t at;

	for (at = 0; at + w->piece <= BYTES; at += w->piece)
		if (w->keyed)
			hash_keyed(w->sum, key, w->data + at, w->piece);
		else
			hash_bytes(w->sum, w->data + at, w->piece);
	return 0;
}

int
main(void)
{
	static const struct {
		const char *what;
		size_t piece;
		int keyed;
	} runs[] = {
	    {"hash, pieces of 64 bytes", 64, 0},
	    {"hash, pieces of 1 KiB", 1u << 10, 0},
	    {"hash, pieces of 16 KiB", 16u << 10, 0},
	    {"hash, pieces of 256 KiB", 256u << 10, 0},
	    {"hash, keyed, pieces of 256 KiB", 256u << 10, 1},
	    {"hash, keyed, pieces of 1 MiB", 1u << 20, 1},
	};
	struct work w = {.data = bench_alloc(BYTES)};
	size_t i;

	bench_noise(w.data, BYTES, 1);
	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		w.piece = runs[i].piece;
		w.keyed = runs[i].keyed;
		bench_run(runs[i].what, "byte", BYTES, NULL, hash_all, &w);
	}
	free(w.data);
	return 0;
}
