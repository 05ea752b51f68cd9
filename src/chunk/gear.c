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

size_t
gear_cut(const struct gear *g, const uint8_t *p, size_t len, int final)
{
	const uint64_t *table = g->table;
	const uint64_t threshold = g->threshold;
	size_t end = len < g->max_bytes ? len : g->max_bytes;
	size_t i = g->min_bytes - WINDOW_BYTES;
	uint64_t h = 0;

	if (len < g->min_bytes)
		return final ? len : 0;
	for (; i < g->min_bytes - 1; i++)
		h = (h << 1) + table[p[i]];
	for (; i + 4 <= end; i += 4) {
		const uint64_t a = table[p[i]], b = table[p[i + 1]];
		const uint64_t c = table[p[i + 2]], d = table[p[i + 3]];
		const uint64_t ab = (a << 1) + b, cd = (c << 1) + d;
		const uint64_t h2 = (h << 2) + ab;

		if ((h << 1) + a < threshold)
			return i + 1;
		if (h2 < threshold)
			return i + 2;
		if ((h2 << 1) + c < threshold)
			return i + 3;
		h = (h2 << 2) + cd;
		if (h < threshold)
			return i + 4;
	}
	for (; i < end; i++) {
		h = (h << 1) + table[p[i]];
		if (h < threshold)
			return i + 1;
	}
	if (end == g->max_bytes || final)
		return end;
	return 0;
}
