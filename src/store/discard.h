#ifndef HS_STORE_DISCARD_H
#define HS_STORE_DISCARD_H

/*
 * The only place where a pack is deleted; docs/sweep.md 5.  Steps:
 *  D1 its footer is read again from the backend, by its name;
 *  D2 in one write transaction, under v->change: each id of the footer must be
 *     known to the index, and either needed by nobody (neither in `have` nor
 *     below a snapshot), or its record must stand, byte for byte and whole, in
 *     another pack;
 *  D3 what the index says of the pack is forgotten, and the transaction
 *     committed;                                              [fsync]
 *  D4 the file is removed.                                    [fsync]
 * A crash between D3 and D4 leaves a pack that the index does not know: the
 * next opening admits it as any other, and a later sweep finds it again.
 */

#include <stdint.h>

struct mark;
struct vault;

/*
 * Delete the pack `name`.  The caller holds v->change, has marked with
 * mark_open() since it took it, and every session that could have been told of
 * what lies in the pack has ended.
 * Returns 0 and its size; 1 when it stays; ERR_*.
 */
int discard_pack(uint64_t *size, struct vault *v, const struct mark *m,
    const uint8_t name[32]);

#endif
