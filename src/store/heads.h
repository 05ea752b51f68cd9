#ifndef HS_STORE_HEADS_H
#define HS_STORE_HEADS_H

/*
 * The snapshots of a vault: where their files lie, and the newest one of each
 * mount, read from the files themselves.
 */

#include "base/buf.h"
#include "hash/hash.h"

#include <stddef.h>
#include <stdint.h>

/* "snapshots/" + 32 digits + "/" + 10 digits + ".snap" + NUL */
#define HEADS_PATH_BYTES 59
/* A sequence has 10 decimal digits. */
#define HEADS_SEQ_MAX 9999999999u

struct backend;

struct head {
	uint8_t mount[16];
	uint64_t last_seq; /* highest in use, readable or not, or retired */
	/* The newest one that passes its checks; 0: there is none. */
	uint64_t server_seq;
	uint64_t client_seq;
	int64_t receive_ns;
	uint8_t hash[HASH_BYTES]; /* of its client part */
};

struct heads {
	struct head *items;
	size_t len, cap;
};

void heads_path(
    char out[HEADS_PATH_BYTES], const uint8_t mount[16], uint64_t seq);

void heads_init(struct heads *h);
void heads_release(struct heads *h);
/*
 * Replace the content by what the backend has, for `vault`.  A snapshot that
 * fails its checks is passed over.
 */
int heads_load(struct heads *h, struct backend *b, const uint8_t vault[16]);
/* NULL when the mount has no snapshot; valid until the next change. */
const struct head *heads_find(const struct heads *h, const uint8_t mount[16]);
/* Insert or replace by `item->mount`.  ERR_NOMEM. */
int heads_set(struct heads *h, const struct head *item);

struct heads_name {
	uint8_t mount[16];
	uint64_t seq;
	uint64_t size;
};

/* By mount, then by sequence: below, at or above 0. */
int heads_compare(const struct heads_name *a, const struct heads_name *b);

/*
 * The names of all snapshots of `mount` (NULL: of all), by mount, then by
 * sequence, as an array of struct heads_name in `out`.
 */
int heads_list(struct buf *out, struct backend *b, const uint8_t mount[16]);
/* Append a snapshot file, unchecked but bounded. */
int heads_read(
    struct buf *out, struct backend *b, const struct heads_name *name);

#endif
