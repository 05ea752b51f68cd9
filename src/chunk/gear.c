#include "chunk/gear.h"

#include "base/bytes.h"
#include "hash/hash.h"

void
gear_init(struct gear *g, const uint8_t key[32], uint64_t threshold)
{
	struct hash h;
	uint8_t bytes[sizeof(g->table)];
	unsigned i;

	hash_init_keyed(&h, key);
	hash_update(&h, "gear", 4);
	hash_final_len(&h, bytes, sizeof(bytes));
	for (i = 0; i < 256; i++)
		g->table[i] = bytes_get64(bytes + 8 * i);
	hash_wipe(&h, sizeof(h));
	hash_wipe(bytes, sizeof(bytes));
	g->threshold = threshold;
}

/*
 * Keep a value as it was computed.  Without this clang, and sometimes gcc,
 * rearrange the sums so that each byte waits two cycles for the one before.
 */
static inline uint64_t
keep(uint64_t v)
{
	__asm__("" : "+r"(v));
	return v;
}

/*
 * Two bytes in the time of one: only the shift by two waits for the previous
 * pair.  Returns 0, or how many of the bytes belong to the chunk that ends.
 */
static inline size_t
pair(uint64_t *h, const uint64_t *table, uint64_t threshold, const uint8_t *p)
{
	const uint64_t a = keep(table[p[0]]);
	const uint64_t b = keep(table[p[1]]);
	const uint64_t ab = keep((a << 1) + b);

	if (keep((*h << 1) + a) < threshold)
		return 1;
	*h = keep((*h << 2) + ab);
	return *h < threshold ? 2 : 0;
}

size_t
gear_scan(const struct gear *g, const uint8_t *p, size_t from, size_t end)
{
	const uint64_t *table = g->table;
	const uint64_t threshold = g->threshold;
	uint64_t h = 0;
	size_t i, warm = from - 1, n;

	/* Every hash that is tested has seen exactly the last 64 bytes. */
	for (i = from - GEAR_WINDOW_BYTES; i < warm; i++)
		h = (h << 1) + table[p[i]];
	for (; i + 8 <= end; i += 8) {
		if ((n = pair(&h, table, threshold, p + i)) != 0)
			return i + n;
		if ((n = pair(&h, table, threshold, p + i + 2)) != 0)
			return i + 2 + n;
		if ((n = pair(&h, table, threshold, p + i + 4)) != 0)
			return i + 4 + n;
		if ((n = pair(&h, table, threshold, p + i + 6)) != 0)
			return i + 6 + n;
	}
	for (; i < end; i++) {
		h = (h << 1) + table[p[i]];
		if (h < threshold)
			return i + 1;
	}
	return end + 1;
}
