#include "object/refs.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A use: id, offset of its position in the payload (u32). */
#define USE_BYTES (OBJECT_ID_BYTES + 4u)

void
refs_init(struct refs *r)
{
	buf_init(&r->uses);
}

void
refs_release(struct refs *r)
{
	buf_release(&r->uses);
}

void
refs_reset(struct refs *r)
{
	buf_reset(&r->uses);
}

int
refs_add(struct refs *r, struct buf *payload, const uint8_t id[OBJECT_ID_BYTES])
{
	uint8_t *use;
	int rc;

	/* Also keeps the offset within its u32. */
	if (payload->len > LIMIT_PAYLOAD_BYTES)
		return err_set(ERR_LIMIT, "object: the payload is too large");
	/* Take the memory for both before either changes. */
	rc = buf_reserve(&r->uses, USE_BYTES);
	if (rc < 0)
		return rc;
	rc = buf_append32(payload, 0);
	if (rc < 0)
		return rc;
	rc = buf_extend(&use, &r->uses, USE_BYTES);
	if (rc < 0)
		return rc;
	memcpy(use, id, OBJECT_ID_BYTES);
	bytes_put32(use + OBJECT_ID_BYTES, (uint32_t)(payload->len - 4));
	return 0;
}

uint32_t
refs_uses(const struct refs *r)
{
	return (uint32_t)(r->uses.len / USE_BYTES);
}

static int
use_compare(const void *a, const void *b)
{
	return memcmp(a, b, OBJECT_ID_BYTES);
}

int
refs_finish(struct buf *out, struct refs *r, struct buf *payload)
{
	uint32_t n = refs_uses(r), unique = 0, pos = 0, i;
	const uint8_t *use, *before = NULL;
	size_t at;
	uint8_t *to;
	int rc;

	if (n > 1)
		qsort(r->uses.data, n, USE_BYTES, use_compare);
	for (i = 0; i < n; i++) {
		use = r->uses.data + (size_t)i * USE_BYTES;
		if (before == NULL || use_compare(before, use) != 0)
			unique++;
		before = use;
	}
	if (unique > LIMIT_REFS)
		return err_set(
		    ERR_LIMIT, "object: more than %u references", LIMIT_REFS);
	buf_reset(out);
	rc = buf_extend(&to, out, (size_t)unique * OBJECT_ID_BYTES);
	if (rc < 0)
		return rc;
	before = NULL;
	for (i = 0; i < n; i++) {
		use = r->uses.data + (size_t)i * USE_BYTES;
		if (before == NULL || use_compare(before, use) != 0) {
			memcpy(to + (size_t)pos * OBJECT_ID_BYTES, use,
			    OBJECT_ID_BYTES);
			pos++;
		}
		at = bytes_get32(use + OBJECT_ID_BYTES);
		assert(at + 4 <= payload->len);
		bytes_put32(payload->data + at, pos - 1);
		before = use;
	}
	refs_reset(r);
	return 0;
}

int
refs_place(
    struct refs *r, struct buf *payload, const uint8_t *refs, uint32_t nrefs)
{
	uint32_t n = refs_uses(r), i;
	const uint8_t *use, *found;
	size_t at;

	for (i = 0; i < n; i++) {
		use = r->uses.data + (size_t)i * USE_BYTES;
		found = nrefs == 0 ? NULL
				   : bsearch(use, refs, nrefs, OBJECT_ID_BYTES,
					 use_compare);
		if (found == NULL)
			break;
		at = bytes_get32(use + OBJECT_ID_BYTES);
		assert(at + 4 <= payload->len);
		bytes_put32(payload->data + at,
		    (uint32_t)((size_t)(found - refs) / OBJECT_ID_BYTES));
	}
	refs_reset(r);
	return i == n ? 0 : 1;
}

int
refs_are_sorted(const uint8_t *refs, uint32_t nrefs)
{
	uint32_t i;

	for (i = 1; i < nrefs; i++) {
		const uint8_t *p = refs + (size_t)i * OBJECT_ID_BYTES;

		if (memcmp(p - OBJECT_ID_BYTES, p, OBJECT_ID_BYTES) >= 0)
			return 0;
	}
	return 1;
}

int
refs_check_init(struct refs_check *c, const uint8_t *refs, uint32_t nrefs)
{
	buf_init(&c->seen);
	c->nrefs = 0;
	if (nrefs > LIMIT_REFS)
		return err_set(
		    ERR_DAMAGED, "object: more than %u references", LIMIT_REFS);
	if (!refs_are_sorted(refs, nrefs))
		return err_set(ERR_DAMAGED,
		    "object: references are not sorted and unique");
	c->nrefs = nrefs;
	return buf_append_zeros(&c->seen, (nrefs + 7) / 8);
}

void
refs_check_release(struct refs_check *c)
{
	buf_release(&c->seen);
	c->nrefs = 0;
}

int
refs_check_use(struct refs_check *c, uint32_t pos)
{
	if (pos >= c->nrefs)
		return err_set(ERR_DAMAGED,
		    "object: reference %lu of %lu does not exist",
		    (unsigned long)pos, (unsigned long)c->nrefs);
	c->seen.data[pos / 8] |= (uint8_t)(1u << (pos % 8));
	return 0;
}

int
refs_check_done(const struct refs_check *c)
{
	uint32_t i;

	for (i = 0; i < c->nrefs; i++) {
		if ((c->seen.data[i / 8] >> (i % 8) & 1) == 0)
			return err_set(ERR_DAMAGED,
			    "object: reference %lu of %lu is not used",
			    (unsigned long)i, (unsigned long)c->nrefs);
	}
	return 0;
}
