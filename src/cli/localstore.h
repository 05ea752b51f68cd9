#ifndef HS_CLI_LOCALSTORE_H
#define HS_CLI_LOCALSTORE_H

/*
 * A store on this machine, used without a server: whoever has it open is the
 * server for the time being and holds its lock.  Behind file:// URLs, and
 * behind the commands that take --store_dir.
 */

#include "proto/header.h"
#include "server/account.h"

#include <stdint.h>

struct backend;
struct store;
struct vault;

struct localstore {
	struct account *account;
	struct backend *backend; /* of one vault */
	struct vault *vault;
	uint8_t vault_id[16];
	int in_session; /* there may be snapshots that have no stamp yet */
};

/*
 * The one place that says which backend the vaults of stores here have: a
 * vaults_backend_fn, for a server too.
 */
int localstore_backend(
    struct backend **out, const char *vault_dir, const char *incoming_dir);
/*
 * Open the store in `dir` and take its lock; `create` makes one where there
 * is nothing.  ERR_NOSTORE; ERR_BUSY: a server or another command has it.
 */
int localstore_open(struct localstore *l, const char *dir, int create);
/* Open one of its vaults. */
int localstore_vault(struct localstore *l, const uint8_t vault[16]);
/* Close the vault that is open, if any. */
void localstore_vault_close(struct localstore *l);
/* A session of a mount on its vault, and the vault's header. */
int localstore_session(struct store **out, struct header *header,
    struct localstore *l, const uint8_t mount[16]);
/* Everything is closed; fine for a zeroed struct. */
void localstore_close(struct localstore *l);

#endif
