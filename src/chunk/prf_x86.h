#ifndef HS_CHUNK_PRF_X86_H
#define HS_CHUNK_PRF_X86_H

/*
 * The private chunker's scan by the vector instructions of x86-64; the
 * contract of each is prf_scan()'s, where the processor has what it needs.
 * Other machines have neither.
 */

#include <stddef.h>
#include <stdint.h>

struct prf;

int prf_x86_has_aesni(void);
int prf_x86_has_vaes(void);

size_t prf_x86_scan_aesni(
    const struct prf *c, const uint8_t *p, size_t from, size_t end);
size_t prf_x86_scan_vaes(
    const struct prf *c, const uint8_t *p, size_t from, size_t end);

#endif
