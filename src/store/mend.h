#ifndef HS_STORE_MEND_H
#define HS_STORE_MEND_H

/*
 * Takes what is whole out of a pack whose frame is damaged: header, padding,
 * footer, trailer, length.  The pack itself is neither changed nor deleted;
 * once nothing in it is needed, a sweep deletes it by its own rules
 * (store/discard.h).  Steps:
 *  M1 the file is read, and whole records are looked for (store/salvage.h);
 *  M2 those that no other pack has, byte for byte and whole, are written to
 *     new ones, which become durable and are admitted as those of a
 *     compaction (store/compact.h, C2 and C3);                [fsync]
 *  M3 the index lets the objects lie there, where it did not yet, and the old
 *     pack is nobody's upload under way any more.             [fsync]
 * A crash after M2 leaves packs of further records, which the next look finds:
 * it copies nothing twice.
 *
 * Thread use: as store/scrub.h.
 */

#include <stdint.h>

struct vault;

/* What came of it, told in words by mend_text(). */
#define MEND_MOVED 0 /* all that is whole of it lies elsewhere, too */
#define MEND_SOUND 1 /* it is whole: that was a passing fault */
#define MEND_LATER 2 /* there is no room, or the store takes nothing */
/* Nothing in it can be used, and the index does not know it; or it is of
 * another vault. */
#define MEND_NOTHING 3

/*
 * What the index relies on and is damaged was marked before.
 * Returns one of the above; ERR_*.
 */
int mend_pack(struct vault *v, const uint8_t name[32]);

/* For an operator: what became of the pack, and what to do; no full stop. */
const char *mend_text(int what);

#endif
