#ifndef HS_CLIENT_REMOTE_H
#define HS_CLIENT_REMOTE_H

/*
 * A store seen over the network: implements store/store.h by the protocol of
 * docs/protocol.md.
 */

#include "client/channel.h"
#include "proto/header.h"
#include "proto/ident.h"
#include "sign/sign.h"

#include <stdint.h>

struct store;

struct remote_options {
	const char *url;
	uint8_t mount[IDENT_BYTES];
	uint8_t mount_seed[SIGN_SEED_BYTES];
	/* The store's key as it was when the mount was registered. */
	uint8_t store_public[SIGN_PUBLIC_BYTES];
	const struct channel_policy *policy; /* NULL: the default one */
	/* The session only reads: where it ends, as with a server that starts
	 * anew, get and the listings open another one and go on. */
	int renew;
};

/*
 * Log in.  Returns 0 and a store to end with ops->close(); ERR_UNREACHABLE;
 * ERR_REFUSED: the mount is not registered there, or it is another store.
 */
int remote_open(struct store **out, const struct remote_options *o);

/* The header of the vault, as the store told it at log-in; the caller checks
 * it with the vault's keys. */
const struct header *remote_header(const struct store *s);

#endif
