#include "engine/hasher.h"

#include <assert.h>
#include <stddef.h>

/* Less is hashed sooner than another thread wakes up. */
#define GIVE_BYTES (512u << 10)

void
hasher_init(struct hasher *h, struct crew *crew)
{
	h->crew = crew;
	h->first = 0;
	h->count = 0;
	h->given = 0;
	pool_lock_init(&h->lock);
	pool_cond_init(&h->done);
	hash_init(&h->hash);
}

void
hasher_release(struct hasher *h)
{
	assert(h->count == 0);
	pool_cond_release(&h->done);
	pool_lock_release(&h->lock);
}

void
hasher_begin(struct hasher *h)
{
	hasher_wait(h, 0);
	hash_init(&h->hash);
}

/* Under the lock, by whoever has the task: hash pieces until `n` are left. */
static void
hash_pieces(struct hasher *h, unsigned n)
{
	const uint8_t *p;
	size_t len;

	while (h->count > n) {
		p = h->pieces[h->first].p;
		len = h->pieces[h->first].len;
		pool_lock_leave(&h->lock);
		hash_update(&h->hash, p, len);
		pool_lock_enter(&h->lock);
		h->first = (h->first + 1) % HASHER_PIECES;
		h->count--;
		pool_cond_wake_all(&h->done);
	}
}

static void
run_task(struct crew_task *task, void *context)
{
	struct hasher *h =
	    (struct hasher *)(void *)((char *)task -
				      offsetof(struct hasher, task));

	(void)context; /* a hash needs nothing of the worker's */
	pool_lock_enter(&h->lock);
	hash_pieces(h, 0);
	h->given = 0;
	pool_cond_wake_all(&h->done);
	pool_lock_leave(&h->lock);
}

static void
give(struct hasher *h)
{
	h->task.run = run_task;
	crew_submit(h->crew, &h->task, 1);
}

void
hasher_add(struct hasher *h, const uint8_t *p, size_t len)
{
	unsigned at;
	int given;

	if (h->crew == NULL || len < GIVE_BYTES) {
		hasher_wait(h, 0);
		hash_update(&h->hash, p, len);
		return;
	}
	hasher_wait(h, HASHER_PIECES - 1);
	pool_lock_enter(&h->lock);
	at = (h->first + h->count++) % HASHER_PIECES;
	h->pieces[at].p = p;
	h->pieces[at].len = len;
	given = h->given;
	h->given = 1;
	pool_lock_leave(&h->lock);
	if (!given)
		give(h);
}

unsigned
hasher_pending(struct hasher *h)
{
	unsigned n;

	pool_lock_enter(&h->lock);
	n = h->count;
	pool_lock_leave(&h->lock);
	return n;
}

/*
 * A task that nobody has begun is taken back, and given again with what is
 * left: this thread has nothing better to do.  The crew's ends when all is
 * hashed, and only this thread adds.
 */
void
hasher_wait(struct hasher *h, unsigned n)
{
	int mine;

	if (hasher_pending(h) <= n)
		return;
	mine = crew_withdraw(h->crew, &h->task);
	pool_lock_enter(&h->lock);
	if (mine)
		hash_pieces(h, n);
	while (h->count > n)
		pool_cond_wait(&h->done, &h->lock);
	if (mine)
		h->given = h->count > 0;
	mine = mine && h->given;
	pool_lock_leave(&h->lock);
	if (mine)
		give(h);
}

void
hasher_final(struct hasher *h, uint8_t out[HASH_BYTES])
{
	hasher_wait(h, 0);
	hash_final(&h->hash, out);
}
