#ifndef HS_BASE_BYTES_H
#define HS_BASE_BYTES_H

/*
 * Little-endian integers in byte strings, and a bounded reader that every
 * decoder of outside bytes uses: after the first read past the end, `failed`
 * stays set and all reads give zero, so a decoder checks once per step.
 */

#include <stddef.h>
#include <stdint.h>

static inline void
bytes_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void
bytes_put32(uint8_t *p, uint32_t v)
{
	bytes_put16(p, (uint16_t)v);
	bytes_put16(p + 2, (uint16_t)(v >> 16));
}

static inline void
bytes_put64(uint8_t *p, uint64_t v)
{
	bytes_put32(p, (uint32_t)v);
	bytes_put32(p + 4, (uint32_t)(v >> 32));
}

static inline uint16_t
bytes_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t
bytes_get32(const uint8_t *p)
{
	return (uint32_t)bytes_get16(p) | (uint32_t)bytes_get16(p + 2) << 16;
}

static inline uint64_t
bytes_get64(const uint8_t *p)
{
	return (uint64_t)bytes_get32(p) | (uint64_t)bytes_get32(p + 4) << 32;
}

struct bytes_reader {
	const uint8_t *p;
	size_t left;
	int failed;
};

/* A reader over the `len` bytes at `p`, which must outlive it. */
void bytes_reader_init(struct bytes_reader *r, const uint8_t *p, size_t len);

uint8_t bytes_read8(struct bytes_reader *r);
uint16_t bytes_read16(struct bytes_reader *r);
uint32_t bytes_read32(struct bytes_reader *r);
uint64_t bytes_read64(struct bytes_reader *r);

/*
 * The next `len` bytes, as a pointer into the reader's memory; NULL (and
 * `failed`) when fewer are left.
 */
const uint8_t *bytes_read(struct bytes_reader *r, size_t len);

/* Nonzero when everything was read and nothing failed. */
int bytes_reader_done(const struct bytes_reader *r);

/* Nonzero when all `len` bytes are zero. */
int bytes_are_zero(const uint8_t *p, size_t len);

#endif
