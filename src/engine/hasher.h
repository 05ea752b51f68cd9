#ifndef HS_ENGINE_HASHER_H
#define HS_ENGINE_HASHER_H

/*
 * The content address of a large file, computed beside the thread that reads
 * and cuts it: a single file keeps two processors busy.  When all are, that
 * thread does it itself.
 *
 * Thread use: one hasher belongs to one thread.
 */

#include "base/pool.h"
#include "engine/crew.h"
#include "hash/hash.h"

/* Pieces that wait, at most; one more is waited for. */
#define HASHER_PIECES 4u

struct hasher {
	struct hash hash; /* of whoever has the task */
	struct crew_task task;
	struct crew *crew; /* NULL: nobody helps */
	struct pool_lock lock;
	struct pool_cond done;
	/* Under the lock: a ring of what is not hashed, the first maybe at
	 * work. */
	struct {
		const uint8_t *p;
		size_t len;
	} pieces[HASHER_PIECES];
	unsigned first, count;
	int given; /* the task, to the crew; always while something waits */
};

void hasher_init(struct hasher *h, struct crew *crew);
/* Nothing may be waited for: the crew may be gone. */
void hasher_release(struct hasher *h);
/* Begin a content. */
void hasher_begin(struct hasher *h);
/* The next bytes; they must stay as they are until they are hashed. */
void hasher_add(struct hasher *h, const uint8_t *p, size_t len);
/* How many of the pieces that were added are not hashed; the last ones. */
unsigned hasher_pending(struct hasher *h);
/* Have hashed all pieces but the last `n`. */
void hasher_wait(struct hasher *h, unsigned n);
void hasher_final(struct hasher *h, uint8_t out[HASH_BYTES]);

#endif
