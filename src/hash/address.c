#include "hash/address.h"

#include "base/bytes.h"
#include "base/hex.h"
#include "base/limits.h"

#include <assert.h>

void
address_dir_init(struct hash *h)
{
	hash_init_derive(h, "hashstore 2026 directory v1");
}

void
address_dir_add(struct hash *h, enum address_kind kind, const char *name,
    size_t name_len, const uint8_t address[HASH_BYTES])
{
	uint8_t head[3];

	assert(name_len >= 1 && name_len <= LIMIT_NAME_BYTES);
	head[0] = (uint8_t)kind;
	bytes_put16(head + 1, (uint16_t)name_len);
	hash_update(h, head, sizeof(head));
	hash_update(h, name, name_len);
	hash_update(h, address, HASH_BYTES);
}

void
address_dir_final(const struct hash *h, uint8_t out[HASH_BYTES])
{
	hash_final(h, out);
}

void
address_symlink(uint8_t out[HASH_BYTES], const char *target, size_t len)
{
	hash_bytes(out, target, len);
}

void
address_fifo(uint8_t out[HASH_BYTES])
{
	hash_bytes(out, "", 0);
}

void
address_device(uint8_t out[HASH_BYTES], uint32_t major, uint32_t minor)
{
	uint8_t numbers[8];

	bytes_put32(numbers, major);
	bytes_put32(numbers + 4, minor);
	hash_bytes(out, numbers, sizeof(numbers));
}

void
address_text(char out[ADDRESS_TEXT_BYTES], enum address_kind kind,
    const uint8_t address[HASH_BYTES])
{
	char *digits = out;

	if (kind == ADDRESS_DIR)
		*digits++ = 'X';
	hex_encode(digits, address, HASH_BYTES);
}
