#ifndef HS_STORE_IDMAP_H
#define HS_STORE_IDMAP_H

/*
 * A table in memory from ids (32 bytes) to numbers.  Ids come from clients,
 * so the hash is keyed with random bytes: nobody can choose ids that collide.
 */

#include <stddef.h>
#include <stdint.h>

/* Values are below this. */
#define IDMAP_NONE UINT64_MAX

struct idmap_slot {
	uint8_t id[32];
	uint64_t value; /* IDMAP_NONE: free */
};

struct idmap {
	struct idmap_slot *slots; /* NULL while cap is 0 */
	size_t cap; /* a power of two */
	size_t len; /* entries */
	uint64_t key[4];
};

void idmap_init(struct idmap *m);
void idmap_release(struct idmap *m);
/* Forget the entries and give the memory back. */
void idmap_reset(struct idmap *m);
/* Insert, or replace the value.  Returns 0; ERR_NOMEM. */
int idmap_put(struct idmap *m, const uint8_t id[32], uint64_t value);
/* Returns 0; 1 when it is not there.  `out` may be NULL. */
int idmap_get(uint64_t *out, const struct idmap *m, const uint8_t id[32]);
/*
 * The next entry from position `*pos` on, which begins at 0; no insertion in
 * between.  Returns NULL at the end.
 */
const struct idmap_slot *idmap_next(const struct idmap *m, size_t *pos);

/* The hash of these tables. */
uint64_t idmap_hash(const uint64_t key[4], const uint8_t id[32]);

#endif
