#ifndef HS_SERVER_INVITATION_H
#define HS_SERVER_INVITATION_H

/*
 * STORE/invitations/ID.json: what the store keeps of an invitation.  Never
 * the UUID itself, only what checks the client's proof and makes the store's
 * own, so a copy of the store cannot be used to register with the original.
 *
 * A state machine of one durable step:
 *
 *     open --invitation_use(mount key)--> used by that mount
 *
 * A used one is still good for the mount that used it, which may have missed
 * the answer, and for nobody else.  An open one ends at its time by the wall
 * clock of the store's machine.
 */

#include "proto/enroll.h"
#include "server/account.h"

/*
 * Make an invitation in the store folder `dir`, beside a running server or
 * without one; an absent or empty folder becomes a store first.  It can be used
 * until `expires_ns`, of the wall clock (0: for ever).
 * Returns 0; ERR_NOSTORE; ERR_IO; ERR_NOSPACE; ERR_NOMEM.
 */
int invitation_make(
    char uuid[ENROLL_UUID_LEN + 1], const char *dir, int64_t expires_ns);

/*
 * The keys of invitation `id`, if the mount with this key may use it.
 * Returns 0, or ERR_REFUSED: there is none, another mount used it, or its
 * time is over.
 */
int invitation_find(struct enroll_keys *out, const struct account *a,
    const uint8_t id[IDENT_BYTES],
    const uint8_t mount_public[SIGN_PUBLIC_BYTES]);

/* Bind it to that mount, durably.  Repeating is fine. */
int invitation_use(const struct account *a, const struct enroll_keys *keys,
    const uint8_t mount_public[SIGN_PUBLIC_BYTES]);

#endif
