#ifndef HS_SEAL_KEYS_H
#define HS_SEAL_KEYS_H

/*
 * A vault's keys, all derived from one random master key; docs/format.md 2.
 * The struct is a secret: keys_wipe() it.
 */

#include "base/buf.h"
#include "chunk/chunker.h"
#include "sign/sign.h"

#include <stdint.h>

#define KEYS_BYTES 32
#define KEYS_VAULT_BYTES 16 /* vault id */

struct keys {
	uint8_t master[KEYS_BYTES];
	uint8_t vault[KEYS_VAULT_BYTES]; /* public name of the vault */
	uint8_t id[KEYS_BYTES]; /* object ids */
	uint8_t file[KEYS_BYTES]; /* file ids */
	uint8_t chunker[KEYS_BYTES];
	uint8_t split[KEYS_BYTES]; /* where trees and maps are split */
	uint8_t link[KEYS_BYTES]; /* hard-link groups */
	uint8_t header[KEYS_BYTES]; /* authenticates the vault header */
	uint8_t cache[KEYS_BYTES]; /* stat cache records */
	uint8_t join_seed[SIGN_SEED_BYTES]; /* proves membership */
	uint8_t join_public[SIGN_PUBLIC_BYTES];
	uint32_t epoch; /* the one that can be read and written */
	uint8_t seal[KEYS_BYTES]; /* of that epoch */
	uint8_t nonce[KEYS_BYTES]; /* of that epoch */
};

/* A new random master key. */
void keys_make_master(uint8_t master[KEYS_BYTES]);
/* Derive everything for `epoch`, whose master key this is; format.md 2.4. */
void keys_derive(
    struct keys *k, const uint8_t master[KEYS_BYTES], uint32_t epoch);
void keys_wipe(struct keys *k);

/* The vault header: chunker and join key, authenticated by the master key.
 * The MAC also covers what is constant in version 1; format.md 9.1. */
#define KEYS_HEADER_FORMAT 1
#define KEYS_HEADER_RESERVED 32
struct keys_header {
	struct chunker_params chunker;
	uint8_t vault[KEYS_VAULT_BYTES];
	uint8_t join_public[SIGN_PUBLIC_BYTES];
	uint8_t mac[KEYS_BYTES];
};
/* Fill vault, join key and MAC for a vault with these chunker parameters. */
void keys_header_make(struct keys_header *h, const struct keys *k,
    const struct chunker_params *chunker);
/* Returns 0; ERR_DAMAGED when `h` was not made with this master key. */
int keys_header_check(const struct keys_header *h, const struct keys *k);

#endif
