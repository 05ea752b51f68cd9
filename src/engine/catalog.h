#ifndef HS_ENGINE_CATALOG_H
#define HS_ENGINE_CATALOG_H

/*
 * The snapshots of a vault as a client sees them: decrypted, checked, and
 * found by what users type.  docs/format.md 8.
 */

#include "hash/address.h"
#include "object/snapshot.h"
#include "seal/keys.h"
#include "store/store.h"
#include "store/tomb.h"

enum catalog_chain {
	CATALOG_CHAIN_OK, /* it follows the one before, or an older one */
	CATALOG_CHAIN_PRUNED, /* those before it were, says the store */
	CATALOG_CHAIN_GAP, /* snapshots before this one are not listed */
	CATALOG_CHAIN_BROKEN /* it follows none of those before */
};

struct catalog_mount {
	uint8_t id[STORE_NAME_BYTES];
	uint8_t public_key[32];
	char *label;
};

struct catalog_entry {
	/*
	 * NULL for a good snapshot.  Otherwise what is wrong with it; then
	 * only mount and server_seq hold, its name in the store, and
	 * catalog_resolve() never chooses it.
	 */
	char *damage;
	const struct catalog_mount *mount; /* NULL: not known (damaged) */
	uint64_t client_seq, server_seq;
	int64_t receive_ns;
	uint8_t hash[HASH_BYTES]; /* snapshot_hash() of the file */
	enum catalog_chain chain;
	struct snapshot_info info; /* points into `payload` */
	char key[ADDRESS_TEXT_BYTES]; /* the root's address as text */
	struct buf payload;
};

/* A snapshot that the store's policy retired; by the store's signed word. */
struct catalog_retired {
	const struct catalog_mount *mount; /* NULL: not known */
	struct tomb t;
};

struct catalog {
	struct catalog_mount *mounts;
	size_t nmounts;
	/* By mount, oldest first. */
	struct catalog_entry *entries;
	size_t nentries;
	/* By mount, then by number; asked for only where entries lack some. */
	struct catalog_retired *retired;
	size_t nretired;
};

/* `text` is not escaped; log_warn() does that. */
typedef void catalog_warn_fn(void *arg, const char *text);

/*
 * Load the snapshots of `mount` (NULL: of every mount of the vault).  Each is
 * checked against the vault, its mount's public key and the one before it;
 * what is wrong is told to `warn` (NULL: nobody), one line each, and the
 * listing goes on.
 * Returns 0; ERR_NOMEM; any error of the store.
 */
int catalog_load(struct catalog **out, struct store *store,
    const struct keys *keys, const uint8_t mount[STORE_NAME_BYTES],
    catalog_warn_fn *warn, void *arg);
void catalog_free(struct catalog *c); /* NULL is fine */

/*
 * The snapshot that `key` means: a full key ("X" and 64 hex digits, or the
 * digits alone), at least 8 digits of one, "latest" (also NULL), or "@SEQ"
 * (the server's sequence).  Of equal keys the newest.
 * Returns 0 and an entry owned by the catalog; ERR_NOENT (no such snapshot, or
 * one that was retired);
 * ERR_USAGE (malformed, or it means several different ones); ERR_DAMAGED
 * (what it means is damaged; an older one is never taken for the latest).
 */
int catalog_resolve(
    const struct catalog_entry **out, const struct catalog *c, const char *key);

/*
 * The mount of this vault that `text` names: its label, its id (32 hex
 * digits), or at least 8 digits of the id.
 * Returns 0; ERR_NOENT; ERR_USAGE (several).
 */
int catalog_find_mount(
    uint8_t mount[STORE_NAME_BYTES], struct store *store, const char *text);

#endif
