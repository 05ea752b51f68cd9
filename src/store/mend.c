#include "store/mend.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "store/backend.h"
#include "store/compact.h"
#include "store/index.h"
#include "store/pack.h"
#include "store/record.h"
#include "store/salvage.h"
#include "store/twin.h"
#include "store/vault.h"

#include <string.h>

/* No more than this part of the room that is left: the old pack stays for a
 * while, and the reserve is not for this. */
#define ROOM_SHARE 4

struct mend {
	struct vault *v;
	struct salvage s;
	struct index_pack p;
	struct buf wanted; /* u32: entries to copy */
	uint64_t bytes; /* of these */
};

const char *
mend_text(int what)
{
	switch (what) {
	case MEND_SOUND:
		return "it reads well by now";
	case MEND_LATER:
		return "there is no room to copy what is whole of it, or the "
		       "store is read-only";
	case MEND_NOTHING:
		return "nothing in it can be used: take it away once no "
		       "snapshot lacks anything";
	default:
		return "what is whole of it lies in other packs: a sweep "
		       "removes it once no snapshot lacks anything";
	}
}

/* M2: what has to be copied. */
static int
choose(struct mend *m)
{
	struct index_object o, twin;
	struct index_txn t;
	struct pack_entry e;
	uint32_t i;
	int ret = index_begin(&t, m->v->index, 0);

	if (ret < 0)
		return ret;
	for (i = 0; i < m->s.k.count && ret >= 0; i++) {
		pack_entry(&e, &m->s.k, i);
		ret = index_find(&o, &t, e.id);
		if (ret == 0)
			ret = twin_find(
			    &twin, &t, m->v->backend, &e, &o, m->p.number);
		if (ret != 1)
			continue;
		m->bytes += e.length + PACK_ENTRY_BYTES;
		ret = buf_append(&m->wanted, &i, sizeof(i));
	}
	index_abort(&t);
	return ret < 0 ? ret : 0;
}

static int
open_writer(struct pack_writer **out, struct mend *m, enum record_class class)
{
	int ret = pack_writer_open(out, m->v->backend, class, m->v->id);

	/* An upload under way stays one. */
	if (ret == 0 && !bytes_are_zero(m->p.origin, sizeof(m->p.origin)))
		pack_writer_origin(*out, m->p.origin, m->p.after);
	return ret;
}

/* The records of one class: a pack of its own, or several. */
static int
copy_class(struct mend *m, enum record_class class)
{
	struct pack_writer *w = NULL;
	struct pack_entry e;
	struct record r;
	uint32_t i, offset;
	uint64_t size;
	size_t at;
	int ret = 0;

	for (at = 0; at < m->wanted.len && ret == 0; at += sizeof(i)) {
		memcpy(&i, m->wanted.data + at, sizeof(i));
		pack_entry(&e, &m->s.k, i);
		if (e.class != class)
			continue;
		salvage_record(&r, &m->s, &e);
		if (w != NULL && !pack_writer_fits(w, r.len)) {
			ret = compact_finish(&size, m->v, w);
			w = NULL;
		}
		if (ret == 0 && w == NULL)
			ret = open_writer(&w, m, class);
		if (ret == 0)
			ret = pack_writer_add(&offset, w, &r);
	}
	if (w == NULL || ret < 0)
		pack_writer_abort(w);
	else
		ret = compact_finish(&size, m->v, w);
	return ret;
}

/* Returns 0; MEND_LATER; ERR_*. */
static int
copy(struct mend *m)
{
	struct backend *b = m->v->backend;
	uint64_t left;
	int ret;

	if (m->wanted.len == 0)
		return 0;
	ret = b->ops->space(&left, b);
	if (ret == 0 && left / ROOM_SHARE < m->bytes)
		return MEND_LATER;
	if (ret == 0)
		ret = copy_class(m, RECORD_DATA);
	if (ret == 0)
		ret = copy_class(m, RECORD_META);
	return ret == ERR_NOSPACE ? MEND_LATER : ret;
}

/* M3 for one record. */
static int
move_entry(struct mend *m, struct index_txn *t, const struct pack_entry *e)
{
	struct index_object o, twin;
	int ret = index_find(&o, t, e->id);

	if (ret != 0 || o.state == INDEX_DAMAGED || o.pack != m->p.number ||
	    o.offset != e->offset)
		return ret < 0 ? ret : 0;
	ret = twin_find(&twin, t, m->v->backend, e, &o, m->p.number);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	twin.num = o.num;
	twin.state = o.state;
	ret = index_move(t, e->id, &twin);
	if (ret == 0)
		ret = index_other_del(t, e->id, twin.pack, twin.offset);
	return ret < 0 ? ret : index_other_add(t, e->id, &o);
}

/* The upload under way, if it is one, goes on in the copies. */
static int
disown(struct mend *m, struct index_txn *t)
{
	struct index_pack p;
	int ret = index_pack_named(&p, t, m->s.k.name);

	if (ret != 0 || bytes_are_zero(p.origin, sizeof(p.origin)))
		return ret < 0 ? ret : 0;
	memset(p.origin, 0, sizeof(p.origin));
	p.after = 0;
	return index_set_pack(t, &p);
}

/* M3. */
static int
move_all(struct mend *m)
{
	struct index_txn t;
	struct pack_entry e;
	uint32_t i;
	int ret = index_begin(&t, m->v->index, 1);

	if (ret < 0)
		return ret;
	for (i = 0; i < m->s.k.count && ret >= 0; i++) {
		pack_entry(&e, &m->s.k, i);
		ret = move_entry(m, &t, &e);
		if (ret == 0)
			ret = index_step(&t);
	}
	if (ret >= 0)
		ret = disown(m, &t);
	if (ret == 0)
		ret = index_commit(&t);
	index_abort(&t);
	return ret;
}

/* What the index says of the pack; nothing is fine. */
static int
find_pack(struct mend *m, const uint8_t name[32])
{
	struct index_txn t;
	int ret = index_begin(&t, m->v->index, 0);

	if (ret < 0)
		return ret;
	ret = index_pack_named(&m->p, &t, name);
	if (ret == 1)
		m->p.number = INDEX_NUM_NONE;
	index_abort(&t);
	return ret < 0 ? ret : 0;
}

int
mend_pack(struct vault *v, const uint8_t name[32])
{
	struct mend m = {.v = v, .s = SALVAGE_INIT};
	int ret;

	if (vault_check(v) < 0)
		return MEND_LATER;
	ret = find_pack(&m, name);
	if (ret < 0)
		return ret;
	ret = salvage_pack(&m.s, v->backend, name, v->id);
	if (ret == 1)
		return MEND_SOUND;
	if (ret == ERR_DAMAGED)
		return MEND_NOTHING;
	if (ret == 0 && m.p.number == INDEX_NUM_NONE) {
		/* The next opening tells the index, if there is anything. */
		vault_suspect(v);
		ret = m.s.k.count == 0 ? MEND_NOTHING : 0;
	}
	if (ret == 0)
		ret = choose(&m);
	if (ret == 0)
		ret = copy(&m);
	if (ret == 0)
		ret = move_all(&m);
	salvage_release(&m.s);
	buf_release(&m.wanted);
	return ret;
}
