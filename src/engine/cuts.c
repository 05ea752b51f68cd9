#include "engine/cuts.h"

#include "base/err.h"
#include "base/limits.h"
#include "engine/fetch.h"
#include "seal/keys.h"

#include <stdlib.h>
#include <string.h>

/* Old chunks that are looked through for one that the chunker made. */
#define AHEAD 128u
/* Old chunks so far behind the place are passed: what was there is gone. */
#define BEHIND_BYTES (UINT64_C(16) << 20)
#define CACHE_BYTES (1u << 20)

/* One map of a level, or (level 0) the list of the entry. */
struct level {
	struct buf extents; /* struct extent each */
	uint32_t at;
};

struct cuts {
	struct run *run;
	struct fetch *fetch; /* made by the first map */
	struct level levels[LIMIT_LEVELS];
	unsigned top; /* level of the highest map */
	int active; /* levels[0].at is an old extent */
	int synced; /* and it is expected here */
	uint64_t old_pos; /* of that extent in the old file */
	uint64_t pos; /* in the new one */
};

int
cuts_new(struct cuts **out, struct run *run)
{
	struct cuts *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return err_nomem(sizeof(*c));
	c->run = run;
	*out = c;
	return 0;
}

void
cuts_free(struct cuts *c)
{
	unsigned i;

	if (c == NULL)
		return;
	for (i = 0; i < LIMIT_LEVELS; i++)
		buf_release(&c->levels[i].extents);
	fetch_free(c->fetch);
	free(c);
}

static uint32_t
count(const struct level *l)
{
	return (uint32_t)(l->extents.len / sizeof(struct extent));
}

static const struct extent *
get(const struct level *l, uint32_t i)
{
	return (const struct extent *)(void *)l->extents.data + i;
}

/* Have the map `id` of `length` bytes at its level.  0; 1 it cannot be read. */
static int
load(struct cuts *c, unsigned n, const uint8_t id[OBJECT_ID_BYTES],
    uint64_t length)
{
	struct level *l = &c->levels[n];
	struct object o;
	int r = 0;

	if (c->fetch == NULL)
		r = fetch_new(
		    &c->fetch, c->run->store, c->run->keys, CACHE_BYTES);
	if (r != 0)
		return 1;
	object_init(&o, OBJECT_MAP);
	r = fetch_object(&o, c->fetch, OBJECT_MAP, id);
	if (r == 0)
		r = extent_map_decode(&l->extents, n, length, o.refs.data,
		    object_nrefs(&o), o.payload.data, o.payload.len);
	l->at = 0;
	object_release(&o);
	return r == 0 && count(l) > 0 ? 0 : 1;
}

/* Go down to the first map of level 0 below level `n`. */
static int
descend(struct cuts *c, unsigned n)
{
	const struct extent *e;
	int r = 0;

	for (; r == 0 && n > 0; n--) {
		e = get(&c->levels[n], c->levels[n].at);
		r = load(c, n - 1, e->id, e->length);
	}
	return r;
}

/* Pass the extent at hand. */
static void
advance(struct cuts *c)
{
	unsigned n = 0;

	c->old_pos += get(&c->levels[0], c->levels[0].at)->length;
	while (n <= c->top && ++c->levels[n].at == count(&c->levels[n]))
		n++;
	if (n > c->top || descend(c, n) != 0)
		c->active = 0;
}

/* The old entry's list or highest map. */
static int
begin(struct cuts *c, const struct past_leaf *leaf, const uint8_t *p)
{
	const struct cache_leaf *l = &leaf->leaf;
	struct bytes_reader reader;
	struct refs_check check;
	struct entry e;
	int r;

	bytes_reader_init(
	    &reader, p, l->payload_len - (size_t)(p - l->payload));
	r = refs_check_init(&check, l->refs, l->nrefs);
	if (r == 0)
		r = entry_decode(&e, &reader, &check, l->refs, 0);
	refs_check_release(&check);
	if (r != 0)
		return r;
	if (e.location == ENTRY_AT_MAP) {
		c->top = e.level;
		r = load(c, c->top, e.id, e.size);
		return r == 0 ? descend(c, c->top) : r;
	}
	if (e.location != ENTRY_AT_EXTENTS)
		return 1;
	c->top = 0;
	c->levels[0].at = 0;
	buf_reset(&c->levels[0].extents);
	return buf_append(&c->levels[0].extents, e.extents,
	    e.nextents * sizeof(e.extents[0]));
}

void
cuts_begin(struct cuts *c, const struct past_leaf *leaf, const uint8_t *p)
{
	c->pos = 0;
	c->old_pos = 0;
	c->synced = 1;
	c->active = p != NULL && begin(c, leaf, p) == 0;
}

/* Pass holes, which the new file has elsewhere or not at all. */
static void
pass_holes(struct cuts *c)
{
	while (c->active && get(&c->levels[0], c->levels[0].at)->hole)
		advance(c);
}

/* Is the extent at hand known to have data right behind it? */
static int
goes_on(const struct cuts *c)
{
	const struct level *l = &c->levels[0];

	return l->at + 1 < count(l) && !get(l, l->at + 1)->hole;
}

enum cuts_answer
cuts_try(size_t *chunk_len, uint8_t id[OBJECT_ID_BYTES], struct cuts *c,
    const uint8_t *p, size_t len, int final)
{
	uint8_t found[OBJECT_ID_BYTES];
	const struct extent *e;

	if (!c->active || !c->synced)
		return CUTS_NONE;
	pass_holes(c);
	if (!c->active)
		return CUTS_NONE;
	e = get(&c->levels[0], c->levels[0].at);
	if (e->length > c->run->chunker.max_bytes)
		goto lost;
	if (e->length > len) {
		if (!final)
			return CUTS_MORE;
		goto lost;
	}
	if (!goes_on(c) && !(final && e->length == len)) {
		/* Not known yet whether the data ends there. */
		if (!final && e->length == len)
			return CUTS_MORE;
		goto lost;
	}
	object_id(found, c->run->keys->id, OBJECT_CHUNK, NULL, 0, p,
	    (size_t)e->length);
	if (memcmp(found, e->id, sizeof(found)) != 0)
		goto lost;
	memcpy(id, found, sizeof(found));
	*chunk_len = (size_t)e->length;
	c->pos += e->length;
	advance(c);
	return CUTS_FOUND;
lost:
	c->synced = 0;
	return CUTS_NONE;
}

void
cuts_note(struct cuts *c, const uint8_t id[OBJECT_ID_BYTES], size_t len)
{
	const struct level *l = &c->levels[0];
	const struct extent *e;
	uint32_t i, n;

	c->pos += len;
	while (c->active &&
	       c->old_pos + get(l, l->at)->length + BEHIND_BYTES < c->pos)
		advance(c);
	if (!c->active)
		return;
	n = count(l) - l->at < AHEAD ? count(l) - l->at : AHEAD;
	for (i = 0; i < n; i++) {
		e = get(l, l->at + i);
		if (!e->hole && memcmp(e->id, id, OBJECT_ID_BYTES) == 0)
			break;
	}
	if (i == n)
		return;
	for (i++; i > 0; i--)
		advance(c);
	c->synced = 1;
}

void
cuts_hole(struct cuts *c, uint64_t len)
{
	c->pos += len;
	c->synced = c->active;
}
