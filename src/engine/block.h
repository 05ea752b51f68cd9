#ifndef HS_ENGINE_BLOCK_H
#define HS_ENGINE_BLOCK_H

/*
 * What flows from the walker through the workers to the assembler: slots, in
 * the order of the walk, in blocks.  A directory is an ENTER slot, the slots
 * of its entries, a LEAVE slot.  A block is one reading task for its small
 * files together and one for each large file; the assembler takes a block
 * when all its tasks are done, in the order of the walk.
 *
 *	walker		fills a block, hands it on	(SLOT_NEW; OLD: READY)
 *	workers		read, hash, ask		(-> READY, LAY, GONE)
 *	assembler 1	lays small files in bundles	(LAY -> READY)
 *	assembler 2	makes entries, trees, addresses
 *
 * Where blocks end depends on the tree alone, never on timing.
 */

#include "base/buf.h"
#include "engine/crew.h"
#include "engine/dir.h"
#include "engine/owners.h"
#include "engine/past.h"
#include "object/entry.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define BLOCK_SLOTS 512u
#define BLOCK_DATA_BYTES (1u << 20) /* contents of small files, about */
#define BLOCK_DIRS 32u

enum slot_op {
	SLOT_ENTER = 1,
	SLOT_ENTRY = 2,
	SLOT_LEAVE = 3,
	SLOT_OLD = 4 /* an entry that is as the last backup stored it */
};

enum slot_state {
	SLOT_NEW = 0, /* to be read */
	SLOT_READY, /* complete */
	SLOT_LAY, /* a small file to be laid in a bundle; `id`: its file id */
	SLOT_GONE /* left out */
};

struct block;
struct bundle_ref;

/* A file that is a task of its own, and what came of it. */
struct slot_large {
	struct crew_task task;
	struct block *block;
	struct slot *slot;
	uint32_t nextents;
	struct extent *extents; /* owned */
	struct buf data, extra; /* as a block's, should the file shrink */
};

struct slot {
	uint8_t op; /* enum slot_op */
	uint8_t state; /* enum slot_state */
	uint8_t kind; /* enum address_kind */
	uint8_t flags; /* ENTRY_HARDLINK, ENTRY_UNSTABLE */
	uint8_t location; /* enum entry_location */
	uint8_t level; /* of a map */
	uint8_t relay; /* lay it even if the store has it */
	uint8_t incomplete; /* not all of it could be read: never trust it */
	uint16_t mode;
	uint16_t name_len;
	uint32_t name; /* in the block's names */
	uint32_t uid, gid;
	const struct owners_name *user, *group;
	/* Identity and times as last seen. */
	uint64_t dev, ino, size;
	uint64_t fsid; /* with ENTRY_HARDLINK */
	int64_t mtime_s, ctime_s;
	uint32_t mtime_ns, ctime_ns;
	uint32_t data; /* LAY: in data; inline or target: in extra */
	uint32_t member; /* of the bundle */
	uint32_t xattr, xattr_len; /* block, in extra */
	uint32_t major, minor;
	uint8_t address[HASH_BYTES];
	uint8_t id[OBJECT_ID_BYTES]; /* file id, then bundle or map */
	struct bundle_ref *bundle; /* whose id is not known yet; owned */
	struct slot_large *large; /* owned; NULL for most */
	struct dir *dir; /* it is in; ENTER: itself; OLD: NULL */
	/* OLD, and ENTER if there is one: the old entry, in the cache. */
	const uint8_t *old;
	uint32_t old_leaf; /* in the block's */
	uint32_t old_index;
};

struct block {
	struct block *next;
	struct crew_task task;
	void *run; /* struct run */
	atomic_uint pending; /* tasks */
	int done;
	int has_data;
	uint32_t nslots;
	uint32_t at; /* the assembler's place */
	uint32_t nlarge;
	uint32_t nread; /* slots to be read */
	uint32_t ndirs;
	uint64_t small_bytes; /* expected */
	struct dir *dirs[BLOCK_DIRS]; /* used until it is read */
	struct buf names; /* written by the walker alone */
	struct buf data; /* contents of small files */
	struct buf extra; /* targets, inline contents, xattrs */
	struct buf leaves; /* struct past_leaf each */
	struct slot slots[BLOCK_SLOTS];
};

int block_new(struct block **out);
void block_free(struct block *b); /* NULL is fine */
/* Forget the slots and what they own, keep the memory. */
void block_reset(struct block *b);
/* Nonzero when the block is to be handed on before it gets a file of
 * `small_bytes` (0: any other slot) in `dir`. */
int block_full(
    const struct block *b, const struct dir *dir, uint64_t small_bytes);
/*
 * Add an empty slot; the directory of an ENTRY is used until the block is
 * read.  The block must not be full.  ERR_NOMEM.
 */
int block_add(struct slot **out, struct block *b, enum slot_op op,
    struct dir *dir, const char *name, size_t name_len);
/* Say what the slot, the last one, was. */
int block_set_old(
    struct block *b, struct slot *s, const struct past_entry *old);
const struct past_leaf *block_old_leaf(
    const struct block *b, const struct slot *s);
/* Make the slot, the last one, a task of its own.  ERR_NOMEM. */
int block_make_large(struct block *b, struct slot *s);
/* Close the directories when the last task is done. */
void block_drop_dirs(struct block *b);

static inline const char *
block_name(const struct block *b, const struct slot *s)
{
	return (const char *)b->names.data + s->name;
}

/* Where the slot's data and extra bytes are. */
static inline struct buf *
block_data(struct block *b, const struct slot *s)
{
	return s->large != NULL ? &s->large->data : &b->data;
}

static inline struct buf *
block_extra(struct block *b, const struct slot *s)
{
	return s->large != NULL ? &s->large->extra : &b->extra;
}

#endif
