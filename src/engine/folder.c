#include "engine/folder.h"

#include "base/err.h"
#include "base/limits.h"
#include "engine/sealer.h"
#include "seal/keys.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_AT 4u /* in a leaf; format.md 7.1 */

struct folder {
	struct hash hash;
	struct folder_all *all;
	struct tree_writer *tree; /* NULL in a scan */
	struct past_dir past;
	uint64_t fs, ino; /* the cache's key */
	uint64_t entries;
	int differs; /* not all entries came from old leaves, in order */
	struct past_leaf leaf; /* being followed */
	uint32_t pending; /* entries of it that came */
	const char *pending_last; /* name of the last of them */
	size_t pending_last_len;
	struct refs_check check; /* over `check_of`, whose refs it knows */
	const uint8_t *check_of;
	struct buf stats; /* of the entries in the open leaf */
	struct cache_edit edit;
	const struct entry *adding;
	char last[LIMIT_NAME_BYTES]; /* name of the newest in the tree */
	size_t last_len;
};

void
folder_all_init(struct folder_all *fs, struct run *run)
{
	memset(fs, 0, sizeof(*fs));
	fs->run = run;
	fs->cache = run->dry_run ? NULL : run->cache;
	refs_init(&fs->refs);
}

/* The cache failed: that is no reason for the backup to fail. */
static void
lose_cache(struct folder_all *fs)
{
	notes_no_cache(&fs->run->notes);
	fs->cache = NULL;
}

void
folder_all_flush(struct folder_all *fs)
{
	/* Also after a failure: its transaction is this thread's. */
	if (fs->run->cache != NULL && cache_flush(fs->run->cache) != 0 &&
	    fs->cache != NULL)
		lose_cache(fs);
}

void
folder_all_release(struct folder_all *fs)
{
	buf_release(&fs->payload);
	buf_release(&fs->refs_copy);
	refs_release(&fs->refs);
}

/* A leaf was emitted: it becomes a record. */
static void
record_leaf(struct folder *f, const uint8_t id[OBJECT_ID_BYTES], uint32_t count)
{
	struct folder_all *all = f->all;
	size_t stats_len = (size_t)count * CACHE_STAT_BYTES;
	struct cache_leaf l = {.id = id,
	    .refs = all->refs_copy.data,
	    .nrefs = (uint32_t)(all->refs_copy.len / OBJECT_ID_BYTES),
	    .payload = all->payload.data,
	    .payload_len = (uint32_t)all->payload.len,
	    .stats = f->stats.data,
	    .entries = count};
	const char *name = f->last;
	size_t name_len = count == 0 ? 0 : f->last_len;

	assert(f->stats.len >= stats_len);
	/* An entry that did not fit any more is not in it yet. */
	if (f->adding != NULL && f->stats.len == stats_len) {
		name = f->adding->name;
		name_len = f->adding->name_len;
	}
	if (cache_edit_leaf(all->cache, &f->edit, &l, name, name_len) != 0)
		lose_cache(all);
	f->stats.len -= stats_len;
	if (f->stats.len > 0)
		memmove(f->stats.data, f->stats.data + stats_len, f->stats.len);
}

/* The tree's writer has finished a leaf or a node. */
static int
emit(void *arg, struct object *o)
{
	struct folder *f = arg;
	struct folder_all *all = f->all;
	uint32_t count;
	int r;

	if (all->cache == NULL || o->payload.data[0] != 0)
		return sealer_offer(all->run->sealer, o, NULL);
	count = bytes_get32(o->payload.data + COUNT_AT);
	buf_reset(&all->payload);
	buf_reset(&all->refs_copy);
	r = buf_append(&all->payload, o->payload.data, o->payload.len);
	if (r == 0)
		r = buf_append(&all->refs_copy, o->refs.data, o->refs.len);
	if (r == 0)
		r = sealer_offer(all->run->sealer, o, NULL);
	if (r == 0)
		record_leaf(f, o->id, count);
	return r;
}

int
folder_new(struct folder **out, struct folder_all *fs)
{
	/* The state of a hash is aligned to more than malloc() does. */
	struct folder *f = aligned_alloc(_Alignof(struct folder), sizeof(*f));
	int r = 0;

	if (f == NULL)
		return err_nomem(sizeof(*f));
	memset(f, 0, sizeof(*f));
	f->all = fs;
	if (fs->run->store != NULL)
		r = tree_writer_new(&f->tree, fs->run->keys->split, emit, f);
	if (r != 0) {
		free(f);
		return r;
	}
	*out = f;
	return 0;
}

void
folder_free(struct folder *f)
{
	if (f == NULL)
		return;
	tree_writer_free(f->tree);
	refs_check_release(&f->check);
	buf_release(&f->stats);
	free(f);
}

void
folder_begin(struct folder *f, const struct dir *dir)
{
	address_dir_init(&f->hash);
	f->past = dir->past;
	f->entries = 0;
	f->differs = !dir->past.had;
	f->pending = 0;
	f->check_of = NULL;
	buf_reset(&f->stats);
	f->adding = NULL;
	f->last_len = 0;
	if (f->tree == NULL)
		return;
	tree_writer_reset(f->tree);
	f->fs = dir->mount->key;
	f->ino = dir->ino;
	cache_edit_begin(&f->edit, f->fs, f->ino);
	if (f->all->cache != NULL &&
	    cache_visit(f->all->cache, f->fs, f->ino) != 0)
		lose_cache(f->all);
}

/* Add an entry to the tree; its stat was added. */
static int
add(struct folder *f, const struct entry *e)
{
	int r;

	f->adding = e;
	r = tree_writer_add(f->tree, e);
	f->adding = NULL;
	memcpy(f->last, e->name, e->name_len);
	f->last_len = e->name_len;
	return r;
}

/* Add an entry of an old leaf. */
static int
add_decoded(struct folder *f, const struct entry *e, const struct past_leaf *l,
    uint32_t index)
{
	int r = 0;

	if (f->all->cache != NULL)
		r = buf_append(&f->stats,
		    l->leaf.stats + (size_t)index * CACHE_STAT_BYTES,
		    CACHE_STAT_BYTES);
	return r == 0 ? add(f, e) : r;
}

/* Take over the followed leaf, all of which came. */
static int
keep(struct folder *f)
{
	const struct cache_leaf *l = &f->leaf.leaf;
	const char *last = f->pending_last;
	size_t last_len = f->pending_last_len;
	struct folder_all *all = f->all;
	int r;

	r = tree_writer_add_leaf(f->tree, l->id, l->entries, last, last_len);
	if (r != 0)
		return r;
	f->pending = 0;
	memcpy(f->last, last, last_len);
	f->last_len = last_len;
	if (all->cache != NULL &&
	    cache_edit_keep(all->cache, &f->edit, last, last_len) != 0)
		lose_cache(all);
	return 0;
}

/* Something else comes: add those of the followed leaf that came. */
static int
unfollow(struct folder *f)
{
	const struct cache_leaf *l = &f->leaf.leaf;
	uint32_t i, n = f->pending;
	struct tree_reader reader;
	struct entry e;
	int r;

	if (n == 0)
		return 0;
	f->pending = 0;
	f->differs = 1;
	r = tree_reader_init(
	    &reader, 0, l->refs, l->nrefs, l->payload, l->payload_len);
	if (r != 0)
		return r;
	for (i = 0; r == 0 && i < n; i++) {
		r = tree_reader_entry(&e, &reader);
		if (r == 0)
			r = add_decoded(f, &e, &f->leaf, i);
	}
	tree_reader_release(&reader);
	return r < 0 ? r : 0;
}

/* Add one entry of an old leaf. */
static int
add_one(struct folder *f, const struct folder_old *old)
{
	const struct cache_leaf *l = &old->leaf.leaf;
	struct bytes_reader reader;
	struct entry e;
	int r;

	if (f->check_of != l->payload) {
		refs_check_release(&f->check);
		f->check_of = NULL;
		r = refs_check_init(&f->check, l->refs, l->nrefs);
		if (r != 0)
			return r;
		f->check_of = l->payload;
	}
	bytes_reader_init(
	    &reader, old->p, l->payload_len - (size_t)(old->p - l->payload));
	r = entry_decode(&e, &reader, &f->check, l->refs, 0);
	return r != 0 ? r : add_decoded(f, &e, &old->leaf, old->index);
}

/* Does the entry come next in the leaf that is followed, or is it the first of
 * one that can be followed? */
static int
follows(struct folder *f, const struct folder_old *old)
{
	if (f->pending > 0) {
		if (f->leaf.leaf.payload != old->leaf.leaf.payload ||
		    f->pending != old->index)
			return 0;
		f->pending++;
		return 1;
	}
	if (old->index > 0 || !old->leaf.had || !tree_writer_at_cut(f->tree))
		return 0;
	f->leaf = old->leaf;
	f->pending = 1;
	return 1;
}

static int
step_old(struct folder *f, const struct folder_old *old,
    const struct entry_peek *peek)
{
	const struct cache_leaf *l = &f->leaf.leaf;
	int r = 0;

	if (!follows(f, old)) {
		r = unfollow(f);
		if (r != 0)
			return r;
		if (!follows(f, old)) {
			f->differs = 1;
			return add_one(f, old);
		}
	}
	f->pending_last = peek->name;
	f->pending_last_len = peek->name_len;
	if (f->pending == l->entries &&
	    tree_leaf_is_closed(f->all->run->keys->split, l->payload_len,
		peek->name, peek->name_len))
		r = keep(f);
	return r;
}

int
folder_add_old(struct folder *f, const struct folder_old *old)
{
	const struct cache_leaf *l = &old->leaf.leaf;
	uint32_t ref = UINT32_MAX;
	struct entry_peek peek;
	int r;

	r = entry_peek(
	    &peek, old->p, l->payload_len - (size_t)(old->p - l->payload));
	if (r != 0)
		return r;
	address_dir_add(
	    &f->hash, peek.kind, peek.name, peek.name_len, peek.address);
	f->entries++;
	if (peek.location == ENTRY_AT_BUNDLE)
		ref = bytes_get32(old->p + peek.refs_at);
	if (ref < l->nrefs)
		usage_used(&f->all->run->usage,
		    l->refs + (size_t)ref * OBJECT_ID_BYTES, peek.size);
	return step_old(f, old, &peek);
}

/* Is the entry, encoded into the old leaf, what stands there? */
static int
is_same(int *same, struct folder *f, const struct entry *e,
    const struct folder_old *old)
{
	const struct cache_leaf *l = &old->leaf.leaf;
	struct folder_all *all = f->all;
	size_t left = l->payload_len - (size_t)(old->p - l->payload);
	int r;

	buf_reset(&all->payload);
	refs_reset(&all->refs);
	r = entry_encode(&all->payload, &all->refs, e);
	if (r != 0)
		return r;
	*same = refs_place(&all->refs, &all->payload, l->refs, l->nrefs) == 0 &&
		all->payload.len <= left &&
		memcmp(all->payload.data, old->p, all->payload.len) == 0;
	return 0;
}

int
folder_add(struct folder *f, const struct entry *e,
    const struct cache_stat *stat, const struct folder_old *old)
{
	int same = 0, r = 0;

	if (f->tree != NULL && old != NULL && old->p != NULL)
		r = is_same(&same, f, e, old);
	if (r != 0)
		return r;
	if (same)
		return folder_add_old(f, old);
	address_dir_add(&f->hash, e->kind, e->name, e->name_len, e->address);
	f->entries++;
	if (f->tree == NULL)
		return 0;
	if (e->location == ENTRY_AT_BUNDLE)
		usage_used(&f->all->run->usage, e->id, e->size);
	f->differs = 1;
	r = unfollow(f);
	if (r == 0 && f->all->cache != NULL)
		r = cache_record_stat_encode(&f->stats, stat);
	return r == 0 ? add(f, e) : r;
}

static int
finish_tree(struct tree_result *tree, struct folder *f,
    const uint8_t address[HASH_BYTES])
{
	struct folder_all *all = f->all;
	struct cache_dir d = {.level = 0};
	int r;

	/* The last leaf needs no cut behind it. */
	if (f->pending > 0 && f->pending == f->leaf.leaf.entries)
		r = keep(f);
	else
		r = unfollow(f);
	if (r == 0)
		r = tree_writer_finish(tree, f->tree);
	if (r != 0 || all->cache == NULL)
		return r;
	memcpy(d.tree, tree->id, sizeof(d.tree));
	memcpy(d.address, address, sizeof(d.address));
	d.level = tree->level;
	d.entries = tree->entries;
	if (cache_edit_end(all->cache, &f->edit, &d) != 0)
		lose_cache(all);
	return 0;
}

int
folder_finish(struct entry *e, struct folder *f)
{
	const struct cache_dir *old = &f->past.dir;
	struct tree_result tree;
	int r;

	address_dir_final(&f->hash, e->address);
	e->size = 0;
	if (f->tree == NULL)
		return 0;
	if (!f->differs && f->entries == old->entries) {
		memcpy(tree.id, old->tree, sizeof(tree.id));
		tree.level = old->level;
		tree.entries = old->entries;
	} else {
		r = finish_tree(&tree, f, e->address);
		if (r != 0)
			return r;
	}
	e->location = ENTRY_AT_TREE;
	memcpy(e->id, tree.id, OBJECT_ID_BYTES);
	e->level = tree.level;
	e->size = tree.entries;
	return 0;
}
