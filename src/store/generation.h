#ifndef HS_STORE_GENERATION_H
#define HS_STORE_GENERATION_H

/*
 * A vault's generation: random bytes that are renewed by any loss, or when
 * the store may be an older copy of itself.  A client trusts what it noted
 * about the vault only under the generation of that time.  Objects of the
 * backend, made once and never changed; docs/format.md 9.
 */

#include <stdint.h>

#define GENERATION_BYTES 32
/* Older ones are removed once a newer one is durable. */
#define GENERATIONS_KEPT 4

struct backend;

struct generation {
	uint64_t number; /* of the file; 0: none yet */
	uint8_t bytes[GENERATION_BYTES];
};

/*
 * The newest generation.  Returns 0; 1 when there is none or its file is
 * damaged: `out->number` then tells the highest number in use.  The backend's
 * errors.
 */
int generation_load(struct generation *out, struct backend *b);
/*
 * Make a new one behind `*g` durable, then remove the oldest that is not to
 * be kept.  Returns 0 and replaces `*g`; the backend's errors.
 */
int generation_renew(struct generation *g, struct backend *b);

#endif
