#ifndef HS_ENGINE_BACKUP_H
#define HS_ENGINE_BACKUP_H

/*
 * Back up a directory as the next snapshot of the session's mount.
 *
 * Two kinds of error never mix.  What cannot be read of the source is named,
 * counted and left out, and the snapshot is made.  What goes wrong with the
 * store ends the run, and nothing is committed.
 */

#include "engine/notes.h"
#include "engine/walk.h"
#include "hash/hash.h"
#include "store/store.h"

#include <stdatomic.h>

struct chunker_params;
struct keys;
struct seal_options;

struct backup_options {
	struct walk_options walk;
	/* A directory of ours, best on the file system that is backed up: files
	 * made in it tell that one's clock.  May be NULL. */
	const char *state_path;
	/* Where the stat cache is kept, on a local file system; NULL: none. */
	const char *cache_path;
	const uint8_t *mount_seed; /* signs the snapshot; SIGN_SEED_BYTES */
	const struct chunker_params *chunker; /* of the vault; NULL: default */
	const struct seal_options *seal; /* NULL: default */
	const char *host; /* recorded; cut to their limits */
	const char *dir;
	const char *const *tags; /* each at most LIMIT_LABEL_BYTES */
	unsigned ntags; /* at most LIMIT_TAGS */
	/* Do everything but store: nothing is put or committed, the cache is
	 * only looked at; the counts say what would have been sent. */
	int dry_run;
	notes_warn *warn; /* may be NULL */
	void *warn_arg;
	struct notes_counts *counts; /* zero at first; may be read meanwhile */
	const atomic_int *interrupt; /* may be NULL */
};

struct backup_result {
	uint8_t address[HASH_BYTES]; /* the directory's key */
	uint64_t client_seq;
	uint8_t snapshot[HASH_BYTES]; /* snapshot_hash() of it */
	struct store_receipt receipt;
};

/*
 * Returns 0: acknowledged, or after a dry run only `address` is set (the
 * counts say whether it is all there); ERR_NOENT: the directory cannot be
 * read; ERR_INTR; ERR_STALE: the session ended, open a new one and run again;
 * any error of the store.
 */
int backup_run(struct backup_result *out, struct store *store,
    const struct keys *keys, const struct backup_options *o);

#endif
