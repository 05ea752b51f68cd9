#include "engine/restore_ahead.h"

#include "base/err.h"

#include <string.h>

/* Of one call: with trees of 16 KiB a good part of the cache. */
#define OBJECTS_MAX 512u
/* Siblings to begin with; the rest of OBJECTS_MAX is for what is below. */
#define SIBLINGS_MAX 128u

struct tree {
	uint8_t id[OBJECT_ID_BYTES];
	unsigned level;
};

/* Trees in the order in which the walk comes to them, as far as known. */
struct queue {
	struct tree trees[OBJECTS_MAX];
	uint32_t n, max;
};

static void
add(struct queue *q, const uint8_t *id, unsigned level)
{
	if (q->n == q->max)
		return;
	memcpy(q->trees[q->n].id, id, OBJECT_ID_BYTES);
	q->trees[q->n++].level = level;
}

/*
 * Add the trees that `o` names: those of its directories, or the objects below
 * a node.  With `from`, only it and those behind it.
 */
static void
add_below(struct queue *q, const struct object *o, unsigned level,
    const uint8_t *from)
{
	struct tree_reader r;
	struct tree_node node;
	struct entry e;
	const uint8_t *id;
	unsigned below;

	if (tree_reader_init(&r, level, o->refs.data, object_nrefs(o),
		o->payload.data, o->payload.len) != 0)
		return; /* the walk will tell */
	while (q->n < q->max) {
		if (level > 0 ? tree_reader_node(&node, &r) != 0
			      : tree_reader_entry(&e, &r) != 0)
			break;
		if (level == 0 && e.kind != ADDRESS_DIR)
			continue;
		id = level > 0 ? node.id : e.id;
		below = level > 0 ? level - 1 : e.level;
		if (from != NULL && memcmp(from, id, OBJECT_ID_BYTES) != 0)
			continue;
		from = NULL;
		add(q, id, below);
	}
	tree_reader_release(&r);
}

/* Fetch the trees from position `begin` on with one request. */
static int
fetch_from(struct fetch *f, const struct queue *q, uint32_t begin)
{
	struct buf ids = BUF_INIT;
	uint32_t i;
	int rc = 0;

	for (i = begin; i < q->n && rc == 0; i++)
		rc = buf_append(&ids, q->trees[i].id, OBJECT_ID_BYTES);
	if (rc == 0)
		rc = fetch_ahead(f, OBJECT_TREE, ids.data, q->n - begin);
	buf_release(&ids);
	return rc;
}

int
restore_ahead_trees(struct fetch *f, const uint8_t id[OBJECT_ID_BYTES],
    unsigned level, const struct object *parent, unsigned parent_level)
{
	struct queue q;
	const struct object *o;
	uint32_t begin = 0, end, i;
	int rc = 0;

	q.n = 0;
	q.max = SIBLINGS_MAX;
	if (parent != NULL)
		add_below(&q, parent, parent_level, id);
	if (q.n == 0)
		add(&q, id, level);
	q.max = OBJECTS_MAX;
	while (begin < q.n) {
		rc = fetch_from(f, &q, begin);
		if (rc != 0)
			break;
		end = q.n;
		for (i = begin; i < end && q.n < q.max; i++) {
			/* Absent, damaged, or already out again: as it is. */
			if (!fetch_has(f, OBJECT_TREE, q.trees[i].id))
				continue;
			rc = fetch_get(&o, f, OBJECT_TREE, q.trees[i].id);
			if (rc != 0)
				break;
			add_below(&q, o, q.trees[i].level, NULL);
			fetch_put(f, o);
		}
		begin = end;
	}
	return rc == ERR_DAMAGED ? 0 : rc;
}
