/* Where the fields of an encoded entry are; docs/format.md 7.2 and 7.3. */

#include "base/err.h"
#include "object/entry.h"

#include <string.h>

#define FIXED_BYTES 68u
#define EXTENT_BYTES 12u

/* Pass the location's data.  `start` is the entry's first byte. */
static void
peek_location(
    struct entry_peek *e, struct bytes_reader *r, const uint8_t *start)
{
	e->refs_step = EXTENT_BYTES;
	switch (e->location) {
	case ENTRY_AT_NONE:
		break;
	case ENTRY_AT_INLINE:
	case ENTRY_AT_TARGET:
		/* What is too long fails at the reader's end. */
		(void)bytes_read(
		    r, e->size > r->left ? r->left + 1 : (size_t)e->size);
		break;
	case ENTRY_AT_BUNDLE:
		e->nrefs = 1;
		e->refs_at = (size_t)(r->p - start);
		(void)bytes_read(r, 8); /* ref, member */
		break;
	case ENTRY_AT_MAP:
	case ENTRY_AT_TREE:
		e->nrefs = 1;
		e->refs_at = (size_t)(r->p - start);
		(void)bytes_read(r, 5); /* ref, level */
		break;
	case ENTRY_AT_EXTENTS:
		e->nrefs = bytes_read32(r);
		e->refs_at = (size_t)(r->p - start);
		(void)bytes_read(r, (uint64_t)e->nrefs * EXTENT_BYTES > r->left
					? r->left + 1
					: e->nrefs * EXTENT_BYTES);
		break;
	case ENTRY_AT_DEVICE:
		(void)bytes_read(r, 8);
		break;
	}
}

int
entry_peek(struct entry_peek *out, const uint8_t *p, size_t len)
{
	struct entry_peek e;
	struct bytes_reader r;
	const uint8_t *fixed;

	memset(&e, 0, sizeof(e));
	bytes_reader_init(&r, p, len);
	fixed = bytes_read(&r, FIXED_BYTES);
	if (fixed == NULL || fixed[6] > ENTRY_AT_DEVICE)
		return err_set(ERR_DAMAGED, "entry: malformed");
	e.kind = (enum address_kind)fixed[0];
	e.flags = fixed[1];
	e.name_len = bytes_get16(fixed + 2);
	e.location = (enum entry_location)fixed[6];
	e.size = bytes_get64(fixed + 28);
	e.address = fixed + 36;
	e.name = (const char *)bytes_read(&r, e.name_len);
	(void)bytes_read(&r, bytes_read8(&r)); /* user */
	(void)bytes_read(&r, bytes_read8(&r)); /* group */
	if ((e.flags & ENTRY_HARDLINK) != 0)
		(void)bytes_read(&r, ENTRY_LINK_BYTES);
	if ((e.flags & ENTRY_XATTR_INLINE) != 0)
		(void)bytes_read(&r, bytes_read32(&r));
	if ((e.flags & ENTRY_XATTR_REF) != 0) {
		e.xattr_ref = (size_t)(r.p - p);
		(void)bytes_read(&r, 4);
	}
	if ((e.flags & ENTRY_EXTRA) != 0)
		(void)bytes_read(&r, bytes_read16(&r));
	if (!r.failed)
		peek_location(&e, &r, p);
	if (r.failed)
		return err_set(ERR_DAMAGED, "entry: malformed");
	e.len = len - r.left;
	*out = e;
	return 0;
}
