#ifndef HS_CLI_STATE_H
#define HS_CLI_STATE_H

/*
 * The state of a registered directory: DIR/.shamo/ or --state_dir (0700).
 *
 *   config.json   what it is registered with (below), no secrets
 *   mount.key     the mount's Ed25519 seed, 64 hexadecimal digits, 0600
 *   pending.key   a new vault's master key, only while it is registered
 *   .gitignore    "*": keys never go into somebody's repository
 *   cache/        the stat cache; may be deleted at any time
 *
 * The vault's master key is not here but in the user's keyring, so a copy of
 * the directory does not carry it.
 */

#include "sign/sign.h"

#include <stdint.h>

#define STATE_URL_BYTES 2048

struct state {
	char *dir; /* the registered directory, as given */
	char *path; /* the state directory */
	char *url; /* where the store is */
	char *label;
	uint8_t store_public[SIGN_PUBLIC_BYTES]; /* pinned at registration */
	uint8_t vault[16];
	uint8_t mount[16];
	uint8_t mount_seed[SIGN_SEED_BYTES]; /* secret */
};

void state_init(struct state *s);
/* Wipes the seed. */
void state_release(struct state *s);

/*
 * Fill in `dir` and `path` (state_dir NULL: DIR/.shamo).  Returns 0;
 * ERR_NOENT when the directory is none; ERR_NOMEM.
 */
int state_locate(struct state *s, const char *dir, const char *state_dir);

/* Nonzero when config.json is there. */
int state_exists(const struct state *s);

/* Read everything.  ERR_NOSTORE: not registered, or a state that cannot be
 * used, with what to do. */
int state_load(struct state *s);

/* Write the seed first: a repeated registration must use the same one. */
int state_save_seed(const struct state *s);
/* Read it back: 0; 1 when there is none. */
int state_load_seed(struct state *s);

/* The master key of a vault that is being opened; see cmd_register.c. */
int state_save_pending(const uint8_t master[32], const struct state *s);
/* 0; 1 when there is none. */
int state_load_pending(uint8_t master[32], const struct state *s);
void state_drop_pending(const struct state *s);

/* Write config.json: from here on the directory is registered. */
int state_save(const struct state *s);

/*
 * One backup at a time per directory: lock of the state directory, held
 * until the descriptor is closed.  ERR_BUSY.
 */
int state_lock(int *fd, const struct state *s);

#endif
