#ifndef HS_PROTO_FRAME_H
#define HS_PROTO_FRAME_H

/*
 * The body of every answer in a session: frames, each with its own MAC, so
 * that a long answer can be used piece by piece and nothing is ever used
 * unchecked; docs/protocol.md 4.3.
 *
 *     head u32: payload length, FRAME_LAST, FRAME_ERROR
 *     payload
 *     MAC [32]
 *
 * The MAC covers session, request number, the request's own MAC, HTTP status,
 * position of the frame, head and payload.  The last frame says so: a cut
 * answer is noticed.  Items of a stream never cross from frame to frame.
 */

#include "base/buf.h"
#include "base/limits.h"
#include "proto/ident.h"
#include "proto/mac.h"

#include <stddef.h>
#include <stdint.h>

#define FRAME_LAST 0x80000000u
/* Only with FRAME_LAST: the payload is an error answer (proto/fault.h). */
#define FRAME_ERROR 0x40000000u

#define FRAME_HEAD_BYTES 4
#define FRAME_EXTRA_BYTES (FRAME_HEAD_BYTES + SIGN_MAC_BYTES)
/* One whole record and what announces it, or much smaller items. */
#define FRAME_PAYLOAD_MAX (LIMIT_RECORD_BYTES + 64u)
/* A sender ends a frame once its payload has this size. */
#define FRAME_FLUSH_BYTES (512u << 10)

/* What the frames of one answer are bound to. */
struct frame_key {
	const struct mac_session *session;
	uint64_t number;
	uint8_t request_mac[SIGN_MAC_BYTES];
	unsigned status; /* HTTP */
	uint32_t position; /* of the next frame */
};

/*
 * Make a frame inside `out`: frame_begin() leaves room for the head, the
 * caller appends at most FRAME_PAYLOAD_MAX bytes, frame_end() completes what
 * began at offset `start` (out->len before frame_begin()).
 */
int frame_begin(struct buf *out);
int frame_end(
    struct buf *out, size_t start, struct frame_key *k, uint32_t flags);

/* Append a whole frame. */
int frame_append(struct buf *out, struct frame_key *k, uint32_t flags,
    const uint8_t *payload, size_t len);

/*
 * Takes an answer's body in pieces of any size and hands out the payload of
 * every frame whose MAC is right.  `k` must outlive it.
 */
struct frame_reader {
	struct frame_key *k;
	struct buf pending; /* the beginning of the next frame */
	size_t payload_max;
	int last; /* the last frame came */
};

/* `payload_max` bytes at most in one frame (<= FRAME_PAYLOAD_MAX). */
void frame_reader_init(
    struct frame_reader *r, struct frame_key *k, size_t payload_max);
void frame_reader_release(struct frame_reader *r);

/* A frame's payload; nonzero ends the reading with that code. */
typedef int frame_fn(
    void *arg, const uint8_t *payload, size_t len, uint32_t flags);

/*
 * Feed the next `len` bytes.  Returns 0; what `found` returned;
 * ERR_UNREACHABLE when a check fails or bytes follow the last frame.
 */
int frame_reader_feed(struct frame_reader *r, const uint8_t *p, size_t len,
    frame_fn *found, void *arg);
/* At the end of the body: 0, or ERR_UNREACHABLE when it was cut. */
int frame_reader_end(const struct frame_reader *r);

#endif
