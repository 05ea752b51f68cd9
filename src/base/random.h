#ifndef HS_BASE_RANDOM_H
#define HS_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fill with bytes of the kernel's generator; aborts if there is none. */
void random_bytes(uint8_t *out, size_t len);

#endif
