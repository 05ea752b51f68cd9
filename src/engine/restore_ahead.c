#include "engine/restore_ahead.h"

#include "base/err.h"

#include <string.h>

/* Fetched by one call: few at first, so that the files in them are on their
 * way early, then more; with trees of 16 KiB half of the cache. */
#define FETCHED_MIN 32u
#define FETCHED_MAX 512u
/* To begin with; the rest is for what is below them. */
#define BEGIN_MAX 512u

static void
add(struct restore_ahead *a, const uint8_t *id, unsigned level)
{
	if (a->n == a->max)
		return;
	memcpy(a->trees[a->n].id, id, OBJECT_ID_BYTES);
	a->trees[a->n++].level = level;
}

/* Add the trees that `o` names, with `from` only those behind it: those of
 * its directories, or the objects below a node. */
static void
add_below(struct restore_ahead *a, const struct object *o, unsigned level,
    const uint8_t *from)
{
	struct tree_reader r;
	struct tree_node node;
	struct entry e;
	const uint8_t *id;

	if (tree_reader_init(&r, level, o->refs.data, object_nrefs(o),
		o->payload.data, o->payload.len) != 0)
		return; /* the walk will tell */
	while (a->n < a->max) {
		if (level > 0 ? tree_reader_node(&node, &r) != 0
			      : tree_reader_entry(&e, &r) != 0)
			break;
		if (level == 0 && e.kind != ADDRESS_DIR)
			continue;
		id = level > 0 ? node.id : e.id;
		if (from == NULL)
			add(a, id, level > 0 ? level - 1 : e.level);
		else if (memcmp(from, id, OBJECT_ID_BYTES) == 0)
			from = NULL;
	}
	tree_reader_release(&r);
}

void
restore_ahead_begin(
    struct restore_ahead *a, const uint8_t id[OBJECT_ID_BYTES], unsigned level)
{
	a->n = 0;
	a->max = BEGIN_MAX;
	add(a, id, level);
}

int
restore_ahead_behind(struct restore_ahead *a, const struct object *o,
    unsigned level, const uint8_t from[OBJECT_ID_BYTES])
{
	add_below(a, o, level, from);
	return a->n == a->max;
}

/* Fetch the trees from position `begin` on that are absent, with one request;
 * `*left` is how many more there may be. */
static int
fetch_from(struct fetch *f, const struct restore_ahead *a, uint32_t begin,
    uint32_t *left)
{
	struct buf ids = BUF_INIT;
	uint32_t i;
	int rc = 0;

	for (i = begin; i < a->n && rc == 0 && *left > 0; i++) {
		if (fetch_has(f, OBJECT_TREE, a->trees[i].id))
			continue;
		rc = buf_append(&ids, a->trees[i].id, OBJECT_ID_BYTES);
		--*left;
	}
	if (rc == 0)
		rc = fetch_ahead(f, OBJECT_TREE, ids.data,
		    (uint32_t)(ids.len / OBJECT_ID_BYTES));
	buf_release(&ids);
	return rc;
}

/* Add what stands in the tree at position `i`, if it is at hand. */
static int
look_into(struct restore_ahead *a, struct fetch *f, uint32_t i)
{
	const uint8_t *id = a->trees[i].id;
	const struct object *o;
	int rc;

	/* Absent, damaged, or already out again: as it is. */
	if (!fetch_has(f, OBJECT_TREE, id))
		return 0;
	rc = fetch_get(&o, f, OBJECT_TREE, id);
	if (rc != 0)
		return rc == ERR_DAMAGED ? 0 : rc;
	add_below(a, o, a->trees[i].level, NULL);
	fetch_put(f, o);
	return 0;
}

int
restore_ahead_run(struct restore_ahead *a, struct fetch *f)
{
	uint32_t begin = 0, end, i, left;
	int rc = 0;

	if (a->fetched < FETCHED_MIN)
		a->fetched = FETCHED_MIN;
	else if (a->fetched < FETCHED_MAX)
		a->fetched *= 2;
	left = a->fetched;
	a->max = RESTORE_AHEAD_TREES;
	while (begin < a->n && left > 0 && rc == 0) {
		rc = fetch_from(f, a, begin, &left);
		end = a->n;
		for (i = begin; i < end && rc == 0; i++)
			rc = look_into(a, f, i);
		begin = end;
	}
	return rc;
}
