#include "engine/hasher.h"

#include <assert.h>
#include <stddef.h>

/* Less is hashed sooner than another thread wakes up. */
#define GIVE_BYTES (512u << 10)

void
hasher_init(struct hasher *h, struct crew *crew)
{
	h->crew = crew;
	h->given = 0;
	h->busy = 0;
	pool_lock_init(&h->lock);
	pool_cond_init(&h->done);
	hash_init(&h->hash);
}

void
hasher_release(struct hasher *h)
{
	assert(!h->given);
	pool_cond_release(&h->done);
	pool_lock_release(&h->lock);
}

void
hasher_begin(struct hasher *h)
{
	hasher_wait(h);
	hash_init(&h->hash);
}

static void
hash_piece(struct crew_task *task, void *context)
{
	struct hasher *h =
	    (struct hasher *)(void *)((char *)task -
				      offsetof(struct hasher, task));

	(void)context; /* a hash needs nothing of the worker's */
	hash_update(&h->hash, h->p, h->len);
	pool_lock_enter(&h->lock);
	h->busy = 0;
	pool_cond_wake_all(&h->done);
	pool_lock_leave(&h->lock);
}

void
hasher_add(struct hasher *h, const uint8_t *p, size_t len)
{
	hasher_wait(h);
	if (h->crew == NULL || len < GIVE_BYTES) {
		hash_update(&h->hash, p, len);
		return;
	}
	h->p = p;
	h->len = len;
	h->given = 1;
	h->busy = 1;
	h->task.run = hash_piece;
	crew_submit(h->crew, &h->task, 1);
}

void
hasher_wait(struct hasher *h)
{
	if (!h->given)
		return;
	h->given = 0;
	if (crew_withdraw(h->crew, &h->task)) {
		hash_update(&h->hash, h->p, h->len);
		return;
	}
	pool_lock_enter(&h->lock);
	while (h->busy)
		pool_cond_wait(&h->done, &h->lock);
	pool_lock_leave(&h->lock);
}

void
hasher_final(struct hasher *h, uint8_t out[HASH_BYTES])
{
	hasher_wait(h);
	hash_final(&h->hash, out);
}
