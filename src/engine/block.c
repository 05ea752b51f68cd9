#include "engine/block.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Buffers that an odd file made larger are not kept. */
#define KEEP_BYTES_MAX (2u << 20)

int
block_new(struct block **out)
{
	struct block *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return err_nomem(sizeof(*b));
	*out = b;
	return 0;
}

static void
free_large(struct slot_large *l)
{
	if (l == NULL)
		return;
	buf_release(&l->data);
	buf_release(&l->extra);
	free(l->extents);
	free(l);
}

static void
trim(struct buf *b)
{
	if (b->cap > KEEP_BYTES_MAX)
		buf_release(b);
	buf_reset(b);
}

void
block_reset(struct block *b)
{
	uint32_t i;

	block_drop_dirs(b);
	for (i = 0; i < b->nslots; i++) {
		free_large(b->slots[i].large);
		dir_unref(b->slots[i].dir);
	}
	b->nslots = 0;
	b->at = 0;
	b->nlarge = 0;
	b->nread = 0;
	b->small_bytes = 0;
	b->done = 0;
	trim(&b->names);
	buf_release(&b->data);
	trim(&b->extra);
	trim(&b->leaves);
}

void
block_free(struct block *b)
{
	if (b == NULL)
		return;
	block_reset(b);
	buf_release(&b->names);
	buf_release(&b->data);
	buf_release(&b->extra);
	buf_release(&b->leaves);
	free(b);
}

/* Its slots come in runs, so the last one is the likely one. */
static int
uses_dir(const struct block *b, const struct dir *dir)
{
	uint32_t i;

	for (i = b->ndirs; i > 0; i--)
		if (b->dirs[i - 1] == dir)
			return 1;
	return 0;
}

int
block_full(const struct block *b, const struct dir *dir, uint64_t small_bytes)
{
	if (b->nslots == BLOCK_SLOTS)
		return 1;
	if (b->nslots > 0 && small_bytes > 0 &&
	    b->small_bytes + small_bytes > BLOCK_DATA_BYTES)
		return 1;
	return b->ndirs == BLOCK_DIRS && !uses_dir(b, dir);
}

int
block_add(struct slot **out, struct block *b, enum slot_op op, struct dir *dir,
    const char *name, size_t name_len)
{
	struct slot *s = &b->slots[b->nslots];
	uint32_t at = (uint32_t)b->names.len;
	int r;

	assert(b->nslots < BLOCK_SLOTS);
	r = buf_append(&b->names, name, name_len);
	if (r == 0)
		r = buf_append8(&b->names, 0);
	if (r != 0)
		return r;
	/* Only what is to be read needs the descriptor. */
	if (op == SLOT_ENTRY && !uses_dir(b, dir)) {
		assert(b->ndirs < BLOCK_DIRS);
		dir_use(dir);
		b->dirs[b->ndirs++] = dir;
	}
	memset(s, 0, sizeof(*s));
	s->op = (uint8_t)op;
	s->name = at;
	s->name_len = (uint16_t)name_len;
	if (op != SLOT_OLD) {
		dir_ref(dir);
		s->dir = dir;
	}
	b->nread += op == SLOT_ENTRY;
	b->nslots++;
	*out = s;
	return 0;
}

int
block_set_old(struct block *b, struct slot *s, const struct past_entry *old)
{
	uint32_t n = (uint32_t)(b->leaves.len / sizeof(struct past_leaf));
	const struct past_leaf *leaves =
	    (const struct past_leaf *)(void *)b->leaves.data;
	int r = 0;

	/* Entries of one leaf come one after another. */
	if (n > 0 && leaves[n - 1].leaf.payload == old->leaf.leaf.payload)
		n--;
	else
		r = buf_append(&b->leaves, &old->leaf, sizeof(old->leaf));
	s->old = old->p;
	s->old_leaf = n;
	s->old_index = old->index;
	return r;
}

const struct past_leaf *
block_old_leaf(const struct block *b, const struct slot *s)
{
	return (const struct past_leaf *)(void *)b->leaves.data + s->old_leaf;
}

int
block_make_large(struct block *b, struct slot *s)
{
	struct slot_large *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return err_nomem(sizeof(*l));
	l->block = b;
	l->slot = s;
	s->large = l;
	b->nlarge++;
	return 0;
}

void
block_drop_dirs(struct block *b)
{
	uint32_t i;

	for (i = 0; i < b->ndirs; i++)
		dir_unuse(b->dirs[i]);
	b->ndirs = 0;
}
