#ifndef HS_ENGINE_RESTORE_SPARE_H
#define HS_ENGINE_RESTORE_SPARE_H

/*
 * Errands for the workers, and contents, kept for the next use: fresh memory
 * costs more than what is copied into it.
 *
 * Thread use: every function may be called from any thread.
 */

#include "engine/restore_window.h"
#include "store/store.h"

/* What a worker is handed: a record of `object`, or parts that are ready. */
struct restore_item {
	struct restore_item *next;
	struct restore_object *object; /* NULL: parts */
	enum store_got got;
	struct buf record;
	struct restore_part *parts; /* by `next_ready` */
};

struct restore_spare;

int restore_spare_new(struct restore_spare **out);
void restore_spare_free(struct restore_spare *s); /* NULL is fine */

/* An item with an empty record.  ERR_NOMEM. */
int restore_spare_item(struct restore_item **out, struct restore_spare *s);
void restore_spare_give_item(
    struct restore_spare *s, struct restore_item *item);

/* An object of any content; NULL: no memory (message set). */
struct object *restore_spare_object(struct restore_spare *s);
void restore_spare_give_object(struct restore_spare *s, struct object *o);

#endif
