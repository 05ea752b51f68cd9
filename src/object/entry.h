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
#define ENTRY_LINK_BYTES 16

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

	enum entry_location location;
	const uint8_t *data; /* inline bytes or the symlink's target: `size` */
	uint8_t id[OBJECT_ID_BYTES]; /* bundle, map or tree */
	uint32_t member;
	uint8_t level; /* of the map or tree */
	uint32_t major, minor;
	uint32_t nextents; /* 1 .. LIMIT_LIST_ITEMS */
	struct extent extents[16];
};

/* Append the entry to a payload; its ids go to `refs`. ERR_LIMIT for input
 * that the format cannot hold, ERR_NOMEM. */
int entry_encode(struct buf *payload, struct refs *refs,
    const struct entry *e);

/*
 * Read the next entry.  `is_root` allows (and demands) the empty name.
 * Everything is checked: kind against location, sizes, sums of extents,
 * flags, name.  ERR_DAMAGED.
 */
int entry_decode(struct entry *out, struct bytes_reader *r,
    struct refs_check *check, const uint8_t *refs, int is_root);

/* One attribute of an xattr block, pointing into it. */
struct entry_xattr {
	const char *name; /* not terminated */
	size_t name_len;
	const uint8_t *value;
	size_t value_len;
};
/* Append to a block; attributes must come sorted by name.  The block begins
 * with entry_xattr_begin(). */
int entry_xattr_begin(struct buf *block);
int entry_xattr_add(struct buf *block, const struct entry_xattr *x);
/* Walk a block: set `*pos` to 0 before the first call.  0; 1 at the end;
 * ERR_DAMAGED. */
int entry_xattr_next(struct entry_xattr *out, size_t *pos,
    const uint8_t *block, size_t len);

#endif
