#ifndef HS_ENGINE_CACHE_H
#define HS_ENGINE_CACHE_H

/*
 * The stat cache: what the last backups stored, by file system and inode of
 * each directory, so that an unchanged tree costs a walk and a renamed
 * directory is recognised.  A hint that must never lie:
 *
 *  1. A record counts only when its keyed checksum holds (cache_record.h).
 *  2. Whether a record's objects are still in the store is never assumed.
 *     cache_root() names the root tree of the snapshot that the cache was
 *     finished with, and only when that snapshot is this session's pinned
 *     parent under the same generation of the same store.  The root's record
 *     is trusted when it names that tree, and what is below a trusted
 *     directory when its record names the tree that its entry in there names;
 *     everything else is asked for with `have`, from the top down (past.h).
 *     The store's own check at commit stands behind all this: when it misses
 *     something the backup is run again and asks about everything.
 *  3. A directory's `dir` record is deleted before its leaves change and
 *     written behind them, so leaves of an interrupted run never pass for a
 *     whole directory.
 *  4. The view of a run is what was there when it began: what the run itself
 *     writes is not seen before the next one.
 *
 * Records of directories that are gone stay until they are most of all; then
 * the next run notes which ones it visits and removes the others at its end.
 *
 * The environment is disposable: one that is broken is begun anew.  Whoever
 * opens it looks at all of its pages before LMDB does (KV_CHECK), however the
 * last run ended: what page and record say is checked, so that damage costs
 * time.  What the disk spoils during a run may end that run, not the next.
 * Writes are committed in batches of bounded size, so memory does not grow; a
 * run that finds all as it was writes none.
 *
 * Thread use: cache_dir() and cache_leaf() belong to one thread at a time;
 * the writing functions to one other (or the same), from the first to
 * cache_flush() or cache_finish().
 */

#include "engine/cache_record.h"

struct cache;

/*
 * Open (make) the cache in the directory `path`, for what `head` says; its
 * snapshot is the pinned parent's hash (zero: none).  A cache of another
 * store, vault, mount or machine is emptied.
 * Returns 0; ERR_IO; ERR_NOMEM; ERR_NOSPACE.
 */
int cache_open(struct cache **out, const char *path,
    const uint8_t check_key[HASH_BYTES], const struct cache_head *head);
/* The same to look only: nothing is made or written.  1: there is no cache, or
 * not of this `head`. */
int cache_look(struct cache **out, const char *path,
    const uint8_t check_key[HASH_BYTES], const struct cache_head *head);
/* Without cache_finish() the last snapshot stays the one before. */
void cache_close(struct cache *c); /* NULL is fine */

/* The root tree of the cache's last snapshot if that is the pinned parent and
 * the generation is the same, else NULL: rule 2. */
const uint8_t *cache_root(const struct cache *c);

/* The directory's record.  0; 1 when there is none (that can be used). */
int cache_dir(
    struct cache_dir *out, struct cache *c, uint64_t fs, uint64_t ino);
/*
 * The directory's first leaf whose last name is not before `name`.  Pointers
 * go into the map and hold until cache_close().  0; 1 when there is none
 * (that can be used); ERR_IO.
 */
int cache_leaf(struct cache_leaf *out, struct cache *c, uint64_t fs,
    uint64_t ino, const char *name, size_t name_len);

/*
 * Rewriting a directory: begin, then every leaf in order (kept ones too, only
 * by their names), then end.  In one run a directory is rewritten once.
 */
struct cache_edit {
	uint64_t fs, ino;
	int changed; /* the dir record is gone */
	int begun; /* `after` holds: an empty directory's leaf has no name */
	uint8_t after[256]; /* last name written or kept */
	size_t after_len;
};
/* The run has come to the directory, whether or not it is rewritten. */
int cache_visit(struct cache *c, uint64_t fs, uint64_t ino);
void cache_edit_begin(struct cache_edit *e, uint64_t fs, uint64_t ino);
/* A new leaf; old leaves between the one before and this one go. */
int cache_edit_leaf(struct cache *c, struct cache_edit *e,
    const struct cache_leaf *leaf, const char *last_name, size_t last_name_len);
/* The leaf with this last name stays as it is. */
int cache_edit_keep(struct cache *c, struct cache_edit *e,
    const char *last_name, size_t last_name_len);
/* Remove what is behind the last leaf; write the dir record unless nothing
 * changed and it is there already. */
int cache_edit_end(
    struct cache *c, struct cache_edit *e, const struct cache_dir *dir);
/* End what is written so far; the thread that wrote must call it last. */
int cache_flush(struct cache *c);

/*
 * The bundles that were laid for this source, as they were when the run
 * began.  A nonzero return ends the walk with that code.
 */
typedef int cache_bundle_fn(
    void *arg, const uint8_t id[HASH_BYTES], const struct cache_bundle *b);
int cache_bundles(struct cache *c, cache_bundle_fn *found, void *arg);
/* Write or (NULL) remove one; for the thread that calls cache_finish(). */
int cache_bundle_put(struct cache *c, const uint8_t id[HASH_BYTES],
    const struct cache_bundle *b);

/* The snapshot with this hash and root tree was acknowledged; every directory
 * in it was visited. */
int cache_finish(struct cache *c, const uint8_t snapshot[HASH_BYTES],
    const uint8_t root[HASH_BYTES], const uint8_t generation[32]);

#endif
