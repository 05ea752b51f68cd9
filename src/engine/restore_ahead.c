#include "engine/restore_ahead.h"

#include "base/err.h"
#include "object/tree.h"

#include <stdlib.h>
#include <string.h>

/* Trees of one request: with more the first ones would come later. */
#define BATCH 64u
#define THREADS_NEAR 1u
#define THREADS_FAR 4u
/*
 * How far from the walk trees are fetched: far enough for the files of several
 * windows, and no further, for what is known early may be needed late.  With
 * so many bytes waiting only those that come next are.
 */
#define FAR_TREES 512u
#define NEXT_TREES 128u
#define AHEAD_BYTES (8u << 20)
/* Known trees; a directory may name many. */
#define KNOWN_MAX 65536u
#define POLL_MS 200u

struct tree {
	struct tree *next;
	uint8_t id[OBJECT_ID_BYTES];
	enum object_type type; /* OBJECT_TREE, or OBJECT_MAP of a file */
	unsigned level;
	enum { WANTED, UNDER_WAY, HERE, LOST } state;
	int passed; /* no longer in the list: its thread frees it */
	const struct object *o; /* HERE: kept in the cache */
};

struct restore_ahead {
	struct restore_job *job;
	struct pool_lock lock; /* of all below */
	struct pool_cond work; /* something may be fetched, or the end */
	struct pool_cond come; /* a tree is HERE or LOST */
	struct tree *first;
	size_t known; /* in the list */
	size_t bytes; /* of those HERE */
	int stopping;
	struct pool_thread *threads[THREADS_FAR];
};

static struct tree *
tree_new(enum object_type type, const uint8_t *id, unsigned level)
{
	struct tree *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	memcpy(t->id, id, OBJECT_ID_BYTES);
	t->type = type;
	t->level = level;
	return t;
}

static size_t
bytes_of(const struct object *o)
{
	return o->payload.cap + o->refs.cap;
}

/* Take the first tree off the list; the lock is held. */
static void
drop_first(struct restore_ahead *a)
{
	struct tree *t = a->first;

	a->first = t->next;
	a->known--;
	if (t->state == UNDER_WAY) {
		t->passed = 1;
		return;
	}
	if (t->o != NULL) {
		a->bytes -= bytes_of(t->o);
		fetch_put(a->job->fetch, t->o);
	}
	free(t);
}

/* Take those of one type that are to be fetched now; the lock is held.  How
 * many. */
static unsigned
take_batch(struct tree **batch, struct restore_ahead *a)
{
	size_t far = a->bytes < AHEAD_BYTES ? FAR_TREES : NEXT_TREES, at = 0;
	struct tree *t;
	unsigned n = 0;

	/* Where there is room for no more names, one by one. */
	if (a->known >= KNOWN_MAX)
		far = 1;
	for (t = a->first; t != NULL && n < BATCH && at < far; t = t->next) {
		at++;
		if (t->state != WANTED || (n > 0 && t->type != batch[0]->type))
			continue;
		t->state = UNDER_WAY;
		batch[n++] = t;
	}
	return n;
}

/* What an entry needs of its own; NULL: nothing, or no memory. */
static struct tree *
name_of(const struct entry *e)
{
	if (e->kind == ADDRESS_DIR)
		return tree_new(OBJECT_TREE, e->id, e->level);
	if (e->kind == ADDRESS_FILE && e->location == ENTRY_AT_MAP)
		return tree_new(OBJECT_MAP, e->id, e->level);
	return NULL;
}

/* What the tree `o` of `level` names, in its order: what its entries need, or
 * the trees below a node. */
static struct tree *
names_of(size_t *n, const struct object *o, unsigned level)
{
	struct tree *first = NULL, **end = &first;
	struct tree_reader r;
	struct tree_node node;
	struct entry e;

	*n = 0;
	if (tree_reader_init(&r, level, o->refs.data, object_nrefs(o),
		o->payload.data, o->payload.len) != 0)
		return NULL; /* the walk will tell */
	while ((level > 0 ? tree_reader_node(&node, &r)
			  : tree_reader_entry(&e, &r)) == 0) {
		*end = level > 0 ? tree_new(OBJECT_TREE, node.id, level - 1)
				 : name_of(&e);
		if (*end == NULL)
			continue;
		end = &(*end)->next;
		++*n;
	}
	tree_reader_release(&r);
	return first;
}

/* The tree came, or did not. */
static void
settle(struct restore_ahead *a, struct tree *t)
{
	struct fetch *f = a->job->fetch;
	const struct object *o = NULL;
	struct tree *names = NULL, *last, *next;
	size_t n = 0;

	/* Absent or damaged: whoever asks for it by itself is told. */
	if (fetch_has(f, t->type, t->id) &&
	    fetch_get(&o, f, t->type, t->id) == 0 && t->type == OBJECT_TREE)
		names = names_of(&n, o, t->level);
	pool_lock_enter(&a->lock);
	if (t->passed) {
		fetch_put(f, o);
		free(t);
		for (; names != NULL; names = next) {
			next = names->next;
			free(names);
		}
	} else {
		t->state = o != NULL ? HERE : LOST;
		t->o = o;
		a->bytes += o != NULL ? bytes_of(o) : 0;
		a->known += n;
		if (names != NULL) {
			for (last = names; last->next != NULL;)
				last = last->next;
			last->next = t->next;
			t->next = names;
		}
	}
	pool_cond_wake_all(&a->come);
	pool_cond_wake_all(&a->work);
	pool_lock_leave(&a->lock);
}

static void
fetch_trees(void *arg)
{
	struct restore_ahead *a = arg;
	uint8_t ids[BATCH * OBJECT_ID_BYTES];
	struct tree *batch[BATCH];
	unsigned i, n;
	int rc;

	pool_lock_enter(&a->lock);
	while (!a->stopping) {
		n = take_batch(batch, a);
		if (n == 0) {
			pool_cond_wait(&a->work, &a->lock);
			continue;
		}
		pool_lock_leave(&a->lock);
		for (i = 0; i < n; i++)
			memcpy(ids + i * OBJECT_ID_BYTES, batch[i]->id,
			    OBJECT_ID_BYTES);
		if (!restore_job_stopped(a->job)) {
			rc = fetch_ahead(a->job->fetch, batch[0]->type, ids, n);
			if (rc != 0)
				(void)restore_job_stop(a->job, rc);
		}
		for (i = 0; i < n; i++)
			settle(a, batch[i]);
		pool_lock_enter(&a->lock);
	}
	pool_lock_leave(&a->lock);
}

int
restore_ahead_new(struct restore_ahead **out, struct restore_job *job)
{
	unsigned i, n = job->store->info.answer_ns > STORE_FAR_NS
			    ? THREADS_FAR
			    : THREADS_NEAR;
	struct restore_ahead *a = calloc(1, sizeof(*a));
	int rc = 0;

	if (a == NULL)
		return err_nomem(sizeof(*a));
	a->job = job;
	pool_lock_init(&a->lock);
	pool_cond_init(&a->work);
	pool_cond_init(&a->come);
	for (i = 0; rc == 0 && i < n; i++)
		rc = pool_thread_start(&a->threads[i], fetch_trees, a);
	if (rc != 0) {
		restore_ahead_free(a);
		return rc;
	}
	*out = a;
	return 0;
}

void
restore_ahead_free(struct restore_ahead *a)
{
	unsigned i;

	if (a == NULL)
		return;
	pool_lock_enter(&a->lock);
	a->stopping = 1;
	pool_cond_wake_all(&a->work);
	pool_lock_leave(&a->lock);
	for (i = 0; i < THREADS_FAR; i++)
		pool_thread_join(a->threads[i]);
	while (a->first != NULL)
		drop_first(a);
	pool_cond_release(&a->come);
	pool_cond_release(&a->work);
	pool_lock_release(&a->lock);
	free(a);
}

static int
is_known(const struct restore_ahead *a, const uint8_t *id)
{
	const struct tree *t;

	for (t = a->first; t != NULL; t = t->next)
		if (memcmp(t->id, id, OBJECT_ID_BYTES) == 0)
			return 1;
	return 0;
}

/* Leave what stands before `id`, which is in the list. */
static void
go_to(struct restore_ahead *a, const uint8_t *id)
{
	while (memcmp(a->first->id, id, OBJECT_ID_BYTES) != 0)
		drop_first(a);
	pool_cond_wake_all(&a->work);
}

/* Wait until the first of the list came, or did not.  0; ERR_INTR. */
static int
await_first(struct restore_ahead *a)
{
	while (a->first->state < HERE) {
		(void)pool_cond_wait_ms(&a->come, &a->lock, POLL_MS); /* look */
		if (restore_job_poll(a->job))
			return err_set(ERR_INTR, "the restore has ended");
	}
	return 0;
}

int
restore_ahead_take(const struct object **out, struct restore_ahead *a,
    const uint8_t id[OBJECT_ID_BYTES], unsigned level)
{
	int rc = 0;

	pool_lock_enter(&a->lock);
	if (is_known(a, id)) {
		go_to(a, id);
	} else {
		/* The walk is where nothing of what is known will be needed. */
		while (a->first != NULL)
			drop_first(a);
		a->first = tree_new(OBJECT_TREE, id, level);
		a->known = a->first != NULL;
		pool_cond_wake_all(&a->work);
	}
	/* Without memory for its name nobody fetches it here. */
	rc = a->first != NULL ? await_first(a) : 1;
	if (rc == 0 && a->first->o == NULL)
		rc = 1;
	if (rc == 0) {
		*out = a->first->o;
		a->bytes -= bytes_of(*out);
		a->first->o = NULL;
	}
	if (rc >= 0 && a->first != NULL)
		drop_first(a);
	pool_cond_wake_all(&a->work);
	pool_lock_leave(&a->lock);
	return rc;
}

int
restore_ahead_await(struct restore_ahead *a, const uint8_t id[OBJECT_ID_BYTES])
{
	int rc = 0;

	pool_lock_enter(&a->lock);
	if (is_known(a, id)) {
		go_to(a, id);
		rc = await_first(a);
	}
	pool_lock_leave(&a->lock);
	return rc;
}
