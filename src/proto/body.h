#ifndef HS_PROTO_BODY_H
#define HS_PROTO_BODY_H

/*
 * Binary bodies of requests and answers in a session; docs/protocol.md 5.
 * Decoders check every count against its limit and against the bytes that
 * are there, and point into the caller's memory.
 */

#include "base/buf.h"
#include "base/limits.h"
#include "proto/ident.h"
#include "sign/sign.h"

#include <stddef.h>
#include <stdint.h>

#define BODY_ID_BYTES 32

enum body_kind { BODY_OBJECTS = 0, BODY_FILES = 1 };

/* have: kind u8, zero[3], count u32, ids. */
struct body_have {
	enum body_kind kind;
	uint32_t count;
	const uint8_t *ids;
};
int body_have_encode(
    struct buf *out, enum body_kind kind, const uint8_t *ids, uint32_t count);
/* Returns 0 or ERR_DAMAGED, as all decoders here. */
int body_have_decode(struct body_have *out, const uint8_t *p, size_t len);

/* Where one file id was found. */
struct body_member {
	int found;
	uint8_t bundle[BODY_ID_BYTES];
	uint32_t member;
};

/*
 * Its answer: bitmap; of file ids, for each bit set, bundle [32] and member
 * u32.
 */
int body_have_answer_encode(
    struct buf *out, const uint8_t *bitmap, uint32_t count);
int body_files_answer_encode(
    struct buf *out, const struct body_member *members, uint32_t count);
int body_have_answer_decode(
    uint8_t *bitmap, uint32_t count, const uint8_t *p, size_t len);
int body_files_answer_decode(
    struct body_member *members, uint32_t count, const uint8_t *p, size_t len);

/* get: count u32, ids. */
int body_get_encode(struct buf *out, const uint8_t *ids, uint32_t count);
int body_get_decode(
    const uint8_t **ids, uint32_t *count, const uint8_t *p, size_t len);

/* other: id [32], count u32, checksums of bad records. */
int body_other_encode(
    struct buf *out, const uint8_t *id, const uint8_t *bad, uint32_t count);
int body_other_decode(const uint8_t **id, const uint8_t **bad, uint32_t *count,
    const uint8_t *p, size_t len);

/* An item of the answer to both: status u8, id [32], length u32, record. */
#define BODY_ITEM_BYTES 37
#define BODY_ITEM_RECORD 0
#define BODY_ITEM_ABSENT 1
#define BODY_ITEM_DAMAGED 2

struct body_item {
	uint8_t status;
	const uint8_t *id;
	const uint8_t *record; /* NULL unless BODY_ITEM_RECORD */
	uint32_t len;
};
int body_item_encode(struct buf *out, uint8_t status, const uint8_t *id,
    const uint8_t *record, size_t len);

/* Items of a stream, one after the other, inside one segment. */
struct body_items {
	const uint8_t *p;
	size_t left;
};
void body_items_init(struct body_items *it, const uint8_t *p, size_t len);
/* Returns 0; 1 at the end; ERR_DAMAGED. */
int body_items_next(struct body_item *out, struct body_items *it);

/*
 * An item of the answer to snapshots: mount [16], server's sequence u64,
 * length u32, snapshot file.  One that the store cannot read has no bytes: it
 * is damaged, the others are not.
 */
#define BODY_FILE_BYTES (IDENT_BYTES + 12u) /* before the file */
struct body_file {
	uint8_t mount[IDENT_BYTES];
	uint64_t seq;
	const uint8_t *file;
	size_t len;
};
int body_file_encode(struct buf *out, const struct body_file *f);
int body_files_next(struct body_file *out, struct body_items *it);

/* snapshots: which u8 (0 all, 1 one; 2 and 3: their tombstones), mount [16]
 * with 1 and 3. */
int body_snapshots_encode(struct buf *out, const uint8_t *mount, int tombs);
/* Sets `*mount` to NULL for all, `*tombs` to 0 or 1. */
int body_snapshots_decode(
    const uint8_t **mount, int *tombs, const uint8_t *p, size_t len);

/* An item of the answer to mounts: id [16], key [32], label u8 + text. */
struct body_mount {
	uint8_t mount[IDENT_BYTES];
	uint8_t public_key[SIGN_PUBLIC_BYTES];
	char label[LIMIT_LABEL_BYTES + 1];
};
int body_mount_encode(struct buf *out, const struct body_mount *m);
int body_mounts_next(struct body_mount *out, struct body_items *it);

/*
 * The answer to commit: result u8 (0 durable, 1 missing), zero[3]; then
 * server sequence u64 and receive time i64, or count u32 and ids.
 */
struct body_commit {
	int missing;
	uint64_t server_seq;
	int64_t receive_ns;
	uint32_t count;
	const uint8_t *ids;
};
int body_commit_encode(struct buf *out, const struct body_commit *c);
int body_commit_decode(struct body_commit *out, const uint8_t *p, size_t len);

#endif
