#include "base/kvsum.h"

#include "base/bytes.h"

#include <stdint.h>
#include <string.h>

/* One step for each eight bytes, from which there is a way back: what differs
 * in eight bytes alone gives another 64 bits. */
static uint64_t
add(uint64_t sum, const uint8_t *p, size_t len)
{
	uint64_t word;
	size_t n;

	for (; len > 0; p += n, len -= n) {
		n = len < sizeof(word) ? len : sizeof(word);
		word = 0;
		memcpy(&word, p, n);
		sum = (sum ^ word) * UINT64_C(0x9E3779B97F4A7C15);
		sum ^= sum >> 32;
	}
	return sum;
}

static uint32_t
sum_of(const void *key, size_t key_len, const void *value, size_t len)
{
	uint64_t sum =
	    add((uint64_t)key_len << 32 | (uint32_t)len, key, key_len);

	return (uint32_t)add(sum, value, len);
}

void
kvsum_put(
    void *to, const void *key, size_t key_len, const void *value, size_t len)
{
	if (len > 0)
		memcpy(to, value, len);
	bytes_put32((uint8_t *)to + len, sum_of(key, key_len, value, len));
}

int
kvsum_take(size_t *len, const void *key, size_t key_len, const void *value)
{
	size_t n = *len - KVSUM_BYTES;

	if (*len < KVSUM_BYTES || bytes_get32((const uint8_t *)value + n) !=
				      sum_of(key, key_len, value, n))
		return 1;
	*len = n;
	return 0;
}
