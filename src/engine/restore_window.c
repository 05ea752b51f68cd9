#include "engine/restore_window.h"

#include "base/err.h"
#include "base/limits.h"
#include "engine/restore_file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(RESTORE_WINDOW_OBJECTS <= LIMIT_GET_IDS,
    "a window is one request to the store");

/* Content in memory at once: two windows are under way. */
#define BYTES_MAX (16u << 20)
/* Small entries cost memory of their own. */
#define PARTS_MAX 8192u
#define PIECES_MAX 32768u
#define SLOTS (2 * RESTORE_WINDOW_OBJECTS)

int
restore_window_new(struct restore_window **out)
{
	struct restore_window *win = calloc(1, sizeof(*win));

	if (win == NULL)
		return err_nomem(sizeof(*win));
	win->objects = calloc(RESTORE_WINDOW_OBJECTS, sizeof(*win->objects));
	win->slots = calloc(SLOTS, sizeof(struct restore_object *));
	if (win->objects == NULL || win->slots == NULL) {
		restore_window_free(win);
		return err_nomem(
		    RESTORE_WINDOW_OBJECTS * sizeof(*win->objects));
	}
	*out = win;
	return 0;
}

void
restore_window_free(struct restore_window *win)
{
	size_t i;

	if (win == NULL)
		return;
	assert(win->left == 0);
	for (i = 0; i < win->nobjects; i++) {
		assert(win->objects[i].content == NULL);
		free(win->objects[i].why);
	}
	free(win->objects);
	free(win->slots);
	free(win);
}

static struct restore_object **
slot_of(const struct restore_window *win, const uint8_t *id)
{
	return &win->slots[(id[0] | (unsigned)id[1] << 8) % SLOTS];
}

struct restore_object *
restore_window_find(
    const struct restore_window *win, const uint8_t id[OBJECT_ID_BYTES])
{
	struct restore_object *o;

	for (o = *slot_of(win, id); o != NULL; o = o->chain) {
		if (memcmp(o->id, id, OBJECT_ID_BYTES) == 0)
			return o;
	}
	return NULL;
}

int
restore_window_full(const struct restore_window *win)
{
	return win->bytes >= BYTES_MAX || win->nparts >= PARTS_MAX ||
	       win->npieces >= PIECES_MAX ||
	       win->nobjects + RESTORE_WINDOW_PIECES > RESTORE_WINDOW_OBJECTS;
}

void
restore_window_need(struct restore_window *win, struct restore_piece *piece,
    enum object_type type, const uint8_t id[OBJECT_ID_BYTES], uint64_t bytes)
{
	struct restore_object *o = restore_window_find(win, id);

	if (o == NULL) {
		assert(win->nobjects < RESTORE_WINDOW_OBJECTS);
		o = &win->objects[win->nobjects++];
		memcpy(o->id, id, OBJECT_ID_BYTES);
		o->type = type;
		o->chain = *slot_of(win, id);
		*slot_of(win, id) = o;
		win->bytes += bytes;
	}
	piece->type = type;
	piece->object = o;
	piece->next = o->waiting;
	o->waiting = piece;
	o->uses++;
}

void
restore_window_add(struct restore_window *win, struct restore_part *part)
{
	size_t i;

	part->window = win;
	part->next = part->next_ready = NULL;
	for (i = 0; i < part->npieces; i++) {
		part->pieces[i].part = part;
		if (part->pieces[i].object != NULL)
			part->missing++;
	}
	*(win->last != NULL ? &win->last->next_ready : &win->parts) = part;
	win->last = part;
	win->nparts++;
	win->npieces += part->npieces;
	win->left++;
}
