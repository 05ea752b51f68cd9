#include "engine/asker.h"

#include "base/err.h"
#include "base/limits.h"
#include "engine/sealer.h"
#include "seal/keys.h"
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct asker {
	struct run *run;
	struct worker *worker;
	uint32_t objects_max;
	size_t bytes_max;
	uint32_t n;
	size_t bytes;
	uint8_t *bitmap;
	uint8_t *ids;
	struct object objects[];
};

int
asker_new(struct asker **out, struct run *run, struct worker *w,
    uint32_t objects_max, size_t bytes_max)
{
	size_t size =
	    sizeof(struct asker) + objects_max * sizeof(struct object);
	struct asker *a;
	uint32_t i;

	assert(objects_max > 0 && objects_max <= LIMIT_HAVE_IDS);
	a = calloc(1, size);
	if (a == NULL)
		return err_nomem(size);
	a->run = run;
	a->worker = w;
	a->objects_max = objects_max;
	a->bytes_max = bytes_max;
	for (i = 0; i < objects_max; i++)
		object_init(&a->objects[i], OBJECT_CHUNK);
	a->bitmap = malloc((objects_max + 7) / 8);
	a->ids = malloc((size_t)objects_max * OBJECT_ID_BYTES);
	if (a->bitmap == NULL || a->ids == NULL) {
		asker_free(a);
		return err_nomem((size_t)objects_max * OBJECT_ID_BYTES);
	}
	*out = a;
	return 0;
}

void
asker_free(struct asker *a)
{
	uint32_t i;

	if (a == NULL)
		return;
	for (i = 0; i < a->objects_max; i++)
		object_release(&a->objects[i]);
	free(a->bitmap);
	free(a->ids);
	free(a);
}

int
asker_add(struct asker *a, struct object *o)
{
	struct object *place, empty;

	object_name(o, a->run->keys->id);
	if (sealer_knows(a->run->sealer, o->id))
		return 0;
	place = &a->objects[a->n++];
	empty = *place;
	*place = *o;
	/* The caller's object gets our memory and keeps its name. */
	empty.type = o->type;
	memcpy(empty.id, o->id, OBJECT_ID_BYTES);
	*o = empty;
	a->bytes += place->payload.len;
	if (a->n == a->objects_max || a->bytes >= a->bytes_max)
		return asker_flush(a);
	return 0;
}

int
asker_emit(void *arg, struct object *o)
{
	return asker_add(arg, o);
}

int
asker_flush(struct asker *a)
{
	struct run *run = a->run;
	uint32_t i;
	int r;

	if (a->n == 0)
		return 0;
	for (i = 0; i < a->n; i++)
		memcpy(a->ids + (size_t)i * OBJECT_ID_BYTES, a->objects[i].id,
		    OBJECT_ID_BYTES);
	memset(a->bitmap, 0, (a->n + 7) / 8);
	r = fate_check(&run->fate);
	if (r == 0)
		r = run->store->ops->have(run->store, a->bitmap, a->ids, a->n);
	for (i = 0; i < a->n; i++) {
		struct object *o = &a->objects[i];

		if (r == 0 && (a->bitmap[i / 8] >> (i % 8) & 1) == 0)
			r = sealer_submit(run->sealer, o, a->worker);
		object_release(o);
		object_init(o, OBJECT_CHUNK);
	}
	a->n = 0;
	a->bytes = 0;
	return r;
}
