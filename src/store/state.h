#ifndef HS_STORE_STATE_H
#define HS_STORE_STATE_H

/*
 * What a vault must not lose with its index: its generation and the marks of
 * damaged records; docs/format.md 9.  Both are objects of the backend, made
 * once and never changed.
 */

#include <stdint.h>

#define STATE_GENERATION_BYTES 32

struct backend;

struct state_generation {
	uint64_t number; /* of the file; 0: none yet */
	uint8_t bytes[STATE_GENERATION_BYTES];
};

/*
 * The newest generation.  Returns 0; 1 when there is none or its file is
 * damaged: `out->number` then tells the highest number in use.  The backend's
 * errors.
 */
int state_load(struct state_generation *out, struct backend *b);
/*
 * Make a new generation behind `*g` durable, then remove all but the newest
 * STATE_GENERATIONS_KEPT.  Returns 0 and replaces `*g`; the backend's errors.
 */
#define STATE_GENERATIONS_KEPT 4
int state_renew(struct state_generation *g, struct backend *b);

/*
 * Mark the record at `offset` of the pack `pack` as damaged.  A record that is
 * marked already is fine.
 */
int state_mark(struct backend *b, const uint8_t pack[32], uint32_t offset);
/* Call `found` for every mark; nonzero ends the listing with that code. */
int state_marks(struct backend *b,
    int (*found)(void *arg, const uint8_t pack[32], uint32_t offset),
    void *arg);

#endif
