#include "engine/fetch.h"

#include "base/err.h"
#include "base/hex.h"
#include "base/pool.h"
#include "engine/fetch_cache.h"
#include "seal/seal.h"
#include "store/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Damaged ids worth telling: the store scrubs itself after the first. */
#define REPORTS_MAX 4096u
/* Further records of an object that are tried when one is bad. */
#define OTHERS_MAX 8u

/* Codec contexts are for one thread at a time and dear to make. */
struct codec {
	struct seal *seal;
	struct codec *next;
};

struct fetch {
	struct store *store;
	const struct keys *keys;
	struct fetch_cache *cache;
	struct pool_lock lock; /* of all below */
	struct codec *codecs; /* unused ones */
	struct buf bad; /* ids to report */
};

int
fetch_new(struct fetch **out, struct store *store, const struct keys *keys,
    size_t cache_bytes_max)
{
	struct fetch *f = calloc(1, sizeof(*f));
	int rc;

	if (f == NULL)
		return err_nomem(sizeof(*f));
	f->store = store;
	f->keys = keys;
	pool_lock_init(&f->lock);
	buf_init(&f->bad);
	rc = fetch_cache_new(&f->cache, cache_bytes_max);
	if (rc != 0) {
		fetch_free(f);
		return rc;
	}
	*out = f;
	return 0;
}

void
fetch_free(struct fetch *f)
{
	struct codec *c;
	size_t at;

	if (f == NULL)
		return;
	for (at = 0; at < f->bad.len; at += OBJECT_ID_BYTES) {
		/* Help for the store's owner; our own error stands. */
		if (f->store->ops->report(f->store, f->bad.data + at) != 0)
			break;
	}
	fetch_cache_free(f->cache);
	while ((c = f->codecs) != NULL) {
		f->codecs = c->next;
		seal_free(c->seal);
		free(c);
	}
	buf_release(&f->bad);
	pool_lock_release(&f->lock);
	free(f);
}

static int
codec_take(struct codec **out, struct fetch *f)
{
	struct codec *c;
	int rc;

	pool_lock_enter(&f->lock);
	c = f->codecs;
	if (c != NULL)
		f->codecs = c->next;
	pool_lock_leave(&f->lock);
	if (c == NULL) {
		c = calloc(1, sizeof(*c));
		if (c == NULL)
			return err_nomem(sizeof(*c));
		rc = seal_new(&c->seal, f->keys, &seal_default);
		if (rc != 0) {
			free(c);
			return rc;
		}
	}
	*out = c;
	return 0;
}

static void
codec_give(struct fetch *f, struct codec *c)
{
	pool_lock_enter(&f->lock);
	c->next = f->codecs;
	f->codecs = c;
	pool_lock_leave(&f->lock);
}

/* Word the damage of `id`; a record that is there is to be reported. */
static int
damaged(struct fetch *f, const uint8_t *id, enum store_got got)
{
	char text[2 * OBJECT_ID_BYTES + 1];

	hex_encode(text, id, OBJECT_ID_BYTES);
	if (got == STORE_GOT_ABSENT)
		return err_set(
		    ERR_DAMAGED, "object %s: missing in the store", text);
	if (got == STORE_GOT_DAMAGED)
		return err_set(
		    ERR_DAMAGED, "object %s: damaged in the store", text);
	pool_lock_enter(&f->lock);
	/* Without memory the report is lost, the damage is not. */
	if (f->bad.len < REPORTS_MAX * OBJECT_ID_BYTES)
		(void)buf_append(&f->bad, id, OBJECT_ID_BYTES);
	pool_lock_leave(&f->lock);
	return err_prefix(ERR_DAMAGED, "object %s", text);
}

/* Unseal a record: the content is one that was sealed for `id`. */
static int
unseal_record(struct object *out, struct fetch *f, enum object_type type,
    const uint8_t *id, const uint8_t *bytes, size_t len)
{
	struct seal_bind bind;
	struct codec *codec = NULL;
	struct record r;
	int rc;

	/* The checksum has been compared, or need not be: all that is used of
	 * the record is bound by the cipher's tag. */
	rc = record_parse(&r, bytes, len);
	if (rc != 0)
		return rc;
	if (r.len != len)
		return err_set(ERR_DAMAGED, "bytes behind a record");
	if (memcmp(r.id, id, OBJECT_ID_BYTES) != 0)
		return err_set(ERR_DAMAGED, "the record has another id");
	if ((int)r.class != (int)object_class(type))
		return err_set(ERR_DAMAGED, "the record is of another class");
	memset(&bind, 0, sizeof(bind));
	bind.epoch = r.epoch;
	memcpy(bind.key_id, r.key_id, sizeof(bind.key_id));
	bind.type = (uint8_t)type;
	bind.id = r.id;
	bind.refs = r.refs;
	bind.nrefs = r.nrefs;
	bind.members = r.members;
	bind.nmembers = r.nmembers;

	object_reset(out, type);
	rc = codec_take(&codec, f);
	if (rc != 0)
		return rc;
	rc = seal_unwrap(
	    &out->payload, codec->seal, &bind, r.sealed, r.sealed_len);
	codec_give(f, codec);
	if (rc == 0)
		rc = buf_append(
		    &out->refs, r.refs, (size_t)r.nrefs * OBJECT_ID_BYTES);
	if (rc == 0)
		rc = buf_append(&out->members, r.members,
		    (size_t)r.nmembers * OBJECT_ID_BYTES);
	memcpy(out->id, id, OBJECT_ID_BYTES);
	return rc;
}

/* The same, and the content is that of `id`. */
static int
open_record(struct object *out, struct fetch *f, enum object_type type,
    const uint8_t *id, const uint8_t *bytes, size_t len)
{
	int rc = unseal_record(out, f, type, id, bytes, len);

	if (rc != 0)
		return rc;
	object_name(out, f->keys->id);
	if (memcmp(out->id, id, OBJECT_ID_BYTES) != 0)
		return err_set(ERR_DAMAGED, "the content has another id");
	return 0;
}

/* A record that this client cannot open, whatever the store thinks of it. */
static int
is_bad(int rc)
{
	/* ERR_LIMIT: a record that no writer makes. */
	return rc == ERR_DAMAGED || rc == ERR_LIMIT;
}

/* Looking for a record of an object that is better than those seen. */
struct search {
	struct fetch *f;
	struct object *out;
	enum object_type type;
	struct buf bad; /* checksums */
	int came; /* the store had another one */
	int rc; /* what became of that */
};

/* Note a record as bad, so that the store gives another. */
static int
note_bad(struct search *s, const uint8_t *record, size_t len)
{
	if (len < HASH_BYTES)
		return 0; /* cut: no record of the store is so short */
	return buf_append(&s->bad, record + len - HASH_BYTES, HASH_BYTES);
}

static int
search_got(void *arg, enum store_got got, const uint8_t id[STORE_ID_BYTES],
    const uint8_t *record, size_t len)
{
	struct search *s = arg;

	if (got != STORE_GOT_RECORD)
		return 0;
	s->came = 1;
	s->rc = open_record(s->out, s->f, s->type, id, record, len);
	return is_bad(s->rc) ? note_bad(s, record, len) : 0;
}

/* Returns 0 and the object; 1 when the store has no good record; ERR_*. */
static int
search_other(struct search *s, const uint8_t id[OBJECT_ID_BYTES])
{
	unsigned n;
	int rc;

	for (n = 0; n < OTHERS_MAX; n++) {
		s->came = 0;
		rc = s->f->store->ops->get_other(s->f->store, id, s->bad.data,
		    (uint32_t)(s->bad.len / HASH_BYTES), search_got, s);
		if (rc != 0)
			return rc;
		if (!s->came)
			return 1;
		if (!is_bad(s->rc))
			return s->rc;
	}
	return 1;
}

int
fetch_open(struct object *out, struct fetch *f, enum object_type type,
    const uint8_t id[OBJECT_ID_BYTES], const struct fetch_record *record)
{
	struct search s = {.f = f, .out = out, .type = type};
	const struct fetch_record *r = record;
	char problem[ERR_TEXT_MAX];
	int rc = 1, bad;

	if (r->got == STORE_GOT_ABSENT)
		return damaged(f, id, r->got);
	if (r->got == STORE_GOT_RECORD) {
		rc = r->unnamed
			 ? unseal_record(out, f, type, id, r->bytes, r->len)
			 : open_record(out, f, type, id, r->bytes, r->len);
		if (!is_bad(rc))
			return rc;
		/* Does the store have it so, or did it change on its way? */
		if (r->unproved)
			return fetch_object(out, f, type, id);
	}
	/* Told to the store, and kept in case there is no better one. */
	bad = damaged(f, id, r->got);
	(void)snprintf(
	    problem, sizeof(problem), "%s", err_text()); /* it is as long */
	rc = r->got == STORE_GOT_RECORD ? note_bad(&s, r->bytes, r->len) : 0;
	if (rc == 0)
		rc = search_other(&s, id);
	buf_release(&s.bad);
	return rc == 1 ? err_set(bad, "%s", problem) : rc;
}

/* What a get for one object needs in its callback. */
struct one {
	struct fetch *f;
	struct object *out;
	enum object_type type;
	const uint8_t *id;
	int seen;
	int rc; /* what became of it: no reason to end the get itself */
};

static int
one_got(void *arg, enum store_got got, const uint8_t id[STORE_ID_BYTES],
    const uint8_t *record, size_t len)
{
	struct one *one = arg;
	const struct fetch_record r = {.got = got, .bytes = record, .len = len};

	if (one->seen || memcmp(id, one->id, OBJECT_ID_BYTES) != 0)
		return err_set(
		    ERR_DAMAGED, "the store sent an object not asked for");
	one->seen = 1;
	one->rc = fetch_open(one->out, one->f, one->type, one->id, &r);
	return 0;
}

int
fetch_object(struct object *out, struct fetch *f, enum object_type type,
    const uint8_t id[OBJECT_ID_BYTES])
{
	struct one one = {f, out, type, id, 0, 0};
	int rc;

	rc = f->store->ops->get(f->store, id, 1, one_got, &one);
	if (rc != 0)
		return rc;
	return one.seen ? one.rc : damaged(f, id, STORE_GOT_ABSENT);
}

int
fetch_get(const struct object **out, struct fetch *f, enum object_type type,
    const uint8_t id[OBJECT_ID_BYTES])
{
	struct object o;
	int rc;

	*out = fetch_cache_take(f->cache, type, id);
	if (*out != NULL)
		return 0;
	object_init(&o, type);
	rc = fetch_object(&o, f, type, id);
	if (rc == 0)
		rc = fetch_cache_add(out, f->cache, &o);
	object_release(&o);
	return rc;
}

void
fetch_put(struct fetch *f, const struct object *o)
{
	if (o != NULL)
		fetch_cache_give(f->cache, o);
}

int
fetch_has(
    struct fetch *f, enum object_type type, const uint8_t id[OBJECT_ID_BYTES])
{
	return fetch_cache_has(f->cache, type, id);
}

/* A get for many objects. */
struct many {
	struct fetch *f;
	enum object_type type;
	struct object o;
	int rc; /* out of memory: the one failure that matters */
};

static int
many_got(void *arg, enum store_got got, const uint8_t id[STORE_ID_BYTES],
    const uint8_t *record, size_t len)
{
	struct many *m = arg;
	const struct object *kept;

	/* What is damaged is told to whoever asks for it by itself. */
	if (got != STORE_GOT_RECORD ||
	    open_record(&m->o, m->f, m->type, id, record, len) != 0)
		return 0;
	m->rc = fetch_cache_add(&kept, m->f->cache, &m->o);
	if (m->rc == 0)
		fetch_cache_give(m->f->cache, kept);
	return m->rc;
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, OBJECT_ID_BYTES);
}

/* Sort the ids in `b` and let each stand once. */
static void
make_unique(struct buf *b)
{
	size_t at, to = 0;

	if (b->len == 0)
		return;
	qsort(b->data, b->len / OBJECT_ID_BYTES, OBJECT_ID_BYTES, compare_ids);
	for (at = OBJECT_ID_BYTES; at < b->len; at += OBJECT_ID_BYTES) {
		if (memcmp(b->data + at, b->data + to, OBJECT_ID_BYTES) == 0)
			continue;
		to += OBJECT_ID_BYTES;
		memmove(b->data + to, b->data + at, OBJECT_ID_BYTES);
	}
	b->len = to + OBJECT_ID_BYTES;
}

int
fetch_ahead(
    struct fetch *f, enum object_type type, const uint8_t *ids, uint32_t n)
{
	struct many m = {.f = f, .type = type};
	struct buf absent = BUF_INIT;
	uint32_t i;
	int rc = 0;

	for (i = 0; i < n && rc == 0; i++) {
		if (!fetch_has(f, type, ids + (size_t)i * OBJECT_ID_BYTES))
			rc = buf_append(&absent,
			    ids + (size_t)i * OBJECT_ID_BYTES, OBJECT_ID_BYTES);
	}
	make_unique(&absent);
	object_init(&m.o, type);
	if (rc == 0 && absent.len > 0)
		rc = f->store->ops->get(f->store, absent.data,
		    (uint32_t)(absent.len / OBJECT_ID_BYTES), many_got, &m);
	object_release(&m.o);
	buf_release(&absent);
	return rc;
}
