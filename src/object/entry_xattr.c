/* Blocks of extended attributes; docs/format.md 7.4. */

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "object/entry.h"

#include <string.h>

#define COUNT_BYTES 2u
#define ATTRIBUTE_BYTES 5u /* name length u8, value length u32 */

int
entry_xattr_begin(struct buf *block)
{
	buf_reset(block);
	return buf_append16(block, 0);
}

static int
name_is_valid(const char *name, size_t len)
{
	return len > 0 && len <= LIMIT_NAME_BYTES &&
	       memchr(name, 0, len) == NULL;
}

static int
read_one(struct entry_xattr *out, struct bytes_reader *r)
{
	struct entry_xattr x;

	x.name_len = bytes_read8(r);
	x.name = (const char *)bytes_read(r, x.name_len);
	x.value_len = bytes_read32(r);
	x.value = bytes_read(r, x.value_len);
	if (r->failed)
		return err_set(ERR_DAMAGED, "xattrs: they end too early");
	if (!name_is_valid(x.name, x.name_len))
		return err_set(ERR_DAMAGED, "xattrs: bad name");
	*out = x;
	return 0;
}

/* Check a block but for its end; `*last` is void when `*count` is 0. */
static int
read_all(struct entry_xattr *last, uint32_t *count, struct bytes_reader *r)
{
	struct entry_xattr x, before = {0};
	uint32_t n = bytes_read16(r), i;
	int rc;

	if (r->failed)
		return err_set(ERR_DAMAGED, "xattrs: they end too early");
	for (i = 0; i < n; i++) {
		rc = read_one(&x, r);
		if (rc < 0)
			return rc;
		if (i > 0 && entry_name_compare(before.name, before.name_len,
				 x.name, x.name_len) >= 0)
			return err_set(ERR_DAMAGED,
			    "xattrs: names are not sorted and unique");
		before = x;
	}
	if (r->left != 0)
		return err_set(ERR_DAMAGED, "xattrs: bytes left over");
	*last = before;
	*count = n;
	return 0;
}

int
entry_xattr_add(struct buf *block, const struct entry_xattr *x)
{
	struct entry_xattr last;
	struct bytes_reader reader;
	uint32_t count;
	size_t size;
	int r;

	if (!name_is_valid(x->name, x->name_len))
		return err_set(ERR_LIMIT, "xattrs: bad name");
	bytes_reader_init(&reader, block->data, block->len);
	r = read_all(&last, &count, &reader);
	if (r < 0)
		return r;
	if (count > 0 && entry_name_compare(last.name, last.name_len, x->name,
			     x->name_len) >= 0)
		return err_set(
		    ERR_FAIL, "xattrs: names are not sorted and unique");
	size = ATTRIBUTE_BYTES + x->name_len;
	if (count == UINT16_MAX || block->len > LIMIT_XATTR_BYTES ||
	    size > LIMIT_XATTR_BYTES - block->len ||
	    x->value_len > LIMIT_XATTR_BYTES - block->len - size)
		return err_set(
		    ERR_LIMIT, "xattrs: more than %u bytes", LIMIT_XATTR_BYTES);
	r = buf_reserve(block, size + x->value_len);
	if (r == 0)
		r = buf_append8(block, (uint8_t)x->name_len);
	if (r == 0)
		r = buf_append(block, x->name, x->name_len);
	if (r == 0)
		r = buf_append32(block, (uint32_t)x->value_len);
	if (r == 0)
		r = buf_append(block, x->value, x->value_len);
	if (r < 0)
		return r;
	bytes_put16(block->data, (uint16_t)(count + 1));
	return 0;
}

int
entry_xattr_next(
    struct entry_xattr *out, size_t *pos, const uint8_t *block, size_t len)
{
	struct entry_xattr last;
	struct bytes_reader reader;
	uint32_t count;
	size_t at = *pos;
	int r;

	if (at == 0) {
		if (len > LIMIT_XATTR_BYTES)
			return err_set(ERR_DAMAGED,
			    "xattrs: more than %u bytes", LIMIT_XATTR_BYTES);
		bytes_reader_init(&reader, block, len);
		r = read_all(&last, &count, &reader);
		if (r < 0)
			return r;
		if (count == 0)
			return err_set(ERR_DAMAGED, "xattrs: an empty block");
		at = COUNT_BYTES;
	}
	if (at >= len)
		return 1;
	bytes_reader_init(&reader, block + at, len - at);
	r = read_one(out, &reader);
	if (r < 0)
		return r;
	*pos = len - reader.left;
	return 0;
}
