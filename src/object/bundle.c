#include "object/bundle.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

/* format.md 6.2: a member of n bytes closes below n * 2^45. */
#define CLOSE_SHIFT 45
#define LENGTH_BYTES 4u

void
bundle_init(struct bundle *b)
{
	buf_init(&b->lengths);
	buf_init(&b->members);
	buf_init(&b->bytes);
}

void
bundle_release(struct bundle *b)
{
	buf_release(&b->lengths);
	buf_release(&b->members);
	buf_release(&b->bytes);
}

void
bundle_reset(struct bundle *b)
{
	buf_reset(&b->lengths);
	buf_reset(&b->members);
	buf_reset(&b->bytes);
}

uint32_t
bundle_count(const struct bundle *b)
{
	return (uint32_t)(b->lengths.len / LENGTH_BYTES);
}

int
bundle_full(const struct bundle *b, size_t len)
{
	return bundle_count(b) > 0 &&
	       (bundle_count(b) >= LIMIT_MEMBERS || len > BUNDLE_BYTES_MAX ||
		   b->bytes.len + len > BUNDLE_BYTES_MAX);
}

/* Whether a member of `len` bytes with this file id ends a bundle. */
static int
is_closing(const uint8_t file_id[OBJECT_ID_BYTES], size_t len)
{
	/* From here on n * 2^45 is 2^64 or more: every value is below. */
	if (len >= (size_t)1 << (64 - CLOSE_SHIFT))
		return 1;
	return bytes_get64(file_id) < (uint64_t)len << CLOSE_SHIFT;
}

int
bundle_add(int *closed, struct bundle *b,
    const uint8_t file_id[OBJECT_ID_BYTES], const uint8_t *p, size_t len)
{
	int r;

	if (len == 0 || len > BUNDLE_BYTES_MAX)
		return err_set(ERR_LIMIT,
		    "bundle: a member of %zu bytes does not fit", len);
	if (bundle_full(b, len))
		return err_set(ERR_FAIL, "bundle: it is full");
	/* Take all memory first, so that a failure leaves it as it was. */
	r = buf_reserve(&b->lengths, LENGTH_BYTES);
	if (r == 0)
		r = buf_reserve(&b->members, OBJECT_ID_BYTES);
	if (r == 0)
		r = buf_append(&b->bytes, p, len);
	if (r == 0)
		r = buf_append32(&b->lengths, (uint32_t)len);
	if (r == 0)
		r = buf_append(&b->members, file_id, OBJECT_ID_BYTES);
	if (r < 0)
		return r;
	*closed = b->bytes.len >= BUNDLE_BYTES_MIN && is_closing(file_id, len);
	return 0;
}

int
bundle_finish(struct object *out, struct bundle *b)
{
	int r;

	if (bundle_count(b) == 0)
		return err_set(ERR_FAIL, "bundle: it has no members");
	object_reset(out, OBJECT_BUNDLE);
	r = buf_append32(&out->payload, bundle_count(b));
	if (r == 0)
		r = buf_append(&out->payload, b->lengths.data, b->lengths.len);
	if (r == 0)
		r = buf_append(&out->payload, b->bytes.data, b->bytes.len);
	if (r == 0)
		r = buf_append(&out->members, b->members.data, b->members.len);
	if (r < 0)
		return r;
	bundle_reset(b);
	return 0;
}

/* Check the whole payload; gives the count and the lengths. */
static int
read_lengths(uint32_t *count, const uint8_t **lengths, const uint8_t *payload,
    size_t len)
{
	struct bytes_reader r;
	const uint8_t *p;
	uint64_t sum = 0;
	uint32_t n, i, one;

	bytes_reader_init(&r, payload, len);
	n = bytes_read32(&r);
	if (r.failed || n == 0 || n > LIMIT_MEMBERS)
		return err_set(ERR_DAMAGED, "bundle: bad number of members");
	p = bytes_read(&r, (size_t)n * LENGTH_BYTES);
	if (p == NULL)
		return err_set(ERR_DAMAGED, "bundle: it ends too early");
	for (i = 0; i < n; i++) {
		one = bytes_get32(p + (size_t)i * LENGTH_BYTES);
		if (one == 0)
			return err_set(ERR_DAMAGED, "bundle: an empty member");
		sum += one;
	}
	if (sum != r.left)
		return err_set(
		    ERR_DAMAGED, "bundle: the members' lengths do not add up");
	*count = n;
	*lengths = p;
	return 0;
}

int
bundle_member(const uint8_t **out, size_t *out_len, uint32_t i,
    const uint8_t *payload, size_t len)
{
	const uint8_t *lengths;
	uint32_t n, k;
	size_t at = 0;
	int r;

	r = read_lengths(&n, &lengths, payload, len);
	if (r < 0)
		return r;
	if (i >= n)
		return err_set(ERR_DAMAGED, "bundle: no member %lu of %lu",
		    (unsigned long)i, (unsigned long)n);
	for (k = 0; k < i; k++)
		at += bytes_get32(lengths + (size_t)k * LENGTH_BYTES);
	*out = lengths + (size_t)n * LENGTH_BYTES + at;
	*out_len = bytes_get32(lengths + (size_t)i * LENGTH_BYTES);
	return 0;
}

int
bundle_check(uint32_t nmembers, const uint8_t *payload, size_t len)
{
	const uint8_t *lengths;
	uint32_t n;
	int r;

	r = read_lengths(&n, &lengths, payload, len);
	if (r < 0)
		return r;
	if (n != nmembers)
		return err_set(ERR_DAMAGED,
		    "bundle: %lu members, but %lu file ids", (unsigned long)n,
		    (unsigned long)nmembers);
	return 0;
}
