#ifndef HS_ENGINE_CACHE_RECORD_H
#define HS_ENGINE_CACHE_RECORD_H

/*
 * Bytes of the stat cache's records.  Pure; no I/O.  Every record ends with a
 * keyed checksum over its key and itself, so a record that was damaged, or
 * moved under another key, is not taken for a good one.
 *
 * Leaf: leaf id [32], nrefs u32, payload length u32, entries u32, refs,
 * payload (the plain leaf of docs/format.md 7), per entry a stat, check [16].
 * Dir: tree id [32], address [32], level u8, zero [7], entries u64, check [16].
 * Bundle: bytes u64, sparse u8, check [16].
 * Head: see struct cache_head, check [16].
 */

#include "base/buf.h"
#include "hash/hash.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define CACHE_CHECK_BYTES 16
#define CACHE_STAT_BYTES 48

/* What tells that an entry is as it was. */
struct cache_stat {
	uint8_t kind; /* enum address_kind */
	uint8_t dirty; /* was too young to trust: read it again */
	uint64_t size;
	int64_t mtime_s, ctime_s;
	uint32_t mtime_ns, ctime_ns;
	uint64_t ino;
};

struct cache_leaf {
	const uint8_t *id; /* of the tree object */
	const uint8_t *refs;
	uint32_t nrefs;
	const uint8_t *payload;
	uint32_t payload_len;
	const uint8_t *stats; /* for cache_record_stat_decode() */
	uint32_t entries;
};

/* A whole directory: what its entry in the parent says. */
struct cache_dir {
	uint8_t tree[HASH_BYTES];
	uint8_t address[HASH_BYTES];
	uint8_t level;
	uint64_t entries;
};

/* A bundle that this client laid. */
struct cache_bundle {
	uint64_t bytes; /* of its members */
	uint8_t sparse; /* less than half of them was in use */
};

/* What the cache belongs to. */
struct cache_head {
	uint8_t store_public[32];
	uint8_t vault[16];
	uint8_t mount[16];
	uint8_t machine[32];
	uint8_t generation[32];
	uint8_t snapshot[32]; /* hash of the one it was committed in */
	uint8_t root[32]; /* id of that snapshot's root tree */
	uint8_t crowded; /* most directories in it are gone from the source */
};
#define CACHE_HEAD_BYTES 193

/* `kind` as in the entry; dirtiness is the caller's judgement. */
void cache_record_stat_from(
    struct cache_stat *out, const struct stat *st, uint8_t kind, int dirty);
/* Nonzero when nothing that is compared differs and neither is dirty. */
int cache_record_stat_same(
    const struct cache_stat *old, const struct cache_stat *now);
int cache_record_stat_encode(struct buf *out, const struct cache_stat *s);
void cache_record_stat_decode(struct cache_stat *out, const uint8_t *p);

int cache_record_leaf_encode(struct buf *out, const struct cache_leaf *l,
    const uint8_t check_key[HASH_BYTES], const uint8_t *key, size_t key_len);
/* Pointers go into `p`.  Returns 0, or ERR_DAMAGED (message set). */
int cache_record_leaf_decode(struct cache_leaf *out,
    const uint8_t check_key[HASH_BYTES], const uint8_t *key, size_t key_len,
    const uint8_t *p, size_t len);

int cache_record_dir_encode(struct buf *out, const struct cache_dir *d,
    const uint8_t check_key[HASH_BYTES], const uint8_t *key, size_t key_len);
int cache_record_dir_decode(struct cache_dir *out,
    const uint8_t check_key[HASH_BYTES], const uint8_t *key, size_t key_len,
    const uint8_t *p, size_t len);

int cache_record_bundle_encode(struct buf *out, const struct cache_bundle *b,
    const uint8_t check_key[HASH_BYTES], const uint8_t *key, size_t key_len);
int cache_record_bundle_decode(struct cache_bundle *out,
    const uint8_t check_key[HASH_BYTES], const uint8_t *key, size_t key_len,
    const uint8_t *p, size_t len);

int cache_record_head_encode(struct buf *out, const struct cache_head *h,
    const uint8_t check_key[HASH_BYTES], const uint8_t *key, size_t key_len);
int cache_record_head_decode(struct cache_head *out,
    const uint8_t check_key[HASH_BYTES], const uint8_t *key, size_t key_len,
    const uint8_t *p, size_t len);

#endif
