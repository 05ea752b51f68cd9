#ifndef HS_SERVER_DISPATCH_H
#define HS_SERVER_DISPATCH_H

/*
 * From HTTP requests to calls of a store session and back: which route, is
 * the request proved, what does it ask; docs/protocol.md 2 to 5.
 */

#include "base/pool.h"
#include "server/account.h"
#include "server/registration.h"
#include "server/sessions.h"

#include <stddef.h>

struct http_server_request;
struct store;

/*
 * Opens a store session for a mount that has logged in; its `info` tells the
 * generation and the pinned parent.
 */
typedef int dispatch_open_fn(
    struct store **out, void *arg, const struct account_mount *m);

struct dispatch {
	struct account *account; /* not owned, as the next */
	struct sessions *sessions;
	struct registration registration;
	dispatch_open_fn *open;
	void *arg;
	/* The gate: log-ins under way, and the vault that takes none. */
	struct pool_lock gate;
	struct pool_cond passed;
	unsigned passing;
	int closed;
	uint8_t closed_vault[IDENT_BYTES];
};

void dispatch_init(struct dispatch *d, struct account *a, struct sessions *ss,
    int insecure, dispatch_open_fn *open, void *arg);
void dispatch_release(struct dispatch *d);

/*
 * Let nobody log in to a vault, for somebody who needs it alone; one vault at
 * a time.  Returns 0; ERR_BUSY when it has sessions.
 */
int dispatch_close_vault(struct dispatch *d, const uint8_t vault[IDENT_BYTES]);
void dispatch_open_vault(struct dispatch *d);

/* The callbacks of net/http_server.h; `arg` is the struct dispatch. */
int dispatch_accept(
    size_t *body_max, void *arg, struct http_server_request *rq);
void dispatch_handle(void *arg, struct http_server_request *rq);

#endif
