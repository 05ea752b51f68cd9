#ifndef HS_STORE_VAULT_H
#define HS_STORE_VAULT_H

/*
 * A vault on this machine: its packs and snapshots in a backend, its index in
 * a folder.  Opening it makes the two agree (store/sync.h), whatever happened
 * before: that is all the recovery there is.
 *
 * Order of locks: a session's, then `change`, then the index's writer; `lock`
 * is innermost and never held over I/O.
 */

#include "base/pool.h"
#include "store/heads.h"
#include "store/idmap.h"
#include "store/generation.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

struct backend;
struct guard;
struct index;
struct session;

struct vault_options {
	struct backend *backend; /* outlives the vault */
	const char *index_dir; /* made if absent; local, not on a network */
	uint8_t id[STORE_NAME_BYTES];
	/* Records of later epochs than this are refused. */
	uint32_t epoch;
	struct guard *guard; /* the store's, outlives the vault; or NULL */
};

/* The fields belong to the files of this layer. */
struct vault {
	struct backend *backend;
	struct index *index;
	struct guard *guard;
	uint8_t id[STORE_NAME_BYTES];
	uint32_t epoch;
	/*
	 * Held by a commit over closure check and snapshot put, and by all
	 * that takes something out of `have`: the two exclude each other.
	 */
	struct pool_lock change;
	struct pool_lock lock; /* what follows */
	/* The open sessions (store/session.c), numbered in the order of their
	 * opening: a sweep waits for those that may have seen what it takes. */
	struct session *sessions;
	uint64_t next_session;
	struct generation generation;
	struct heads heads;
	struct idmap marks; /* survey_mark_key(): damaged records */
	int resync; /* the index may lag behind: look at the packs again */
	int reload; /* the heads may: a snapshot's put failed */
	int created; /* the generation was made when the vault was opened */
	uint32_t packs_damaged; /* footers that had to be salvaged, or worse */
	int went_back; /* newer snapshots were here before than are now */
	uint32_t packs_gone; /* with what they held, since it was opened */
	/* When it was opened, after a failed sync (store/reread.h): objects
	 * read again, records found damaged by that. */
	uint32_t reread, reread_damaged;
};

/*
 * Open the vault, rebuild or complete its index, load its state.
 * Where the disk is full it does so in the room of the guard's reserve.
 * Returns 0; ERR_IO; ERR_NOSPACE; ERR_NOMEM; ERR_BUSY.
 */
int vault_open(struct vault **out, const struct vault_options *o);
/* Every session has ended.  The backend stays open; NULL is fine. */
void vault_close(struct vault *v);

void vault_generation(uint8_t out[STORE_GENERATION_BYTES], struct vault *v);
/* The newest snapshot of a mount.  Returns 0, or 1 when there is none. */
int vault_head(
    struct head *out, struct vault *v, const uint8_t mount[STORE_NAME_BYTES]);

/*
 * Bit i of `bitmap` (rounded up to bytes) says that id i is present and
 * closed; bits that are set already stay.
 */
int vault_have(
    struct vault *v, uint8_t *bitmap, const uint8_t *ids, uint32_t n);
/* Entries with `found` set already stay. */
int vault_have_files(struct vault *v, struct store_member *out,
    const uint8_t *file_ids, uint32_t n);

/* store.h: snapshots, those that are live (store/retire.h). */
int vault_snapshots(struct vault *v, const uint8_t mount[STORE_NAME_BYTES],
    store_snapshot_fn *found, void *arg);

/*
 * The record of `id` is bad: mark it.  If there is no other that is whole,
 * renew the generation, take it and its ancestors out of `have`.  `where`
 * names the record that was read (NULL: the one that the index names now): if
 * the index has another one by now, only the mark is made.
 */
struct vault_place {
	uint8_t pack[32];
	uint32_t offset;
};
int vault_damaged(struct vault *v, const uint8_t id[STORE_ID_BYTES],
    const struct vault_place *where);

/*
 * May anything be changed?  Returns 0; ERR_READONLY: a sync of this or, as far
 * as the guard knows, another vault of the store failed.
 */
int vault_check(struct vault *v);

/* Look at the backend's packs again before the next session. */
void vault_suspect(struct vault *v);
/* Do so now, if somebody asked for it. */
int vault_refresh(struct vault *v);
/*
 * What left `have` when something below it was lost, and is whole since that
 * came back, gets in again: an upload asks only for what its own snapshot
 * needs.  For who wants to say of all snapshots what they lack.  Returns 0,
 * also where nothing can be changed; ERR_*.
 */
int vault_complete(struct vault *v);
/* Throw the index away and rebuild it from the packs (`reindex`). */
int vault_reindex(struct vault *v);

#endif
