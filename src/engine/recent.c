#include "engine/recent.h"

#include "base/bytes.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

#define WAYS 4u

struct recent {
	unsigned bits;
	uint8_t *next; /* per set: the way to be overwritten */
	uint8_t (*ids)[HASH_BYTES]; /* all zero: empty */
};

int
recent_new(struct recent **out, unsigned bits)
{
	struct recent *r = calloc(1, sizeof(*r));
	size_t sets = (size_t)1 << bits;

	if (r == NULL)
		return err_nomem(sizeof(*r));
	r->bits = bits;
	r->next = calloc(sets, 1);
	r->ids = calloc(sets * WAYS, HASH_BYTES);
	if (r->next == NULL || r->ids == NULL) {
		recent_free(r);
		return err_nomem(sets * WAYS * HASH_BYTES);
	}
	*out = r;
	return 0;
}

void
recent_free(struct recent *r)
{
	if (r == NULL)
		return;
	free(r->next);
	free(r->ids);
	free(r);
}

uint32_t
recent_places(const struct recent *r)
{
	return WAYS << r->bits;
}

static uint32_t
set_of(const struct recent *r, const uint8_t id[HASH_BYTES])
{
	return bytes_get32(id) & ((1u << r->bits) - 1);
}

uint32_t
recent_find(const struct recent *r, const uint8_t id[HASH_BYTES])
{
	uint32_t first = set_of(r, id) * WAYS, i;

	for (i = first; i < first + WAYS; i++)
		if (memcmp(r->ids[i], id, HASH_BYTES) == 0)
			return i;
	return RECENT_NONE;
}

uint32_t
recent_add(struct recent *r, const uint8_t id[HASH_BYTES])
{
	uint32_t set = set_of(r, id), place;

	place = set * WAYS + r->next[set];
	r->next[set] = (uint8_t)((r->next[set] + 1) % WAYS);
	memcpy(r->ids[place], id, HASH_BYTES);
	return place;
}
