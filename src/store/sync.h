#ifndef HS_STORE_SYNC_H
#define HS_STORE_SYNC_H

/*
 * Makes the index agree with the backend, in this order:
 *  0. an index that was not true for the newest generation (new, restored,
 *     or a process died below) cannot tell what was lost: renew;
 *  1. packs that the index knows and the backend no longer has: the
 *     generation is renewed (durable) before what they held, and all of its
 *     ancestors, leave `have` in one transaction, which makes all other packs
 *     pending: they may have second records of what was lost;
 *  2. packs that are pending and packs that the index does not know are
 *     admitted, data before meta, and what stays open is tried again when all
 *     are in;
 *  3. marks of damaged records that the index still trusts take them out;
 *  4. snapshots: a mount whose newest one is older than the index remembers
 *     means an older copy of the store: the generation is renewed.  One with
 *     newer ones than that means an older copy of the index, or a process
 *     that died before it noted them: what they need is closed again.
 * Each step may be cut anywhere and is done again at the next opening.  But
 * for steps 1 and 3, which take out whatever was lost at once, the memory is
 * that of one pack and one transaction (INDEX_TXN_ROWS).  A
 * listing that fails is an error; an empty one beside a full index is a loss
 * of everything, which deletes nothing.
 */

struct index_txn;
struct vault;

/*
 * The caller holds v->change.  Returns 0; ERR_*: whatever was done until then
 * is right.
 */
int sync_vault(struct vault *v);

/* What is open and can be closed now gets in.  As sync_vault(). */
int sync_close(struct vault *v);

/*
 * Make a new generation durable, for a loss that is about to show.  Inside
 * the transaction `t`, if not NULL, the index is told.
 */
int sync_renew(struct vault *v, struct index_txn *t);

#endif
