#ifndef HS_OBJECT_ENTRY_H
#define HS_OBJECT_ENTRY_H

/*
 * A directory entry in memory; docs/format.md 7.2.  Pointers belong to
 * whoever filled the entry: a decoded one points into the object's bytes.
 */

#include "base/bytes.h"
#include "hash/address.h"
#include "object/extent.h"
#include "object/refs.h"

#define ENTRY_HARDLINK 1u
#define ENTRY_XATTR_INLINE 2u
#define ENTRY_XATTR_REF 4u
#define ENTRY_UNSTABLE 8u
#define ENTRY_EXTRA 16u
#define ENTRY_LINK_BYTES 16
/* File contents up to this stand in the entry; readers take
 * LIMIT_INLINE_BYTES. */
#define ENTRY_INLINE_BYTES 128u

enum entry_location {
	ENTRY_AT_NONE = 0,
	ENTRY_AT_INLINE = 1,
	ENTRY_AT_BUNDLE = 2,
	ENTRY_AT_EXTENTS = 3,
	ENTRY_AT_MAP = 4,
	ENTRY_AT_TREE = 5,
	ENTRY_AT_TARGET = 6,
	ENTRY_AT_DEVICE = 7
};

struct entry {
	enum address_kind kind;
	unsigned flags;
	const char *name;
	size_t name_len;
	uint16_t mode;
	uint32_t uid, gid;
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint64_t size;
	uint8_t address[HASH_BYTES];
	const char *user, *group; /* not terminated */
	size_t user_len, group_len;
	uint8_t link[ENTRY_LINK_BYTES]; /* ENTRY_HARDLINK */
	const uint8_t *xattr; /* block, ENTRY_XATTR_INLINE */
	size_t xattr_len;
	uint8_t xattr_id[OBJECT_ID_BYTES]; /* ENTRY_XATTR_REF */
	const uint8_t *extra; /* items, ENTRY_EXTRA: object/extra.h */
	size_t extra_len;

	enum entry_location location;
	const uint8_t *data; /* inline bytes or the symlink's target: `size` */
	uint8_t id[OBJECT_ID_BYTES]; /* bundle, map or tree */
	uint32_t member;
	uint8_t level; /* of the map or tree */
	uint32_t major, minor;
	uint32_t nextents; /* 1 .. LIMIT_LIST_ITEMS */
	struct extent extents[16];
};

/* Nonzero when an entry may have this name (format.md 7.2). */
int entry_name_is_valid(const char *name, size_t len);
/* Order of raw name bytes: below, equal to or above 0, as memcmp(). */
int entry_name_compare(
    const char *a, size_t a_len, const char *b, size_t b_len);

/*
 * Bytes that the entry takes in a payload.  ERR_LIMIT for an entry that the
 * format cannot hold: everything that entry_decode() would reject.
 */
int entry_size(size_t *out, const struct entry *e);
/*
 * Append the entry to a payload; its ids go to `refs`.  The empty name makes
 * a snapshot's root.  ERR_LIMIT as entry_size(), ERR_NOMEM; then both are void.
 */
int entry_encode(struct buf *payload, struct refs *refs, const struct entry *e);

/*
 * Read the next entry.  `is_root` allows (and demands) the empty name.
 * Everything is checked: kind against location, sizes, sums of extents,
 * flags, name.  ERR_DAMAGED.
 */
int entry_decode(struct entry *out, struct bytes_reader *r,
    struct refs_check *check, const uint8_t *refs, int is_root);

/*
 * What stands where in an encoded entry that was decoded before, without its
 * refs being looked up: for those who keep leaves.  Pointers go into it.
 */
struct entry_peek {
	enum address_kind kind;
	unsigned flags;
	enum entry_location location;
	const char *name;
	size_t name_len;
	uint64_t size;
	const uint8_t *address;
	size_t len; /* of the whole entry */
	size_t xattr_ref; /* offset of a ref u32; 0: none */
	size_t refs_at; /* offset of the location's first ref u32 */
	uint32_t nrefs; /* of the location; one every refs_step bytes */
	size_t refs_step;
};
#define ENTRY_REF_HOLE UINT32_MAX /* stands for a hole among the refs */
/* ERR_DAMAGED when it does not lie within `len` bytes. */
int entry_peek(struct entry_peek *out, const uint8_t *p, size_t len);

/* One attribute of an xattr block, pointing into it. */
struct entry_xattr {
	const char *name; /* not terminated */
	size_t name_len;
	const uint8_t *value;
	size_t value_len;
};
/* Make `block` an empty block; what it held is forgotten.  A block without
 * attributes is none: no entry may have it. */
int entry_xattr_begin(struct buf *block);
/* Append to a block that entry_xattr_begin() made; attributes come sorted by
 * name (ERR_FAIL).  ERR_LIMIT (LIMIT_XATTR_BYTES, a name that is no name). */
int entry_xattr_add(struct buf *block, const struct entry_xattr *x);
/* Walk a block: set `*pos` to 0 before the first call, which checks the
 * whole block.  0; 1 at the end; ERR_DAMAGED. */
int entry_xattr_next(
    struct entry_xattr *out, size_t *pos, const uint8_t *block, size_t len);

#endif
