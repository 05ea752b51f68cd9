#include "base/bytes.h"

#include <string.h>

void
bytes_reader_init(struct bytes_reader *r, const uint8_t *p, size_t len)
{
	r->p = p;
	r->left = len;
	r->failed = 0;
}

const uint8_t *
bytes_read(struct bytes_reader *r, size_t len)
{
	const uint8_t *p = r->p;

	if (r->failed || len > r->left) {
		r->failed = 1;
		return NULL;
	}
	r->p += len;
	r->left -= len;
	return p;
}

uint8_t
bytes_read8(struct bytes_reader *r)
{
	const uint8_t *p = bytes_read(r, 1);

	return p == NULL ? 0 : p[0];
}

uint16_t
bytes_read16(struct bytes_reader *r)
{
	const uint8_t *p = bytes_read(r, 2);

	return p == NULL ? 0 : bytes_get16(p);
}

uint32_t
bytes_read32(struct bytes_reader *r)
{
	const uint8_t *p = bytes_read(r, 4);

	return p == NULL ? 0 : bytes_get32(p);
}

uint64_t
bytes_read64(struct bytes_reader *r)
{
	const uint8_t *p = bytes_read(r, 8);

	return p == NULL ? 0 : bytes_get64(p);
}

int
bytes_reader_done(const struct bytes_reader *r)
{
	return !r->failed && r->left == 0;
}

int
bytes_are_zero(const uint8_t *p, size_t len)
{
	/* Each byte equals its neighbour and the first is zero. */
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}
