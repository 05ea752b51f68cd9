#ifndef HS_CLI_STOREMOUNT_H
#define HS_CLI_STOREMOUNT_H

/*
 * The directories of a store, as the commands with --store_dir name them.
 */

#include "server/account.h"

#include <stddef.h>
#include <stdint.h>

/* A directory whose record is lost, and which has snapshots or a policy of its
 * own, has an empty label, and a vault and a key of zeros. */
struct storemount {
	struct account_mount *items;
	size_t n;
};

/* Returns 0 and what storemount_release() ends; ERR_*. */
int storemount_load(struct storemount *out, const struct account *a);
void storemount_release(struct storemount *s);

/*
 * The directory that `text` names: its id (32 hex digits), which no label of
 * another takes from it; its label; or at least 8 digits of the id.
 * Returns 0; ERR_NOENT; ERR_USAGE (several).
 */
int storemount_find(
    uint8_t mount[IDENT_BYTES], const struct storemount *s, const char *text);
/* Its label, or the first digits of its id, fit for a terminal. */
#define STOREMOUNT_NAME_BYTES 1024
const char *storemount_name(char out[STOREMOUNT_NAME_BYTES],
    const struct storemount *s, const uint8_t mount[IDENT_BYTES]);
/* Its label; NULL when its file is lost. */
const char *storemount_label(
    const struct storemount *s, const uint8_t mount[IDENT_BYTES]);

#endif
