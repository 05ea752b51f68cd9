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

struct hasher {
	struct hash hash;
	struct crew_task task;
	struct crew *crew; /* NULL: nobody helps */
	const uint8_t *p; /* what is being hashed */
	size_t len;
	int given; /* to the crew, and not known to be done */
	struct pool_lock lock;
	struct pool_cond done;
	int busy;
};

void hasher_init(struct hasher *h, struct crew *crew);
/* Nothing may be waited for: the crew may be gone. */
void hasher_release(struct hasher *h);
/* Begin a content. */
void hasher_begin(struct hasher *h);
/* The next bytes; they must stay as they are until hasher_wait(). */
void hasher_add(struct hasher *h, const uint8_t *p, size_t len);
/* Have hashed everything that was added. */
void hasher_wait(struct hasher *h);
void hasher_final(struct hasher *h, uint8_t out[HASH_BYTES]);

#endif
