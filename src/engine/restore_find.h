#ifndef HS_ENGINE_RESTORE_FIND_H
#define HS_ENGINE_RESTORE_FIND_H

/* Whether paths exist in a snapshot, before anything is restored. */

#include "engine/fetch.h"
#include "engine/restore_select.h"
#include "object/entry.h"

/*
 * Check that every selected path exists below `root`; one that does not, and
 * has wildcards, becomes a pattern.
 * Returns 0; ERR_NOENT naming one that does not; ERR_USAGE; errors of the
 * store.
 */
int restore_find_paths(
    struct fetch *f, struct restore_select *select, const struct entry *root);

#endif
