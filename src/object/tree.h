#ifndef HS_OBJECT_TREE_H
#define HS_OBJECT_TREE_H

/*
 * Trees: the entries of one directory as leaves and nodes;
 * docs/format.md 7.1.
 */

#include "object/entry.h"

/* Writes the entries of one directory; emits leaves and nodes. */
struct tree_writer;
int tree_writer_new(struct tree_writer **out,
    const uint8_t split_key[HASH_BYTES], extent_emit *emit, void *arg);
void tree_writer_free(struct tree_writer *w);
void tree_writer_reset(struct tree_writer *w);
/* Entries come sorted by raw name bytes; a wrong order is ERR_FAIL. */
int tree_writer_add(struct tree_writer *w, const struct entry *e);
/*
 * Add a whole leaf that was emitted earlier and is unchanged: the caches of
 * the next backup reuse leaves.  Allowed only where tree_writer_at_cut()
 * says that no leaf is open.
 */
int tree_writer_add_leaf(struct tree_writer *w,
    const uint8_t id[OBJECT_ID_BYTES], uint64_t entries,
    const char *last_name, size_t last_name_len);
/* Nonzero when the last entry closed a leaf (or none was added yet). */
int tree_writer_at_cut(const struct tree_writer *w);

struct tree_result {
	uint8_t id[OBJECT_ID_BYTES];
	uint8_t level;
	uint64_t entries;
};
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
};
/* `level` is the expected one.  ERR_DAMAGED, ERR_NOMEM. */
int tree_reader_init(struct tree_reader *t, unsigned level,
    const uint8_t *refs, uint32_t nrefs, const uint8_t *payload, size_t len);
void tree_reader_release(struct tree_reader *t);
/* Next entry of a leaf.  0; 1 at the (checked) end; ERR_DAMAGED. */
int tree_reader_entry(struct entry *out, struct tree_reader *t);

struct tree_node {
	uint8_t id[OBJECT_ID_BYTES];
	uint64_t entries;
	const char *last_name;
	size_t last_name_len;
};
/* Next item of a node.  0; 1 at the end; ERR_DAMAGED. */
int tree_reader_node(struct tree_node *out, struct tree_reader *t);

#endif
