#ifndef HS_OBJECT_REFS_H
#define HS_OBJECT_REFS_H

/*
 * Collects the ids that a payload names while it is written.  Positions are
 * known only at the end (refs are sorted), so the payload gets its u32 patched
 * by refs_finish().
 */

#include "base/buf.h"
#include "object/object.h"

struct refs {
	struct buf uses; /* per use: id, offset in the payload */
};

void refs_init(struct refs *r);
void refs_release(struct refs *r);
void refs_reset(struct refs *r);
/* Append a u32 to `payload` that will be the position of `id`. */
int refs_add(
    struct refs *r, struct buf *payload, const uint8_t id[OBJECT_ID_BYTES]);
/* How many uses were added (an upper bound of the refs). */
uint32_t refs_uses(const struct refs *r);
/* Sort, make unique into `out`, patch the payload.  ERR_LIMIT, ERR_NOMEM. */
int refs_finish(struct buf *out, struct refs *r, struct buf *payload);
/*
 * Patch the payload with positions among the sorted `refs` of another object
 * instead, and forget the uses.  Returns 0; 1 when one is not among them.
 */
int refs_place(
    struct refs *r, struct buf *payload, const uint8_t *refs, uint32_t nrefs);

/* Whether `nrefs` ids are sorted and unique (format.md 1.1). */
int refs_are_sorted(const uint8_t *refs, uint32_t nrefs);

/*
 * For readers: a set of positions seen, so that unused or out-of-range refs
 * are rejected (format.md 1.1).
 */
struct refs_check {
	struct buf seen; /* a bit per ref */
	uint32_t nrefs;
};
/* Also checks that refs are sorted and unique.  ERR_DAMAGED, ERR_NOMEM. */
int refs_check_init(struct refs_check *c, const uint8_t *refs, uint32_t nrefs);
void refs_check_release(struct refs_check *c);
/* ERR_DAMAGED when out of range. */
int refs_check_use(struct refs_check *c, uint32_t pos);
/* ERR_DAMAGED when one was not used. */
int refs_check_done(const struct refs_check *c);

#endif
