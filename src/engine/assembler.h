#ifndef HS_ENGINE_ASSEMBLER_H
#define HS_ENGINE_ASSEMBLER_H

/*
 * Takes the blocks in the order of the walk and makes of them what the walk
 * is for: addresses, and in a backup bundles, entries and trees.
 */

#include "engine/run.h"
#include "object/entry.h"

struct assembler;

int assembler_new(struct assembler **out, struct run *run);
void assembler_free(struct assembler *a); /* NULL is fine */
/* The thread: takes all blocks of the flow.  Errors go to the run's fate. */
void assembler_run(void *arg);
/* Nonzero after a run with a stat cache that was written without a failure. */
int assembler_cached(const struct assembler *a);
/*
 * The root's entry after a run that did not fail.  Owned by the assembler; in
 * a scan only its metadata and address are set.
 */
const struct entry *assembler_root(const struct assembler *a);

#endif
