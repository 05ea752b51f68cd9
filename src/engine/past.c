#include "engine/past.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#define LEAF_HEAD_BYTES 8u /* format.md 7.1 */

void
past_set_init(struct past_set *set, struct cache *cache, struct store *store)
{
	memset(set, 0, sizeof(*set));
	set->cache = cache;
	set->store = store;
}

void
past_set_release(struct past_set *set)
{
	buf_release(&set->ids);
	buf_release(&set->bits);
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, OBJECT_ID_BYTES);
}

static int
is_missing(const struct past_set *set, const uint8_t id[OBJECT_ID_BYTES])
{
	return set->nmissing > 0 && bsearch(id, set->missing, set->nmissing,
					OBJECT_ID_BYTES, compare_ids) != NULL;
}

/* Set `bits` to what the store has of the `n` ids. */
static int
ask(struct buf *bits, struct past_set *set, const uint8_t *ids, uint32_t n)
{
	uint32_t i, part;
	int r;

	buf_reset(bits);
	r = buf_append_zeros(bits, (n + 7) / 8);
	_Static_assert(LIMIT_HAVE_IDS % 8 == 0, "parts are whole bytes");
	for (i = 0; r == 0 && i < n; i += part) {
		part = n - i < LIMIT_HAVE_IDS ? n - i : LIMIT_HAVE_IDS;
		r = set->store->ops->have(set->store, bits->data + i / 8,
		    ids + (size_t)i * OBJECT_ID_BYTES, part);
	}
	for (i = 0; r == 0 && i < n && set->nmissing > 0; i++)
		if (is_missing(set, ids + (size_t)i * OBJECT_ID_BYTES))
			bits->data[i / 8] &= (uint8_t) ~(1u << (i % 8));
	return r;
}

static int
get_bit(const struct buf *bits, uint32_t i)
{
	return bits->data[i / 8] >> (i % 8) & 1;
}

int
past_begin(struct past *p, struct past_set *set, uint64_t fs, uint64_t ino,
    int is_root, const uint8_t *tree, enum past_word word)
{
	const uint8_t *root;
	int r;

	memset(p, 0, sizeof(*p));
	p->set = set;
	p->fs = fs;
	p->ino = ino;
	if (set == NULL) {
		p->done = 1;
		return 0;
	}
	/* A cache that cannot be read knows nothing. */
	if (cache_dir(&p->dir.dir, set->cache, fs, ino) != 0)
		return 0;
	root = cache_root(set->cache);
	if (is_root && root != NULL && !set->ask_root) {
		tree = root;
		word = PAST_HAD;
	}
	if (tree == NULL || memcmp(p->dir.dir.tree, tree, OBJECT_ID_BYTES) != 0)
		word = PAST_UNKNOWN;
	if (word == PAST_UNKNOWN) {
		r = ask(&set->bits, set, p->dir.dir.tree, 1);
		if (r != 0)
			return r;
		word = get_bit(&set->bits, 0) ? PAST_HAD : PAST_LOST;
	}
	p->dir.had = word == PAST_HAD;
	return 0;
}

void
past_end(struct past *p)
{
	buf_release(&p->bits);
}

/* Ask for the leaf, and all that it refers to. */
static int
ask_leaf(struct past *p)
{
	const struct cache_leaf *l = &p->leaf.leaf;
	struct past_set *set = p->set;
	int r;

	buf_reset(&set->ids);
	r = buf_append(&set->ids, l->id, OBJECT_ID_BYTES);
	if (r == 0)
		r = buf_append(
		    &set->ids, l->refs, (size_t)l->nrefs * OBJECT_ID_BYTES);
	if (r == 0)
		r = ask(&p->bits, set, set->ids.data, 1 + l->nrefs);
	if (r == 0)
		p->leaf.had = get_bit(&p->bits, 0);
	return r;
}

/* Have the leaf in which `name` would be.  0; 1 when there is none. */
static int
load(struct past *p, const char *name, size_t name_len)
{
	int r = cache_leaf(
	    &p->leaf.leaf, p->set->cache, p->fs, p->ino, name, name_len);

	if (r != 0 || p->leaf.leaf.payload_len < LEAF_HEAD_BYTES) {
		p->done = 1;
		return 1;
	}
	p->has_leaf = 1;
	p->index = 0;
	p->at = LEAF_HEAD_BYTES;
	p->leaf.had = p->dir.had;
	return p->dir.had ? 0 : ask_leaf(p);
}

int
past_find(
    struct past_entry *out, struct past *p, const char *name, size_t name_len)
{
	const struct cache_leaf *l = &p->leaf.leaf;
	struct entry_peek e;
	int order, r;

	for (;;) {
		if (p->done)
			return 1;
		if (!p->has_leaf) {
			r = load(p, name, name_len);
			if (r != 0)
				return r;
		}
		for (; p->index < l->entries; p->index++, p->at += e.len) {
			r = entry_peek(
			    &e, l->payload + p->at, l->payload_len - p->at);
			if (r != 0) {
				/* Good by its checksum: not our leaf. */
				p->done = 1;
				return 1;
			}
			order = entry_name_compare(
			    e.name, e.name_len, name, name_len);
			if (order > 0)
				return 1;
			if (order == 0)
				goto found;
		}
		p->has_leaf = 0;
	}
found:
	out->leaf = p->leaf;
	out->index = p->index;
	out->p = l->payload + p->at;
	out->peek = e;
	cache_record_stat_decode(
	    &out->stat, l->stats + (size_t)p->index * CACHE_STAT_BYTES);
	return 0;
}

static enum past_word
one_ref(const struct past *p, const struct past_entry *e, size_t offset)
{
	uint32_t ref = bytes_get32(e->p + offset);

	if (ref == ENTRY_REF_HOLE && e->peek.location == ENTRY_AT_EXTENTS)
		return PAST_HAD;
	if (ref >= e->leaf.leaf.nrefs)
		return PAST_LOST;
	return get_bit(&p->bits, 1 + ref) ? PAST_HAD : PAST_LOST;
}

enum past_word
past_refs(const struct past *p, const struct past_entry *e)
{
	const struct entry_peek *k = &e->peek;
	enum past_word word = PAST_HAD;
	uint32_t i;

	if (e->leaf.had)
		return PAST_HAD;
	if (k->xattr_ref != 0)
		word = one_ref(p, e, k->xattr_ref);
	for (i = 0; word == PAST_HAD && i < k->nrefs; i++)
		word = one_ref(p, e, k->refs_at + i * k->refs_step);
	return word;
}

const uint8_t *
past_ref(const struct past_entry *e)
{
	const struct cache_leaf *l = &e->leaf.leaf;
	uint32_t ref;

	if (e->peek.nrefs != 1 || e->peek.location == ENTRY_AT_EXTENTS)
		return NULL;
	ref = bytes_get32(e->p + e->peek.refs_at);
	return ref < l->nrefs ? l->refs + (size_t)ref * OBJECT_ID_BYTES : NULL;
}
