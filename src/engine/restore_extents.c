#include "engine/restore_extents.h"

#include "base/err.h"

#include <string.h>

int
restore_extents_list(
    struct restore_extents *x, const struct extent *list, uint32_t n)
{
	memset(x, 0, sizeof(*x));
	x->depth = 1;
	return buf_append(&x->maps[0].list, list, n * sizeof(*list));
}

/* Open the map `id`, below the open ones. */
static int
push(struct restore_extents *x, const uint8_t *id, unsigned level,
    uint64_t length)
{
	const struct object *o;
	int rc;

	rc = fetch_get(&o, x->fetch, OBJECT_MAP, id);
	if (rc != 0)
		return rc;
	rc = extent_map_decode(&x->maps[x->depth].list, level, length,
	    o->refs.data, object_nrefs(o), o->payload.data, o->payload.len);
	fetch_put(x->fetch, o);
	if (rc == 0)
		x->maps[x->depth++].at = 0;
	return rc;
}

int
restore_extents_map(struct restore_extents *x, struct fetch *f,
    const uint8_t id[OBJECT_ID_BYTES], unsigned level, uint64_t size)
{
	memset(x, 0, sizeof(*x));
	if (level >= LIMIT_LEVELS)
		return err_set(ERR_DAMAGED, "chunk map: bad level");
	x->fetch = f;
	x->level = level;
	return push(x, id, level, size);
}

void
restore_extents_release(struct restore_extents *x)
{
	unsigned i;

	for (i = 0; i < LIMIT_LEVELS; i++)
		buf_release(&x->maps[i].list);
}

int
restore_extents_next(struct extent *out, struct restore_extents *x)
{
	const struct extent *list;
	struct extent e;
	unsigned i, level;
	int rc;

	while (x->depth > 0) {
		i = x->depth - 1;
		list = (const struct extent *)(void *)x->maps[i].list.data;
		if (x->maps[i].at ==
		    x->maps[i].list.len / sizeof(struct extent)) {
			x->depth--;
			continue;
		}
		e = list[x->maps[i].at++];
		level = x->level - i;
		if (level == 0) {
			*out = e;
			return 0;
		}
		rc = push(x, e.id, level - 1, e.length);
		if (rc != 0)
			return rc;
	}
	return 1;
}
