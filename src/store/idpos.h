#ifndef HS_STORE_IDPOS_H
#define HS_STORE_IDPOS_H

/*
 * A table in memory from ids (32 bytes) to where they lie in an array of ids
 * that somebody else holds: a tenth of the memory of an idmap beside such an
 * array.  The array is given with each call, for it may move while it grows;
 * what is in it never changes.
 */

#include <stddef.h>
#include <stdint.h>

struct idpos {
	uint32_t *slots; /* position + 1; 0: free; NULL while cap is 0 */
	size_t cap; /* a power of two */
	size_t len; /* entries */
	uint64_t key[4];
};

void idpos_init(struct idpos *m);
/* Forget the entries and give the memory back; it is usable afterwards. */
void idpos_release(struct idpos *m);
/* Insert the id at `pos`; an id keeps its first one.  Returns 0; ERR_NOMEM. */
int idpos_put(struct idpos *m, const uint8_t *ids, uint32_t pos);
/* Returns 0; 1 when it is not there. */
int idpos_get(uint32_t *pos, const struct idpos *m, const uint8_t *ids,
    const uint8_t id[32]);

#endif
