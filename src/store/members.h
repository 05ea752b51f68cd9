#ifndef HS_STORE_MEMBERS_H
#define HS_STORE_MEMBERS_H

/*
 * The file ids of a pack's bundles enter the index, by which a client learns
 * that the store has a file already.  A pack of tiny files has more of them
 * than one transaction should write, so they follow its objects in several;
 * a row that is missing meanwhile costs a file stored twice, never more.
 */

#include <stdint.h>

struct admit_item;
struct index_pack;
struct index_txn;

/*
 * Add the members of those of the `n` records that the index names now; whose
 * object left or got a newer record meanwhile is not ours any more, and the
 * pack of that record has its members.  `t` may be another transaction after
 * that, and `p->number` is right in it.  Takes 16 bytes per member.
 */
int members_add(struct index_txn *t, struct index_pack *p,
    const struct admit_item *items, uint32_t n, const uint8_t *ids);

#endif
