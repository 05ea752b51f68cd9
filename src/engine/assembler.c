#include "engine/assembler.h"

#include "base/err.h"
#include "base/limits.h"
#include "engine/bundler.h"
#include "engine/folder.h"
#include "engine/fsclock.h"
#include "engine/sealer.h"
#include "seal/keys.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/*
 * Blocks that may wait for an open bundle; then it is closed early.  Fewer
 * than there are, so that the flow never stands still.
 */
#define WINDOW_BLOCKS 40u
_Static_assert(WINDOW_BLOCKS + 16 <= FLOW_BLOCKS, "some blocks must flow");

/* Frames that keep their memory for the next directory at that depth. */
#define FRAMES_KEPT 16u

/* A directory whose entries are being added. */
struct frame {
	struct folder *folder;
	struct folder_old old; /* its entry in the directory above */
	struct entry entry; /* its own, pointing into `text` */
	struct buf text;
};

struct assembler {
	struct run *run;
	struct bundler *bundler; /* these two: NULL in a scan */
	struct folder_all folders;
	struct block *first; /* laid, not added yet */
	struct block **end;
	uint32_t waiting;
	struct frame **frames;
	uint32_t depth;
	uint32_t cap;
	int has_root;
	struct object xattr; /* scratch */
};

static void
frame_free(struct frame *f)
{
	if (f == NULL)
		return;
	folder_free(f->folder);
	buf_release(&f->text);
	free(f);
}

int
assembler_new(struct assembler **out, struct run *run)
{
	struct assembler *a = calloc(1, sizeof(*a));
	int r = 0;

	if (a == NULL)
		return err_nomem(sizeof(*a));
	a->run = run;
	a->end = &a->first;
	object_init(&a->xattr, OBJECT_CHUNK);
	if (run->store != NULL)
		r = bundler_new(&a->bundler, run);
	if (r != 0) {
		assembler_free(a);
		return r;
	}
	folder_all_init(&a->folders, run);
	*out = a;
	return 0;
}

void
assembler_free(struct assembler *a)
{
	uint32_t i;

	if (a == NULL)
		return;
	for (i = 0; i < a->cap; i++)
		frame_free(a->frames[i]);
	free(a->frames);
	folder_all_release(&a->folders);
	bundler_free(a->bundler);
	object_release(&a->xattr);
	free(a);
}

const struct entry *
assembler_root(const struct assembler *a)
{
	assert(a->has_root);
	return &a->frames[0]->entry;
}

int
assembler_cached(const struct assembler *a)
{
	return a->folders.cache != NULL;
}

/* A frame for the next level. */
static int
frame_push(struct frame **out, struct assembler *a)
{
	uint32_t cap = a->cap == 0 ? 32 : a->cap * 2;
	struct frame **frames, *f;
	int r = 0;

	if (a->depth == a->cap) {
		frames = realloc(a->frames, cap * sizeof(struct frame *));
		if (frames == NULL)
			return err_nomem(cap * sizeof(struct frame *));
		memset(frames + a->cap, 0,
		    (cap - a->cap) * sizeof(struct frame *));
		a->frames = frames;
		a->cap = cap;
	}
	f = a->frames[a->depth];
	if (f == NULL) {
		f = calloc(1, sizeof(*f));
		if (f == NULL)
			return err_nomem(sizeof(*f));
		r = folder_new(&f->folder, &a->folders);
		if (r != 0) {
			free(f);
			return r;
		}
		a->frames[a->depth] = f;
	}
	buf_reset(&f->text);
	a->depth++;
	*out = f;
	return 0;
}

static void
frame_pop(struct assembler *a)
{
	a->depth--;
	if (a->depth >= FRAMES_KEPT) {
		frame_free(a->frames[a->depth]);
		a->frames[a->depth] = NULL;
	}
}

static void
set_link(struct entry *e, const struct slot *s, const struct keys *keys)
{
	uint8_t input[16], group[HASH_BYTES];

	bytes_put64(input, s->fsid);
	bytes_put64(input + 8, s->ino);
	hash_keyed(group, keys->link, input, sizeof(input));
	memcpy(e->link, group, sizeof(e->link));
}

/* A long block of xattrs becomes an object of its own. */
static int
set_xattrs(struct entry *e, struct assembler *a, const uint8_t *p, size_t len)
{
	int r;

	if (len <= LIMIT_XATTR_INLINE) {
		e->flags |= ENTRY_XATTR_INLINE;
		e->xattr = p;
		e->xattr_len = len;
		return 0;
	}
	object_reset(&a->xattr, OBJECT_CHUNK);
	r = buf_append(&a->xattr.payload, p, len);
	if (r == 0)
		r = sealer_offer(a->run->sealer, &a->xattr, NULL);
	if (r != 0)
		return r;
	e->flags |= ENTRY_XATTR_REF;
	memcpy(e->xattr_id, a->xattr.id, OBJECT_ID_BYTES);
	return 0;
}

static void
set_location(struct entry *e, struct block *b, const struct slot *s)
{
	e->location = (enum entry_location)s->location;
	switch (e->location) {
	case ENTRY_AT_INLINE:
	case ENTRY_AT_TARGET:
		e->data = block_extra(b, s)->data + s->data;
		break;
	case ENTRY_AT_BUNDLE:
		memcpy(e->id, s->bundle != NULL ? s->bundle->id : s->id,
		    OBJECT_ID_BYTES);
		e->member = s->member;
		break;
	case ENTRY_AT_EXTENTS:
		e->nextents = s->large->nextents;
		memcpy(e->extents, s->large->extents,
		    e->nextents * sizeof(e->extents[0]));
		break;
	case ENTRY_AT_MAP:
		memcpy(e->id, s->id, OBJECT_ID_BYTES);
		e->level = s->level;
		break;
	case ENTRY_AT_DEVICE:
		e->major = s->major;
		e->minor = s->minor;
		break;
	case ENTRY_AT_NONE:
	case ENTRY_AT_TREE: /* the frame's end sets it */
		break;
	}
}

/* Make an entry of a slot; it points into the block. */
static int
make_entry(
    struct entry *e, struct assembler *a, struct block *b, const struct slot *s)
{
	memset(e, 0, offsetof(struct entry, extents));
	e->kind = (enum address_kind)s->kind;
	e->flags = s->flags;
	e->name = block_name(b, s);
	e->name_len = s->name_len;
	e->mode = s->mode;
	e->uid = s->uid;
	e->gid = s->gid;
	e->mtime_s = s->mtime_s;
	e->mtime_ns = s->mtime_ns;
	e->size = s->size;
	memcpy(e->address, s->address, HASH_BYTES);
	e->user = s->user->text;
	e->user_len = s->user->len;
	e->group = s->group->text;
	e->group_len = s->group->len;
	if (a->run->store == NULL)
		return 0;
	if ((e->flags & ENTRY_HARDLINK) != 0)
		set_link(e, s, a->run->keys);
	set_location(e, b, s);
	return s->xattr_len == 0
		   ? 0
		   : set_xattrs(e, a, block_extra(b, s)->data + s->xattr,
			 s->xattr_len);
}

static struct folder *
open_folder(struct assembler *a)
{
	return a->frames[a->depth - 1]->folder;
}

/* What will tell that the entry is as it was. */
static void
make_stat(struct cache_stat *out, const struct slot *s)
{
	const struct mount *m = s->dir->mount;

	out->kind = s->kind;
	/*
	 * Neither its own times nor a change may be younger than the tick of
	 * the clock, or the next change would not show.
	 */
	out->dirty = s->incomplete || (s->flags & ENTRY_UNSTABLE) != 0 ||
		     s->dev != s->dir->dev ||
		     !fsclock_is_old(&m->young, s->mtime_s, s->mtime_ns) ||
		     !fsclock_is_old(&m->young, s->ctime_s, s->ctime_ns);
	out->size = s->size;
	out->mtime_s = s->mtime_s;
	out->ctime_s = s->ctime_s;
	out->mtime_ns = s->mtime_ns;
	out->ctime_ns = s->ctime_ns;
	out->ino = s->ino;
}

/* The old entry that a slot names. */
static void
make_old(struct folder_old *out, const struct block *b, const struct slot *s)
{
	out->p = s->old;
	if (s->old == NULL)
		return;
	out->leaf = *block_old_leaf(b, s);
	out->index = s->old_index;
}

static int
enter(struct assembler *a, struct block *b, const struct slot *s)
{
	struct frame *f = NULL;
	int r = frame_push(&f, a);

	if (r == 0)
		folder_begin(f->folder, s->dir);
	if (r == 0)
		make_old(&f->old, b, s);
	if (r == 0)
		r = make_entry(&f->entry, a, b, s);
	/* The block goes away before the directory ends. */
	if (r == 0)
		r = buf_append(&f->text, f->entry.name, f->entry.name_len + 1);
	if (r == 0 && f->entry.xattr_len > 0)
		r = buf_append(&f->text, f->entry.xattr, f->entry.xattr_len);
	if (r != 0)
		return r;
	f->entry.name = (const char *)f->text.data;
	f->entry.xattr = f->text.data + f->entry.name_len + 1;
	return 0;
}

static int
leave(struct assembler *a)
{
	/* Nothing of a directory is trusted for its times. */
	static const struct cache_stat stat = {.kind = ADDRESS_DIR};
	struct frame *f = a->frames[a->depth - 1];
	int r;

	r = folder_finish(&f->entry, f->folder);
	if (r != 0)
		return r;
	(void)atomic_fetch_add(&a->run->notes.counts->dirs, 1);
	if (a->depth == 1) {
		a->depth = 0;
		a->has_root = 1;
		return 0;
	}
	a->depth--;
	r = folder_add(open_folder(a), &f->entry, &stat, &f->old);
	a->depth++;
	frame_pop(a);
	return r;
}

/* An entry that is as it was. */
static int
add_old(struct assembler *a, const struct block *b, const struct slot *s)
{
	struct notes_counts *counts = a->run->notes.counts;
	struct folder_old old;

	make_old(&old, b, s);
	(void)atomic_fetch_add(&counts->files, 1);
	if (s->kind == ADDRESS_FILE) {
		(void)atomic_fetch_add(&counts->bytes, s->size);
		(void)atomic_fetch_add(&counts->bytes_kept, s->size);
	}
	return folder_add_old(open_folder(a), &old);
}

static int
add_slot(struct assembler *a, struct block *b, const struct slot *s)
{
	struct notes_counts *counts = a->run->notes.counts;
	struct cache_stat stat = {0};
	struct entry e;
	int r;

	if (s->op == SLOT_OLD)
		return add_old(a, b, s);
	if (s->op == SLOT_ENTER)
		return enter(a, b, s);
	if (s->op == SLOT_LEAVE)
		return leave(a);
	if (s->state == SLOT_GONE)
		return 0;
	(void)atomic_fetch_add(&counts->files, 1);
	if (s->kind == ADDRESS_FILE)
		(void)atomic_fetch_add(&counts->bytes, s->size);
	r = make_entry(&e, a, b, s);
	if (r == 0 && a->run->store != NULL)
		make_stat(&stat, s);
	return r == 0 ? folder_add(open_folder(a), &e, &stat, NULL) : r;
}

/* Stage 1: lay the block's small files. */
static int
lay(struct assembler *a, struct block *b)
{
	uint32_t i;
	int r = 0;

	for (i = 0; r == 0 && i < b->nslots && a->bundler != NULL; i++) {
		struct slot *s = &b->slots[i];

		if (s->state == SLOT_LAY)
			r = bundler_lay(
			    a->bundler, s, block_data(b, s)->data + s->data);
	}
	flow_drop_data(a->run->flow, b);
	return r;
}

static void
give_back(struct assembler *a, struct block *b)
{
	uint32_t i;

	for (i = 0; i < b->nslots; i++) {
		bundler_unref(b->slots[i].bundle);
		b->slots[i].bundle = NULL;
	}
	flow_return(a->run->flow, b);
}

/* Stage 2: add the slots in order, up to one whose bundle is still open. */
static int
add_waiting(struct assembler *a)
{
	struct block *b;
	int r;

	while ((b = a->first) != NULL) {
		for (; b->at < b->nslots; b->at++) {
			const struct slot *s = &b->slots[b->at];

			if (s->bundle != NULL && !s->bundle->done)
				return 0;
			r = add_slot(a, b, s);
			if (r != 0)
				return r;
		}
		a->first = b->next;
		if (a->first == NULL)
			a->end = &a->first;
		a->waiting--;
		give_back(a, b);
	}
	return 0;
}

static int
take(struct assembler *a, struct block *b)
{
	int r = fate_check(&a->run->fate);

	b->next = NULL;
	*a->end = b;
	a->end = &b->next;
	a->waiting++;
	if (r == 0)
		r = lay(a, b);
	if (r == 0 && a->waiting >= WINDOW_BLOCKS && a->bundler != NULL)
		r = bundler_close(a->bundler);
	return r == 0 ? add_waiting(a) : r;
}

/* After an error the blocks only go round until the walker ends. */
static void
drop_waiting(struct assembler *a)
{
	struct block *b;

	while ((b = a->first) != NULL) {
		a->first = b->next;
		give_back(a, b);
	}
	a->end = &a->first;
	a->waiting = 0;
}

void
assembler_run(void *arg)
{
	struct assembler *a = arg;
	struct block *b;
	int r;

	while (flow_pop(&b, a->run->flow) == 0) {
		r = take(a, b);
		if (r != 0) {
			(void)fate_fail(&a->run->fate, r);
			drop_waiting(a);
		}
	}
	r = fate_check(&a->run->fate);
	if (r == 0 && a->bundler != NULL)
		r = bundler_close(a->bundler);
	if (r == 0)
		r = add_waiting(a);
	if (r != 0)
		(void)fate_fail(&a->run->fate, r);
	folder_all_flush(&a->folders);
	drop_waiting(a);
}
