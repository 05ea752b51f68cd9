#ifndef HS_SERVER_REGISTRATION_H
#define HS_SERVER_REGISTRATION_H

/*
 * The server's side of a registration: who may add which mount to which
 * vault; docs/protocol.md 3.2.
 */

#include "base/pool.h"
#include "proto/enroll.h"
#include "server/account.h"

struct registration {
	struct account *account;
	int insecure; /* no invitation needed */
	struct pool_lock lock; /* one at a time: an invitation is used once */
};

void registration_init(struct registration *g, struct account *a, int insecure);
void registration_release(struct registration *g);

/*
 * Check everything, then bind the invitation to the mount's key, then add the
 * vault and the mount.  A crash in between leaves an invitation with which
 * only the same mount can go on.
 *
 * Returns 0; ERR_REFUSED; ERR_EXIST; ERR_NOENT; ERR_IO; ERR_NOSPACE.
 */
int registration_do(struct enroll_answer *out, struct registration *g,
    const struct enroll_request *rq);

#endif
