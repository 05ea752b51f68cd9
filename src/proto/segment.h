#ifndef HS_PROTO_SEGMENT_H
#define HS_PROTO_SEGMENT_H

/*
 * The body of every answer in a session: segments, each with its own MAC, so
 * that a long answer can be used piece by piece and nothing is ever used
 * unchecked; docs/protocol.md 4.3.
 *
 *     head u32: payload length, SEGMENT_LAST, SEGMENT_ERROR
 *     payload
 *     MAC [32]
 *
 * The MAC covers session, request number, the request's own MAC, HTTP status,
 * position of the segment, head and payload; of the records in it only their
 * checksums, which whoever takes the payload compares before use.  The last
 * segment says so: a cut answer is noticed.  Items of a stream never cross from
 * segment to segment.
 */

#include "base/buf.h"
#include "base/limits.h"
#include "proto/ident.h"
#include "proto/mac.h"

#include <stddef.h>
#include <stdint.h>

#define SEGMENT_LAST 0x80000000u
/* Only with SEGMENT_LAST: the payload is an error answer (proto/fault.h). */
#define SEGMENT_ERROR 0x40000000u

#define SEGMENT_HEAD_BYTES 4
#define SEGMENT_EXTRA_BYTES (SEGMENT_HEAD_BYTES + SIGN_MAC_BYTES)
/* One whole record and what announces it, or much smaller items. */
#define SEGMENT_PAYLOAD_MAX (LIMIT_RECORD_BYTES + 64u)
/* A sender ends a segment once its payload has this size. */
#define SEGMENT_FLUSH_BYTES (512u << 10)

/* What the segments of one answer are bound to. */
struct segment_key {
	const struct mac_session *session;
	uint64_t number;
	uint8_t request_mac[SIGN_MAC_BYTES];
	unsigned status; /* HTTP */
	uint32_t position; /* of the next segment */
	/* Payloads, but that of an error, are items of a get or other
	 * (struct body_item): the MAC covers what announces a record and the
	 * record's last HASH_BYTES, its checksum. */
	int records;
};

/*
 * Make a segment inside `out`: segment_begin() leaves room for the head, the
 * caller appends at most SEGMENT_PAYLOAD_MAX bytes, segment_end() completes
 * what began at offset `start` (out->len before segment_begin()).
 * ERR_DAMAGED: with `records`, the payload is not made of items.
 */
int segment_begin(struct buf *out);
int segment_end(
    struct buf *out, size_t start, struct segment_key *k, uint32_t flags);

/* Append a whole segment. */
int segment_append(struct buf *out, struct segment_key *k, uint32_t flags,
    const uint8_t *payload, size_t len);

/*
 * Takes an answer's body in pieces of any size and hands out the payload of
 * every segment whose MAC is right; records in it are still to be compared
 * with their checksums.  `k` must outlive it.
 */
struct segment_reader {
	struct segment_key *k;
	struct buf pending; /* the beginning of the next segment */
	size_t payload_max;
	int last; /* the last segment came */
};

/* `payload_max` bytes at most in one segment (<= SEGMENT_PAYLOAD_MAX). */
void segment_reader_init(
    struct segment_reader *r, struct segment_key *k, size_t payload_max);
void segment_reader_release(struct segment_reader *r);

/* A segment's payload; nonzero ends the reading with that code. */
typedef int segment_fn(
    void *arg, const uint8_t *payload, size_t len, uint32_t flags);

/*
 * Feed the next `len` bytes.  Returns 0; what `found` returned;
 * ERR_UNREACHABLE when a check fails or bytes follow the last segment.
 */
int segment_reader_feed(struct segment_reader *r, const uint8_t *p, size_t len,
    segment_fn *found, void *arg);
/* At the end of the body: 0, or ERR_UNREACHABLE when it was cut. */
int segment_reader_end(const struct segment_reader *r);

#endif
