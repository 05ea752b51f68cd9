#include "engine/usage.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

#define PLACES_LEAST 1024u
/* Of about 1 MiB each; bounds the memory to 12 MiB. */
#define PLACES_MAX (1u << 18)

struct usage_bundle {
	uint8_t id[HASH_BYTES]; /* a keyed hash: all zero is none */
	uint64_t laid; /* 0: not in this run */
	uint64_t used;
};

void
usage_init(struct usage *u)
{
	memset(u, 0, sizeof(*u));
}

void
usage_release(struct usage *u)
{
	buf_release(&u->sparse);
	free(u->table);
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, HASH_BYTES);
}

static int
note_sparse(
    void *arg, const uint8_t id[HASH_BYTES], const struct cache_bundle *b)
{
	struct usage *u = arg;

	return b->sparse ? buf_append(&u->sparse, id, HASH_BYTES) : 0;
}

int
usage_load(struct usage *u, struct cache *c)
{
	int r = cache_bundles(c, note_sparse, u);

	if (r == 0 && u->sparse.len > 0)
		qsort(u->sparse.data, u->sparse.len / HASH_BYTES, HASH_BYTES,
		    compare_ids);
	return r;
}

int
usage_is_sparse(const struct usage *u, const uint8_t id[HASH_BYTES])
{
	return u->sparse.len > 0 &&
	       bsearch(id, u->sparse.data, u->sparse.len / HASH_BYTES,
		   HASH_BYTES, compare_ids) != NULL;
}

/* The place of the id, or the empty one where it would be. */
static struct usage_bundle *
place(struct usage_bundle *table, uint32_t places, const uint8_t *id)
{
	static const uint8_t none[HASH_BYTES];
	uint32_t i = bytes_get32(id);

	for (;; i++) {
		struct usage_bundle *b = &table[i & (places - 1)];

		if (memcmp(b->id, id, HASH_BYTES) == 0 ||
		    memcmp(b->id, none, HASH_BYTES) == 0)
			return b;
	}
}

/* Without memory nothing is known in the end. */
static void
give_up(struct usage *u)
{
	free(u->table);
	u->table = NULL;
	u->last = NULL;
	u->places = 0;
	u->count = 0;
	u->full = 1;
}

static void
grow(struct usage *u)
{
	uint32_t places = u->places == 0 ? PLACES_LEAST : u->places * 2, i;
	struct usage_bundle *table = NULL;

	if (places <= PLACES_MAX)
		table = calloc(places, sizeof(*table));
	if (table == NULL) {
		give_up(u);
		return;
	}
	for (i = 0; i < u->places; i++)
		if (u->table[i].laid > 0 || u->table[i].used > 0)
			*place(table, places, u->table[i].id) = u->table[i];
	free(u->table);
	u->table = table;
	u->places = places;
	u->last = NULL;
}

/* The bundle's counts; NULL when they are too many. */
static struct usage_bundle *
find(struct usage *u, const uint8_t id[HASH_BYTES])
{
	struct usage_bundle *b = u->last;

	/* Neighbours share one. */
	if (b != NULL && memcmp(b->id, id, HASH_BYTES) == 0)
		return b;
	if (!u->full && u->count * 4 >= u->places * 3)
		grow(u);
	if (u->full)
		return NULL;
	b = place(u->table, u->places, id);
	if (b->laid == 0 && b->used == 0) {
		memcpy(b->id, id, HASH_BYTES);
		u->count++;
	}
	u->last = b;
	return b;
}

void
usage_laid(struct usage *u, const uint8_t id[HASH_BYTES], uint64_t bytes)
{
	struct usage_bundle *b = find(u, id);

	if (b != NULL)
		b->laid = bytes;
}

void
usage_used(struct usage *u, const uint8_t id[HASH_BYTES], uint64_t bytes)
{
	struct usage_bundle *b = find(u, id);

	if (b != NULL)
		b->used += bytes;
}

static int
is_half_empty(uint64_t used, uint64_t bytes)
{
	return used < bytes / 2;
}

struct save {
	const struct usage *u;
	struct cache *cache;
};

/* A bundle that the cache knew. */
static int
save_known(
    void *arg, const uint8_t id[HASH_BYTES], const struct cache_bundle *was)
{
	struct save *s = arg;
	const struct usage_bundle *b = place(s->u->table, s->u->places, id);
	struct cache_bundle now = *was;

	if (b->used == 0)
		return cache_bundle_put(s->cache, id, NULL);
	now.sparse = (uint8_t)is_half_empty(b->used, was->bytes);
	if (now.sparse == was->sparse)
		return 0;
	return cache_bundle_put(s->cache, id, &now);
}

int
usage_save(const struct usage *u, struct cache *c)
{
	struct save s = {u, c};
	struct cache_bundle now;
	uint32_t i;
	int r;

	if (u->table == NULL)
		return 0;
	r = cache_bundles(c, save_known, &s);
	for (i = 0; r == 0 && i < u->places; i++) {
		const struct usage_bundle *b = &u->table[i];

		if (b->laid == 0)
			continue;
		now.bytes = b->laid;
		now.sparse = (uint8_t)is_half_empty(b->used, b->laid);
		r = cache_bundle_put(c, b->id, &now);
	}
	return r;
}
