#include "object/tree.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* format.md 7.1 */
#define HEAD_BYTES 8u
#define COUNT_AT 4u
#define NODE_BYTES 14u /* ref u32, entries u64, name length u16 */
#define MARK_BITS 7u

/* The open leaf (level 0) or node of one level. */
struct level {
	struct object o;
	struct refs refs;
	uint32_t count; /* items in it */
	uint64_t entries; /* in the leaves below */
	uint64_t mark; /* of the newest item */
	/* Name of the newest item, in this object or the one before. */
	char name[LIMIT_NAME_BYTES];
	size_t name_len; /* 0: none yet */
	uint64_t emitted; /* objects of this level so far */
	struct tree_node last; /* the item of the one emitted last */
};

/*
 * Objects are closed as soon as the rule says so and their item is added to
 * the level above.  A node has at least 16 KiB, so about 60 items, unless it
 * is the last of its level: the first level with one object holds the root.
 */
struct tree_writer {
	extent_emit *emit;
	void *arg;
	uint8_t split_key[HASH_BYTES];
	struct level levels[LIMIT_LEVELS];
	uint64_t entries;
};

static uint64_t
name_mark(const uint8_t split_key[HASH_BYTES], const char *name, size_t len)
{
	uint8_t hash[HASH_BYTES];

	hash_keyed(hash, split_key, name, len);
	return bytes_get64(hash);
}

static int
is_closed(unsigned n, size_t payload_len, uint64_t mark)
{
	uint64_t bits = (UINT64_C(1) << MARK_BITS) - 1;

	return payload_len >= TREE_BYTES_MIN &&
	       (mark >> (MARK_BITS * n) & bits) == 0;
}

int
tree_leaf_is_closed(const uint8_t split_key[HASH_BYTES], size_t payload_len,
    const char *last_name, size_t last_name_len)
{
	return is_closed(
	    0, payload_len, name_mark(split_key, last_name, last_name_len));
}

int
tree_writer_new(struct tree_writer **out, const uint8_t split_key[HASH_BYTES],
    extent_emit *emit, void *arg)
{
	struct tree_writer *w = calloc(1, sizeof(*w));
	unsigned n;

	if (w == NULL)
		return err_nomem(sizeof(*w));
	w->emit = emit;
	w->arg = arg;
	memcpy(w->split_key, split_key, HASH_BYTES);
	for (n = 0; n < LIMIT_LEVELS; n++) {
		object_init(&w->levels[n].o, OBJECT_TREE);
		refs_init(&w->levels[n].refs);
	}
	*out = w;
	return 0;
}

void
tree_writer_free(struct tree_writer *w)
{
	unsigned n;

	if (w == NULL)
		return;
	for (n = 0; n < LIMIT_LEVELS; n++) {
		object_release(&w->levels[n].o);
		refs_release(&w->levels[n].refs);
	}
	hash_wipe(w->split_key, sizeof(w->split_key));
	free(w);
}

/* Forget the open object of a level. */
static void
level_reset(struct level *l)
{
	object_reset(&l->o, OBJECT_TREE);
	refs_reset(&l->refs);
	l->count = 0;
	l->entries = 0;
}

void
tree_writer_reset(struct tree_writer *w)
{
	unsigned n;

	for (n = 0; n < LIMIT_LEVELS; n++) {
		level_reset(&w->levels[n]);
		w->levels[n].emitted = 0;
		w->levels[n].name_len = 0;
	}
	w->entries = 0;
}

/* The payload gets its header with the first item. */
static int
level_begin(struct level *l, unsigned n)
{
	int r = 0;

	if (l->count == 0) {
		buf_reset(&l->o.payload);
		r = buf_append8(&l->o.payload, (uint8_t)n);
		if (r == 0)
			r = buf_append_zeros(&l->o.payload, HEAD_BYTES - 1);
	}
	return r;
}

/* Count an item that was appended to the open object. */
static void
level_note(struct level *l, uint64_t entries, const char *name, size_t len,
    uint64_t mark)
{
	l->count++;
	l->entries += entries;
	l->mark = mark;
	memcpy(l->name, name, len);
	l->name_len = len;
}

static int add_item(struct tree_writer *w, unsigned n,
    const struct tree_node *item, uint64_t mark);

/* Emit the open object of level `n`; `l->last` becomes its item. */
static int
level_close(struct tree_writer *w, unsigned n)
{
	struct level *l = &w->levels[n];
	int r;

	bytes_put32(l->o.payload.data + COUNT_AT, l->count);
	r = refs_finish(&l->o.refs, &l->refs, &l->o.payload);
	if (r == 0)
		r = w->emit(w->arg, &l->o);
	if (r != 0)
		return r;
	memcpy(l->last.id, l->o.id, OBJECT_ID_BYTES);
	l->last.entries = l->entries;
	l->last.last_name = l->name;
	l->last.last_name_len = l->name_len;
	l->emitted++;
	level_reset(l);
	return 0;
}

/* Emit the open object of level `n` and add its item to the level above. */
static int
level_close_up(struct tree_writer *w, unsigned n)
{
	struct level *l = &w->levels[n];
	uint64_t mark = l->mark;
	int r = level_close(w, n);

	return r != 0 ? r : add_item(w, n + 1, &l->last, mark);
}

/* Recurses to the next level only: at most LIMIT_LEVELS deep. */
static int
add_item(struct tree_writer *w, unsigned n, const struct tree_node *item,
    uint64_t mark)
{
	struct level *l = &w->levels[n];
	size_t size = NODE_BYTES + item->last_name_len;
	int r;

	if (n >= LIMIT_LEVELS)
		return err_set(ERR_LIMIT, "tree: too many levels");
	if (l->count > 0 && l->o.payload.len + size > TREE_BYTES_MAX) {
		r = level_close_up(w, n);
		if (r != 0)
			return r;
	}
	r = level_begin(l, n);
	if (r == 0)
		r = refs_add(&l->refs, &l->o.payload, item->id);
	if (r == 0)
		r = buf_append64(&l->o.payload, item->entries);
	if (r == 0)
		r = buf_append16(&l->o.payload, (uint16_t)item->last_name_len);
	if (r == 0)
		r = buf_append(
		    &l->o.payload, item->last_name, item->last_name_len);
	if (r < 0)
		return r;
	level_note(
	    l, item->entries, item->last_name, item->last_name_len, mark);
	if (is_closed(n, l->o.payload.len, mark))
		return level_close_up(w, n);
	return 0;
}

/* Whether a name may come next; a message when not. */
static int
check_order(const struct tree_writer *w, const char *name, size_t len)
{
	const struct level *l = &w->levels[0];

	if (l->name_len > 0 &&
	    entry_name_compare(l->name, l->name_len, name, len) >= 0)
		return err_set(ERR_FAIL, "tree: names are not in order");
	return 0;
}

int
tree_writer_add(struct tree_writer *w, const struct entry *e)
{
	struct level *l = &w->levels[0];
	uint64_t mark;
	size_t size;
	int r;

	r = entry_size(&size, e);
	if (r < 0)
		return r;
	if (e->name_len == 0)
		return err_set(ERR_LIMIT, "entry: bad name");
	r = check_order(w, e->name, e->name_len);
	if (r < 0)
		return r;
	if (l->count > 0 && l->o.payload.len + size > TREE_BYTES_MAX) {
		r = level_close_up(w, 0);
		if (r != 0)
			return r;
	}
	r = level_begin(l, 0);
	if (r == 0)
		r = entry_encode(&l->o.payload, &l->refs, e);
	if (r < 0)
		return r;
	mark = name_mark(w->split_key, e->name, e->name_len);
	level_note(l, 1, e->name, e->name_len, mark);
	w->entries++;
	if (is_closed(0, l->o.payload.len, mark))
		return level_close_up(w, 0);
	return 0;
}

int
tree_writer_add_leaf(struct tree_writer *w, const uint8_t id[OBJECT_ID_BYTES],
    uint64_t entries, const char *last_name, size_t last_name_len)
{
	struct level *l = &w->levels[0];
	int r;

	if (l->count > 0)
		return err_set(ERR_FAIL, "tree: a leaf is open");
	if (entries == 0 || entries > UINT64_MAX - w->entries ||
	    !entry_name_is_valid(last_name, last_name_len))
		return err_set(ERR_FAIL, "tree: bad leaf");
	r = check_order(w, last_name, last_name_len);
	if (r < 0)
		return r;
	memcpy(l->name, last_name, last_name_len);
	l->name_len = last_name_len;
	memcpy(l->last.id, id, OBJECT_ID_BYTES);
	l->last.entries = entries;
	l->last.last_name = l->name;
	l->last.last_name_len = l->name_len;
	l->emitted++;
	w->entries += entries;
	return add_item(
	    w, 1, &l->last, name_mark(w->split_key, last_name, last_name_len));
}

int
tree_writer_at_cut(const struct tree_writer *w)
{
	return w->levels[0].count == 0;
}

int
tree_writer_finish(struct tree_result *out, struct tree_writer *w)
{
	struct level *l;
	unsigned n;
	int r;

	if (w->entries == 0) {
		r = level_begin(&w->levels[0], 0);
		if (r == 0)
			r = level_close(w, 0);
		if (r != 0)
			return r;
	}
	for (n = 0; n < LIMIT_LEVELS; n++) {
		l = &w->levels[n];
		if (l->count > 0) {
			uint64_t mark = l->mark;

			r = level_close(w, n);
			if (r == 0 && l->emitted > 1)
				r = add_item(w, n + 1, &l->last, mark);
			if (r != 0)
				return r;
		}
		assert(l->emitted > 0);
		if (l->emitted == 1) {
			memcpy(out->id, l->last.id, OBJECT_ID_BYTES);
			out->level = (uint8_t)n;
			out->entries = w->entries;
			return 0;
		}
	}
	return err_set(ERR_LIMIT, "tree: too many levels");
}
