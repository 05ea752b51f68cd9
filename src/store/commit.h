#ifndef HS_STORE_COMMIT_H
#define HS_STORE_COMMIT_H

/*
 * The commit of a snapshot.  When it begins, the session's packs are durable
 * and admitted:
 *  P1 a pack is written to a name of its own, every result checked;
 *  P2 its data is synced;                                  [fsync]
 *  P3 it gets its name, which never replaces;
 *  P4 the directory is synced;                             [fsync]
 *  P5 the index admits it in one transaction.              [fsync]
 * (P1 to P4 in backend/dir.h, P5 in store/session.c.)  Then, under the
 * vault's `change` lock, so that nothing leaves `have` in between:
 *  C1 the client part is decoded, its vault, mount and signature checked;
 *  C2 a repeat of the newest snapshot of the mount gets its receipt again;
 *     another one under that client sequence is refused;
 *  C3 client sequence and previous hash continue the mount's history;
 *  C4 closure: each of its refs is closed, hence all that they reach; open
 *     objects whose needs have come meanwhile are admitted here;
 *  C5 the file SEQ.snap is put by steps P1 to P4: this is the commit point;
 *                                                          [fsync twice]
 *  C6 the index and the heads learn of it.
 * After C5 the snapshot survives a power cut, and only then the caller gets
 * success.  A crash before C5's rename leaves no trace but packs; between the
 * rename and its sync the snapshot may appear, and is complete.
 */

#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

struct vault;

/*
 * store.h: commit, for the mount with this id and public key.  Besides the
 * errors named there: ERR_REFUSED for a snapshot of another vault or mount or
 * with a wrong signature; ERR_STALE when it does not continue the history.
 */
int commit_snapshot(struct store_receipt *receipt, struct buf *missing,
    struct vault *v, const uint8_t mount[STORE_NAME_BYTES],
    const uint8_t public_key[32], const uint8_t *client, size_t len);

#endif
