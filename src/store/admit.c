#include "store/admit.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "store/backend.h"
#include "store/index.h"
#include "store/members.h"
#include "store/pack.h"
#include "store/record.h"

#include <string.h>

/*
 * Passes over what a pack left open.  Children come before parents, so one is
 * the rule; concurrent uploads may need a few.  A pack made to need more gets
 * the rest of its objects in by admit_reach(), whose work is linear.
 */
#define PASSES_MAX 8
/* Open objects that one walk remembers: at most 80 MiB of memory, and only
 * for as many objects that are here without what they need. */
#define SEEN_MAX 1000000u
/* Bytes of ids on the stack of a walk; a directory nested LIMIT_DEPTH deep
 * with a hundred new subdirectories on each level fits. */
#define STACK_BYTES_MAX (32u << 20)

/* The numbers of refs: 0 when all are closed; 1 when not; ERR_*. */
static int
resolve(
    struct buf *nums, struct index_txn *t, const uint8_t *refs, uint32_t nrefs)
{
	struct index_object o;
	uint32_t i;
	int ret;

	buf_reset(nums);
	for (i = 0; i < nrefs; i++) {
		ret = index_find(&o, t, refs + (size_t)i * 32);
		if (ret != 0)
			return ret;
		if (o.state != INDEX_CLOSED)
			return 1;
		ret = buf_append(nums, &o.num, sizeof(o.num));
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Nonzero when a closed object needs just the objects with these numbers. */
static int
needs_same(struct index_txn *t, const struct index_object *o,
    enum record_class class, const struct buf *nums)
{
	struct kv_slice refs;
	int ret;

	if (class != o->class)
		return 0;
	ret = index_refs(&refs, t, o->num);
	if (ret < 0)
		return ret;
	return refs.len == nums->len &&
	       (refs.len == 0 || memcmp(refs.data, nums->data, refs.len) == 0);
}

/* Let a closed object lie elsewhere; its old place is a further record. */
static int
move(struct index_txn *t, const uint8_t id[32], struct index_object *o,
    const struct index_object *to)
{
	int ret = index_other_add(t, id, o);

	if (ret == 0)
		ret = index_other_del(t, id, to->pack, to->offset);
	if (ret < 0)
		return ret;
	o->pack = to->pack;
	o->offset = to->offset;
	o->length = to->length;
	o->epoch = to->epoch;
	return index_move(t, id, o);
}

/* A second record of a closed object, `o`; its refs have the numbers `nums`,
 * NULL when they are not all closed. */
static int
admit_second(struct index_txn *t, const struct admit_item *it,
    struct index_object *old, const struct index_object *o,
    const struct buf *nums)
{
	int same = 0;

	if (old->pack == o->pack && old->offset == o->offset)
		return 0;
	if (nums != NULL && it->replace != ADMIT_STAY &&
	    (it->epoch > old->epoch ||
		(it->epoch == old->epoch && it->replace == ADMIT_REPLACE)))
		same = needs_same(t, old, (enum record_class)o->class, nums);
	if (same < 0)
		return same;
	return same ? move(t, it->id, old, o) : index_other_add(t, it->id, o);
}

/* Admit one record; `nums` is scratch. */
static int
admit_one(struct index_txn *t, struct admit_item *it, uint32_t pack,
    const uint8_t *ids, struct buf *nums)
{
	/* There may be no ids at all. */
	const uint8_t *own =
	    it->nrefs == 0 ? NULL : ids + (size_t)it->ids_at * 32;
	struct index_object old, o = {.pack = pack,
				     .offset = it->offset,
				     .length = it->length,
				     .epoch = it->epoch,
				     .class = it->class};
	int ret, known, open;

	known = index_find(&old, t, it->id);
	if (known < 0)
		return known;
	open = resolve(nums, t, own, it->nrefs);
	if (open < 0)
		return open;
	if (known == 0 && old.state == INDEX_CLOSED) {
		it->closed = 1;
		return it->damaged
			   ? 0
			   : admit_second(t, it, &old, &o, open ? NULL : nums);
	}
	if (it->damaged) {
		return known == 0
			   ? 0
			   : index_add_unclosed(t, it->id, &o, INDEX_DAMAGED);
	}
	/* The first one stays also while it is open: what this one needs may
	 * be less than what the object needs.  If it can be closed by now,
	 * admit_reach() does. */
	if (known == 0 && old.state == INDEX_OPEN &&
	    (old.pack != pack || old.offset != it->offset))
		return index_other_add(t, it->id, &o);
	if (open)
		return index_add_unclosed(t, it->id, &o, INDEX_OPEN);
	ret = index_add_closed(
	    t, it->id, &o, (const uint32_t *)nums->data, it->nrefs);
	it->closed = ret == 0;
	return ret;
}

/* Which objects of a pack that the index knows are in `have`. */
static int
tell_closed(struct index_txn *t, struct admit_item *items, uint32_t n)
{
	struct index_object o;
	uint32_t i;
	int ret;

	for (i = 0; i < n; i++) {
		ret = index_find(&o, t, items[i].id);
		if (ret < 0)
			return ret;
		items[i].closed = ret == 0 && o.state == INDEX_CLOSED;
	}
	return 0;
}

int
admit_again(struct index_txn *t, struct index_pack *p, struct admit_item *items,
    uint32_t n, const uint8_t *ids)
{
	struct buf nums = BUF_INIT;
	uint32_t i, left = n, before;
	int ret = 0, pass;

	for (i = 0; i < n; i++)
		items[i].closed = 0;
	for (pass = 0; pass < PASSES_MAX && left > 0; pass++) {
		before = left;
		for (i = 0; i < n; i++) {
			if (items[i].closed || (items[i].damaged && pass > 0))
				continue;
			ret = admit_one(t, items + i, p->number, ids, &nums);
			if (ret < 0)
				goto out;
			left -= items[i].closed;
			ret = index_step_pack(t, p);
			if (ret < 0)
				goto out;
		}
		if (left == before)
			break;
	}
	ret = members_add(t, p, items, n, ids);
	if (ret == 0)
		ret = index_set_pending(t, p->number, 0);
out:
	buf_release(&nums);
	return ret;
}

int
admit_pack(struct index_txn *t, struct index_pack *p, struct admit_item *items,
    uint32_t n, const uint8_t *ids)
{
	struct index_pack known;
	int ret = index_pack_named(&known, t, p->name);

	if (ret == 0) {
		p->number = known.number;
		ret = index_pending(t, p->number);
		if (ret == 0)
			return tell_closed(t, items, n);
	} else if (ret == 1) {
		ret = index_add_pack(t, p);
	}
	return ret < 0 ? ret : admit_again(t, p, items, n, ids);
}

int
admit_read(struct record *r, struct buf *out, struct index_txn *t,
    struct backend *b, const uint8_t id[32], const struct index_object *o)
{
	char path[PACK_PATH_BYTES];
	struct index_pack p;
	uint8_t *to;
	int ret;

	if (o->length > LIMIT_RECORD_BYTES)
		return err_set(ERR_DAMAGED, "the index is damaged");
	ret = index_pack(&p, t, o->pack);
	if (ret == 1)
		return err_set(ERR_NOENT, "the pack of an object is gone");
	if (ret < 0)
		return ret;
	buf_reset(out);
	ret = buf_extend(&to, out, o->length);
	if (ret < 0)
		return ret;
	pack_path(path, p.name);
	ret = b->ops->get(b, path, to, o->length, o->offset);
	if (ret == 0)
		ret = record_decode(r, to, o->length);
	if (ret == 0 && memcmp(r->id, id, 32) != 0)
		ret = err_set(ERR_DAMAGED, "another object's record");
	return ret < 0 ? err_prefix(ret, "%s", path) : 0;
}

/* Try one further record.  0; 1: it will not do; ERR_*. */
static int
try_other(struct index_txn *t, struct backend *b, const uint8_t id[32],
    struct index_object *o, const struct index_object *other)
{
	struct buf record = BUF_INIT, nums = BUF_INIT;
	struct record r;
	int ret;

	if (other->pack == o->pack && other->offset == o->offset)
		return 1;
	ret = admit_read(&r, &record, t, b, id, other);
	if (ret == ERR_DAMAGED || ret == ERR_NOENT) {
		ret = 1;
		goto out;
	}
	if (ret == 0 && o->state == INDEX_CLOSED) {
		ret = resolve(&nums, t, r.refs, r.nrefs);
		if (ret == 0)
			ret = needs_same(t, o, r.class, &nums);
		if (ret >= 0)
			ret = ret == 1 ? 0 : 1;
	}
	if (ret != 0)
		goto out;
	o->pack = other->pack;
	o->offset = other->offset;
	o->length = other->length;
	o->epoch = other->epoch;
	o->class = other->class;
	ret = index_other_del(t, id, o->pack, o->offset);
	if (ret == 0)
		ret = o->state == INDEX_CLOSED
			  ? index_move(t, id, o)
			  : index_add_unclosed(t, id, o, INDEX_OPEN);
out:
	buf_release(&record);
	buf_release(&nums);
	return ret;
}

int
admit_other(struct index_txn *t, struct backend *b, const uint8_t id[32],
    struct index_object *o)
{
	struct buf others = BUF_INIT;
	const struct index_object *p;
	size_t i;
	int ret = index_other_list(&others, t, id);

	p = (const struct index_object *)(const void *)others.data;
	if (ret == 0)
		ret = 1;
	for (i = 0; i < others.len / sizeof(*p) && ret == 1; i++)
		ret = try_other(t, b, id, o, p + i);
	buf_release(&others);
	return ret;
}

void
admit_walk_init(struct admit_walk *w)
{
	idmap_init(&w->seen);
	w->full = 0;
}

void
admit_walk_release(struct admit_walk *w)
{
	idmap_release(&w->seen);
}

/* An open object on the way down; what it needs lies on the stack of ids. */
struct frame {
	uint8_t id[32];
	size_t from; /* first of its ids on the stack, in bytes */
	size_t next; /* the one to look at */
	int stuck;
};

struct walk {
	struct admit_walk *w;
	struct index_txn *t;
	struct backend *b;
	struct buf frames; /* struct frame */
	struct buf ids; /* the stack */
	struct buf record; /* scratch */
	struct buf nums; /* scratch */
};

static struct frame *
top(struct walk *k)
{
	return (struct frame *)(k->frames.data + k->frames.len) - 1;
}

/* Everything that can go wrong with one object makes it stuck, not us. */
static int
read_open(struct record *r, struct walk *k, const uint8_t id[32],
    struct index_object *o)
{
	int ret = admit_read(r, &k->record, k->t, k->b, id, o);

	if (ret == ERR_DAMAGED || ret == ERR_NOENT) {
		ret = admit_other(k->t, k->b, id, o);
		if (ret == 0)
			ret = admit_read(r, &k->record, k->t, k->b, id, o);
	}
	return ret == ERR_DAMAGED || ret == ERR_NOENT ? 1 : ret;
}

/* Begin with an open object: its unmet refs go to the stack. */
static int
push(struct walk *k, const uint8_t id[32], struct index_object *o)
{
	struct frame f = {.from = k->ids.len, .next = k->ids.len};
	struct index_object child;
	struct record r;
	uint32_t i;
	int ret = read_open(&r, k, id, o);

	if (ret != 0)
		return ret;
	memcpy(f.id, id, 32);
	for (i = 0; i < r.nrefs; i++) {
		ret = index_find(&child, k->t, r.refs + (size_t)i * 32);
		if (ret == 0 && child.state == INDEX_CLOSED)
			continue;
		if (ret >= 0)
			ret = buf_append(&k->ids, r.refs + (size_t)i * 32, 32);
		if (ret < 0)
			return ret;
	}
	return buf_append(&k->frames, &f, sizeof(f));
}

/* Look at an id: 0 closed, 1 stuck, 2 a frame was pushed, ERR_*. */
static int
visit(struct walk *k, const uint8_t id[32])
{
	struct index_object o;
	uint8_t copy[32];
	uint64_t seen;
	int ret = index_find(&o, k->t, id);

	if (ret < 0 || (ret == 0 && o.state == INDEX_CLOSED))
		return ret;
	if (idmap_get(&seen, &k->w->seen, id) == 0)
		return seen == ADMIT_STUCK;
	if (k->w->seen.len >= SEEN_MAX || k->ids.len >= STACK_BYTES_MAX ||
	    k->frames.len >= STACK_BYTES_MAX) {
		k->w->full = 1;
		return 1;
	}
	/* The stack may move; and a cycle, which only a forger can make,
	 * must find itself stuck. */
	memcpy(copy, id, 32);
	if (idmap_put(&k->w->seen, copy, ADMIT_STUCK) < 0)
		return ERR_NOMEM;
	if (ret == 1 || o.state != INDEX_OPEN)
		return 1;
	ret = push(k, copy, &o);
	return ret == 0 ? 2 : ret;
}

/* All that the top frame needs was looked at. */
static int
pop(struct walk *k)
{
	struct frame f = *top(k);
	struct index_object o;
	struct admit_item it = {0};
	struct record r;
	int ret = 0;

	k->frames.len -= sizeof(f);
	k->ids.len = f.from;
	if (!f.stuck) {
		ret = index_find(&o, k->t, f.id);
		if (ret == 0)
			ret = read_open(&r, k, f.id, &o);
		if (ret < 0)
			return ret;
		f.stuck = ret == 1;
	}
	if (!f.stuck) {
		memcpy(it.id, f.id, 32);
		it.offset = o.offset;
		it.length = o.length;
		it.epoch = o.epoch;
		it.class = o.class;
		it.nrefs = r.nrefs;
		ret = admit_one(k->t, &it, o.pack, r.refs, &k->nums);
		if (ret < 0)
			return ret;
		f.stuck = !it.closed;
	}
	if (!f.stuck)
		ret = idmap_put(&k->w->seen, f.id, ADMIT_DONE);
	if (ret == 0 && f.stuck && k->frames.len > 0)
		top(k)->stuck = 1;
	return ret < 0 ? ret : f.stuck;
}

int
admit_reach(struct admit_walk *w, struct index_txn *t, struct backend *b,
    const uint8_t id[32])
{
	struct walk k = {.w = w, .t = t, .b = b};
	struct frame *f;
	int ret = visit(&k, id);

	if (ret != 2)
		goto out;
	while (k.frames.len > 0) {
		/* Frames hold ids only, and each looks again at what it needs
		 * when it gets in. */
		ret = index_step(t);
		if (ret < 0)
			goto out;
		f = top(&k);
		if (f->next == k.ids.len) {
			ret = pop(&k);
			if (ret < 0)
				goto out;
			continue;
		}
		f->next += 32;
		ret = visit(&k, k.ids.data + f->next - 32);
		if (ret < 0)
			goto out;
		if (ret == 1)
			top(&k)->stuck = 1;
	}
out:
	buf_release(&k.frames);
	buf_release(&k.ids);
	buf_release(&k.record);
	buf_release(&k.nums);
	return ret;
}

int
admit_all_open(struct admit_walk *w, struct index_txn *t, struct backend *b)
{
	struct kv_slice key, value;
	struct kv_cursor *c;
	uint8_t at[32] = {0};
	int ret, more = 1;

	/* Admission changes the table under the cursor: seek each time. */
	while (more) {
		ret = kv_cursor_open(&c, t->kv, INDEX_OPEN_IDS);
		if (ret < 0)
			return ret;
		ret = kv_cursor_seek(&key, &value, c, at, sizeof(at));
		if (ret == 0 && key.len == 32 && memcmp(at, key.data, 32) == 0)
			ret = kv_cursor_next(&key, &value, c);
		if (ret == 0 && key.len == 32)
			memcpy(at, key.data, 32);
		else
			more = 0;
		kv_cursor_close(c);
		if (ret < 0)
			return ret;
		if (more) {
			ret = admit_reach(w, t, b, at);
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}
