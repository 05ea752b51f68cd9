#ifndef HS_CHUNK_PRF_ARM64_H
#define HS_CHUNK_PRF_ARM64_H

/*
 * The private chunker's scan by the cryptographic extension of arm64; its
 * contract is prf_scan()'s, where the processor has it.  Other machines do
 * not.
 */

#include <stddef.h>
#include <stdint.h>

struct prf;

int prf_arm64_has_aes(void);

size_t prf_arm64_scan(
    const struct prf *c, const uint8_t *p, size_t from, size_t end);

#endif
