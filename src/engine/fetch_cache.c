#include "engine/fetch_cache.h"

#include "base/err.h"
#include "base/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024u /* some MiB of objects of 10 KiB */

/* `o` comes first, so that a user's pointer leads here. */
struct item {
	struct object o;
	unsigned uses;
	size_t bytes;
	struct item *chain; /* next in the bucket */
	struct item *older, *newer; /* by last use, only while unused */
};

struct fetch_cache {
	struct pool_lock lock; /* of all below */
	struct item *buckets[BUCKETS];
	struct item *oldest, *newest;
	size_t bytes, bytes_max;
};

int
fetch_cache_new(struct fetch_cache **out, size_t bytes_max)
{
	struct fetch_cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return err_nomem(sizeof(*c));
	c->bytes_max = bytes_max;
	pool_lock_init(&c->lock);
	*out = c;
	return 0;
}

static void
item_free(struct item *i)
{
	object_release(&i->o);
	free(i);
}

/* Everything static below holds the lock. */

static struct item **
bucket_of(struct fetch_cache *c, const uint8_t *id)
{
	return &c->buckets[(id[0] | (unsigned)id[1] << 8) % BUCKETS];
}

static struct item *
lookup(struct fetch_cache *c, enum object_type type, const uint8_t *id)
{
	struct item *i;

	for (i = *bucket_of(c, id); i != NULL; i = i->chain) {
		if (i->o.type == type &&
		    memcmp(i->o.id, id, OBJECT_ID_BYTES) == 0)
			return i;
	}
	return NULL;
}

static void
unqueue(struct fetch_cache *c, struct item *i)
{
	*(i->older != NULL ? &i->older->newer : &c->oldest) = i->newer;
	*(i->newer != NULL ? &i->newer->older : &c->newest) = i->older;
	i->older = i->newer = NULL;
}

static void
enqueue(struct fetch_cache *c, struct item *i)
{
	i->older = c->newest;
	*(c->newest != NULL ? &c->newest->newer : &c->oldest) = i;
	c->newest = i;
}

static void
evict(struct fetch_cache *c, size_t bytes_max)
{
	struct item **at, *i;

	while (c->bytes > bytes_max && (i = c->oldest) != NULL) {
		unqueue(c, i);
		for (at = bucket_of(c, i->o.id); *at != i; at = &(*at)->chain)
			;
		*at = i->chain;
		c->bytes -= i->bytes;
		item_free(i);
	}
}

static struct item *
take(struct fetch_cache *c, enum object_type type, const uint8_t *id)
{
	struct item *i = lookup(c, type, id);

	if (i != NULL && i->uses++ == 0)
		unqueue(c, i);
	return i;
}

void
fetch_cache_free(struct fetch_cache *c)
{
	if (c == NULL)
		return;
	evict(c, 0);
	assert(c->bytes == 0);
	pool_lock_release(&c->lock);
	free(c);
}

const struct object *
fetch_cache_take(struct fetch_cache *c, enum object_type type,
    const uint8_t id[OBJECT_ID_BYTES])
{
	struct item *i;

	pool_lock_enter(&c->lock);
	i = take(c, type, id);
	pool_lock_leave(&c->lock);
	return i != NULL ? &i->o : NULL;
}

int
fetch_cache_has(struct fetch_cache *c, enum object_type type,
    const uint8_t id[OBJECT_ID_BYTES])
{
	int has;

	pool_lock_enter(&c->lock);
	has = lookup(c, type, id) != NULL;
	pool_lock_leave(&c->lock);
	return has;
}

int
fetch_cache_add(
    const struct object **out, struct fetch_cache *c, struct object *o)
{
	struct item *i = calloc(1, sizeof(*i)), *other;

	if (i == NULL)
		return err_nomem(sizeof(*i));
	i->o = *o;
	i->bytes = sizeof(*i) + o->refs.cap + o->members.cap + o->payload.cap;
	i->uses = 1;
	object_init(o, o->type);

	pool_lock_enter(&c->lock);
	/* Another thread may have fetched it meanwhile. */
	other = take(c, i->o.type, i->o.id);
	if (other == NULL) {
		i->chain = *bucket_of(c, i->o.id);
		*bucket_of(c, i->o.id) = i;
		c->bytes += i->bytes;
		evict(c, c->bytes_max);
	}
	pool_lock_leave(&c->lock);
	if (other != NULL) {
		item_free(i);
		i = other;
	}
	*out = &i->o;
	return 0;
}

void
fetch_cache_give(struct fetch_cache *c, const struct object *o)
{
	/* `o` is the first member of an item that we handed out. */
	struct item *i = (struct item *)(uintptr_t)o;

	pool_lock_enter(&c->lock);
	assert(i->uses > 0);
	if (--i->uses == 0) {
		enqueue(c, i);
		evict(c, c->bytes_max);
	}
	pool_lock_leave(&c->lock);
}
