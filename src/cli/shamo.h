#ifndef HS_CLI_SHAMO_H
#define HS_CLI_SHAMO_H

/*
 * The state of a registered directory: DIR/.shamo/ or --state_dir (0700).
 *
 *   config.json   what it is registered with (below), no secrets
 *   mount.key     the mount's Ed25519 seed, 64 hexadecimal digits, 0600
 *   pending.key   a new vault's master key, only while it is registered
 *   head.json     the last snapshot that the store acknowledged
 *   .gitignore    "*": keys never go into somebody's repository
 *   cache/        the stat cache; may be deleted at any time
 *
 * The vault's master key is not here but in the user's keyring, so a copy of
 * the directory does not carry it.
 */

#include "sign/sign.h"

#include <stdint.h>

#define SHAMO_URL_BYTES 2048

struct shamo {
	char *dir; /* the registered directory, as given */
	char *path; /* the state directory */
	char *url; /* where the store is */
	char *label;
	uint8_t store_public[SIGN_PUBLIC_BYTES]; /* pinned at registration */
	uint8_t vault[16];
	uint8_t mount[16];
	uint8_t mount_seed[SIGN_SEED_BYTES]; /* secret */
};

void shamo_init(struct shamo *s);
/* Wipes the seed. */
void shamo_release(struct shamo *s);

/*
 * Fill in `dir` and `path` (state_dir NULL: DIR/.shamo).  Returns 0;
 * ERR_NOENT when the directory is none; ERR_NOMEM.
 */
int shamo_locate(struct shamo *s, const char *dir, const char *state_dir);

/* 1: config.json is there; 0: it is not; ERR_*: nobody knows. */
int shamo_exists(const struct shamo *s);

/* Read everything.  ERR_NOSTORE: not registered, or a state that cannot be
 * used, with what to do; ERR_NOMEM. */
int shamo_load(struct shamo *s);

/* Write the seed first: a repeated registration must use the same one. */
int shamo_save_seed(const struct shamo *s);
/* Read it back: 0; 1 when there is none. */
int shamo_load_seed(struct shamo *s);
/* What is in the state directory may be of a process that died before it had
 * synced that: sync it, before anything relies on it, and remove its temporary
 * files. */
int shamo_sync(const struct shamo *s);

/* The master key of a vault that is being opened; see cmd_register.c. */
int shamo_save_pending(const uint8_t master[32], const struct shamo *s);
/* 0; 1 when there is none. */
int shamo_load_pending(uint8_t master[32], const struct shamo *s);
void shamo_drop_pending(const struct shamo *s);

/* Write config.json: from here on the directory is registered. */
int shamo_save(const struct shamo *s);

/*
 * Where the stat cache is kept: in the state directory; when that lies on a
 * network file system, which cannot share a map of memory, below the user's
 * own caches, which are made.  NULL: nowhere, and err_text() says why; else
 * the caller's to free.
 */
char *shamo_cache_path(const struct shamo *s);

/*
 * The last acknowledged snapshot: a store that later shows an older or another
 * one lost it, or hides it.
 */
struct shamo_head {
	uint64_t client_seq;
	uint8_t snapshot[32]; /* its hash */
	/* For people; zero in a file of an older version. */
	uint64_t server_seq;
	int64_t receive_ns;
	uint64_t files, bytes;
	uint8_t address[32]; /* the directory's key */
};
/* 0; 1 when there is none; ERR_*. */
int shamo_load_head(struct shamo_head *out, const struct shamo *s);
int shamo_save_head(const struct shamo *s, const struct shamo_head *h);

/*
 * One backup at a time per directory: lock of the state directory, held
 * until the descriptor is closed.  ERR_BUSY; ERR_NOSTORE; ERR_IO.
 */
int shamo_lock(int *fd, const struct shamo *s);

#endif
