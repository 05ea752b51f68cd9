#ifndef HS_STORE_STAMPS_H
#define HS_STORE_STAMPS_H

/*
 * When snapshots arrived, in store time: what retention counts from.  The
 * receive time in a snapshot's file is a label by the wall clock, which may be
 * wrong; docs/format.md 9.2 and 9.3.
 *
 * Stamps are no part of a commit, which waits for the disk often enough: every
 * few minutes, and when a store is closed, all snapshots that have none get
 * one, durably, in one object for each mount (stamps_make()).  Until then a
 * snapshot has just arrived, so nothing retires it.  A stamp is the receive
 * time as far as that is possible: not before what was stamped earlier, not
 * before the store time that was durable when the store was opened, and not
 * in the future.  So whatever the wall clock said at the commit, the stamp is
 * between the store times of two moments that the commit was between.
 */

#include "base/buf.h"
#include "store/store.h"

#include <stdint.h>

/* In one object; a mount with more new snapshots gets several. */
#define STAMPS_ENTRIES_MAX 4096

struct vault;

struct stamp {
	uint8_t mount[STORE_NAME_BYTES];
	uint64_t seq;
	int64_t ns;
};

/*
 * Append what an object named by `mount` and `last_seq` says, as struct stamp.
 * Returns 0; ERR_DAMAGED or ERR_NOMEM, and `out` may have some of it.
 */
int stamps_decode(struct buf *out, const uint8_t *p, size_t len,
    const uint8_t vault[STORE_NAME_BYTES],
    const uint8_t mount[STORE_NAME_BYTES], uint64_t last_seq);

/*
 * All stamps of the vault, sorted by mount and sequence, each pair once, as an
 * array of struct stamp appended to the empty `out`.  Objects that are damaged
 * are passed over and told to `bad` (may be NULL).
 * Returns 0; ERR_IO; ERR_NOMEM.
 */
int stamps_load(struct buf *out, struct vault *v,
    void (*bad)(void *arg, const char *name), void *arg);

/* Find one in what stamps_load() gave: 0 and its time, or 1. */
int stamps_find(int64_t *ns, const struct buf *stamps,
    const uint8_t mount[STORE_NAME_BYTES], uint64_t seq);

/* Nonzero `*out`: there are snapshots that stamps_make() would stamp. */
int stamps_pending(int *out, struct vault *v);

/*
 * Stamp every snapshot behind the last one of its mount that has a stamp.
 * `from_ns` is the store time below which no new one may have arrived, `now_ns`
 * that of now; the caller has made a store time not below `now_ns` durable.
 * Returns 0; the backend's errors.
 */
int stamps_make(struct vault *v, int64_t from_ns, int64_t now_ns);

/* Remove the objects of which no snapshot is there any more. */
int stamps_trim(struct vault *v);

#endif
