#include "engine/flow.h"

#include "base/err.h"
#include "base/pool.h"

#include <stdlib.h>

/* A buffer that odd files made larger than this is not kept. */
#define SPARE_BYTES_MAX (2u << 20)

struct flow {
	struct pool_lock lock;
	struct pool_cond returned; /* a block or its data came back */
	struct pool_cond done; /* a block is done, or the end */
	void *run;
	struct block *idle;
	unsigned made;
	unsigned with_data;
	unsigned nspare;
	unsigned data_max;
	struct buf spare[FLOW_DATA_BLOCKS_FAR]; /* memory for contents */
	struct block *first; /* in the order of the walk */
	struct block **end;
	int ended;
};

int
flow_new(struct flow **out, void *run)
{
	struct flow *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return err_nomem(sizeof(*f));
	pool_lock_init(&f->lock);
	pool_cond_init(&f->returned);
	pool_cond_init(&f->done);
	f->run = run;
	f->end = &f->first;
	f->data_max = FLOW_DATA_BLOCKS;
	*out = f;
	return 0;
}

void
flow_set_far(struct flow *f)
{
	f->data_max = FLOW_DATA_BLOCKS_FAR;
}

static void
free_blocks(struct block *b)
{
	struct block *next;

	for (; b != NULL; b = next) {
		next = b->next;
		block_free(b);
	}
}

void
flow_free(struct flow *f)
{
	if (f == NULL)
		return;
	free_blocks(f->idle);
	free_blocks(f->first);
	while (f->nspare > 0)
		buf_release(&f->spare[--f->nspare]);
	pool_cond_release(&f->done);
	pool_cond_release(&f->returned);
	pool_lock_release(&f->lock);
	free(f);
}

int
flow_take(struct block **out, struct flow *f)
{
	struct block *b;
	int r = 0;

	pool_lock_enter(&f->lock);
	while (f->with_data >= f->data_max ||
	       (f->idle == NULL && f->made == FLOW_BLOCKS))
		pool_cond_wait(&f->returned, &f->lock);
	b = f->idle;
	if (b != NULL) {
		f->idle = b->next;
	} else {
		r = block_new(&b);
		if (r == 0)
			f->made++;
	}
	pool_lock_leave(&f->lock);
	if (r != 0)
		return r;
	b->next = NULL;
	b->run = f->run;
	*out = b;
	return 0;
}

void
flow_push(struct flow *f, struct block *b, unsigned pending)
{
	pool_lock_enter(&f->lock);
	atomic_store(&b->pending, pending);
	b->done = pending == 0;
	b->has_data = b->small_bytes > 0;
	if (b->has_data)
		f->with_data++;
	if (b->has_data && f->nspare > 0)
		b->data = f->spare[--f->nspare];
	*f->end = b;
	f->end = &b->next;
	if (b->done && f->first == b)
		pool_cond_wake_all(&f->done);
	pool_lock_leave(&f->lock);
}

void
flow_end(struct flow *f)
{
	pool_lock_enter(&f->lock);
	f->ended = 1;
	pool_cond_wake_all(&f->done);
	pool_lock_leave(&f->lock);
}

void
flow_finished(struct flow *f, struct block *b)
{
	if (atomic_fetch_sub(&b->pending, 1) != 1)
		return;
	block_drop_dirs(b);
	pool_lock_enter(&f->lock);
	b->done = 1;
	if (f->first == b)
		pool_cond_wake_all(&f->done);
	pool_lock_leave(&f->lock);
}

int
flow_pop(struct block **out, struct flow *f)
{
	struct block *b;

	pool_lock_enter(&f->lock);
	while (f->first == NULL ? !f->ended : !f->first->done)
		pool_cond_wait(&f->done, &f->lock);
	b = f->first;
	if (b != NULL) {
		f->first = b->next;
		if (f->first == NULL)
			f->end = &f->first;
		b->next = NULL;
	}
	pool_lock_leave(&f->lock);
	if (b == NULL)
		return 1;
	*out = b;
	return 0;
}

/*
 * The memory goes to the next block that needs it: were it kept here, all
 * blocks would hold some in the end.
 */
void
flow_drop_data(struct flow *f, struct block *b)
{
	if (!b->has_data)
		return;
	if (b->data.cap > SPARE_BYTES_MAX)
		buf_release(&b->data);
	pool_lock_enter(&f->lock);
	b->has_data = 0;
	if (b->data.cap > 0 && f->nspare < f->data_max) {
		buf_reset(&b->data);
		f->spare[f->nspare++] = b->data;
		buf_init(&b->data);
	}
	if (f->with_data-- == f->data_max)
		pool_cond_wake_all(&f->returned);
	pool_lock_leave(&f->lock);
}

void
flow_return(struct flow *f, struct block *b)
{
	flow_drop_data(f, b);
	block_reset(b);
	pool_lock_enter(&f->lock);
	b->next = f->idle;
	f->idle = b;
	pool_cond_wake_all(&f->returned);
	pool_lock_leave(&f->lock);
}
