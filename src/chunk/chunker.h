#ifndef HS_CHUNK_CHUNKER_H
#define HS_CHUNK_CHUNKER_H

/*
 * Where to cut a large file: content-defined chunking; docs/format.md 6.1.
 * Pure; no I/O.
 *
 * A position is a cut when a keyed function of the 64 bytes in front of it is
 * below a threshold; the first such position at or behind the minimum counts,
 * without one the maximum (D. Baarda, rollsum-chunking: no normalisation,
 * minimum half of the average).  So a cut depends only on the bytes since the
 * previous cut, and equal content from a cut on gives equal cuts.  The
 * chunkers differ in that function alone:
 *
 * - gear: fast; who knows enough of the data can work out its key from the
 *   chunks' lengths;
 * - private: the lengths tell nothing about the key, provably; slower.
 */

#include "chunk/gear.h"
#include "chunk/prf.h"

#include <stddef.h>
#include <stdint.h>

#define CHUNKER_WINDOW_BYTES 64u

/* As they stand in the vault header. */
enum { CHUNKER_GEAR = 1, CHUNKER_PRIVATE = 2 };
struct chunker_sizes {
	uint32_t avg_bytes; /* 4 KiB .. 1 MiB */
	uint32_t min_bytes; /* 64 .. avg_bytes - 64 */
	uint32_t max_bytes; /* avg_bytes .. LIMIT_PAYLOAD_BYTES */
};
struct chunker_params {
	uint32_t id;
	struct chunker_sizes sizes;
};
/* Keyed Gear of 256 KiB, 128 KiB, 1 MiB. */
extern const struct chunker_params chunker_default;

/* A secret: hash_wipe() it. */
struct chunker {
	uint32_t id;
	uint32_t min_bytes;
	uint32_t max_bytes;
	union {
		struct gear gear;
		struct prf prf;
	} by;
};

/* ERR_DAMAGED: no such chunker, or parameters outside their limits. */
int chunker_init(struct chunker *c, const uint8_t key[32],
    const struct chunker_params *params);

/*
 * Length of the first chunk of the `len` bytes at `p`, which start at a cut.
 * With `final` zero more bytes may follow: returns 0 when no cut is in sight
 * yet (only when len < max_bytes).  With `final` set a rest without a cut is a
 * chunk.  Never more than max_bytes.
 *
 * `*passed` is how many of the bytes were looked at in vain before: 0 at
 * first, then as the call that returned 0 left it, which spares the next one
 * to look at them again.  A call that returns a length sets it to 0.
 */
size_t chunker_cut(const struct chunker *c, size_t *passed, const uint8_t *p,
    size_t len, int final);

/* "gear", "private"; NULL: there is no such chunker. */
const char *chunker_name(uint32_t id);
/* The id of that name; 0: there is none. */
uint32_t chunker_by_name(const char *name);

#endif
