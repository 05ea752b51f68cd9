#ifndef HS_CHUNK_GEAR_H
#define HS_CHUNK_GEAR_H

/*
 * The keyed 64-bit Gear hash (Xia et al., FastCDC, USENIX ATC 2016): each byte
 * doubles the hash and adds the byte's entry of a secret table, so a byte is
 * out of it after 64 more.  docs/format.md 6.1.1.
 */

#include <stddef.h>
#include <stdint.h>

#define GEAR_WINDOW_BYTES 64u

struct gear {
	uint64_t table[256];
	uint64_t threshold;
};

void gear_init(struct gear *g, const uint8_t key[32], uint64_t threshold);

/*
 * The first of the positions from .. end (each is behind so many of the bytes
 * at `p`) whose hash is below the threshold; end + 1 when there is none.
 * from: GEAR_WINDOW_BYTES .. end.
 */
size_t gear_scan(
    const struct gear *g, const uint8_t *p, size_t from, size_t end);

#endif
