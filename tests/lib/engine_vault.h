#ifndef HS_TESTS_ENGINE_VAULT_H
#define HS_TESTS_ENGINE_VAULT_H

/*
 * A vault in a temporary folder for tests of the engine, seen through a store
 * that counts what is asked of it, checks that children come before their
 * parents, and fails when it is told to.
 */

#include "seal/keys.h"
#include "store/store.h"

#include <stdatomic.h>
#include <stdint.h>

struct backend;
struct vault;

struct engine_vault {
	struct store base; /* what the engine gets */
	struct store *real;
	char *folder;
	struct backend *backend;
	struct vault *vault;
	struct keys keys;
	uint8_t seed[32];
	atomic_uint asked, asked_files, puts, commits; /* calls */
	_Atomic uint64_t asked_ids;
	_Atomic uint64_t put_bytes;
	/* Faults: the call with this number (from 1) fails; 0: none does. */
	unsigned fail_put, fail_have, fail_have_files;
	int fail_code;
	/* The first so many commits say that something is missing. */
	unsigned missing;
};

void engine_vault_open(struct engine_vault *v);
/* Another session, with the newest snapshot as its parent. */
void engine_vault_again(struct engine_vault *v);
void engine_vault_close(struct engine_vault *v);

/*
 * Check the newest snapshot against the directory: every entry with its
 * metadata, every content by its address and its holes.  Returns how many
 * snapshots there are.
 */
unsigned engine_vault_check(struct engine_vault *v, const char *dir);

#endif
