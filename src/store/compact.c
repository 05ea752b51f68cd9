#include "store/compact.h"

#include "base/err.h"
#include "base/limits.h"
#include "store/admit.h"
#include "store/backend.h"
#include "store/idmap.h"
#include "store/index.h"
#include "store/mark.h"
#include "store/pack.h"
#include "store/record.h"
#include "store/survey.h"
#include "store/tally.h"
#include "store/vault.h"

#include <string.h>

/* Of a pack beside records and entries, generously. */
#define FIXED_BYTES 512u

void
compact_release(struct compact *c)
{
	buf_release(&c->packs);
	memset(c, 0, sizeof(*c));
}

/* Nonzero when more of it is dead than is needed. */
static int
is_half_dead(const struct tally_pack *p)
{
	uint64_t used =
	    p->live_bytes + (uint64_t)p->live * PACK_ENTRY_BYTES + FIXED_BYTES;

	return p->p.size > used && p->p.size - used > p->live_bytes;
}

static int
choose_class(struct compact *c, const struct tally *y, uint8_t class,
    uint64_t *bytes_left)
{
	const struct tally_pack *p = (const void *)y->packs.data;
	size_t i, n = y->packs.len / sizeof(*p), small = 0;
	int ret = 0;

	for (i = 0; i < n; i++)
		small += !p[i].keep && p[i].live > 0 && p[i].p.class == class &&
			 p[i].p.size < COMPACT_SMALL_BYTES;
	for (i = 0; i < n && ret == 0; i++) {
		if (p[i].keep || p[i].live == 0 || p[i].p.class != class ||
		    p[i].live_bytes > *bytes_left)
			continue;
		if (!is_half_dead(p + i) &&
		    (p[i].p.size >= COMPACT_SMALL_BYTES ||
			small < COMPACT_MERGE_MIN))
			continue;
		*bytes_left -= p[i].live_bytes;
		ret = buf_append(&c->packs, p + i, sizeof(*p));
	}
	return ret;
}

int
compact_choose(struct compact *c, const struct tally *y, uint64_t bytes_max)
{
	int ret;

	buf_reset(&c->packs);
	c->next = 0;
	ret = choose_class(c, y, RECORD_DATA, &bytes_max);
	return ret < 0 ? ret : choose_class(c, y, RECORD_META, &bytes_max);
}

/* One old pack on its way into the new one. */
struct source {
	struct vault *v;
	const struct mark *m;
	struct pack k;
	struct buf wanted; /* u32: entries to copy */
	uint64_t bytes; /* that they take in the new one */
	struct buf scratch;
};

/* Nonzero when the place that the index names has the very same record. */
static int
is_elsewhere(struct source *s, struct index_txn *t, const struct pack_entry *e,
    const struct index_object *o)
{
	struct record r;
	int ret = admit_read(&r, &s->scratch, t, s->v->backend, e->id, o);

	if (ret == ERR_DAMAGED || ret == ERR_NOENT)
		return 0;
	return ret < 0 ? ret : memcmp(r.checksum, e->checksum, HASH_BYTES) == 0;
}

/* Choose what of the pack is needed.  Returns 0; 1: leave it alone; ERR_*. */
static int
choose_entries(struct source *s, struct index_txn *t)
{
	struct index_object o;
	struct index_pack p;
	struct pack_entry e;
	uint32_t i;
	int ret = index_pack_named(&p, t, s->k.name);

	for (i = 0; ret == 0 && i < s->k.count; i++) {
		pack_entry(&e, &s->k, i);
		ret = index_find(&o, t, e.id);
		if (ret != 0 || !mark_has(s->m, e.id, &o))
			continue;
		if (o.pack != p.number || o.offset != e.offset) {
			ret = is_elsewhere(s, t, &e, &o);
			if (ret == 1) {
				ret = 0;
				continue;
			}
		}
		s->bytes += e.length + PACK_ENTRY_BYTES;
		if (ret == 0)
			ret = buf_append(&s->wanted, &i, sizeof(i));
	}
	return ret;
}

static int
load_source(struct source *s, const struct tally_pack *p)
{
	struct index_txn t;
	int ret = pack_load(&s->k, s->v->backend, p->p.name, 0, s->v->id);

	/* Damaged or gone: verify's matter. */
	if (ret == ERR_DAMAGED || ret == ERR_NOENT)
		return 1;
	if (ret == 0)
		ret = index_begin(&t, s->v->index, 0);
	if (ret < 0)
		return ret;
	ret = choose_entries(s, &t);
	index_abort(&t);
	return ret;
}

static void
release_source(struct source *s)
{
	pack_release(&s->k);
	buf_release(&s->wanted);
	buf_release(&s->scratch);
}

/* C1 for one record.  Returns 0; 1: it is damaged; ERR_*. */
static int
copy_record(struct pack_writer *w, struct source *s, const struct pack_entry *e)
{
	struct vault_place place = {.offset = e->offset};
	struct backend *b = s->v->backend;
	char path[PACK_PATH_BYTES];
	struct record r;
	uint32_t offset;
	uint8_t *to;
	int ret, tries;

	pack_path(path, s->k.name);
	for (tries = 0; tries < 2; tries++) {
		buf_reset(&s->scratch);
		ret = buf_extend(&to, &s->scratch, e->length);
		if (ret == 0)
			ret = b->ops->get(b, path, to, e->length, e->offset);
		if (ret == 0)
			ret = pack_check_record(&r, e, to, e->length);
		if (ret == 0)
			return pack_writer_add(&offset, w, &r);
		if (ret != ERR_DAMAGED)
			return ret;
	}
	memcpy(place.pack, s->k.name, sizeof(place.pack));
	ret = vault_damaged(s->v, e->id, &place);
	return ret < 0 ? ret : 1;
}

/* Returns 0; 1: something of it is damaged, so it stays; ERR_*. */
static int
copy_source(struct pack_writer *w, struct source *s)
{
	struct pack_entry e;
	uint32_t at;
	size_t i;
	int ret = 0, damaged = 0;

	for (i = 0; i < s->wanted.len && ret >= 0; i += sizeof(at)) {
		memcpy(&at, s->wanted.data + i, sizeof(at));
		pack_entry(&e, &s->k, at);
		ret = copy_record(w, s, &e);
		damaged |= ret == 1;
	}
	return ret < 0 ? ret : damaged;
}

int
compact_finish(uint64_t *size, struct vault *v, struct pack_writer *w)
{
	uint64_t bytes = pack_writer_size(w);
	struct index_txn t = {0};
	struct idmap no_marks;
	uint8_t name[HASH_BYTES];
	struct survey s;
	uint32_t i;
	int ret = pack_writer_commit(name, w);

	if (ret < 0)
		return ret;
	idmap_init(&no_marks);
	survey_init(&s);
	ret = survey_pack(&s, v->backend, name, bytes, v->id, &no_marks);
	for (i = 0; ret == 0 && i < s.n; i++)
		s.items[i].replace = ADMIT_REPLACE;
	if (ret == 0)
		ret = index_begin(&t, v->index, 1);
	if (ret == 0)
		ret = admit_pack(&t, &s.pack, s.items, s.n, s.ids.data);
	if (ret == 0)
		ret = index_commit(&t);
	index_abort(&t);
	survey_release(&s);
	/* The pack is there: somebody has to tell the index. */
	if (ret < 0)
		vault_suspect(v);
	else
		*size = bytes;
	return ret;
}

/* The new pack, if anything got into it; frees `w`. */
static int
finish(struct compact *c, struct vault *v, struct pack_writer *w)
{
	uint64_t size;
	int ret;

	if (pack_writer_count(w) == 0) {
		pack_writer_abort(w);
		return 0;
	}
	ret = compact_finish(&size, v, w);
	if (ret < 0)
		return ret;
	c->made_packs++;
	c->made_bytes += size;
	return 0;
}

/* Nonzero when all that is wanted of `s` fits. */
static int
fits(const struct pack_writer *w, const struct source *s)
{
	return pack_writer_size(w) + s->bytes <= LIMIT_PACK_BYTES &&
	       pack_writer_count(w) + s->wanted.len / sizeof(uint32_t) <=
		   LIMIT_PACK_RECORDS;
}

/* Add packs to `w` until it is full.  Returns 0; ERR_*. */
static int
fill(struct buf *done, struct compact *c, struct vault *v, const struct mark *m,
    struct pack_writer *w)
{
	const struct tally_pack *p = (const void *)c->packs.data;
	size_t first = c->next, n = c->packs.len / sizeof(*p);
	int ret = 0, full = 0;

	for (; c->next < n && p[c->next].p.class == p[first].p.class;
	     c->next++) {
		struct source s = {.v = v, .m = m, .k = PACK_INIT};

		ret = load_source(&s, p + c->next);
		full = ret == 0 && !fits(w, &s);
		if (ret == 0 && !full)
			ret = copy_source(w, &s);
		if (ret == 0 && !full)
			ret = buf_append(done, s.k.name, HASH_BYTES);
		release_source(&s);
		if (ret < 0)
			return ret;
		if (full) {
			/* Alone it would not fit either: leave it. */
			if (pack_writer_count(w) == 0)
				continue;
			break;
		}
	}
	return 0;
}

int
compact_step(
    struct buf *done, struct compact *c, struct vault *v, const struct mark *m)
{
	const struct tally_pack *p = (const void *)c->packs.data;
	size_t n = c->packs.len / sizeof(*p), before = done->len;
	struct pack_writer *w;
	int ret;

	if (c->next >= n)
		return 0;
	ret = pack_writer_open(
	    &w, v->backend, (enum record_class)p[c->next].p.class, v->id);
	if (ret < 0)
		return ret;
	ret = fill(done, c, v, m, w);
	if (ret == 0)
		ret = finish(c, v, w);
	else
		pack_writer_abort(w);
	if (ret < 0)
		done->len = before;
	return ret < 0 ? ret : c->next < n;
}
