#include "object/entry.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "object/extra.h"

#include <assert.h>
#include <string.h>

/* format.md 7.2: from kind to address */
#define FIXED_BYTES 68u
#define FLAGS_ALL \
	(ENTRY_HARDLINK | ENTRY_XATTR_INLINE | ENTRY_XATTR_REF | \
	    ENTRY_UNSTABLE | ENTRY_EXTRA)
#define MODE_ALL 07777u
#define NS_PER_S 1000000000u
#define EXTENT_BYTES 12u

static_assert(sizeof(((struct entry *)0)->extents) ==
		  LIMIT_LIST_ITEMS * sizeof(struct extent),
    "an entry holds LIMIT_LIST_ITEMS extents");

int
entry_name_is_valid(const char *name, size_t len)
{
	if (len == 0 || len > LIMIT_NAME_BYTES)
		return 0;
	if (memchr(name, '/', len) != NULL || memchr(name, 0, len) != NULL)
		return 0;
	if (len == 1 && name[0] == '.')
		return 0;
	if (len == 2 && name[0] == '.' && name[1] == '.')
		return 0;
	/* The client's own folder never is part of a tree. */
	return len != 6 || memcmp(name, ".shamo", 6) != 0;
}

int
entry_name_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t len = a_len < b_len ? a_len : b_len;
	int c = len == 0 ? 0 : memcmp(a, b, len);

	if (c != 0)
		return c;
	return (a_len > b_len) - (a_len < b_len);
}

static int
has_nul(const char *p, size_t len)
{
	return len > 0 && memchr(p, 0, len) != NULL;
}

/* What is wrong with where a file's content is; NULL: nothing. */
static const char *
file_problem(const struct entry *e)
{
	switch (e->location) {
	case ENTRY_AT_NONE:
		return e->size == 0 ? NULL : "a file without its content";
	case ENTRY_AT_INLINE:
		return e->size >= 1 && e->size <= LIMIT_INLINE_BYTES
			   ? NULL
			   : "bad size of an inline file";
	case ENTRY_AT_BUNDLE:
		return e->size >= 1 && e->size <= LIMIT_PAYLOAD_BYTES &&
			       e->member < LIMIT_MEMBERS
			   ? NULL
			   : "bad size or member of a bundled file";
	case ENTRY_AT_EXTENTS:
		return e->size >= 1 && e->nextents >= 1 &&
			       e->nextents <= LIMIT_LIST_ITEMS
			   ? NULL
			   : "bad size or number of extents";
	case ENTRY_AT_MAP:
		return e->size >= 1 && e->level < LIMIT_LEVELS
			   ? NULL
			   : "bad size or level of a chunk map";
	default:
		return "a location that is not for files";
	}
}

/* What is wrong with the location, given the kind. */
static const char *
location_problem(const struct entry *e)
{
	switch (e->kind) {
	case ADDRESS_FILE:
		return file_problem(e);
	case ADDRESS_DIR:
		return e->location == ENTRY_AT_TREE && e->level < LIMIT_LEVELS
			   ? NULL
			   : "bad location of a directory";
	case ADDRESS_SYMLINK:
		return e->location == ENTRY_AT_TARGET && e->size >= 1 &&
			       e->size <= LIMIT_TARGET_BYTES
			   ? NULL
			   : "bad location or size of a symlink";
	case ADDRESS_FIFO:
		return e->location == ENTRY_AT_NONE && e->size == 0
			   ? NULL
			   : "a FIFO with content";
	case ADDRESS_CHARDEV:
	case ADDRESS_BLOCKDEV:
		return e->location == ENTRY_AT_DEVICE && e->size == 0
			   ? NULL
			   : "bad location or size of a device";
	}
	return "unknown kind";
}

/* The rules for the fields before the texts; needs no pointer of the entry. */
static const char *
fixed_problem(const struct entry *e)
{
	if (e->flags & ~FLAGS_ALL)
		return "unknown flags";
	if ((e->flags & ENTRY_XATTR_INLINE) && (e->flags & ENTRY_XATTR_REF))
		return "extended attributes in two places";
	if ((e->flags & ENTRY_HARDLINK) && e->kind == ADDRESS_DIR)
		return "a hard link to a directory";
	if ((e->flags & ENTRY_UNSTABLE) && e->kind != ADDRESS_FILE)
		return "a mark that is only for files";
	if (e->mode & ~MODE_ALL)
		return "bad mode";
	if (e->mtime_ns >= NS_PER_S)
		return "bad time";
	return NULL;
}

/* The rules for texts and other bytes. */
static const char *
bytes_problem(const struct entry *e)
{
	if (e->name_len == 0) {
		if (e->kind != ADDRESS_DIR)
			return "a root that is no directory";
	} else if (!entry_name_is_valid(e->name, e->name_len)) {
		return "bad name";
	}
	if (e->user_len > LIMIT_OWNER_BYTES || has_nul(e->user, e->user_len))
		return "bad user name";
	if (e->group_len > LIMIT_OWNER_BYTES || has_nul(e->group, e->group_len))
		return "bad group name";
	if (e->kind == ADDRESS_SYMLINK &&
	    has_nul((const char *)e->data, e->size))
		return "bad target";
	return NULL;
}

/* The rules for the extents of an entry that is to be encoded. */
static const char *
extents_problem(const struct entry *e)
{
	uint64_t left = e->size;
	uint32_t i;

	for (i = 0; i < e->nextents; i++) {
		const struct extent *x = &e->extents[i];

		if (x->length == 0 || x->length > left)
			return "extents that do not add up";
		if (i > 0 && x->hole && e->extents[i - 1].hole)
			return "two holes in a row";
		left -= x->length;
	}
	return left == 0 ? NULL : "extents that do not add up";
}

static int
xattr_check(const uint8_t *block, size_t len)
{
	struct entry_xattr x;
	size_t pos = 0;

	return entry_xattr_next(&x, &pos, block, len);
}

/* Nonzero unless these are items that an entry may have. */
static int
extra_is_bad(const uint8_t *items, size_t len)
{
	struct extra x;
	size_t pos = 0;

	return extra_next(&x, &pos, items, len) != 0;
}

static size_t
location_size(const struct entry *e)
{
	switch (e->location) {
	case ENTRY_AT_NONE:
		return 0;
	case ENTRY_AT_INLINE:
	case ENTRY_AT_TARGET:
		return e->size;
	case ENTRY_AT_BUNDLE:
	case ENTRY_AT_DEVICE:
		return 4 + 4;
	case ENTRY_AT_EXTENTS:
		return 4 + e->nextents * EXTENT_BYTES;
	case ENTRY_AT_MAP:
	case ENTRY_AT_TREE:
		return 4 + 1;
	}
	return 0;
}

int
entry_size(size_t *out, const struct entry *e)
{
	const char *problem = fixed_problem(e);
	size_t size;
	int r;

	if (problem == NULL)
		problem = location_problem(e);
	if (problem == NULL)
		problem = bytes_problem(e);
	if (problem == NULL && e->location == ENTRY_AT_EXTENTS)
		problem = extents_problem(e);
	if (problem != NULL)
		return err_set(ERR_LIMIT, "entry: %s", problem);
	size = FIXED_BYTES + e->name_len + 1 + e->user_len + 1 + e->group_len +
	       location_size(e);
	if (e->flags & ENTRY_HARDLINK)
		size += ENTRY_LINK_BYTES;
	if (e->flags & ENTRY_XATTR_INLINE) {
		if (e->xattr_len > LIMIT_XATTR_INLINE)
			return err_set(
			    ERR_LIMIT, "entry: too many extended attributes");
		r = xattr_check(e->xattr, e->xattr_len);
		if (r < 0) {
			(void)err_prefix(r, "entry"); /* becomes a limit */
			return ERR_LIMIT;
		}
		size += 4 + e->xattr_len;
	}
	if (e->flags & ENTRY_XATTR_REF)
		size += 4;
	if (e->flags & ENTRY_EXTRA) {
		if (extra_is_bad(e->extra, e->extra_len))
			return err_set(ERR_LIMIT, "entry: bad extra items");
		size += 2 + e->extra_len;
	}
	*out = size;
	return 0;
}

static void
put_fixed(uint8_t p[FIXED_BYTES], const struct entry *e)
{
	memset(p, 0, FIXED_BYTES);
	p[0] = (uint8_t)e->kind;
	p[1] = (uint8_t)e->flags;
	bytes_put16(p + 2, (uint16_t)e->name_len);
	bytes_put16(p + 4, e->mode);
	p[6] = (uint8_t)e->location;
	bytes_put32(p + 8, e->uid);
	bytes_put32(p + 12, e->gid);
	bytes_put64(p + 16, (uint64_t)e->mtime_s);
	bytes_put32(p + 24, e->mtime_ns);
	bytes_put64(p + 28, e->size);
	memcpy(p + 36, e->address, HASH_BYTES);
}

static int
encode_text8(struct buf *payload, const char *text, size_t len)
{
	int r = buf_append8(payload, (uint8_t)len);

	return r < 0 ? r : buf_append(payload, text, len);
}

static int
encode_location(struct buf *payload, struct refs *refs, const struct entry *e)
{
	uint32_t i;
	int r = 0;

	switch (e->location) {
	case ENTRY_AT_NONE:
		break;
	case ENTRY_AT_INLINE:
	case ENTRY_AT_TARGET:
		r = buf_append(payload, e->data, e->size);
		break;
	case ENTRY_AT_BUNDLE:
		r = refs_add(refs, payload, e->id);
		if (r == 0)
			r = buf_append32(payload, e->member);
		break;
	case ENTRY_AT_EXTENTS:
		r = buf_append32(payload, e->nextents);
		for (i = 0; r == 0 && i < e->nextents; i++)
			r = extent_encode(payload, refs, &e->extents[i]);
		break;
	case ENTRY_AT_MAP:
	case ENTRY_AT_TREE:
		r = refs_add(refs, payload, e->id);
		if (r == 0)
			r = buf_append8(payload, e->level);
		break;
	case ENTRY_AT_DEVICE:
		r = buf_append32(payload, e->major);
		if (r == 0)
			r = buf_append32(payload, e->minor);
		break;
	}
	return r;
}

int
entry_encode(struct buf *payload, struct refs *refs, const struct entry *e)
{
	size_t size, start = payload->len;
	uint8_t *fixed;
	int r;

	r = entry_size(&size, e);
	if (r == 0)
		r = buf_reserve(payload, size);
	if (r == 0)
		r = buf_extend(&fixed, payload, FIXED_BYTES);
	if (r < 0)
		return r;
	put_fixed(fixed, e);
	r = buf_append(payload, e->name, e->name_len);
	if (r == 0)
		r = encode_text8(payload, e->user, e->user_len);
	if (r == 0)
		r = encode_text8(payload, e->group, e->group_len);
	if (r == 0 && (e->flags & ENTRY_HARDLINK))
		r = buf_append(payload, e->link, ENTRY_LINK_BYTES);
	if (r == 0 && (e->flags & ENTRY_XATTR_INLINE)) {
		r = buf_append32(payload, (uint32_t)e->xattr_len);
		if (r == 0)
			r = buf_append(payload, e->xattr, e->xattr_len);
	}
	if (r == 0 && (e->flags & ENTRY_XATTR_REF))
		r = refs_add(refs, payload, e->xattr_id);
	if (r == 0 && (e->flags & ENTRY_EXTRA)) {
		r = buf_append16(payload, (uint16_t)e->extra_len);
		if (r == 0)
			r = buf_append(payload, e->extra, e->extra_len);
	}
	if (r == 0)
		r = encode_location(payload, refs, e);
	assert(r < 0 || payload->len - start == size);
	return r;
}

static int
damaged(const char *problem)
{
	return err_set(ERR_DAMAGED, "entry: %s", problem);
}

static int
decode_ref(uint8_t id[OBJECT_ID_BYTES], struct bytes_reader *r,
    struct refs_check *check, const uint8_t *refs)
{
	uint32_t ref = bytes_read32(r);
	int rc;

	if (r->failed)
		return damaged("it ends too early");
	rc = refs_check_use(check, ref);
	if (rc < 0)
		return rc;
	memcpy(id, refs + (size_t)ref * OBJECT_ID_BYTES, OBJECT_ID_BYTES);
	return 0;
}

/* The fields up to the address; `e` is all zero before. */
static int
decode_fixed(struct entry *e, struct bytes_reader *r)
{
	const uint8_t *p = bytes_read(r, FIXED_BYTES);
	const char *problem;

	if (p == NULL)
		return damaged("it ends too early");
	if (p[0] < ADDRESS_FILE || p[0] > ADDRESS_BLOCKDEV)
		return damaged("unknown kind");
	if (p[6] > ENTRY_AT_DEVICE)
		return damaged("unknown location");
	if (p[7] != 0)
		return damaged("a zero field is not zero");
	e->kind = (enum address_kind)p[0];
	e->flags = p[1];
	e->name_len = bytes_get16(p + 2);
	e->mode = bytes_get16(p + 4);
	e->location = (enum entry_location)p[6];
	e->uid = bytes_get32(p + 8);
	e->gid = bytes_get32(p + 12);
	e->mtime_s = (int64_t)bytes_get64(p + 16);
	e->mtime_ns = bytes_get32(p + 24);
	e->size = bytes_get64(p + 28);
	memcpy(e->address, p + 36, HASH_BYTES);
	problem = fixed_problem(e);
	return problem == NULL ? 0 : damaged(problem);
}

/* Names, link group and xattrs. */
static int
decode_bytes(struct entry *e, struct bytes_reader *r, struct refs_check *check,
    const uint8_t *refs)
{
	const uint8_t *p;
	int rc;

	e->name = (const char *)bytes_read(r, e->name_len);
	e->user_len = bytes_read8(r);
	e->user = (const char *)bytes_read(r, e->user_len);
	e->group_len = bytes_read8(r);
	e->group = (const char *)bytes_read(r, e->group_len);
	if (e->flags & ENTRY_HARDLINK) {
		p = bytes_read(r, ENTRY_LINK_BYTES);
		if (p != NULL)
			memcpy(e->link, p, ENTRY_LINK_BYTES);
	}
	if (r->failed)
		return damaged("it ends too early");
	if (e->flags & ENTRY_XATTR_INLINE) {
		e->xattr_len = bytes_read32(r);
		if (e->xattr_len > LIMIT_XATTR_INLINE)
			return damaged("too many extended attributes");
		e->xattr = bytes_read(r, e->xattr_len);
		if (e->xattr == NULL)
			return damaged("it ends too early");
		return xattr_check(e->xattr, e->xattr_len);
	}
	if (e->flags & ENTRY_XATTR_REF) {
		rc = decode_ref(e->xattr_id, r, check, refs);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* What version 1 does not know, and may pass over. */
static int
decode_extra(struct entry *e, struct bytes_reader *r)
{
	if ((e->flags & ENTRY_EXTRA) == 0)
		return 0;
	e->extra_len = bytes_read16(r);
	e->extra = bytes_read(r, e->extra_len);
	if (e->extra == NULL)
		return damaged("it ends too early");
	return extra_is_bad(e->extra, e->extra_len) ? damaged("bad extra items")
						    : 0;
}

static int
decode_location(struct entry *e, struct bytes_reader *r,
    struct refs_check *check, const uint8_t *refs)
{
	const char *problem;
	int rc = 0;

	switch (e->location) {
	case ENTRY_AT_NONE:
		break;
	case ENTRY_AT_INLINE:
	case ENTRY_AT_TARGET:
		/* No longer than what is left, so it fits a size_t. */
		if (e->size > r->left)
			return damaged("it ends too early");
		e->data = bytes_read(r, (size_t)e->size);
		break;
	case ENTRY_AT_BUNDLE:
		rc = decode_ref(e->id, r, check, refs);
		e->member = bytes_read32(r);
		break;
	case ENTRY_AT_EXTENTS:
		e->nextents = bytes_read32(r);
		if (e->nextents > LIMIT_LIST_ITEMS)
			return damaged("too many extents");
		rc = extent_decode(
		    e->extents, e->nextents, e->size, 0, r, check, refs);
		break;
	case ENTRY_AT_MAP:
	case ENTRY_AT_TREE:
		rc = decode_ref(e->id, r, check, refs);
		e->level = bytes_read8(r);
		break;
	case ENTRY_AT_DEVICE:
		e->major = bytes_read32(r);
		e->minor = bytes_read32(r);
		break;
	}
	if (rc < 0)
		return rc;
	if (r->failed)
		return damaged("it ends too early");
	problem = location_problem(e);
	return problem == NULL ? 0 : damaged(problem);
}

int
entry_decode(struct entry *out, struct bytes_reader *r,
    struct refs_check *check, const uint8_t *refs, int is_root)
{
	struct entry e;
	const char *problem;
	int rc;

	memset(&e, 0, sizeof(e));
	rc = decode_fixed(&e, r);
	if (rc == 0)
		rc = decode_bytes(&e, r, check, refs);
	if (rc == 0)
		rc = decode_extra(&e, r);
	if (rc == 0)
		rc = decode_location(&e, r, check, refs);
	if (rc < 0)
		return rc;
	if ((is_root != 0) != (e.name_len == 0))
		return damaged("bad name");
	problem = bytes_problem(&e);
	if (problem != NULL)
		return damaged(problem);
	*out = e;
	return 0;
}
