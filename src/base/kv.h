#ifndef HS_BASE_KV_H
#define HS_BASE_KV_H

/*
 * Ordered key-value tables in one environment (LMDB): the only file that
 * knows the library.  One process opens an environment once.
 *
 * Thread use: kv_begin(write) serialises writers; a transaction belongs to
 * the thread that began it, and each thread may have one of each kind.  Values
 * read point into the map and stay valid until the transaction ends or, in a
 * write transaction, until the next write.
 *
 * Size: the map grows by itself between transactions; one transaction may add
 * 16 GiB at least (then ERR_NOSPACE), so a rebuild commits now and then.  Long
 * read transactions keep old pages from being used again.
 */

#include <stddef.h>
#include <stdint.h>

struct kv; /* an environment */
struct kv_txn;
struct kv_cursor;

#define KV_DATA_NAME "data.mdb" /* the file of an environment's data */
#define KV_LOCK_NAME "lock.mdb" /* holds nothing that lasts */
#define KV_TABLES_MAX 16
#define KV_KEY_BYTES_MAX 511

/* Flags of kv_open(). */
#define KV_CREATE 1u
/* No fsync at commit: for caches that a checksum or a rebuild protects. */
#define KV_NOSYNC 2u
/* For tests: begin with a map of 1 MiB, so that its growing shows. */
#define KV_TINY_MAP 4u
/* Look at every page before the library does (base/kvpages.h). */
#define KV_CHECK 8u
/*
 * Each value has a checksum of its key and itself: one that the disk spoilt is
 * ERR_DAMAGED to whoever reads it.  An environment has it always or never.
 */
#define KV_SUMS 16u

/* Flags of a table. */
#define KV_INTKEY 1u /* keys are native uint32_t or uint64_t, ordered as such */

struct kv_slice {
	const void *data;
	size_t len;
};

/*
 * Open the environment in the directory `path` (made, 0700, with KV_CREATE)
 * with the `ntables` tables named in `names` (static strings) and flags per
 * table (NULL: none); a table is then known by its position.  The first
 * opening of a new environment must not race with another process.
 *
 * An environment of KV_NOSYNC that was written to and not closed before the
 * machine went down is ERR_DAMAGED: who can rebuild it removes the directory
 * (fs_remove_tree()) and opens it anew.  A process that dies does no harm.
 *
 * Returns 0; ERR_NOENT (absent, without KV_CREATE); ERR_IO; ERR_DAMAGED (not
 * an environment, one with other tables, or a broken one); ERR_NOMEM; ERR_BUSY.
 */
int kv_open(struct kv **out, const char *path, const char *const *names,
    const unsigned *table_flags, unsigned ntables, unsigned flags);
/* All transactions must have ended; NULL is fine.  Syncs with KV_NOSYNC. */
void kv_close(struct kv *kv);
/*
 * Nonzero once a commit has met an I/O error: no write transaction begins any
 * more.  It is read as it was, and whoever opens it anew finds it ERR_DAMAGED.
 */
int kv_failed(const struct kv *kv);
/* Nonzero once anything in it was ERR_DAMAGED. */
int kv_damaged(const struct kv *kv);

/* Begin; `write` nonzero for a read-write transaction. */
int kv_begin(struct kv_txn **out, struct kv *kv, int write);
/*
 * Ends the transaction in any case.  Returns 0, or ERR_IO/ERR_NOSPACE: then
 * nothing was written, and after ERR_IO the environment refuses to be used.
 */
int kv_commit(struct kv_txn *txn);
/* Ends a transaction without effect; NULL is fine. */
void kv_abort(struct kv_txn *txn);

/* Returns 0; 1 when absent; ERR_*. */
int kv_get(struct kv_slice *out, struct kv_txn *txn, unsigned table,
    const void *key, size_t key_len);
/* Insert or replace. */
int kv_put(struct kv_txn *txn, unsigned table, const void *key, size_t key_len,
    const void *value, size_t value_len);
/* Returns 0; 1 when it was absent; ERR_*. */
int kv_del(struct kv_txn *txn, unsigned table, const void *key, size_t key_len);
/* Empty a table. */
int kv_clear(struct kv_txn *txn, unsigned table);
/* Number of entries. */
int kv_count(uint64_t *out, struct kv_txn *txn, unsigned table);

/* A cursor lives at most as long as its transaction; close it first. */
int kv_cursor_open(struct kv_cursor **out, struct kv_txn *txn, unsigned table);
void kv_cursor_close(struct kv_cursor *c); /* NULL is fine */
/*
 * Move to the first, last, next, previous entry, or to the first one whose
 * key is not smaller than `key`.  Returns 0; 1 at the end; ERR_*.
 */
int kv_cursor_first(
    struct kv_slice *key, struct kv_slice *value, struct kv_cursor *c);
int kv_cursor_last(
    struct kv_slice *key, struct kv_slice *value, struct kv_cursor *c);
int kv_cursor_next(
    struct kv_slice *key, struct kv_slice *value, struct kv_cursor *c);
int kv_cursor_prev(
    struct kv_slice *key, struct kv_slice *value, struct kv_cursor *c);
int kv_cursor_seek(struct kv_slice *key, struct kv_slice *value,
    struct kv_cursor *c, const void *at, size_t at_len);
/* Delete the entry under the cursor; the next kv_cursor_next() goes on. */
int kv_cursor_del(struct kv_cursor *c);

#endif
