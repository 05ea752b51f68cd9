#ifndef HS_OBJECT_BUNDLE_H
#define HS_OBJECT_BUNDLE_H

/* Bundles of small files; docs/format.md 6.2. */

#include "object/object.h"

/* Where writers close a bundle; readers take any that is a payload. */
#define BUNDLE_BYTES_MIN (512u << 10)
#define BUNDLE_BYTES_MAX (2u << 20)

/* Collects members; the payload is laid out at the end. */
struct bundle {
	struct buf lengths;
	struct buf members; /* file ids */
	struct buf bytes;
};
void bundle_init(struct bundle *b);
void bundle_release(struct bundle *b);
void bundle_reset(struct bundle *b);
uint32_t bundle_count(const struct bundle *b);
/* Nonzero when a member of `len` bytes must go to the next bundle. */
int bundle_full(const struct bundle *b, size_t len);
/* Add a member; `*closed` says that the bundle ends behind it. */
int bundle_add(int *closed, struct bundle *b,
    const uint8_t file_id[OBJECT_ID_BYTES], const uint8_t *p, size_t len);
/* Make the object (type, payload, members; not its id) and reset. */
int bundle_finish(struct object *out, struct bundle *b);

/*
 * Find member `i` in a bundle's payload.  The pointer is into the payload.
 * ERR_DAMAGED (lengths do not add up, no such member).
 */
int bundle_member(const uint8_t **out, size_t *out_len, uint32_t i,
    const uint8_t *payload, size_t len);
/* Check the payload as a whole and that it has `nmembers` members. */
int bundle_check(uint32_t nmembers, const uint8_t *payload, size_t len);

#endif
