#include "engine/restore_work.h"

#include "engine/restore_file.h"
#include "engine/restore_part.h"
#include "engine/restore_spare.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Records between the network and the workers. */
#define QUEUE_ITEMS 8u
/* Parts without objects handed over at once: about a millisecond of work. */
#define BATCH_PARTS 32u
#define THREADS_MAX 64u
/* How often the user's flag is asked while waiting. */
#define POLL_MS 200u
#define WINDOWS_NEAR 2u
/* One window is being written while the others are fetched. */
#define GETTERS_MAX (RESTORE_WORK_WINDOWS_MAX - 1)

struct restore_work {
	struct restore_job *job;
	struct restore_spare *spare;
	struct pool_queue *queue;
	struct pool_thread *threads[THREADS_MAX];
	unsigned nthreads;
	unsigned windows; /* under way at once */
	struct pool_queue *fetches; /* windows */
	struct pool_thread *getters[GETTERS_MAX];
	struct pool_lock lock; /* of all below, of parts and of objects */
	struct pool_cond done; /* a window has no parts left, or objects */
};

/* Give back what a written part held; the lock is held. */
static void
part_drop(struct restore_work *w, struct restore_part *part)
{
	struct restore_window *win = part->window;
	struct restore_object *o;
	size_t i;

	for (i = 0; i < part->npieces; i++) {
		o = part->pieces[i].object;
		if (o == NULL || --o->uses > 0 || o->content == NULL)
			continue;
		restore_spare_give_object(w->spare, o->content);
		o->content = NULL;
	}
	if (--win->left == 0)
		pool_cond_wake_all(&w->done);
}

/* The memory of a part, unless it is inside its file. */
static void
part_free(struct restore_part *part, int in_file)
{
	free(part->damage);
	if (in_file)
		return;
	free(part->pieces);
	free(part);
}

/*
 * `part` is ready.  If it is its turn write it, and those behind it that are
 * ready too; else whoever writes the file now comes to it.
 */
static void
part_run(struct restore_work *w, struct restore_part *part)
{
	struct restore_file *f = part->file;
	struct hash hash;
	int last = 0, again = 0;

	pool_lock_enter(&w->lock);
	part->ready = 1;
	if (f->running || f->first != part) {
		pool_lock_leave(&w->lock);
		return;
	}
	f->running = 1;
	while (!last && (part = f->first) != NULL && part->ready) {
		pool_lock_leave(&w->lock);
		restore_part_write(w->job, part, &hash);
		pool_lock_enter(&w->lock);
		last = part->is_last;
		f->first = part->next;
		if (last) {
			/* The file ends before its window may. */
			pool_lock_leave(&w->lock);
			again = restore_file_finish(f);
			pool_lock_enter(&w->lock);
		}
		part_drop(w, part);
		part_free(part, part == &f->tail);
	}
	if (!last || again)
		f->running = 0;
	/* Before anybody sees that the window is done. */
	if (again)
		restore_job_again(w->job, f);
	pool_lock_leave(&w->lock);
	if (last && !again)
		restore_file_free(f);
}

static void
run_list(struct restore_work *w, struct restore_part *parts)
{
	struct restore_part *next;

	for (; parts != NULL; parts = next) {
		next = parts->next_ready;
		part_run(w, parts);
	}
}

/* The object is `content`, or failed with `rc`: write what waited for it
 * only. */
static void
object_settle(struct restore_work *w, struct restore_object *o,
    struct object *content, int rc)
{
	struct restore_part *ready = NULL, **end = &ready;
	struct restore_piece *p;
	char *why = NULL;

	if (rc != 0 && rc != ERR_DAMAGED && !restore_job_stopped(w->job))
		(void)restore_job_stop(w->job, rc);
	if (rc == ERR_DAMAGED)
		why = strdup(err_text()); /* NULL: told without a reason */

	pool_lock_enter(&w->lock);
	o->state = rc == 0 ? RESTORE_HERE : RESTORE_BAD;
	o->why = why;
	if (rc == 0)
		o->content = content;
	else if (content != NULL)
		restore_spare_give_object(w->spare, content);
	for (p = o->waiting; p != NULL; p = p->next) {
		if (--p->part->missing > 0)
			continue;
		p->part->next_ready = NULL;
		*end = p->part;
		end = &p->part->next_ready;
	}
	pool_lock_leave(&w->lock);
	run_list(w, ready);
}

static void
record_run(struct restore_work *w, struct restore_item *it)
{
	struct restore_object *o = it->object;
	const struct fetch_record r = {.got = it->got,
	    .bytes = it->record.data,
	    .len = it->record.len,
	    .unnamed = !o->doubted,
	    .unproved = w->job->store->ops->get_sealed != NULL};
	struct object *content;
	int rc;

	content = restore_spare_object(w->spare);
	if (content == NULL)
		rc = ERR_NOMEM;
	else if (restore_job_stopped(w->job))
		rc = ERR_INTR;
	else
		rc = fetch_open(content, w->job->fetch, o->type, o->id, &r);
	restore_spare_give_item(w->spare, it);
	object_settle(w, o, content, rc);
}

static void
worker(void *arg)
{
	struct restore_work *w = arg;
	struct restore_part *parts;
	struct restore_item *it;
	void *item;

	while (pool_queue_pop(&item, w->queue) == 0) {
		it = item;
		if (it->object != NULL) {
			record_run(w, it);
			continue;
		}
		parts = it->parts;
		restore_spare_give_item(w->spare, it);
		run_list(w, parts);
	}
}

/* Hand an item over.  The queue is open as long as there are windows. */
static void
push(struct restore_work *w, struct restore_item *it)
{
	int closed = pool_queue_push(w->queue, it);

	assert(closed == 0);
}

/* Hand over parts that need no object. */
static void
push_parts(struct restore_work *w, struct restore_part *parts)
{
	struct restore_item *it;

	if (parts == NULL)
		return;
	if (restore_spare_item(&it, w->spare) != 0) {
		/* No memory for the errand: go oneself. */
		run_list(w, parts);
		return;
	}
	it->object = NULL;
	it->parts = parts;
	push(w, it);
}

/* Put the window's parts in their files' order; push those that can go. */
static void
start_parts(struct restore_work *w, struct restore_window *win)
{
	struct restore_part *part, *next, *batch = NULL, **end = &batch;
	struct restore_file *f;
	unsigned n = 0;

	for (part = win->parts; part != NULL; part = next) {
		next = part->next_ready;
		f = part->file;
		pool_lock_enter(&w->lock);
		*(f->first != NULL ? &f->last->next : &f->first) = part;
		f->last = part;
		pool_lock_leave(&w->lock);
		if (part->missing > 0)
			continue;
		part->next_ready = NULL;
		*end = part;
		end = &part->next_ready;
		if (++n % BATCH_PARTS == 0) {
			push_parts(w, batch);
			batch = NULL;
			end = &batch;
		}
	}
	push_parts(w, batch);
}

/* A get under way. */
struct getting {
	struct restore_work *w;
	struct restore_window *win;
};

static int
hand_over(struct restore_work *w, struct restore_object *o, enum store_got got,
    const uint8_t *record, size_t len)
{
	struct restore_item *it;
	int rc;

	rc = restore_spare_item(&it, w->spare);
	if (rc != 0)
		return rc;
	if (got == STORE_GOT_RECORD)
		rc = buf_append(&it->record, record, len);
	if (rc != 0) {
		restore_spare_give_item(w->spare, it);
		return rc;
	}
	o->arrived = 1;
	it->object = o;
	it->got = got;
	push(w, it);
	return 0;
}

static int
arrived(void *arg, enum store_got got, const uint8_t id[STORE_ID_BYTES],
    const uint8_t *record, size_t len)
{
	struct getting *g = arg;
	struct restore_object *o = restore_window_find(g->win, id);

	if (restore_job_poll(g->w->job))
		return ERR_INTR;
	if (o == NULL || o->arrived)
		return err_set(
		    ERR_DAMAGED, "the store sent an object not asked for");
	return hand_over(g->w, o, got, record, len);
}

/* Fetch the window's objects.  Afterwards all are with the workers. */
static void
fetch_window(struct restore_work *w, struct restore_window *win)
{
	const struct store_ops *ops = w->job->store->ops;
	struct getting g = {w, win};
	struct restore_object *o;
	struct buf ids = BUF_INIT;
	size_t i;
	int rc = 0;

	for (i = 0; i < win->nobjects && rc == 0; i++)
		rc = buf_append(&ids, win->objects[i].id, OBJECT_ID_BYTES);
	if (rc == 0 && win->nobjects > 0 && !restore_job_poll(w->job))
		rc = (ops->get_sealed != NULL ? ops->get_sealed : ops->get)(
		    w->job->store, ids.data, (uint32_t)win->nobjects, arrived,
		    &g);
	buf_release(&ids);
	if (rc != 0 && !restore_job_stopped(w->job))
		(void)restore_job_stop(w->job, rc);
	/* Whatever did not come is absent, so that no part waits for ever. */
	for (i = 0; i < win->nobjects; i++) {
		o = &win->objects[i];
		if (o->arrived)
			continue;
		rc = hand_over(w, o, STORE_GOT_ABSENT, NULL, 0);
		if (rc != 0)
			object_settle(w, o, NULL, rc);
	}
	pool_lock_enter(&w->lock);
	win->fetching = 0;
	pool_cond_wake_all(&w->done);
	pool_lock_leave(&w->lock);
}

/* A thread that fetches. */
static void
getter(void *arg)
{
	struct restore_work *w = arg;
	void *win;

	while (pool_queue_pop(&win, w->fetches) == 0)
		fetch_window(w, win);
}

int
restore_work_new(
    struct restore_work **out, struct restore_job *job, unsigned threads)
{
	struct restore_work *w = calloc(1, sizeof(*w));
	unsigned i;
	int rc;

	if (w == NULL)
		return err_nomem(sizeof(*w));
	w->job = job;
	pool_lock_init(&w->lock);
	pool_cond_init(&w->done);
	if (threads > THREADS_MAX)
		threads = THREADS_MAX;
	w->windows = job->store->info.answer_ns > STORE_FAR_NS
			 ? RESTORE_WORK_WINDOWS_MAX
			 : WINDOWS_NEAR;
	rc = restore_spare_new(&w->spare);
	if (rc == 0)
		rc = pool_queue_new(&w->queue, QUEUE_ITEMS);
	if (rc == 0)
		rc = pool_queue_new(&w->fetches, RESTORE_WORK_WINDOWS_MAX);
	while (rc == 0 && w->nthreads < threads) {
		rc = pool_thread_start(&w->threads[w->nthreads], worker, w);
		if (rc == 0)
			w->nthreads++;
	}
	for (i = 0; rc == 0 && i < w->windows - 1; i++)
		rc = pool_thread_start(&w->getters[i], getter, w);
	if (rc != 0) {
		restore_work_free(w);
		return rc;
	}
	*out = w;
	return 0;
}

void
restore_work_free(struct restore_work *w)
{
	unsigned i;

	if (w == NULL)
		return;
	if (w->fetches != NULL)
		pool_queue_close(w->fetches);
	for (i = 0; i < GETTERS_MAX; i++)
		pool_thread_join(w->getters[i]);
	if (w->queue != NULL)
		pool_queue_close(w->queue);
	while (w->nthreads > 0)
		pool_thread_join(w->threads[--w->nthreads]);
	pool_queue_free(w->fetches);
	pool_queue_free(w->queue);
	restore_spare_free(w->spare);
	pool_cond_release(&w->done);
	pool_lock_release(&w->lock);
	free(w);
}

unsigned
restore_work_windows(const struct restore_work *w)
{
	return w->windows;
}

void
restore_work_run(struct restore_work *w, struct restore_window *win)
{
	int closed;

	win->fetching = win->nobjects > 0;
	start_parts(w, win);
	if (win->nobjects == 0)
		return;
	closed = pool_queue_push(w->fetches, win);
	assert(closed == 0);
}

void
restore_work_wait(struct restore_work *w, struct restore_window *win)
{
	int busy;

	do {
		pool_lock_enter(&w->lock);
		if (win->left > 0 || win->fetching)
			(void)pool_cond_wait_ms(&w->done, &w->lock, POLL_MS);
		busy = win->left > 0 || win->fetching;
		pool_lock_leave(&w->lock);
		(void)restore_job_poll(w->job);
	} while (busy);
	restore_window_free(win);
}
