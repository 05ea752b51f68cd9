#include "engine/asker.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/pool.h"
#include "object/object.h"
#include "seal/keys.h"
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4u
/* Blocks of one question. */
#define BLOCKS (LIMIT_HAVE_IDS / BLOCK_SLOTS)
_Static_assert(BLOCKS > 0, "a block is one question at most");

struct asker {
	struct run *run;
	struct pool_queue *queue; /* room for all blocks there are */
	struct pool_thread *threads[THREADS];
};

/* What one thread works with. */
struct question {
	struct block *blocks[BLOCKS];
	unsigned nblocks;
	struct buf ids;
	struct store_member members[LIMIT_HAVE_IDS];
};

/* Nonzero for a slot that is asked about. */
static int
is_asked(const struct slot *s)
{
	return s->large == NULL && s->state == SLOT_LAY && !s->relay;
}

static int
name_files(struct question *q, struct run *run, struct block *b)
{
	uint32_t i;
	int r = 0;

	for (i = 0; i < b->nslots && r == 0; i++) {
		struct slot *s = &b->slots[i];

		if (s->large != NULL || s->state != SLOT_LAY)
			continue;
		object_file_id(s->id, run->keys->file, s->address);
		if (is_asked(s))
			r = buf_append(&q->ids, s->id, OBJECT_ID_BYTES);
	}
	return r;
}

/* Take what the store has: those slots need not be laid. */
static void
take_answer(const struct question *q)
{
	const struct store_member *m = q->members;
	unsigned i;
	uint32_t j;

	for (i = 0; i < q->nblocks; i++)
		for (j = 0; j < q->blocks[i]->nslots; j++) {
			struct slot *s = &q->blocks[i]->slots[j];

			if (!is_asked(s))
				continue;
			if (m->found) {
				memcpy(s->id, m->bundle, OBJECT_ID_BYTES);
				s->member = m->member;
				s->state = SLOT_READY;
			}
			m++;
		}
}

static void
ask(struct question *q, struct run *run)
{
	uint32_t n;
	unsigned i;
	int r = fate_check(&run->fate);

	buf_reset(&q->ids);
	for (i = 0; i < q->nblocks && r == 0; i++)
		r = name_files(q, run, q->blocks[i]);
	n = (uint32_t)(q->ids.len / OBJECT_ID_BYTES);
	memset(q->members, 0, n * sizeof(q->members[0]));
	if (r == 0 && n > 0)
		r = run->store->ops->have_files(
		    run->store, q->members, q->ids.data, n);
	if (r == 0)
		take_answer(q);
	else
		(void)fate_fail(&run->fate, r);
	for (i = 0; i < q->nblocks; i++)
		flow_finished(run->flow, q->blocks[i]);
}

static void
run_thread(void *arg)
{
	struct asker *a = arg;
	struct question *q = calloc(1, sizeof(*q));
	void *b;

	while (pool_queue_pop(&b, a->queue) == 0) {
		if (q == NULL) {
			(void)fate_fail(&a->run->fate, err_nomem(sizeof(*q)));
			flow_finished(a->run->flow, b);
			continue;
		}
		q->nblocks = 0;
		do
			q->blocks[q->nblocks++] = b;
		while (q->nblocks < BLOCKS &&
		       pool_queue_try_pop(&b, a->queue) == 0);
		ask(q, a->run);
	}
	if (q != NULL)
		buf_release(&q->ids);
	free(q);
}

int
asker_new(struct asker **out, struct run *run)
{
	struct asker *a = calloc(1, sizeof(*a));
	unsigned i;
	int r;

	if (a == NULL)
		return err_nomem(sizeof(*a));
	a->run = run;
	r = pool_queue_new(&a->queue, FLOW_BLOCKS);
	for (i = 0; r == 0 && i < THREADS; i++)
		r = pool_thread_start(&a->threads[i], run_thread, a);
	if (r != 0) {
		asker_free(a);
		return r;
	}
	*out = a;
	return 0;
}

void
asker_free(struct asker *a)
{
	unsigned i;

	if (a == NULL)
		return;
	if (a->queue != NULL)
		pool_queue_close(a->queue);
	for (i = 0; i < THREADS; i++)
		pool_thread_join(a->threads[i]);
	pool_queue_free(a->queue);
	free(a);
}

void
asker_submit(struct asker *a, struct block *b)
{
	int closed = pool_queue_push(a->queue, b);

	assert(closed == 0);
}
