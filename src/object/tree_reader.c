/* Reading one leaf or node of a tree; docs/format.md 7.1. */

#include "base/err.h"
#include "base/limits.h"
#include "object/tree.h"

#include <string.h>

#define HEAD_BYTES 8u
#define ENTRY_BYTES_MIN 71u /* of a leaf's item: a name of one byte */
#define NODE_BYTES_MIN 15u

static int
damaged(const char *problem)
{
	return err_set(ERR_DAMAGED, "tree: %s", problem);
}

int
tree_reader_init(struct tree_reader *t, unsigned level, const uint8_t *refs,
    uint32_t nrefs, const uint8_t *payload, size_t len)
{
	const uint8_t *head;
	size_t item_min = level == 0 ? ENTRY_BYTES_MIN : NODE_BYTES_MIN;
	int r;

	memset(t, 0, sizeof(*t));
	r = refs_check_init(&t->check, refs, nrefs);
	if (r < 0)
		goto out;
	t->refs = refs;
	t->level = level;
	bytes_reader_init(&t->r, payload, len);
	head = bytes_read(&t->r, HEAD_BYTES);
	if (head == NULL || !bytes_are_zero(head + 1, 3)) {
		r = damaged("bad header");
		goto out;
	}
	if (level >= LIMIT_LEVELS || head[0] != level) {
		r = damaged("bad level");
		goto out;
	}
	t->left = bytes_get32(head + 4);
	if (t->left > t->r.left / item_min || (t->left == 0 && level > 0))
		r = damaged("bad number of items");
out:
	if (r < 0)
		tree_reader_release(t);
	return r;
}

void
tree_reader_release(struct tree_reader *t)
{
	refs_check_release(&t->check);
	t->left = 0;
}

void
tree_reader_bind(struct tree_reader *t, const struct tree_node *node,
    const char *after, size_t after_len)
{
	t->is_bound = 1;
	t->want_entries = node->entries;
	t->want_last = node->last_name;
	t->want_last_len = node->last_name_len;
	if (after != NULL) {
		t->last = after;
		t->last_len = after_len;
	}
}

/* Checks at the end of the object; 1 when it is as it should be. */
static int
finish(const struct tree_reader *t)
{
	int r;

	if (!bytes_reader_done(&t->r))
		return damaged("bytes left over");
	r = refs_check_done(&t->check);
	if (r < 0)
		return r;
	if (t->is_bound && (t->entries != t->want_entries ||
			       entry_name_compare(t->last, t->last_len,
				   t->want_last, t->want_last_len) != 0))
		return damaged("it is not what the node above says");
	return 1;
}

/* Take the name of the item just read. */
static int
next_name(struct tree_reader *t, const char *name, size_t len)
{
	if (t->last != NULL &&
	    entry_name_compare(t->last, t->last_len, name, len) >= 0)
		return damaged("names are not in order");
	t->last = name;
	t->last_len = len;
	t->left--;
	return 0;
}

int
tree_reader_entry(struct entry *out, struct tree_reader *t)
{
	int r;

	if (t->level != 0)
		return damaged("a node where a leaf should be");
	if (t->left == 0)
		return finish(t);
	r = entry_decode(out, &t->r, &t->check, t->refs, 0);
	if (r < 0)
		return r;
	t->entries++;
	return next_name(t, out->name, out->name_len);
}

int
tree_reader_node(struct tree_node *out, struct tree_reader *t)
{
	struct tree_node node;
	uint32_t ref;
	int r;

	if (t->level == 0)
		return damaged("a leaf where a node should be");
	if (t->left == 0)
		return finish(t);
	ref = bytes_read32(&t->r);
	node.entries = bytes_read64(&t->r);
	node.last_name_len = bytes_read16(&t->r);
	node.last_name = (const char *)bytes_read(&t->r, node.last_name_len);
	if (t->r.failed)
		return damaged("it ends too early");
	r = refs_check_use(&t->check, ref);
	if (r < 0)
		return r;
	if (!entry_name_is_valid(node.last_name, node.last_name_len))
		return damaged("bad name");
	if (node.entries == 0 || node.entries > UINT64_MAX - t->entries)
		return damaged("bad number of entries");
	memcpy(
	    node.id, t->refs + (size_t)ref * OBJECT_ID_BYTES, OBJECT_ID_BYTES);
	t->entries += node.entries;
	*out = node;
	return next_name(t, node.last_name, node.last_name_len);
}
