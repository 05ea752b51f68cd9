#ifndef HS_STORE_LOCAL_H
#define HS_STORE_LOCAL_H

/*
 * The store of store.h on this machine: a session on a vault in this very
 * process (file:// URLs, tests of the engine).
 */

#include "store/store.h"

struct vault;

struct store_local_options {
	struct vault *vault; /* outlives the store */
	uint8_t store_public[32];
	uint8_t mount[STORE_NAME_BYTES];
	uint8_t mount_public[32];
	/* Calls `found` for each mount of the vault; NULL: only this one,
	 * with an empty label. */
	int (*mounts)(void *mounts_arg, store_mount_fn *found, void *arg);
	void *mounts_arg;
};

/* Returns 0 and a store to end with ops->close(); ERR_*. */
int store_local_open(struct store **out, const struct store_local_options *o);

#endif
