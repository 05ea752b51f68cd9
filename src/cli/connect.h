#ifndef HS_CLI_CONNECT_H
#define HS_CLI_CONNECT_H

/*
 * From a directory's state to a logged-in session on its store, remote
 * (http://, https://) or on this machine (file://): everything behind it sees
 * a struct store.
 */

#include "cli/localstore.h"
#include "cli/shamo.h"
#include "seal/keys.h"
#include "store/store.h"

struct connect {
	struct shamo state;
	struct keys keys; /* of the state's vault */
	struct gear_params chunker; /* as the vault's header says */
	struct store *store;
	struct localstore local; /* behind a file:// URL */
};

/* The path of a file:// URL; NULL for another one. */
const char *connect_file(const char *url);

/*
 * Load the state of `dir` and the keys from the keyring.  ERR_NOSTORE; `*c`
 * is to be closed in every case.
 */
int connect_prepare(struct connect *c, const char *dir, const char *state_dir);

/*
 * The same, and log in.
 * Returns 0; ERR_NOSTORE, ERR_UNREACHABLE, ERR_REFUSED, ...; `*c` is to be
 * closed in every case.
 */
int connect_open(struct connect *c, const char *dir, const char *state_dir);

/* Log in, after connect_prepare() or when the session became stale. */
int connect_again(struct connect *c);

void connect_close(struct connect *c);

#endif
