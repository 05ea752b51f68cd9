#include "chunk/gear.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "hash/hash.h"

#define AVG_BYTES_MIN (4u << 10)
#define AVG_BYTES_MAX (1u << 20)
/* Bytes that the hash remembers: one falls out of it with each shift. */
#define WINDOW_BYTES 64u

const struct gear_params gear_default = {256u << 10, 128u << 10, 1u << 20};

static int
params_valid(const struct gear_params *p)
{
	return p->avg_bytes >= AVG_BYTES_MIN && p->avg_bytes <= AVG_BYTES_MAX &&
	       p->min_bytes >= WINDOW_BYTES &&
	       p->min_bytes <= p->avg_bytes - WINDOW_BYTES &&
	       p->max_bytes >= p->avg_bytes &&
	       p->max_bytes <= LIMIT_PAYLOAD_BYTES;
}

int
gear_init(
    struct gear *g, const uint8_t key[32], const struct gear_params *params)
{
	struct hash h;
	uint8_t bytes[sizeof(g->table)];
	uint64_t mean;
	unsigned i;

	if (!params_valid(params))
		return err_set(ERR_DAMAGED,
		    "chunker parameters out of range: average %u, minimum %u, "
		    "maximum %u",
		    (unsigned)params->avg_bytes, (unsigned)params->min_bytes,
		    (unsigned)params->max_bytes);
	hash_init_keyed(&h, key);
	hash_update(&h, "gear", 4);
	hash_final_len(&h, bytes, sizeof(bytes));
	for (i = 0; i < 256; i++)
		g->table[i] = bytes_get64(bytes + 8 * i);
	hash_wipe(&h, sizeof(h));
	hash_wipe(bytes, sizeof(bytes));
	/*
	 * Beyond the minimum a cut comes with probability 1/mean at each
	 * byte: floor(2^64 / mean) of the 2^64 hashes are below the threshold.
	 */
	mean = params->avg_bytes - params->min_bytes;
	g->threshold = (UINT64_MAX - mean + 1) / mean + 1;
	g->min_bytes = params->min_bytes;
	g->max_bytes = params->max_bytes;
	return 0;
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

/* The first cut at or behind `i` bytes; `end` + 1 when there is none. */
static size_t
scan(const struct gear *g, const uint8_t *p, size_t i, size_t end)
{
	const uint64_t *table = g->table;
	const uint64_t threshold = g->threshold;
	uint64_t h = 0;
	size_t warm = i - 1, n;

	/* Every hash that is tested has seen exactly the last 64 bytes. */
	for (i -= WINDOW_BYTES; i < warm; i++)
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

size_t
gear_cut(const struct gear *g, const uint8_t *p, size_t len, int final)
{
	size_t end = len < g->max_bytes ? len : g->max_bytes;
	size_t cut;

	if (len < g->min_bytes)
		return final ? len : 0;
	cut = scan(g, p, g->min_bytes, end);
	if (cut <= end)
		return cut;
	return end == g->max_bytes || final ? end : 0;
}
