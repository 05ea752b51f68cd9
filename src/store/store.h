#ifndef HS_STORE_STORE_H
#define HS_STORE_STORE_H

/*
 * A store as the engine sees it: one logged-in session on one vault, for one
 * mount.  Implemented by store/local.c (a store on this machine) and
 * client/remote.c (over the network); the engine cannot tell them apart.
 *
 * Thread use: put, get, get_other, have and have_files may run at once from any
 * thread; the others belong to one thread at a time.
 *
 * Errors of every call: ERR_UNREACHABLE, ERR_REFUSED, ERR_IO, ERR_NOSPACE,
 * ERR_DAMAGED, ERR_NOMEM, and ERR_STALE: the session ended or was fenced; the
 * caller opens a new one and asks everything again.
 */

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

#define STORE_ID_BYTES 32
#define STORE_NAME_BYTES 16 /* vault and mount ids */
#define STORE_GENERATION_BYTES 32
/* A store that takes longer to answer is far away: who talks to it has more
 * requests under way. */
#define STORE_FAR_NS 8000000

struct store;

struct store_info {
	uint8_t store_public[32]; /* the store's identity */
	uint8_t vault[STORE_NAME_BYTES];
	uint8_t mount[STORE_NAME_BYTES];
	/* Renewed by any loss or restore from an older copy. */
	uint8_t generation[STORE_GENERATION_BYTES];
	/* The pinned parent: newest snapshot of this mount at log-in. */
	int has_parent;
	uint64_t parent_client_seq;
	uint64_t parent_server_seq;
	uint8_t parent_hash[32]; /* snapshot_hash() of it */
	const char *write_path; /* "direct", "buffered", "network" */
	/* How long an answer takes, about; 0: no time.  A listing that was
	 * answered sooner corrects it. */
	int64_t answer_ns;
};

/* Where a file id was found. */
struct store_member {
	int found;
	uint8_t bundle[STORE_ID_BYTES];
	uint32_t member;
};

struct store_receipt {
	uint64_t server_seq;
	int64_t receive_ns;
};

enum store_got { STORE_GOT_RECORD = 0, STORE_GOT_ABSENT, STORE_GOT_DAMAGED };

/* A record arrived, its bytes compared with the checksum that ends them (or an
 * id that has none: record NULL).  A nonzero return ends the get with that
 * code. */
typedef int store_got_fn(void *arg, enum store_got got,
    const uint8_t id[STORE_ID_BYTES], const uint8_t *record, size_t len);

/* A snapshot: its name in the store, and its file, whole, or empty when the
 * store cannot read it.  Nonzero ends the listing with that code. */
struct store_snapshot {
	uint8_t mount[STORE_NAME_BYTES];
	uint64_t seq; /* the server's */
	const uint8_t *file;
	size_t len;
};
typedef int store_snapshot_fn(void *arg, const struct store_snapshot *s);

/* A mount of this vault: id, public key, label. */
typedef int store_mount_fn(void *arg, const uint8_t mount[STORE_NAME_BYTES],
    const uint8_t public_key[32], const char *label);

struct store_ops {
	/*
	 * For each of the `n` (at most LIMIT_HAVE_IDS) ids at `ids`: bit i of
	 * `bitmap` (least significant first) says that it is present and
	 * closed, or was put in this session.
	 */
	int (*have)(
	    struct store *s, uint8_t *bitmap, const uint8_t *ids, uint32_t n);
	/* The same for file ids of small files. */
	int (*have_files)(struct store *s, struct store_member *out,
	    const uint8_t *file_ids, uint32_t n);
	/*
	 * Store the records that lie end to end in `records` (at most
	 * LIMIT_PUT_BYTES).  Children come in the same or an earlier put, or
	 * in one under way.  Durable only at commit.  Repeating is harmless.
	 */
	int (*put)(struct store *s, const uint8_t *records, size_t len);
	/*
	 * Fetch up to LIMIT_GET_IDS objects; `got` is called once per id, in
	 * the store's order, from this thread.
	 */
	int (*get)(struct store *s, const uint8_t *ids, uint32_t n,
	    store_got_fn *got, void *arg);
	/*
	 * The same for who opens every record with its cipher, whose tag proves
	 * all that the checksum does: that need not have been compared.  One
	 * that does not open is to be asked for again with get(), which tells
	 * bytes that changed on their way from damage.  NULL: get() does.
	 */
	int (*get_sealed)(struct store *s, const uint8_t *ids, uint32_t n,
	    store_got_fn *got, void *arg);
	/*
	 * Fetch a record of `id` whose checksum (its last 32 bytes) is not one
	 * of the `n` (at most LIMIT_OTHER_SUMS) at `bad`: for who got records
	 * that fail keyed checks, which the store cannot make.  `got` is
	 * called once: with a record, or STORE_GOT_ABSENT.
	 */
	int (*get_other)(struct store *s, const uint8_t id[STORE_ID_BYTES],
	    const uint8_t *bad, uint32_t n, store_got_fn *got, void *arg);
	/*
	 * Commit a signed client part (format.md 8).  0: durable, everything
	 * it reaches is there.  ERR_MISSING: nothing happened; `missing` (32
	 * bytes each, at most LIMIT_MISSING_IDS) gets what is not there.
	 * ERR_EXIST: this client sequence exists with other content.
	 * Repeating an acknowledged commit gives its receipt again.
	 */
	int (*commit)(struct store *s, struct store_receipt *receipt,
	    struct buf *missing, const uint8_t *snapshot, size_t len);
	/*
	 * Every snapshot of `mount` (NULL: of all mounts of the vault), by
	 * mount, oldest first.
	 */
	int (*snapshots)(struct store *s, const uint8_t mount[STORE_NAME_BYTES],
	    store_snapshot_fn *found, void *arg);
	/*
	 * The same of their tombstones (format.md 8.3): `file` is one, `seq`
	 * the number of the snapshot that the store's policy retired.  NULL:
	 * this store retires nothing.
	 */
	int (*tombs)(struct store *s, const uint8_t mount[STORE_NAME_BYTES],
	    store_snapshot_fn *found, void *arg);
	int (*mounts)(struct store *s, store_mount_fn *found, void *arg);
	/* Tell that the record of `id` failed its keyed checks here: the store
	 * looks at it, and only damage that it sees itself counts. */
	int (*report)(struct store *s, const uint8_t id[STORE_ID_BYTES]);
	/*
	 * Make what was put so far visible to `have` of other sessions, as a
	 * commit would.  NULL: this store needs no telling.  Any thread, also
	 * beside other calls.
	 */
	int (*settle)(struct store *s);
	/* Ends the session; frees it. */
	void (*close)(struct store *s);
};

struct store {
	const struct store_ops *ops;
	struct store_info info;
};

#endif
