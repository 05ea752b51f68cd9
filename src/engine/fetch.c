#include "engine/fetch.h"

#include "base/err.h"
#include "base/hex.h"
#include "base/pool.h"
#include "seal/seal.h"
#include "store/record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024u /* of the cache: a few MiB of objects of 10 KiB */
/* Damaged ids worth telling: the store scrubs itself after the first. */
#define REPORTS_MAX 4096u

/* A cached object; `o` comes first, so that a user's pointer leads here. */
struct item {
	struct object o;
	unsigned uses;
	size_t bytes;
	struct item *chain; /* next in the bucket */
	struct item *older, *newer; /* by last use, only while unused */
};

/* Codec contexts are for one thread at a time and dear to make. */
struct codec {
	struct seal *seal;
	struct codec *next;
};

struct fetch {
	struct store *store;
	const struct keys *keys;
	struct pool_lock lock; /* of all below */
	struct codec *codecs; /* unused ones */
	struct item *buckets[BUCKETS];
	struct item *oldest, *newest;
	size_t bytes, bytes_max;
	struct buf bad; /* ids to report */
};

int
fetch_new(struct fetch **out, struct store *store, const struct keys *keys,
    size_t cache_bytes_max)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return err_nomem(sizeof(*f));
	f->store = store;
	f->keys = keys;
	f->bytes_max = cache_bytes_max;
	pool_lock_init(&f->lock);
	buf_init(&f->bad);
	*out = f;
	return 0;
}

void
fetch_free(struct fetch *f)
{
	struct codec *c;
	struct item *i;
	size_t at;

	if (f == NULL)
		return;
	for (at = 0; at < f->bad.len; at += OBJECT_ID_BYTES) {
		/* Help for the store's owner; our own error stands. */
		if (f->store->ops->report(f->store, f->bad.data + at) != 0)
			break;
	}
	while ((i = f->oldest) != NULL) {
		f->oldest = i->newer;
		object_release(&i->o);
		free(i);
	}
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
		return err_set(ERR_DAMAGED, "object %s: missing", text);
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

static int
open_record(struct object *out, struct fetch *f, enum object_type type,
    const uint8_t *id, const uint8_t *bytes, size_t len)
{
	struct seal_bind bind;
	struct codec *codec = NULL;
	struct record r;
	int rc;

	rc = record_decode(&r, bytes, len);
	if (rc != 0)
		return rc;
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
	if (rc != 0)
		return rc;
	object_name(out, f->keys->id);
	if (memcmp(out->id, id, OBJECT_ID_BYTES) != 0)
		return err_set(ERR_DAMAGED, "the content has another id");
	return 0;
}

int
fetch_open(struct object *out, struct fetch *f, enum object_type type,
    const uint8_t id[OBJECT_ID_BYTES], enum store_got got,
    const uint8_t *record, size_t len)
{
	int rc;

	if (got != STORE_GOT_RECORD)
		return damaged(f, id, got);
	rc = open_record(out, f, type, id, record, len);
	/* ERR_LIMIT: a record that no writer makes. */
	if (rc == ERR_DAMAGED || rc == ERR_LIMIT)
		rc = damaged(f, id, got);
	return rc;
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

	if (one->seen || memcmp(id, one->id, OBJECT_ID_BYTES) != 0)
		return err_set(
		    ERR_DAMAGED, "the store sent an object not asked for");
	one->seen = 1;
	one->rc =
	    fetch_open(one->out, one->f, one->type, one->id, got, record, len);
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

/* Cache; everything below here holds the lock. */

static struct item **
bucket_of(struct fetch *f, const uint8_t *id)
{
	return &f->buckets[(id[0] | (unsigned)id[1] << 8) % BUCKETS];
}

static struct item *
lookup(struct fetch *f, enum object_type type, const uint8_t *id)
{
	struct item *i;

	for (i = *bucket_of(f, id); i != NULL; i = i->chain) {
		if (i->o.type == type &&
		    memcmp(i->o.id, id, OBJECT_ID_BYTES) == 0)
			return i;
	}
	return NULL;
}

static void
unqueue(struct fetch *f, struct item *i)
{
	*(i->older != NULL ? &i->older->newer : &f->oldest) = i->newer;
	*(i->newer != NULL ? &i->newer->older : &f->newest) = i->older;
	i->older = i->newer = NULL;
}

static void
enqueue(struct fetch *f, struct item *i)
{
	i->older = f->newest;
	*(f->newest != NULL ? &f->newest->newer : &f->oldest) = i;
	f->newest = i;
}

static void
evict(struct fetch *f)
{
	struct item **at, *i;

	while (f->bytes > f->bytes_max && (i = f->oldest) != NULL) {
		unqueue(f, i);
		for (at = bucket_of(f, i->o.id); *at != i; at = &(*at)->chain)
			;
		*at = i->chain;
		f->bytes -= i->bytes;
		object_release(&i->o);
		free(i);
	}
}

/* Take a use of the cached object, or NULL. */
static struct item *
cache_take(struct fetch *f, enum object_type type, const uint8_t *id)
{
	struct item *i;

	pool_lock_enter(&f->lock);
	i = lookup(f, type, id);
	if (i != NULL && i->uses++ == 0)
		unqueue(f, i);
	pool_lock_leave(&f->lock);
	return i;
}

int
fetch_get(const struct object **out, struct fetch *f, enum object_type type,
    const uint8_t id[OBJECT_ID_BYTES])
{
	struct item *i, *other;
	int rc;

	i = cache_take(f, type, id);
	if (i != NULL) {
		*out = &i->o;
		return 0;
	}
	i = calloc(1, sizeof(*i));
	if (i == NULL)
		return err_nomem(sizeof(*i));
	object_init(&i->o, type);
	rc = fetch_object(&i->o, f, type, id);
	if (rc != 0) {
		object_release(&i->o);
		free(i);
		return rc;
	}
	i->bytes = sizeof(*i) + i->o.refs.cap + i->o.payload.cap;
	i->uses = 1;
	pool_lock_enter(&f->lock);
	/* Another thread may have fetched it meanwhile. */
	other = lookup(f, type, id);
	if (other != NULL) {
		if (other->uses++ == 0)
			unqueue(f, other);
	} else {
		i->chain = *bucket_of(f, id);
		*bucket_of(f, id) = i;
		f->bytes += i->bytes;
		evict(f);
	}
	pool_lock_leave(&f->lock);
	if (other != NULL) {
		object_release(&i->o);
		free(i);
		i = other;
	}
	*out = &i->o;
	return 0;
}

void
fetch_put(struct fetch *f, const struct object *o)
{
	/* `o` is the first member of an item that we handed out. */
	struct item *i = (struct item *)(uintptr_t)o;

	if (i == NULL)
		return;
	pool_lock_enter(&f->lock);
	assert(i->uses > 0);
	if (--i->uses == 0) {
		enqueue(f, i);
		evict(f);
	}
	pool_lock_leave(&f->lock);
}
