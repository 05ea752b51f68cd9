#include "engine/restore_spare.h"

#include "base/err.h"
#include "base/pool.h"

#include <stdlib.h>

/* Contents kept; items are as few as the queue is long. */
#define OBJECTS_MAX 8u

struct spare_object {
	struct object o; /* the first member */
	struct spare_object *next;
};

struct restore_spare {
	struct pool_lock lock; /* of all below */
	struct restore_item *items;
	struct spare_object *objects;
	unsigned nobjects;
};

int
restore_spare_new(struct restore_spare **out)
{
	struct restore_spare *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_nomem(sizeof(*s));
	pool_lock_init(&s->lock);
	*out = s;
	return 0;
}

static void
object_end(struct spare_object *o)
{
	object_release(&o->o);
	free(o);
}

void
restore_spare_free(struct restore_spare *s)
{
	struct restore_item *item;
	struct spare_object *o;

	if (s == NULL)
		return;
	while ((item = s->items) != NULL) {
		s->items = item->next;
		buf_release(&item->record);
		free(item);
	}
	while ((o = s->objects) != NULL) {
		s->objects = o->next;
		object_end(o);
	}
	pool_lock_release(&s->lock);
	free(s);
}

int
restore_spare_item(struct restore_item **out, struct restore_spare *s)
{
	struct restore_item *item;

	pool_lock_enter(&s->lock);
	item = s->items;
	if (item != NULL)
		s->items = item->next;
	pool_lock_leave(&s->lock);
	if (item == NULL) {
		item = calloc(1, sizeof(*item));
		if (item == NULL)
			return err_nomem(sizeof(*item));
		buf_init(&item->record);
	}
	buf_reset(&item->record);
	*out = item;
	return 0;
}

void
restore_spare_give_item(struct restore_spare *s, struct restore_item *item)
{
	pool_lock_enter(&s->lock);
	item->next = s->items;
	s->items = item;
	pool_lock_leave(&s->lock);
}

struct object *
restore_spare_object(struct restore_spare *s)
{
	struct spare_object *o;

	pool_lock_enter(&s->lock);
	o = s->objects;
	if (o != NULL) {
		s->objects = o->next;
		s->nobjects--;
	}
	pool_lock_leave(&s->lock);
	if (o == NULL) {
		o = calloc(1, sizeof(*o));
		if (o == NULL) {
			(void)err_nomem(sizeof(*o)); /* the caller sees NULL */
			return NULL;
		}
		object_init(&o->o, OBJECT_CHUNK);
	}
	return &o->o;
}

void
restore_spare_give_object(struct restore_spare *s, struct object *object)
{
	/* `object` is the first member of one that we handed out. */
	struct spare_object *o = (struct spare_object *)(void *)object;

	pool_lock_enter(&s->lock);
	if (s->nobjects < OBJECTS_MAX) {
		o->next = s->objects;
		s->objects = o;
		s->nobjects++;
		o = NULL;
	}
	pool_lock_leave(&s->lock);
	if (o != NULL)
		object_end(o);
}
