#include "engine/walk.h"

#include "base/err.h"
#include "base/limits.h"
#include "engine/cache.h"
#include "engine/chooser.h"
#include "engine/large.h"
#include "engine/listing.h"
#include "engine/reader.h"
#include "engine/scout.h"
#include "engine/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SKIPPED_NAME ".shamo"
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
/* Names held in a directory when those above hold very many. */
#define NAMES_LEAST 4096u

struct frame {
	struct dir *dir; /* one reference */
	int is_open; /* and one use */
	struct listing *names; /* NULL: left empty */
	struct scout_stat *stats; /* of the names; NULL: not made */
	size_t scouted; /* names that were looked at for the scout */
	struct past past;
};

struct walk {
	struct run *run;
	const struct walk_options *o;
	struct worker *worker; /* for xattrs; reads no files */
	struct scout *scout; /* NULL: none */
	struct block *block; /* being filled; NULL: none */
	struct frame *frames;
	uint32_t depth; /* frames in use */
	uint32_t frames_cap;
	uint32_t first_open; /* frames from here on are open, and the root */
	size_t names_held;
	struct buf path;
};

/* Hand on the block being filled. */
static void
push(struct walk *w)
{
	struct block *b = w->block;
	uint32_t i;

	if (b == NULL)
		return;
	w->block = NULL;
	b->task.run = reader_run;
	if (b->nread == 0) {
		flow_push(w->run->flow, b, 0);
		return;
	}
	flow_push(w->run->flow, b, b->nlarge + 1);
	/* The block's own task last: when it ends the block may be gone. */
	for (i = 0; i < b->nslots && b->nlarge > 0; i++) {
		struct slot *s = &b->slots[i];

		if (s->large == NULL || s->state != SLOT_NEW)
			continue;
		s->large->task.run = large_run;
		crew_submit(w->run->crew, &s->large->task, 0);
	}
	crew_submit(w->run->crew, &b->task, 0);
}

/* A new slot, with its metadata. */
static int
emit(struct slot **out, struct walk *w, enum slot_op op, struct dir *dir,
    const struct listing_name *n, const struct stat *st)
{
	struct slot *s;
	uint64_t small = 0;
	int large = 0, r;

	if (op == SLOT_ENTRY && S_ISREG(st->st_mode)) {
		large = (uint64_t)st->st_size >= w->run->small_bytes;
		small = large ? 0 : (uint64_t)st->st_size + 1;
	}
	if (w->block != NULL && block_full(w->block, dir, small))
		push(w);
	if (w->block == NULL) {
		r = flow_take(&w->block, w->run->flow);
		if (r != 0)
			return r;
	}
	r = block_add(&s, w->block, op, dir, n->name, n->len);
	if (r != 0)
		return r;
	if (st != NULL)
		source_fill(s, w->run, st);
	if (large)
		r = block_make_large(w->block, s);
	w->block->small_bytes += small;
	*out = s;
	return r;
}

/* An entry that is as it was needs no reading. */
static int
emit_old(struct walk *w, const struct past_entry *old)
{
	struct slot *s;
	int r = 0;

	if (w->block != NULL && w->block->nslots == BLOCK_SLOTS)
		push(w);
	if (w->block == NULL)
		r = flow_take(&w->block, w->run->flow);
	if (r == 0)
		r = block_add(&s, w->block, SLOT_OLD, NULL, "", 0);
	if (r == 0) {
		s->state = SLOT_READY;
		s->kind = (uint8_t)old->peek.kind;
		s->size = old->peek.size;
		r = block_set_old(w->block, s, old);
	}
	return r;
}

static void
unreadable(struct walk *w, const struct listing_name *n, int error)
{
	struct dir *d = w->depth > 0 ? w->frames[w->depth - 1].dir : NULL;

	if (d != NULL)
		notes_unreadable(&w->run->notes, d, n == NULL ? NULL : n->name,
		    n == NULL ? 0 : n->len, error);
}

static void
frame_close(struct walk *w, struct frame *f)
{
	if (w->scout != NULL)
		scout_drop(w->scout, f->dir);
	if (f->is_open)
		dir_unuse(f->dir);
	f->is_open = 0;
}

static void
pop(struct walk *w)
{
	struct frame *f = &w->frames[--w->depth];

	if (f->names != NULL)
		w->names_held -= listing_held(f->names);
	listing_free(f->names);
	if (w->o->chooser != NULL)
		chooser_leave(w->o->chooser);
	past_end(&f->past);
	free(f->stats);
	frame_close(w, f);
	dir_unref(f->dir);
	if (w->first_open > w->depth)
		w->first_open = w->depth;
}

static int
grow(struct walk *w)
{
	uint32_t cap = w->frames_cap == 0 ? 64 : w->frames_cap * 2;
	struct frame *frames;

	if (w->depth < w->frames_cap)
		return 0;
	frames = realloc(w->frames, cap * sizeof(*frames));
	if (frames == NULL)
		return err_nomem(cap * sizeof(*frames));
	w->frames = frames;
	w->frames_cap = cap;
	return 0;
}

/* Look up what the last backup stored of the directory. */
static int
begin_past(
    struct walk *w, struct frame *f, int fd, const struct past_entry *old)
{
	struct past *above =
	    w->depth > 0 ? &w->frames[w->depth - 1].past : NULL;
	struct run *run = w->run;
	struct dir *d = f->dir;
	int r;

	if (run->store == NULL)
		return past_begin(
		    &f->past, NULL, 0, d->ino, 0, NULL, PAST_UNKNOWN);
	r = mounts_find(&d->mount, &run->mounts, fd, (dev_t)d->dev);
	if (r == 0)
		r = past_begin(&f->past, run->cache != NULL ? &run->past : NULL,
		    d->mount->key, d->ino, w->depth == 0,
		    old != NULL && old->peek.kind == ADDRESS_DIR ? past_ref(old)
								 : NULL,
		    old != NULL ? past_refs(above, old) : PAST_UNKNOWN);
	d->past = f->past.dir;
	return r;
}

/* Tell about the entry `name` of `d` (NULL: about `d` itself). */
static int
tell(struct walk *w, enum walk_news news, const struct dir *d, const char *name,
    size_t name_len)
{
	int r;

	if (news == WALK_EXCLUDED)
		(void)atomic_fetch_add(&w->run->notes.counts->excluded, 1);
	if (w->o->tell == NULL)
		return 0;
	r = dir_path(&w->path, d, name, name_len);
	if (r == 0)
		w->o->tell(w->o->tell_arg, news, (const char *)w->path.data,
		    w->path.len);
	return r;
}

/* The chooser comes along into the directory of the newest frame. */
static int
enter_chooser(struct walk *w, int fd)
{
	const struct frame *f = &w->frames[w->depth - 1];
	int r;

	if (w->o->chooser == NULL)
		return 0;
	r = chooser_enter(w->o->chooser, fd, f->dir->name, f->dir->name_len,
	    f->names != NULL ? listing_marks(f->names) : 0);
	if (r > 0) {
		/* More than was wanted is backed up: the user must know. */
		notes_unreadable(&w->run->notes, f->dir, LISTING_RULES_NAME,
		    strlen(LISTING_RULES_NAME), 0);
		r = 0;
	}
	if (r == 0 && f->names == NULL)
		r = tell(w, WALK_EXCLUDED, f->dir, NULL, 0);
	return r;
}

/* Is the directory to be stored without what is in it? */
static int
stays_empty(const struct walk *w, const struct stat *st)
{
	return w->o->chooser != NULL && w->depth > 0 &&
	       chooser_stops(w->o->chooser, w->frames[0].dir->dev, st->st_dev);
}

/* Send the scout to the next subdirectories of the newest frame. */
static int
look_ahead(struct walk *w)
{
	struct frame *f = &w->frames[w->depth - 1];
	struct listing_name n;
	int r = 0;

	if (w->scout == NULL || f->names == NULL || !f->is_open)
		return 0;
	if (f->scouted < listing_at(f->names))
		f->scouted = listing_at(f->names);
	for (; listing_peek(&n, f->names, f->scouted) == 0; f->scouted++) {
		if (n.type != DT_DIR || strcmp(n.name, SKIPPED_NAME) == 0)
			continue;
		if (w->o->chooser != NULL)
			r = chooser_excludes(w->o->chooser, n.name, n.len, 1);
		if (r < 0)
			return r;
		if (r == 0 && scout_send(w->scout, f->dir, n.name, n.len) != 0)
			break;
	}
	return 0;
}

/*
 * Begin the open directory `found`, which is given away: list it unless that
 * was done, make its frame and its ENTER slot.
 */
static int
enter(struct walk *w, struct scout_find *found, const struct listing_name *n,
    const struct past_entry *old)
{
	struct dir *parent = w->depth > 0 ? w->frames[w->depth - 1].dir : NULL;
	size_t most = w->names_held + NAMES_LEAST < LISTING_NAMES_MAX
			  ? LISTING_NAMES_MAX - w->names_held
			  : NAMES_LEAST;
	struct frame f = {
	    .is_open = 1, .names = found->names, .stats = found->stats};
	const struct stat *st = &found->st;
	int fd = found->fd, r;
	struct slot *s;

	r = grow(w);
	if (r == 0 && f.names == NULL && !stays_empty(w, st))
		r = listing_new(&f.names, fd, w->o->temp_dir, most);
	if (r != 0) {
		(void)close(fd); /* only read from */
		listing_free(f.names);
		free(f.stats);
		if (r != ERR_SOURCE || w->depth == 0)
			return r;
		unreadable(w, n, 0);
		return 0;
	}
	r = dir_new(&f.dir, &w->run->dirs, parent, fd, n->name, n->len);
	if (r != 0) {
		listing_free(f.names);
		free(f.stats);
		return r;
	}
	f.dir->dev = st->st_dev;
	f.dir->ino = st->st_ino;
	r = begin_past(w, &f, fd, old);
	if (f.names != NULL)
		w->names_held += listing_held(f.names);
	w->frames[w->depth++] = f;
	if (w->depth - w->first_open > WALK_OPEN_MAX) {
		if (w->first_open > 0)
			frame_close(w, &w->frames[w->first_open]);
		w->first_open++;
	}
	if (r == 0)
		r = enter_chooser(w, fd);
	if (r == 0)
		r = emit(&s, w, SLOT_ENTER, f.dir, n, st);
	if (r == 0 && old != NULL)
		r = block_set_old(w->block, s, old);
	if (r == 0)
		r = source_xattrs(w->worker, w->block, s, fd);
	return r != 0 ? r : look_ahead(w);
}

/* Open the frame's directory anew, relative to the one above it. */
static int
reopen_one(struct walk *w, uint32_t i)
{
	struct frame *f = &w->frames[i];
	struct dir *old = f->dir, *d;
	struct stat st;
	int fd, r;

	fd = openat(w->frames[i - 1].dir->fd, old->name, DIR_FLAGS);
	if (fd < 0)
		return err_errno(ERR_SOURCE, "cannot be opened again");
	if (fstat(fd, &st) != 0 || st.st_dev != old->dev ||
	    st.st_ino != old->ino) {
		(void)close(fd); /* only read from */
		return err_set(ERR_SOURCE, "was replaced during the walk");
	}
	r = dir_new(&d, &w->run->dirs, w->frames[i - 1].dir, fd, old->name,
	    old->name_len);
	if (r != 0)
		return r;
	d->dev = old->dev;
	d->ino = old->ino;
	d->mount = old->mount;
	f->dir = d;
	f->is_open = 1;
	dir_unref(old);
	return 0;
}

/*
 * The walk is back in a directory that was closed: open it from the root
 * down, and keep half of what may be open, so that this happens rarely.
 */
static int
reopen(struct walk *w)
{
	uint32_t top = w->depth - 1, i;
	uint32_t keep = top > WALK_OPEN_MAX / 2 ? top - WALK_OPEN_MAX / 2 : 1;
	int r = 0;

	for (i = 1; r == 0 && i <= top; i++) {
		if (!w->frames[i].is_open)
			r = reopen_one(w, i);
		if (i - 1 > 0 && i - 1 < keep)
			frame_close(w, &w->frames[i - 1]);
	}
	if (r == 0)
		w->first_open = keep;
	return r;
}

/*
 * Returns 0; 1 when the name is no directory (any more); errors.  What cannot
 * be read is named and left out.
 */
static int
try_dir(
    struct walk *w, const struct listing_name *n, const struct past_entry *old)
{
	const struct dir *parent = w->frames[w->depth - 1].dir;
	struct scout_find f = {.names = NULL};

	if (w->depth >= LIMIT_DEPTH) {
		(void)err_set(ERR_SOURCE, "is nested too deeply");
		unreadable(w, n, 0);
		return 0;
	}
	if (w->scout != NULL &&
	    scout_take(&f, w->scout, parent, n->name, n->len) == 0)
		return enter(w, &f, n, old);
	f.fd = openat(parent->fd, n->name, DIR_FLAGS);
	if (f.fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return 1;
	if (f.fd < 0 && (errno == EMFILE || errno == ENFILE))
		return err_errno(ERR_FAIL, "cannot open a directory");
	if (f.fd < 0 || fstat(f.fd, &f.st) != 0) {
		unreadable(w, n, errno);
		if (f.fd >= 0)
			(void)close(f.fd); /* only read from */
		return 0;
	}
	return enter(w, &f, n, old);
}

/*
 * Is the entry as it was, and what it refers to in the store?  A file of
 * another file system than its directory's (a file can be mounted on) may be
 * another one under the same number.
 */
static int
is_old(struct walk *w, const struct past *p, const struct past_entry *e,
    const struct stat *st)
{
	const struct dir *d = w->frames[w->depth - 1].dir;
	struct cache_stat now;

	if (st->st_dev != d->dev)
		return 0;
	cache_record_stat_from(&now, st, source_kind(st->st_mode), 0);
	return e->peek.kind == (enum address_kind)now.kind &&
	       cache_record_stat_same(&e->stat, &now) &&
	       past_refs(p, e) == PAST_HAD;
}

/* Returns 0; 1 when the entry is to be left out; ERR_NOMEM. */
static int
excluded(struct walk *w, const struct listing_name *n, int is_dir)
{
	int r;

	if (w->o->chooser == NULL)
		return 0;
	r = chooser_excludes(w->o->chooser, n->name, n->len, is_dir);
	if (r <= 0)
		return r;
	r = tell(
	    w, WALK_EXCLUDED, w->frames[w->depth - 1].dir, n->name, n->len);
	return r != 0 ? r : 1;
}

/* Is it to be laid into another bundle, most of its own being unused? */
static int
is_sparse(const struct walk *w, const struct past_entry *e)
{
	const uint8_t *id;

	if (!w->run->relay || e->peek.location != ENTRY_AT_BUNDLE)
		return 0;
	id = past_ref(e);
	return id != NULL && usage_is_sparse(&w->run->usage, id);
}

/* An entry that is neither a directory nor left out. */
static int
visit_file(struct walk *w, const struct listing_name *n, const struct stat *st,
    const struct past_entry *old)
{
	struct frame *f = &w->frames[w->depth - 1];
	int relay = 0, r;
	struct slot *s;

	if (S_ISSOCK(st->st_mode)) {
		(void)atomic_fetch_add(&w->run->notes.counts->sockets, 1);
		return 0;
	}
	if (old != NULL && is_old(w, &f->past, old, st)) {
		relay = is_sparse(w, old);
		if (!relay)
			return emit_old(w, old);
	}
	r = emit(&s, w, SLOT_ENTRY, f->dir, n, st);
	if (r == 0)
		s->relay = (uint8_t)relay;
	if (r == 0 && S_ISREG(st->st_mode))
		r = tell(w, WALK_READ, f->dir, n->name, n->len);
	/* The chunks that a large file had are tried first. */
	if (r == 0 && s->large != NULL && old != NULL &&
	    (old->peek.location == ENTRY_AT_EXTENTS ||
		old->peek.location == ENTRY_AT_MAP) &&
	    past_refs(&f->past, old) == PAST_HAD)
		r = block_set_old(w->block, s, old);
	if (r == 0 && (s->flags & ENTRY_HARDLINK) != 0 && f->dir->mount != NULL)
		s->fsid = st->st_dev == f->dir->dev ? f->dir->mount->fsid
						    : st->st_dev;
	return r;
}

/* lstat() of the name that the newest frame's listing gave last, or what the
 * scout got from it.  0, or -1 with errno. */
static int
stat_name(struct stat *st, const struct frame *f, const struct listing_name *n)
{
	const struct scout_stat *s;

	if (f->stats == NULL)
		return fstatat(f->dir->fd, n->name, st, AT_SYMLINK_NOFOLLOW);
	s = &f->stats[listing_at(f->names) - 1];
	if (s->error != 0) {
		errno = s->error;
		return -1;
	}
	*st = s->st;
	return 0;
}

static int
visit(struct walk *w, const struct listing_name *n)
{
	struct past_entry old;
	int is_dir = n->type == DT_DIR, is_known;
	struct stat st;
	int r;

	if (strcmp(n->name, SKIPPED_NAME) == 0)
		return 0;
	if (!is_dir) {
		if (stat_name(&st, &w->frames[w->depth - 1], n) != 0) {
			unreadable(w, n, errno);
			return 0;
		}
		is_dir = S_ISDIR(st.st_mode);
	}
	r = excluded(w, n, is_dir);
	if (r != 0)
		return r < 0 ? r : 0;
	r = past_find(&old, &w->frames[w->depth - 1].past, n->name, n->len);
	if (r < 0)
		return r;
	is_known = r == 0;
	if (is_dir) {
		r = try_dir(w, n, is_known ? &old : NULL);
		if (r != 1)
			return r;
		(void)err_set(ERR_SOURCE, "changed its type while it was read");
		unreadable(w, n, 0);
		return 0;
	}
	return visit_file(w, n, &st, is_known ? &old : NULL);
}

/* Leave the deepest directory; the one above must be usable again. */
static int
leave(struct walk *w)
{
	static const struct listing_name none = {"", 0, 0};
	struct slot *s;
	int r;

	r = emit(&s, w, SLOT_LEAVE, w->frames[w->depth - 1].dir, &none, NULL);
	pop(w);
	while (r == 0 && w->depth > 1 && !w->frames[w->depth - 1].is_open) {
		r = reopen(w);
		if (r != ERR_SOURCE)
			break;
		/* What is left of this directory cannot be reached. */
		unreadable(w, NULL, 0);
		r = emit(&s, w, SLOT_LEAVE, w->frames[w->depth - 1].dir, &none,
		    NULL);
		pop(w);
	}
	return r == 0 && w->depth > 0 ? look_ahead(w) : r;
}

static int
walk_root(struct walk *w)
{
	static const struct listing_name none = {"", 0, 0};
	struct scout_find f = {.names = NULL};
	int r;

	f.fd = open(w->o->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f.fd < 0)
		return err_errno(
		    ERR_NOENT, "cannot open the directory %s", w->o->path);
	if (fstat(f.fd, &f.st) != 0) {
		r = err_errno(ERR_NOENT, "cannot stat %s", w->o->path);
		(void)close(f.fd); /* only read from */
		return r;
	}
	r = enter(w, &f, &none, NULL);
	return r == ERR_SOURCE ? err_prefix(ERR_NOENT, "%s", w->o->path) : r;
}

static int
next_name(struct listing_name *out, struct walk *w)
{
	struct listing *names = w->frames[w->depth - 1].names;

	return names == NULL ? 1 : listing_next(out, names);
}

int
walk_run(struct run *run, const struct walk_options *o)
{
	struct walk w = {.run = run, .o = o};
	struct listing_name n;
	int r;

	if (o->chooser != NULL)
		chooser_reset(o->chooser);
	r = run_worker_new(&w.worker, run);
	/* A first backup has its processors' fill of reading and sealing. */
	if (r == 0 && run->cache != NULL && cache_root(run->cache) != NULL)
		r = scout_new(&w.scout);
	if (r == 0)
		r = walk_root(&w);
	while (r == 0 && w.depth > 0) {
		r = fate_check(&run->fate);
		if (r == 0)
			r = next_name(&n, &w);
		if (r == 0)
			r = visit(&w, &n);
		else if (r == 1)
			r = leave(&w);
	}
	while (w.depth > 0)
		pop(&w);
	scout_free(w.scout);
	if (r != 0)
		(void)fate_fail(&run->fate, r);
	push(&w);
	flow_end(run->flow);
	free(w.frames);
	buf_release(&w.path);
	run_worker_free(w.worker);
	return r;
}
