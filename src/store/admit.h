#ifndef HS_STORE_ADMIT_H
#define HS_STORE_ADMIT_H

/*
 * Admission to the index: the one way into `have`.  An object gets in only
 * when everything that it refers to is in; until then it is kept as open.
 *
 * All of this happens inside a write transaction of the caller's, which is
 * another one afterwards if there was much to write (index_step()).  A pack
 * that is half in at such a commit stands in the table `pending` until it is
 * all in; who opens the vault after a crash reads it again (store/sync.h).
 * Half a pack in the index is no lie: `have` tells of objects, and each was
 * closed when it got in; file ids may be missing (store/members.h).
 */

#include "store/idmap.h"

#include <stdint.h>

struct backend;
struct buf;
struct index_object;
struct index_pack;
struct index_txn;
struct record;

/*
 * Whether a record takes the place of an undamaged one of the same object.
 * Only one that needs the same objects ever does: whose refs differ was made
 * by who wants harm, and what is in `have` must stay closed.  Every other
 * record is kept in mind as a further one (index_other_add()).
 */
enum admit_replace {
	ADMIT_STAY = 0, /* never: the first one stays */
	ADMIT_REPLACE =
	    1, /* of the same or an earlier epoch: it was asked for */
	ADMIT_LATER = 2 /* of an earlier epoch: the index is made anew */
};

/* One record of a closed pack. */
struct admit_item {
	uint8_t id[32];
	uint32_t offset;
	uint32_t length;
	uint32_t epoch;
	uint32_t nrefs; /* class meta */
	uint32_t nmembers; /* class data */
	uint32_t ids_at; /* where its refs or members begin among `ids` */
	uint8_t class;
	uint8_t damaged; /* its record is marked, or fails its checks */
	uint8_t replace; /* enum admit_replace */
	uint8_t closed; /* out: the object is in `have` */
};

/*
 * Admit a durable pack and its `n` records; `ids` holds refs and members, 32
 * bytes each.  Sets `p->number` and `closed` of each item.  A pack that is all
 * in changes nothing.
 */
int admit_pack(struct index_txn *t, struct index_pack *p,
    struct admit_item *items, uint32_t n, const uint8_t *ids);

/*
 * The same for a pack that the index knows: what it lacks of these records
 * gets in, and the pack is pending no more.
 */
int admit_again(struct index_txn *t, struct index_pack *p,
    struct admit_item *items, uint32_t n, const uint8_t *ids);

/* What a walk over open objects has seen so far. */
struct admit_walk {
	struct idmap seen; /* ADMIT_STUCK or ADMIT_DONE */
	int full; /* gave up: too many open objects, or too deep */
};
#define ADMIT_STUCK 0
#define ADMIT_DONE 1

void admit_walk_init(struct admit_walk *w);
void admit_walk_release(struct admit_walk *w);

/*
 * Admit `id` and whatever open objects it needs, as far as all is there; their
 * records are read and checked.  Returns 0 when `id` is closed; 1 when not:
 * then `w->seen` holds, as ADMIT_STUCK, the ids on the way that are absent,
 * damaged or open; ERR_*.
 */
int admit_reach(struct admit_walk *w, struct index_txn *t, struct backend *b,
    const uint8_t id[32]);
/* The same for every open object of the index. */
int admit_all_open(
    struct admit_walk *w, struct index_txn *t, struct backend *b);

/*
 * Read and check the record of an object into `out` (emptied first).
 * Returns 0; ERR_DAMAGED; ERR_NOENT: its pack is gone; ERR_*.
 */
int admit_read(struct record *r, struct buf *out, struct index_txn *t,
    struct backend *b, const uint8_t id[32], const struct index_object *o);

/*
 * Put another whole record of the object in the place of the one that `o`
 * names, which cannot be used; `o` then names it.  The object is closed or
 * open, and stays so.  Returns 0; 1 when there is no other, or none that needs
 * the same objects; ERR_*.
 */
int admit_other(struct index_txn *t, struct backend *b, const uint8_t id[32],
    struct index_object *o);

#endif
