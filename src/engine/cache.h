#ifndef HS_ENGINE_CACHE_H
#define HS_ENGINE_CACHE_H

/*
 * The stat cache: what the last backups stored, by file system and inode of
 * each directory, so that an unchanged tree costs a walk and a renamed
 * directory is recognised.  A hint that must never lie:
 *
 *  1. A record counts only when its keyed checksum holds (cache_record.h).
 *  2. Whether a record's objects are still in the store is never assumed:
 *     cache_current() says that the cache's root is this session's pinned
 *     parent under the same generation, and trust goes down from there by
 *     equal tree ids; everything else is asked for with `have`.
 *  3. A directory's `dir` record is deleted before its leaves change and
 *     written behind them, so leaves of an interrupted run never pass for a
 *     whole directory.
 *  4. The view of a run is what was there when it began: what the run itself
 *     writes is not seen before the next one.
 *
 * The environment is disposable: one that is broken is begun anew.  Writes
 * are committed in batches of bounded size, so memory does not grow.
 *
 * Thread use: the reading functions belong to the thread that opened the
 * cache; the writing ones to one other thread (or the same).
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
/* Without cache_finish() the last snapshot stays the one before. */
void cache_close(struct cache *c); /* NULL is fine */

/* Nonzero when the cache's last snapshot is the pinned parent and the
 * generation is the same. */
int cache_current(const struct cache *c);

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
 * by their names: cache_keep_leaf), then end.
 */
struct cache_edit {
	uint64_t fs, ino;
	int changed; /* the dir record is gone */
	int begun; /* `after` holds: an empty directory's leaf has no name */
	uint8_t after[256]; /* last name written or kept */
	size_t after_len;
};
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

/* The snapshot with this hash was acknowledged; make all durable. */
int cache_finish(struct cache *c, const uint8_t snapshot[HASH_BYTES],
    const uint8_t generation[32]);

#endif
