#ifndef HS_OBJECT_TREE_H
#define HS_OBJECT_TREE_H

/*
 * Trees: the entries of one directory as leaves and nodes;
 * docs/format.md 7.1.
 */

#include "object/entry.h"

/* Where leaves and nodes end; format.md 7.1. */
#define TREE_BYTES_MIN (16u << 10)
#define TREE_BYTES_MAX (256u << 10)

/*
 * Writes the entries of one directory; emits leaves and nodes.  After a
 * failure of anything but an ERR_LIMIT or ERR_FAIL of tree_writer_add() only
 * reset or free may follow.
 */
struct tree_writer;
int tree_writer_new(struct tree_writer **out,
    const uint8_t split_key[HASH_BYTES], extent_emit *emit, void *arg);
void tree_writer_free(struct tree_writer *w);
void tree_writer_reset(struct tree_writer *w);
/* Entries come sorted by raw name bytes; a wrong order is ERR_FAIL.  ERR_LIMIT
 * for an entry that the format cannot hold.  Both leave the tree as it was. */
int tree_writer_add(struct tree_writer *w, const struct entry *e);
/*
 * Add a whole leaf that was emitted earlier and is unchanged: the caches of
 * the next backup reuse leaves.  Allowed only where tree_writer_at_cut()
 * says that no leaf is open (else ERR_FAIL).  The result is what adding the
 * leaf's entries would give, provided that tree_leaf_is_closed() is true for
 * it, or that nothing follows, or that what follows begins with the same
 * entry as it did when the leaf was emitted.
 */
int tree_writer_add_leaf(struct tree_writer *w,
    const uint8_t id[OBJECT_ID_BYTES], uint64_t entries, const char *last_name,
    size_t last_name_len);
/* Nonzero when the last entry closed a leaf (or none was added yet). */
int tree_writer_at_cut(const struct tree_writer *w);

/*
 * Whether a leaf with this payload length and last name ended because of them
 * alone, so that any entry may follow.  A leaf that ended for its size, or
 * with the directory, did not.
 */
int tree_leaf_is_closed(const uint8_t split_key[HASH_BYTES], size_t payload_len,
    const char *last_name, size_t last_name_len);

struct tree_result {
	uint8_t id[OBJECT_ID_BYTES];
	uint8_t level;
	uint64_t entries;
};
/* Emits what is open; afterwards only reset or free may follow. */
int tree_writer_finish(struct tree_result *out, struct tree_writer *w);

/* Reads one tree object. */
struct tree_reader {
	struct bytes_reader r;
	struct refs_check check;
	const uint8_t *refs;
	uint32_t left; /* items */
	unsigned level;
	uint64_t entries; /* of a node: sum over its items */
	const char *last; /* name of the item before */
	size_t last_len;
	int is_bound; /* tree_reader_bind() was called */
	uint64_t want_entries;
	const char *want_last;
	size_t want_last_len;
};
/* `level` is the expected one.  ERR_DAMAGED, ERR_NOMEM. */
int tree_reader_init(struct tree_reader *t, unsigned level, const uint8_t *refs,
    uint32_t nrefs, const uint8_t *payload, size_t len);
void tree_reader_release(struct tree_reader *t);
/* Next entry of a leaf.  0; 1 at the (checked) end; ERR_DAMAGED. */
int tree_reader_entry(struct entry *out, struct tree_reader *t);

struct tree_node {
	uint8_t id[OBJECT_ID_BYTES];
	uint64_t entries;
	const char *last_name;
	size_t last_name_len;
};
/* Next item of a node.  0; 1 at the (checked) end; ERR_DAMAGED. */
int tree_reader_node(struct tree_node *out, struct tree_reader *t);

/*
 * Before the first read: also check that this object is what the item `node`
 * above it says, namely that it has that many entries, ends with that name,
 * and that all names are above `after` (NULL: the first object of its level).
 * Without this the order holds only inside one object.  Names must outlive
 * the reader.
 */
void tree_reader_bind(struct tree_reader *t, const struct tree_node *node,
    const char *after, size_t after_len);

#endif
