#ifndef HS_ENGINE_CUTS_H
#define HS_ENGINE_CUTS_H

/*
 * The chunks that a large file had: tried before the chunker is run.  Where
 * the next old one would lie the bytes are hashed; when they are that chunk
 * they need neither cutting nor asking.  When they are not, the chunker cuts
 * until it makes a chunk that the file had.
 *
 * The result is what the chunker alone would make.  A chunk with another one
 * behind it ended for its bytes alone, so the same bytes end there again; one
 * that ended at a hole or with the file (or may have) counts only where the
 * data ends at the same place again.
 *
 * Maps are read from the store one after another, so memory is bounded; when
 * one cannot be read the list ends there.
 *
 * Thread use: one cuts belongs to one thread.
 */

#include "engine/block.h"
#include "engine/run.h"

#include <stddef.h>
#include <stdint.h>

struct cuts;

int cuts_new(struct cuts **out, struct run *run); /* ERR_NOMEM; ERR_FAIL */
void cuts_free(struct cuts *c); /* NULL is fine */

/* Begin the list of the slot's old entry, all of which the store has; without
 * one (NULL) the list is empty. */
void cuts_begin(struct cuts *c, const struct past_leaf *leaf, const uint8_t *p);

enum cuts_answer { CUTS_NONE = 0, CUTS_FOUND, CUTS_MORE };

/*
 * Are the bytes at `p`, behind a cut, the next old chunk?  With `final` zero
 * more than `len` may follow.  CUTS_FOUND sets length and id; CUTS_MORE asks
 * for as many bytes as a chunk may have.
 */
enum cuts_answer cuts_try(size_t *chunk_len, uint8_t id[OBJECT_ID_BYTES],
    struct cuts *c, const uint8_t *p, size_t len, int final);
/* The chunker made this chunk. */
void cuts_note(struct cuts *c, const uint8_t id[OBJECT_ID_BYTES], size_t len);
/* A hole comes. */
void cuts_hole(struct cuts *c, uint64_t len);

#endif
