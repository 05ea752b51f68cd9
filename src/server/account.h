#ifndef HS_SERVER_ACCOUNT_H
#define HS_SERVER_ACCOUNT_H

/*
 * A store's folder without its objects: identity, mounts and vault headers;
 * docs/protocol.md 7.  Used by the server, and by the command line for a
 * store that is used without one (file://).
 *
 * All files are small JSON, written durably and never changed, except that an
 * invitation becomes a used one (server/invitation.h).
 *
 * Thread use: any thread may call anything; account_add() locks itself.
 */

#include "proto/enroll.h"
#include "proto/header.h"
#include "proto/ident.h"
#include "sign/sign.h"

#include <stdint.h>

struct account; /* an open store folder */
struct guard;

/* A registered directory of a machine. */
struct account_mount {
	uint8_t mount[IDENT_BYTES];
	uint8_t vault[IDENT_BYTES];
	uint8_t public_key[SIGN_PUBLIC_BYTES];
	char label[LIMIT_LABEL_BYTES + 1];
	int64_t created_ns; /* wall clock */
};

/* Flags of account_open(). */
#define ACCOUNT_CREATE 1u /* make the store where there is nothing yet */
#define ACCOUNT_LOCK 2u /* take the store's lock until account_close() */

/*
 * Open the store in `dir`.  With ACCOUNT_CREATE an absent or empty folder
 * becomes a store first; two processes may try that at once.
 * Returns 0; ERR_NOSTORE (no store, or of another format); ERR_BUSY (somebody
 * has the lock); ERR_IO; ERR_DAMAGED; ERR_NOMEM.
 */
int account_open(struct account **out, const char *dir, unsigned flags);
void account_close(struct account *a); /* NULL is fine */

const char *account_dir(const struct account *a);
/* The store's Ed25519 key: its identity, and the seed that proves it. */
const uint8_t *account_public(const struct account *a);
const uint8_t *account_seed(const struct account *a);

/* The guard of the store's disk; NULL without ACCOUNT_LOCK. */
struct guard *account_guard(const struct account *a);

/* A vault's folder, in memory to free(); NULL: no memory. */
char *account_vault_dir(
    const struct account *a, const uint8_t vault[IDENT_BYTES]);
/* Where the vault's index belongs, as account_vault_dir(). */
char *account_index_dir(
    const struct account *a, const uint8_t vault[IDENT_BYTES]);

/* Where files under way lie; emptied when the lock is taken. */
char *account_incoming_dir(const struct account *a);

/* Returns 0; 1 when there is no such vault; ERR_*.  A header that was lost is
 * put back from a mount's copy of it. */
int account_vault(struct header *out, const struct account *a,
    const uint8_t vault[IDENT_BYTES]);
/* Returns 0; 1 when there is no such mount; ERR_*. */
int account_mount(struct account_mount *out, const struct account *a,
    const uint8_t mount[IDENT_BYTES]);

/* Every mount of `vault` (NULL: of all vaults), in order of their ids.  A
 * nonzero return of `found` ends the listing with it. */
typedef int account_mount_fn(void *arg, const struct account_mount *m);
int account_mounts(const struct account *a, const uint8_t *vault,
    account_mount_fn *found, void *arg);

/* Every vault, in order of their ids. */
typedef int account_vault_fn(void *arg, const uint8_t vault[IDENT_BYTES]);
int account_vaults(const struct account *a, account_vault_fn *found, void *arg);

/*
 * Read all vault headers and mounts, and put back what there is a copy of.
 * `found` is told each file that is damaged, relative to the store's folder,
 * and what became of it; it may be called for none.  Returns 0 or ERR_*.
 */
typedef void account_found_fn(void *arg, const char *where, const char *what);
int account_audit(const struct account *a, account_found_fn *found, void *arg);

/*
 * Would account_add() do it?  Returns 0 and sets `*stored` to the vault's
 * header as it is or will be; ERR_EXIST (a new vault that is there, with
 * another mount); ERR_NOENT (joining one that is not); ERR_REFUSED (another
 * join key than the vault's, or the mount belongs to another vault).
 */
int account_check(struct header *stored, int *created, const struct account *a,
    const uint8_t mount_public[SIGN_PUBLIC_BYTES], const struct header *h,
    enum enroll_mode mode);

/*
 * Add the mount with this key to the vault with header `h`, durably; the
 * vault too, as `mode` says.  Repeating it with the same key is fine and
 * gives what the first time gave (`*created` apart).  The caller has checked
 * that the vault's join key agrees, or is on this machine itself.
 * Errors as account_check(), and ERR_IO, ERR_NOSPACE.
 */
int account_add(struct account_mount *out, struct header *stored, int *created,
    struct account *a, const uint8_t mount_public[SIGN_PUBLIC_BYTES],
    const char *label, const struct header *h, enum enroll_mode mode);

#endif
