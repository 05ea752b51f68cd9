#ifndef HS_CLI_PRUNED_H
#define HS_CLI_PRUNED_H

/*
 * What `prune` and `unprune` share: the store, with or without a server, and a
 * line for each snapshot that they tell of.
 */

#include "cli/storemount.h"
#include "server/prune.h"

#include <stdint.h>

struct pruned {
	const char *store_dir;
	struct storemount mounts;
	uint64_t counts[PRUNE_BACK + 1]; /* by fate */
};

/* Load the names of the directories.  Returns 0 or ERR_*. */
int pruned_begin(struct pruned *p, const char *store_dir);
void pruned_end(struct pruned *p);
/* A prune_found_fn; `arg` is the struct pruned. */
int pruned_print(void *arg, const struct prune_item *item);

#endif
