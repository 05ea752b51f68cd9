#ifndef HS_SERVER_POLICY_H
#define HS_SERVER_POLICY_H

/*
 * What a store's owner wants kept: STORE/keep/default.json, and
 * STORE/keep/MOUNT.json for a directory that has a policy of its own;
 * docs/protocol.md 7.  Written by `shash keep`, read at each prune, so a
 * running server needs no telling.  No client can reach them.
 */

#include "proto/ident.h"
#include "server/account.h"
#include "server/keep.h"

#include <stdint.h>

#define POLICY_FLOOR_DAYS 30 /* where nothing else is said */
#define POLICY_GRACE_DAYS 14
#define POLICY_GRACE_DAYS_MIN 7
#define POLICY_DAYS_MAX 36500

/* For the whole store. */
struct policy_terms {
	uint32_t floor_days; /* no count retires what is younger */
	uint32_t grace_days; /* how long the retired waits */
};

/*
 * The store's default policy (`mount` NULL), or that of a directory.  Returns
 * 0; 1 when none was set, and then `*out` keeps everything; ERR_DAMAGED;
 * ERR_IO; ERR_NOMEM.
 */
int policy_read(struct keep_policy *out, const char *dir, const uint8_t *mount);
/* What counts for a directory: its own policy, else the store's. */
int policy_effective(
    struct keep_policy *out, const char *dir, const uint8_t mount[IDENT_BYTES]);
/* Returns 0, with the values above where none were set; ERR_*. */
int policy_terms(struct policy_terms *out, const char *dir);

/* Looks at every policy; `found` is told which file is damaged.  Returns 0;
 * ERR_IO; ERR_NOMEM. */
int policy_audit(const char *dir, account_found_fn *found, void *arg);

/* Nonzero when somebody has ever set one in this store. */
int policy_is_used(const char *dir);

/* Set a policy, durably.  `terms` only with `mount` NULL. */
int policy_write(const char *dir, const uint8_t *mount,
    const struct keep_policy *p, const struct policy_terms *terms);
/* A directory has none of its own any more: 0, also when it had none. */
int policy_reset(const char *dir, const uint8_t mount[IDENT_BYTES]);

#endif
