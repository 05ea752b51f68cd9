#ifndef HS_SERVER_STOREID_H
#define HS_SERVER_STOREID_H

/*
 * A store's identity, store.json and server.key, and the folder that they
 * make a store; docs/protocol.md 7.
 */

#include "sign/sign.h"

#include <stdint.h>

/*
 * Make an absent or empty folder a store; fine when it is one.  Two processes
 * may try that at once.  Returns 0; ERR_NOSTORE: it holds what is not ours;
 * ERR_DAMAGED: it holds vaults, and their server.key is gone; ERR_IO;
 * ERR_NOSPACE; ERR_NOMEM.
 */
int storeid_make(const char *dir);

/*
 * The store's Ed25519 key and the seed behind it, which the caller wipes.
 * Returns 0; ERR_NOSTORE: no store, or of another format; ERR_DAMAGED; ERR_IO;
 * ERR_NOMEM.
 */
int storeid_read(uint8_t public_key[SIGN_PUBLIC_BYTES],
    uint8_t seed[SIGN_SEED_BYTES], const char *dir);

#endif
