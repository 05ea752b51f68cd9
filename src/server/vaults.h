#ifndef HS_SERVER_VAULTS_H
#define HS_SERVER_VAULTS_H

/*
 * The vaults of a store, each opened once when somebody first needs it and
 * kept until the end.
 *
 * Thread use: any thread may call anything.
 */

#include "server/account.h"

struct backend;
struct store;
struct vault;
struct vaults;

/* As in server/server.h. */
typedef int vaults_backend_fn(
    struct backend **out, const char *vault_dir, const char *incoming_dir);

/* `a` has the store's lock and outlives the vaults. */
int vaults_new(struct vaults **out, const struct account *a,
    vaults_backend_fn *open_backend);
/* Every session has ended.  NULL is fine. */
void vaults_free(struct vaults *vs);

/* Log what the opening of a vault had to repair, if anything. */
void vaults_tell(const struct vault *v);

/*
 * The vault with this id, owned by `vs`, for work on the whole of it (verify,
 * reindex, prune, sweep, scrub), of which one at a time is done: waits for
 * another.  Opening may rebuild its index.  vaults_return() follows.
 * Returns 0; ERR_NOENT; ERR_DAMAGED; ERR_IO; ERR_NOMEM.
 */
int vaults_borrow(
    struct vault **out, struct vaults *vs, const uint8_t vault[IDENT_BYTES]);
void vaults_return(struct vaults *vs, const uint8_t vault[IDENT_BYTES]);

/*
 * Call `found` for each vault that is open now; nonzero ends it with that
 * code.  Vaults stay open to the end, so it may take its time.
 */
typedef int vaults_open_fn(void *arg, struct vault *v);
int vaults_each_open(struct vaults *vs, vaults_open_fn *found, void *arg);

/*
 * A session on its vault for mount `m`, to end with ops->close() before the
 * vaults end.  This is all that a store without a server (file://) needs.
 * Has the form of a dispatch_open_fn; `arg` is the struct vaults.
 */
int vaults_session(
    struct store **out, void *arg, const struct account_mount *m);

#endif
