#ifndef HS_CHUNK_PRF_H
#define HS_CHUNK_PRF_H

/*
 * Cuts that tell nothing about their key: a universal hash of the window, then
 * a pseudorandom function of the hash, and only the function's value decides
 * (Truong, Merz, Scarlata, Guenther, Paterson, "Breaking and Fixing
 * Content-Defined Chunking", CCS 2025, eprint 2025/558).  docs/format.md
 * 6.1.2.
 *
 * Every position is tested by the whole of it.  A cheaper hash that chose the
 * positions worth testing would be faster and leak as much as Gear does.
 *
 * There are several code paths, which give the same cuts.
 */

#include "chunk/aes.h"
#include "chunk/toeplitz.h"

#include <stddef.h>
#include <stdint.h>

#define PRF_WINDOW_BYTES TOEPLITZ_WINDOW_BYTES

enum prf_path {
	PRF_PORTABLE, /* tables alone */
	PRF_AESNI, /* x86-64: AES-NI, one block in a register */
	PRF_VAES, /* x86-64: AVX-512 and VAES, four blocks */
	PRF_ARM64, /* its cryptographic extension */
	PRF_PATHS
};

struct prf {
	struct toeplitz toeplitz;
	struct aes aes;
	uint64_t threshold;
	size_t lanes_max; /* positions that all lanes take at once */
	enum prf_path path;
};

/* Chooses the fastest path that the processor has. */
void prf_init(struct prf *c, const uint8_t key[32], uint64_t threshold);

/*
 * The first of the positions from .. end (each is behind so many of the bytes
 * at `p`) whose value is below the threshold; end + 1 when there is none.
 * from: PRF_WINDOW_BYTES .. end.
 */
size_t prf_scan(const struct prf *c, const uint8_t *p, size_t from, size_t end);

/* The value at the position behind the window at `p`; what a scan compares. */
uint64_t prf_value(const struct prf *c, const uint8_t p[PRF_WINDOW_BYTES]);

/* Nonzero when program and processor have the path. */
int prf_path_there(enum prf_path path);
/* The one that prf_init() chooses. */
enum prf_path prf_path_best(void);
const char *prf_path_name(enum prf_path path);

#endif
