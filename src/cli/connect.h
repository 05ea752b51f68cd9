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

struct connect_options {
	const char *dir;
	const char *state_dir; /* NULL: DIR/.shamo */
	int64_t retry_seconds; /* how long to try a server that is down */
	int reads; /* it only reads: any session will do */
};

/* For --retry where the user says nothing: work that may go on for hours, and
 * what somebody waits for. */
#define CONNECT_RETRY_LONG 300
#define CONNECT_RETRY_SHORT 10

/* The options of a command before they are parsed: the current directory, and
 * for --retry what $SHASH_RETRY says, else `seconds`. ERR_USAGE. */
int connect_defaults(struct connect_options *o, int64_t seconds);

/* How the client waits for its server, and says that it does. */
struct channel_policy;
void connect_policy(struct channel_policy *out, int64_t retry_seconds);

struct connect {
	struct connect_options o;
	struct shamo state;
	struct keys keys; /* of the state's vault */
	struct chunker_params chunker; /* as the vault's header says */
	struct store *store;
	struct localstore local; /* behind a file:// URL */
};

/* The path of a file:// URL; NULL for another one. */
const char *connect_file(const char *url);

/*
 * Load the state of the directory and the keys from the keyring.  What `o`
 * points to outlives `*c`, which is to be closed in every case.  ERR_NOSTORE.
 */
int connect_prepare(struct connect *c, const struct connect_options *o);

/*
 * The same, and log in.
 * Returns 0; ERR_NOSTORE, ERR_UNREACHABLE, ERR_REFUSED, ...; `*c` is to be
 * closed in every case.
 */
int connect_open(struct connect *c, const struct connect_options *o);

/* Log in, after connect_prepare() or when the session became stale. */
int connect_again(struct connect *c);

void connect_close(struct connect *c);

#endif
