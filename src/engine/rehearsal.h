#ifndef HS_ENGINE_REHEARSAL_H
#define HS_ENGINE_REHEARSAL_H

/*
 * The store that a dry run sees: it answers as the real one does, and what is
 * put into it goes nowhere.
 */

#include "store/store.h"

struct rehearsal {
	struct store store;
	struct store *real;
};

/* `real` must outlive it. */
void rehearsal_init(struct rehearsal *r, struct store *real);

#endif
