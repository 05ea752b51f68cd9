#include "engine/restore_walk.h"

#include "base/limits.h"
#include "engine/restore_ahead.h"
#include "object/tree.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tree objects held by the frames: enough for 64 directories of leaves that
 * are as large as they get; deeper paths are rare and pay with a re-read. */
#define HELD_BYTES_MAX (8u << 20)

/* One tree object of a directory: a node, or the leaf at the end. */
struct level {
	const struct object *o; /* NULL while the frame is asleep */
	uint64_t pos; /* items read */
	struct tree_reader r;
};

/* A directory on the way from the root to where the walk is. */
struct frame {
	struct hash hash; /* of the entries so far */
	struct restore_dir *dir;
	struct restore_range range;
	uint8_t address[HASH_BYTES]; /* as the parent has it */
	uint64_t entries, expected;
	uint8_t tree[OBJECT_ID_BYTES];
	unsigned top; /* level of the root tree */
	unsigned nlevels; /* open ones; 0: not begun, or done */
	int begun;
	int awake;
	int broken; /* told about damage: nothing more is checked */
	struct level levels[LIMIT_LEVELS];
};

struct restore_walk {
	struct restore_job *job;
	const struct restore_select *select;
	struct frame **frames;
	size_t n, room;
	size_t awake_from; /* frames below are asleep */
	size_t held_bytes;
	uint64_t entries, entries_max;
	struct restore_ahead *ahead;
	int waking;
};

int
restore_walk_new(struct restore_walk **out, struct restore_job *job,
    const struct restore_select *select, uint64_t entries_max)
{
	struct restore_walk *w = calloc(1, sizeof(*w));
	int rc;

	if (w == NULL)
		return err_nomem(sizeof(*w));
	w->job = job;
	w->select = select;
	w->entries_max = entries_max;
	rc = restore_ahead_new(&w->ahead, job);
	if (rc != 0) {
		free(w);
		return rc;
	}
	*out = w;
	return 0;
}

/* Let go of the objects of level `i` and below. */
static void
close_levels(struct restore_walk *w, struct frame *f, unsigned i)
{
	struct level *l;

	while (f->nlevels > i) {
		l = &f->levels[--f->nlevels];
		if (l->o == NULL)
			continue;
		w->held_bytes -= l->o->payload.cap;
		tree_reader_release(&l->r);
		fetch_put(w->job->fetch, l->o);
		l->o = NULL;
	}
}

int
restore_walk_await(struct restore_walk *w, const uint8_t id[OBJECT_ID_BYTES])
{
	return restore_ahead_await(w->ahead, id);
}

struct restore_dir *
restore_walk_pop(struct restore_walk *w)
{
	struct restore_dir *dir;
	struct frame *f;

	if (w->n == 0)
		return NULL;
	f = w->frames[--w->n];
	close_levels(w, f, 0);
	if (w->awake_from > w->n)
		w->awake_from = w->n;
	dir = f->dir;
	free(f);
	return dir;
}

void
restore_walk_free(struct restore_walk *w)
{
	if (w == NULL)
		return;
	assert(w->n == 0);
	restore_ahead_free(w->ahead);
	free(w->frames);
	free(w);
}

/* Put a frame to sleep: it remembers positions, not objects. */
static void
put_to_sleep(struct restore_walk *w, struct frame *f)
{
	unsigned n = f->nlevels;

	close_levels(w, f, 0);
	f->nlevels = n;
	f->awake = 0;
}

/*
 * Open the object of level `i`, the root tree or what `node` of the level
 * above says; its names come after `after`.
 */
static int
open_level(struct restore_walk *w, struct frame *f, unsigned i,
    const struct tree_node *node, const char *after, size_t after_len)
{
	const uint8_t *id = node != NULL ? node->id : f->tree;
	struct level *l = &f->levels[i];
	const struct object *o;
	int rc = 1;

	/* What a frame that wakes up reads was needed once before. */
	if (f->range.all && !w->waking)
		rc = restore_ahead_take(&o, w->ahead, id, f->top - i);
	if (rc == 1)
		rc = fetch_get(&o, w->job->fetch, OBJECT_TREE, id);
	if (rc != 0)
		return rc;
	rc = tree_reader_init(&l->r, f->top - i, o->refs.data, object_nrefs(o),
	    o->payload.data, o->payload.len);
	if (rc != 0) {
		fetch_put(w->job->fetch, o);
		return rc;
	}
	if (node != NULL)
		tree_reader_bind(&l->r, node, after, after_len);
	l->o = o;
	w->held_bytes += o->payload.cap;
	return 0;
}

/* Read the next node item of level `i` and open the object below it. */
static int
descend(struct restore_walk *w, struct frame *f, unsigned i)
{
	struct tree_reader *r = &f->levels[i].r;
	const char *after = r->last;
	size_t after_len = r->last_len;
	struct tree_node node;
	int rc;

	rc = tree_reader_node(&node, r);
	if (rc != 0)
		return rc;
	f->levels[i].pos++;
	if (!restore_select_between(w->select, &f->range, after, after_len,
		node.last_name, node.last_name_len))
		return 0;
	rc = open_level(w, f, i + 1, &node, after, after_len);
	if (rc == 0) {
		f->levels[i + 1].pos = 0;
		f->nlevels = i + 2;
	}
	return rc;
}

/* Go to where level `i` was before it slept. */
static int
skip(struct restore_walk *w, struct frame *f, unsigned i, unsigned n)
{
	struct level *l = &f->levels[i];
	const char *after = NULL;
	struct tree_node node;
	struct entry e;
	size_t after_len = 0;
	uint64_t pos;
	int rc = 0;

	for (pos = 0; pos < l->pos && rc == 0; pos++) {
		after = l->r.last;
		after_len = l->r.last_len;
		rc = i == f->top ? tree_reader_entry(&e, &l->r)
				 : tree_reader_node(&node, &l->r);
	}
	if (rc > 0)
		rc = err_set(ERR_DAMAGED, "tree: it has become shorter");
	if (rc == 0 && i + 1 < n)
		rc = open_level(w, f, i + 1, &node, after, after_len);
	return rc;
}

static int
wake_up(struct restore_walk *w, struct frame *f)
{
	unsigned n = f->nlevels, i;
	int rc;

	f->awake = 1;
	if (n == 0)
		return 0;
	f->nlevels = 1;
	w->waking = 1;
	rc = open_level(w, f, 0, NULL, NULL, 0);
	if (rc != 0)
		f->nlevels = 0;
	for (i = 0; i < n && rc == 0; i++) {
		f->nlevels = i + 1;
		rc = skip(w, f, i, n);
	}
	w->waking = 0;
	return rc;
}

int
restore_walk_enter(struct restore_walk *w, struct restore_dir *dir,
    const struct entry *e, const struct restore_range *range)
{
	struct frame *f, **frames;
	size_t room;

	if (w->n == w->room) {
		room = w->room != 0 ? 2 * w->room : 64;
		frames = realloc(w->frames, room * sizeof(struct frame *));
		if (frames == NULL)
			return err_nomem(room * sizeof(struct frame *));
		w->frames = frames;
		w->room = room;
	}
	/* The hash state wants an alignment that malloc() does not give. */
	f = aligned_alloc(_Alignof(struct frame), sizeof(*f));
	if (f == NULL)
		return err_nomem(sizeof(*f));
	memset(f, 0, sizeof(*f));
	address_dir_init(&f->hash);
	f->dir = dir;
	f->range = *range;
	memcpy(f->address, e->address, sizeof(f->address));
	memcpy(f->tree, e->id, sizeof(f->tree));
	f->top = e->level;
	f->expected = e->size;
	f->awake = 1;
	w->frames[w->n++] = f;
	while (w->held_bytes > HELD_BYTES_MAX && w->awake_from + 1 < w->n)
		put_to_sleep(w, w->frames[w->awake_from++]);
	return 0;
}

/* The next entry of the frame's directory.  0; 1 at its end. */
static int
next_entry(struct entry *out, struct restore_walk *w, struct frame *f)
{
	unsigned i;
	int rc;

	if (!f->awake) {
		rc = wake_up(w, f);
		if (rc != 0)
			return rc;
	}
	if (!f->begun) {
		f->begun = 1;
		rc = open_level(w, f, 0, NULL, NULL, 0);
		if (rc != 0)
			return rc;
		f->nlevels = 1;
	}
	while (f->nlevels > 0) {
		i = f->nlevels - 1;
		if (i < f->top) {
			rc = descend(w, f, i);
		} else {
			rc = tree_reader_entry(out, &f->levels[i].r);
			if (rc == 0) {
				f->levels[i].pos++;
				return 0;
			}
		}
		if (rc < 0)
			return rc;
		if (rc > 0)
			close_levels(w, f, i);
	}
	return 1;
}

/* Compare a directory gone through whole with what its parent says. */
static void
check_whole(struct restore_walk *w, const struct frame *f)
{
	uint8_t address[HASH_BYTES];

	if (f->broken || !f->range.all)
		return;
	address_dir_final(&f->hash, address);
	if (memcmp(address, f->address, sizeof(address)) != 0)
		restore_job_damaged(w->job, f->dir, NULL,
		    "the directory's content has another address");
	else if (f->entries != f->expected)
		restore_job_damaged(w->job, f->dir, NULL,
		    "the directory has another number of entries");
}

/* Take one entry of `f` into `out`; 0, or 1: not selected. */
static int
take(struct restore_walk_item *out, struct restore_walk *w, struct frame *f)
{
	const struct entry *e = &out->entry;

	f->entries++;
	address_dir_add(&f->hash, e->kind, e->name, e->name_len, e->address);
	if (!restore_select_enter(
		&out->range, w->select, &f->range, e->name, e->name_len))
		return 1;
	/* A pattern that needs more parts does not mean a file. */
	if (!out->range.all && e->kind != ADDRESS_DIR)
		return 1;
	out->what = RESTORE_WALK_ENTRY;
	out->dir = f->dir;
	return 0;
}

int
restore_walk_next(struct restore_walk_item *out, struct restore_walk *w)
{
	char why[ERR_TEXT_MAX + 64];
	struct frame *f;
	int rc;

	while (w->n > 0) {
		f = w->frames[w->n - 1];
		if (w->awake_from >= w->n)
			w->awake_from = w->n - 1;
		rc = next_entry(&out->entry, w, f);
		if (rc == ERR_DAMAGED) {
			(void)snprintf(why, sizeof(why),
			    "%s; the rest of this directory is missing",
			    err_text()); /* it fits */
			restore_job_damaged(w->job, f->dir, NULL, why);
			f->broken = 1;
			rc = 1;
		}
		if (rc < 0)
			return rc;
		if (rc > 0) {
			check_whole(w, f);
			out->what = RESTORE_WALK_LEAVE;
			out->dir = restore_walk_pop(w);
			return 0;
		}
		if (++w->entries > w->entries_max)
			return err_set(ERR_DAMAGED,
			    "the snapshot has more entries than it says");
		if (take(out, w, f) == 0)
			return 0;
	}
	out->what = RESTORE_WALK_END;
	return 0;
}
