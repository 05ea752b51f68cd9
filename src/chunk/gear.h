#ifndef HS_CHUNK_GEAR_H
#define HS_CHUNK_GEAR_H

/*
 * Where to cut: content-defined chunking with a keyed 64-bit Gear hash
 * (Xia et al., FastCDC, USENIX ATC 2016, for Gear; without normalisation, cut
 * where the hash is below a threshold, minimum half of the average:
 * D. Baarda, rollsum-chunking).  docs/format.md 6.1.  Pure; no I/O.
 *
 * A cut depends only on the bytes since the previous cut, so equal content
 * from a cut on gives equal cuts.
 */

#include <stddef.h>
#include <stdint.h>

struct gear {
	uint64_t table[256];
	uint64_t threshold;
	uint32_t min_bytes;
	uint32_t max_bytes;
};

/* Chunker id and parameters as they stand in the vault header. */
#define GEAR_ID 1u
struct gear_params {
	uint32_t avg_bytes; /* 4 KiB .. 1 MiB */
	uint32_t min_bytes; /* 64 .. avg_bytes - 64 */
	uint32_t max_bytes; /* avg_bytes .. LIMIT_PAYLOAD_BYTES */
};
extern const struct gear_params gear_default; /* 256 KiB, 128 KiB, 1 MiB */

/* Returns 0, or ERR_DAMAGED when the parameters are outside their limits. */
int gear_init(
    struct gear *g, const uint8_t key[32], const struct gear_params *params);

/*
 * Length of the first chunk of the `len` bytes at `p`, which start at a cut.
 * With `final` zero more bytes may follow: returns 0 when no cut is in sight
 * yet (only when len < max_bytes).  With `final` set a rest without a cut is a
 * chunk.  Never more than max_bytes.
 */
size_t gear_cut(const struct gear *g, const uint8_t *p, size_t len, int final);

#endif
