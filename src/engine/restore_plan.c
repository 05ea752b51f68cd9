#include "engine/restore_plan.h"

#include "base/limits.h"
#include "engine/restore_extents.h"
#include "engine/restore_file.h"
#include "engine/restore_there.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a large file that are written in one go: small enough that writing
 * begins early, large enough that it is not about the calls. */
#define PART_BYTES (4u << 20)
/* A path that is told; longer ones are cut at the front. */
#define PATH_SHOWN 3072
/* What a bundle takes, about. */
#define BUNDLE_ABOUT_BYTES (1u << 20)

/* Files that wait, first in first out. */
struct list {
	struct restore_file *first, *last;
};

struct restore_plan {
	struct restore_job *job;
	struct restore_walk *walk;
	struct restore_link *links;
	struct restore_file *file; /* has parts still to be planned */
	struct restore_extents extents; /* of it */
	struct list to_link; /* wait for the first file of their group */
	struct list to_write; /* became the first themselves, or are doubted */
	int walked; /* the tree is at its end */
};

int
restore_plan_new(struct restore_plan **out, struct restore_job *job,
    struct restore_walk *walk, struct restore_link *links)
{
	struct restore_plan *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return err_nomem(sizeof(*p));
	p->job = job;
	p->walk = walk;
	p->links = links;
	*out = p;
	return 0;
}

void
restore_plan_free(struct restore_plan *p)
{
	if (p == NULL)
		return;
	assert(p->file == NULL && p->to_link.first == NULL &&
	       p->to_write.first == NULL);
	free(p);
}

static void
append(struct list *l, struct restore_file *f)
{
	f->next = NULL;
	*(l->first != NULL ? &l->last->next : &l->first) = f;
	l->last = f;
}

static struct restore_file *
take_first(struct list *l)
{
	struct restore_file *f = l->first;

	if (f != NULL)
		l->first = f->next;
	return f;
}

/* The file's last part; its end may be one that is not known (`damage`). */
static void
add_tail(struct restore_window *win, struct restore_file *f, const char *damage)
{
	/* Without memory it is told without a reason. */
	if (damage != NULL && (f->tail.damage = strdup(damage)) == NULL)
		f->tail.damage = calloc(1, 1);
	restore_window_add(win, &f->tail);
}

/* A part of up to PART_BYTES in which pieces are collected. */
static struct restore_part *
part_new(struct restore_file *f)
{
	struct restore_part *part = calloc(1, sizeof(*part));

	if (part == NULL)
		return NULL;
	part->file = f;
	part->pieces = calloc(RESTORE_WINDOW_PIECES, sizeof(*part->pieces));
	if (part->pieces == NULL) {
		free(part);
		return NULL;
	}
	return part;
}

/* Collect pieces of the file into one part.  0; 1: the file's end; ERR_*. */
static int
fill_part(struct restore_plan *p, struct restore_window *win,
    struct restore_part *part)
{
	struct restore_piece *piece;
	struct extent e;
	uint64_t bytes = 0;
	int rc = 0;

	while (bytes < PART_BYTES && part->npieces < RESTORE_WINDOW_PIECES) {
		rc = restore_extents_next(&e, &p->extents);
		if (rc != 0)
			break;
		piece = &part->pieces[part->npieces++];
		piece->length = e.length;
		if (e.hole)
			continue;
		bytes += e.length;
		restore_window_need(win, piece, OBJECT_CHUNK, e.id, e.length);
		if (part->file->doubted)
			piece->object->doubted = 1;
	}
	return rc;
}

/* Plan parts of the open file until it ends or the window is full. */
static void
plan_parts(struct restore_plan *p, struct restore_window *win)
{
	struct restore_part *part;
	int rc = 0;

	while (rc == 0 && !restore_window_full(win)) {
		part = part_new(p->file);
		if (part == NULL) {
			rc = err_nomem(sizeof(*part));
			break;
		}
		rc = fill_part(p, win, part);
		if (part->npieces > 0) {
			restore_window_add(win, part);
		} else {
			free(part->pieces);
			free(part);
		}
	}
	if (rc < 0 && rc != ERR_DAMAGED)
		(void)restore_job_stop(p->job, rc);
	if (rc != 0) {
		add_tail(win, p->file, rc == ERR_DAMAGED ? err_text() : NULL);
		restore_extents_release(&p->extents);
		p->file = NULL;
	}
}

/* Give the file a part, or begin to plan its parts. */
static void
plan_content(
    struct restore_plan *p, struct restore_window *win, struct restore_file *f)
{
	int rc = 0;

	switch (f->location) {
	case ENTRY_AT_BUNDLE:
		f->tail.npieces = 1;
		f->tail_piece.length = f->size;
		f->tail_piece.member = f->member;
		restore_window_need(win, &f->tail_piece, OBJECT_BUNDLE, f->id,
		    BUNDLE_ABOUT_BYTES);
		if (f->doubted)
			f->tail_piece.object->doubted = 1;
		add_tail(win, f, NULL);
		return;
	case ENTRY_AT_EXTENTS:
		rc = restore_extents_list(&p->extents, f->extents, f->nextents);
		break;
	case ENTRY_AT_MAP:
		rc = restore_walk_await(p->walk, f->id);
		if (rc < 0)
			break;
		rc = restore_extents_map(
		    &p->extents, p->job->fetch, f->id, f->level, f->size);
		break;
	case ENTRY_AT_NONE:
	case ENTRY_AT_INLINE:
	case ENTRY_AT_TARGET:
	case ENTRY_AT_DEVICE:
	case ENTRY_AT_TREE:
		add_tail(win, f, NULL);
		return;
	}
	if (rc < 0 && rc != ERR_DAMAGED)
		(void)restore_job_stop(p->job, rc);
	if (rc != 0) {
		add_tail(win, f, err_text());
		restore_extents_release(&p->extents);
		return;
	}
	p->file = f;
	plan_parts(p, win);
}

/* An entry that belongs to a link group.  0: write it; 1: it waits; ERR_*. */
static int
join_group(
    struct restore_plan *p, struct restore_file *f, const struct entry *e)
{
	int rc;

	rc = restore_link_join(&f->link, p->links, f->dir, f->name, e->link,
	    f->kind, f->size, f->address);
	if (rc < 0)
		return rc;
	if (rc == 0)
		f->link_first = 1;
	if (rc == 1)
		append(&p->to_link, f);
	if (rc == 2)
		restore_job_warn(p->job, f->dir, f->name,
		    "changed while it was backed up, no longer a hard link");
	return rc == 1 ? 1 : 0;
}

/* The decoder has checked names; what it means to get one wrong is bad enough
 * to check again.  `.shamo` would make the copy look registered. */
static int
is_bad_name(const struct entry *e)
{
	return !entry_name_is_valid(e->name, e->name_len) ||
	       memchr(e->name, '\0', e->name_len) != NULL ||
	       memchr(e->name, '/', e->name_len) != NULL ||
	       (e->name_len == 1 && e->name[0] == '.') ||
	       (e->name_len == 2 && memcmp(e->name, "..", 2) == 0) ||
	       (e->name_len == 6 && memcmp(e->name, ".shamo", 6) == 0);
}

/* Tell what is done, or would be. */
static void
tell(struct restore_plan *p, enum restore_news news,
    const struct restore_dir *dir, const char *name)
{
	const struct restore_options *o = p->job->o;
	char path[PATH_SHOWN];

	if (o->tell == NULL)
		return;
	restore_dir_path(path, sizeof(path), dir, name);
	o->tell(o->arg, news, path);
}

/* Make or open a directory.  0; 1: it could not be made; ERR_*. */
static int
make_dir(struct restore_plan *p, struct restore_dir **out,
    const struct restore_walk_item *item)
{
	struct restore_job *job = p->job;
	int vague = restore_select_is_vague(&item->range), rc;

	if (!job->o->dry_run && !vague)
		return restore_dir_make(out, item->dir, &item->entry);
	rc = restore_dir_plan(out, item->dir, &item->entry);
	if (rc != 0 || !job->o->dry_run)
		return rc;
	restore_dir_look(*out);
	if ((*out)->unmade && !vague) {
		restore_job_count(job, &job->result.dirs, 1);
		tell(p, RESTORE_NEW, *out, NULL);
	}
	return 0;
}

/* What a dry run says of an entry that is not there yet. */
static void
foretell(struct restore_plan *p, const struct restore_file *f,
    enum restore_there there)
{
	struct restore_result *r = &p->job->result;

	if (there == RESTORE_THERE_SAME) {
		restore_job_count(p->job, &r->unchanged, 1);
	} else if (f->kind == ADDRESS_FILE) {
		restore_job_count(p->job, &r->files, 1);
		restore_job_count(p->job, &r->bytes, f->size);
	} else {
		restore_job_count(p->job, &r->others, 1);
	}
}

/* The right content is there.  0: link it to its group; 1: it is done. */
static int
keep(struct restore_plan *p, struct restore_file *f, const struct entry *e,
    const struct stat *st)
{
	int rc = 0;

	if ((e->flags & ENTRY_HARDLINK) != 0)
		rc = restore_link_join(&f->link, p->links, f->dir, f->name,
		    e->link, f->kind, f->size, f->address);
	else
		rc = 2;
	if (rc < 0)
		return rc;
	f->link_first = rc == 0;
	if (rc == 1 &&
	    !restore_link_is(p->links, f->link, st->st_dev, st->st_ino)) {
		f->replaces = 1;
		restore_file_forget(f);
		append(&p->to_link, f);
		return 1;
	}
	restore_file_keep(f, st);
	restore_file_free(f);
	return 1;
}

/*
 * See what is there already.  0: go on and write it; 1: it is done, `f` is
 * freed or waits; ERR_*.
 */
static int
compare(struct restore_plan *p, struct restore_file *f, const struct entry *e)
{
	const struct restore_options *o = p->job->o;
	enum restore_there there;
	struct stat st;

	there = restore_there_look(f, &st);
	if (there == RESTORE_THERE_BLOCKED) {
		errno = ENOTEMPTY;
		restore_job_failed(
		    p->job, f->dir, f->name, "replace the directory there");
	} else if (there != RESTORE_THERE_SAME) {
		tell(p,
		    there == RESTORE_THERE_NOT ? RESTORE_NEW : RESTORE_REPLACED,
		    f->dir, f->name);
	}
	f->replaces = there == RESTORE_THERE_OTHER;
	if (there == RESTORE_THERE_SAME && !o->dry_run)
		return keep(p, f, e, &st);
	if (there != RESTORE_THERE_BLOCKED && !o->dry_run)
		return 0;
	if (there != RESTORE_THERE_BLOCKED)
		foretell(p, f, there);
	restore_file_drop(f);
	restore_file_free(f);
	return 1;
}

static int
plan_dir(struct restore_plan *p, const struct restore_walk_item *item)
{
	struct restore_dir *dir;
	int rc;

	if (item->dir->depth >= LIMIT_DEPTH) {
		restore_job_damaged(
		    p->job, item->dir, NULL, "nested too deeply");
		return 0;
	}
	rc = make_dir(p, &dir, item);
	if (rc != 0)
		return rc > 0 ? 0 : rc;
	rc = restore_walk_enter(p->walk, dir, &item->entry, &item->range);
	if (rc != 0)
		restore_dir_done(dir);
	return rc;
}

static int
plan_entry(struct restore_plan *p, struct restore_window *win,
    const struct restore_walk_item *item)
{
	const struct entry *e = &item->entry;
	struct restore_file *f;
	int rc = 0;

	if (is_bad_name(e)) {
		restore_job_damaged(p->job, item->dir, NULL,
		    "a name in it is none, the entry was left out");
		return 0;
	}
	/* A directory that only led here now holds something. */
	if (!p->job->o->dry_run && !restore_select_is_vague(&item->range) &&
	    restore_dir_need(item->dir) != 0)
		return 0;
	if (e->kind == ADDRESS_DIR)
		return plan_dir(p, item);
	rc = restore_file_new(&f, p->job, p->links, item->dir, e);
	if (rc != 0)
		return rc;
	if (p->job->o->force || p->job->o->dry_run)
		rc = compare(p, f, e);
	if (rc > 0)
		return 0;
	if (rc == 0 && (e->flags & ENTRY_HARDLINK) != 0)
		rc = join_group(p, f, e);
	if (rc < 0) {
		restore_file_drop(f);
		restore_file_free(f);
	}
	if (rc == 0)
		plan_content(p, win, f);
	return rc < 0 ? rc : 0;
}

static void
walk_on(struct restore_plan *p, struct restore_window *win)
{
	struct restore_walk_item item;
	int rc;

	rc = restore_walk_next(&item, p->walk);
	if (rc == 0 && item.what == RESTORE_WALK_ENTRY)
		rc = plan_entry(p, win, &item);
	else if (rc == 0 && item.what == RESTORE_WALK_LEAVE)
		restore_dir_done(item.dir);
	else if (rc == 0)
		p->walked = 1;
	if (rc != 0)
		(void)restore_job_stop(p->job, rc);
}

int
restore_plan_fill(struct restore_plan *p, struct restore_window *win)
{
	struct restore_file *f;

	while (!restore_window_full(win)) {
		if (restore_job_poll(p->job))
			return 0;
		if (p->file != NULL)
			plan_parts(p, win);
		else if ((f = take_first(&p->to_write)) != NULL)
			plan_content(p, win, f);
		else if (!p->walked)
			walk_on(p, win);
		else
			return 0;
	}
	return 1;
}

/* What did not become what it should be is planned once more. */
static void
take_doubted(struct restore_plan *p)
{
	struct restore_file *f;

	while ((f = restore_job_take_again(p->job)) != NULL) {
		restore_file_start_over(f);
		append(&p->to_write, f);
	}
}

int
restore_plan_links(struct restore_plan *p)
{
	struct list waiting = p->to_link;
	struct restore_file *f;
	int rc;

	take_doubted(p);
	p->to_link.first = NULL;
	while ((f = take_first(&waiting)) != NULL) {
		if (restore_job_stopped(p->job))
			rc = 1; /* restore_plan_unwind() drops it */
		else
			rc = restore_link_make(
			    p->links, f->link, f->dir, f->name);
		if (rc == 1) {
			append(&p->to_link, f);
			continue;
		}
		if (rc == 2) {
			f->link_first = 1;
			append(&p->to_write, f);
			continue;
		}
		if (rc == 0)
			restore_file_linked(f);
		else
			(void)restore_job_stop(p->job, rc);
		if (rc < 0)
			restore_file_drop(f);
		restore_file_free(f);
	}
	return p->to_link.first != NULL || p->to_write.first != NULL;
}

void
restore_plan_unwind(struct restore_plan *p)
{
	struct restore_file *f;
	struct restore_dir *dir;

	if (p->file != NULL) {
		restore_extents_release(&p->extents);
		/* The job has stopped: not to be written again. */
		(void)restore_file_finish(p->file);
		restore_file_free(p->file);
		p->file = NULL;
	}
	take_doubted(p);
	while ((f = take_first(&p->to_write)) != NULL ||
	       (f = take_first(&p->to_link)) != NULL) {
		restore_file_drop(f);
		restore_file_free(f);
	}
	while ((dir = restore_walk_pop(p->walk)) != NULL)
		restore_dir_done(dir);
}
