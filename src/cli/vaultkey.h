#ifndef HS_CLI_VAULTKEY_H
#define HS_CLI_VAULTKEY_H

/*
 * The vault header between its two forms: as the keys layer authenticates it
 * and as it travels.  The layers below cannot see each other (the server can
 * never decrypt), so the command line translates.
 */

#include "proto/header.h"
#include "seal/keys.h"

/* The header of a vault with these keys and this chunker. */
void vaultkey_header(struct header *out, const struct keys *k,
    const struct chunker_params *chunker);

/*
 * Check a header that a store told with the vault's keys, and give the
 * chunker's parameters.  Returns 0; ERR_DAMAGED.
 */
int vaultkey_check(struct chunker_params *chunker, const struct header *h,
    const struct keys *k);

#endif
