#include "store/scrub.h"

#include "base/buf.h"
#include "base/err.h"
#include "store/backend.h"
#include "store/footless.h"
#include "store/index.h"
#include "store/mend.h"
#include "store/pack.h"
#include "store/survey.h"
#include "store/vault.h"

#include <stdio.h>
#include <string.h>

struct scrub {
	struct scrub_counts *n;
	struct vault *v;
	scrub_found_fn *found;
	void *arg;
	char path[PACK_PATH_BYTES];
	struct pack k;
	struct buf scratch;
};

static void
say(struct scrub *s, const char *what)
{
	s->n->findings++;
	s->found(s->arg, s->path, what);
}

/* Where the name of the pack that was read last stands in the index. */
#define POSITION "scrubbed"
#define POSITION_LEN (sizeof(POSITION) - 1)

/* Zero at the beginning of a round. */
static int
get_position(uint8_t out[32], struct index_txn *t)
{
	struct kv_slice v;
	int ret = kv_get(&v, t->kv, INDEX_META, POSITION, POSITION_LEN);

	memset(out, 0, 32);
	if (ret == 0 && v.len == 32)
		memcpy(out, v.data, 32);
	return ret < 0 ? ret : 0;
}

/* The first pack behind the position.  Returns 0; 1 when there is none. */
static int
find_next(uint8_t name[32], struct vault *v)
{
	struct kv_slice key, value;
	struct kv_cursor *c = NULL;
	struct index_txn t;
	uint8_t at[32];
	int ret = index_begin(&t, v->index, 0);

	if (ret < 0)
		return ret;
	ret = get_position(at, &t);
	if (ret == 0)
		ret = kv_cursor_open(&c, t.kv, INDEX_PACKNAME);
	if (ret == 0)
		ret = kv_cursor_seek(&key, &value, c, at, sizeof(at));
	if (ret == 0 && key.len == 32 && memcmp(key.data, at, 32) == 0)
		ret = kv_cursor_next(&key, &value, c);
	if (ret == 0 && key.len == 32)
		memcpy(name, key.data, 32);
	kv_cursor_close(c);
	index_abort(&t);
	return ret;
}

static int
set_position(struct vault *v, const uint8_t name[32])
{
	struct index_txn t;
	int ret = index_begin(&t, v->index, 1);

	if (ret < 0)
		return ret;
	ret = kv_put(t.kv, INDEX_META, POSITION, POSITION_LEN, name, 32);
	if (ret == 0)
		return index_commit(&t);
	index_abort(&t);
	return ret;
}

int
scrub_rewind(struct vault *v)
{
	static const uint8_t start[32];

	return set_position(v, start);
}

static int
is_marked(struct scrub *s, uint32_t offset)
{
	uint8_t key[32];
	int marked;

	survey_mark_key(key, s->k.name, offset);
	pool_lock_enter(&s->v->lock);
	marked = idmap_get(NULL, &s->v->marks, key) == 0;
	pool_lock_leave(&s->v->lock);
	return marked;
}

/* A passing fault of the disk is told from damage by a second reading. */
static int
check_record(struct scrub *s, const struct pack_entry *e)
{
	struct vault_place place = {.offset = e->offset};
	struct backend *b = s->v->backend;
	char text[64];
	uint8_t *to;
	int ret, tries;

	for (tries = 0; tries < 2; tries++) {
		buf_reset(&s->scratch);
		ret = buf_extend(&to, &s->scratch, e->length);
		if (ret == 0)
			ret = b->ops->get(b, s->path, to, e->length, e->offset);
		if (ret == 0)
			ret = pack_check_record(NULL, e, to, e->length);
		if (ret != ERR_DAMAGED)
			return ret;
	}
	if (is_marked(s, e->offset))
		return 0;
	(void)snprintf(text, sizeof(text), "the record at %u is damaged",
	    e->offset); /* it fits */
	say(s, text);
	memcpy(place.pack, s->k.name, sizeof(place.pack));
	return vault_damaged(s->v, e->id, &place);
}

/* For a pack without a footer: the index relies on this one. */
static int
note_lost(void *arg, const uint8_t id[32], const struct index_object *o)
{
	struct vault_place place = {.offset = o->offset};
	struct scrub *s = arg;

	memcpy(place.pack, s->k.name, sizeof(place.pack));
	return vault_damaged(s->v, id, &place);
}

/* The frame of the pack is damaged, as the error's text says. */
static int
mend(struct scrub *s, const uint8_t name[32])
{
	char text[2 * ERR_TEXT_MAX], why[ERR_TEXT_MAX];
	uint64_t placed;
	int ret;

	(void)snprintf(why, sizeof(why), "%s", err_text()); /* cut is fine */
	memcpy(s->k.name, name, sizeof(s->k.name));
	ret = footless_check(&placed, s->v, name, note_lost, s);
	if (ret == 0)
		ret = mend_pack(s->v, name);
	(void)snprintf(text, sizeof(text), "%s; %s", why,
	    ret < 0 ? err_text() : mend_text(ret)); /* the same */
	say(s, text);
	return ret < 0 ? ret : 0;
}

static int
check_pack(struct scrub *s, const uint8_t name[32])
{
	struct pack_entry e;
	uint32_t i;
	int ret, tries;

	pack_path(s->path, name);
	for (tries = 0, ret = ERR_DAMAGED; tries < 2 && ret == ERR_DAMAGED;
	     tries++)
		ret = pack_load(&s->k, s->v->backend, name, 0, s->v->id);
	if (ret == ERR_NOENT) {
		say(s, err_text());
		vault_suspect(s->v);
		return 0;
	}
	if (ret == ERR_DAMAGED)
		return mend(s, name);
	for (i = 0; ret == 0 && i < s->k.count; i++) {
		pack_entry(&e, &s->k, i);
		ret = check_record(s, &e);
	}
	s->n->packs++;
	s->n->bytes += s->k.size;
	pack_release(&s->k);
	return ret;
}

int
scrub_step(
    struct scrub_counts *n, struct vault *v, scrub_found_fn *found, void *arg)
{
	struct scrub s = {
	    .n = n, .v = v, .found = found, .arg = arg, .k = PACK_INIT};
	uint8_t name[32];
	int ret = find_next(name, v);

	if (ret == 1)
		return scrub_rewind(v);
	if (ret < 0)
		return ret;
	ret = check_pack(&s, name);
	buf_release(&s.scratch);
	if (ret == 0)
		ret = set_position(v, name);
	return ret < 0 ? ret : 1;
}

static int
add_size(void *arg, const struct index_pack *p)
{
	uint64_t *sum = arg;

	*sum += p->size;
	return 0;
}

int
scrub_bytes(uint64_t *out, struct vault *v)
{
	struct index_txn t;
	uint64_t sum = 0;
	int ret = index_begin(&t, v->index, 0);

	if (ret < 0)
		return ret;
	ret = index_packs(&t, add_size, &sum);
	index_abort(&t);
	if (ret == 0)
		*out = sum;
	return ret;
}
