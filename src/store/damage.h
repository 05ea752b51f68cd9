#ifndef HS_STORE_DAMAGE_H
#define HS_STORE_DAMAGE_H

/*
 * Marks of damaged records, which must not be lost with the index: empty
 * objects of the backend; docs/format.md 9.
 */

#include <stdint.h>

struct backend;

/*
 * Mark the record at `offset` of the pack `pack`.  One that is marked already
 * is fine.  Returns 0; the backend's errors.
 */
int damage_mark(struct backend *b, const uint8_t pack[32], uint32_t offset);
/* Take a mark away, of a pack that was deleted; it may be gone already. */
int damage_forget(struct backend *b, const uint8_t pack[32], uint32_t offset);
/* Call `found` for every mark; nonzero ends the listing with that code. */
int damage_list(struct backend *b,
    int (*found)(void *arg, const uint8_t pack[32], uint32_t offset),
    void *arg);

#endif
