#ifndef HS_CLI_KEYRING_H
#define HS_CLI_KEYRING_H

/*
 * The user's keyring, $XDG_CONFIG_HOME/hashstore/ (0700): one file per vault,
 * vault-HEX.json (0600), with its master key and the stores that hold it.
 */

#include <stdint.h>

#define KEYRING_STORES_MAX 64

/*
 * Find the master key of `vault`.  Returns 0; 1 when the keyring has none;
 * ERR_NOSTORE when its file cannot be used; ERR_NOMEM.
 */
int keyring_load(uint8_t master[32], const uint8_t vault[16]);

/* As keyring_load(), but absence is ERR_NOSTORE with a line on what to do. */
int keyring_need(uint8_t master[32], const uint8_t vault[16]);

/*
 * Find the vault that this user has on a store.  Returns 0; 1 when there is
 * none.  Of several, `*found`, it is any.
 */
int keyring_find(
    uint8_t vault[16], unsigned *found, const uint8_t store_public[32]);

/* Keep a master key and note that `store_public` holds its vault. */
int keyring_save(const uint8_t master[32], const uint8_t vault[16],
    const uint8_t store_public[32]);

#endif
