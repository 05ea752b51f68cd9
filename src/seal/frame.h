#ifndef HS_SEAL_FRAME_H
#define HS_SEAL_FRAME_H

/*
 * Payload <-> frame, the bytes that get encrypted: compress and pad;
 * docs/format.md 5.1.  The one place that knows zstd (RFC 8878).
 *
 * Thread use: one frame per thread.
 */

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

struct frame; /* codec contexts */

/* What a payload is, for compression is tuned to it. */
enum frame_kind {
	FRAME_META = 0, /* trees, chunk maps, snapshots */
	FRAME_BUNDLE, /* small files end to end: much of it text */
	FRAME_CHUNK, /* a piece of a large file */
	FRAME_KINDS
};

/*
 * Level of zstd (-5 .. 19, else ERR_USAGE) for every kind, 0: what was measured
 * to suit each; `pad` nonzero: pad.
 */
int frame_new(struct frame **out, int level, int pad);
void frame_free(struct frame *f); /* NULL is fine */

/* Most bytes that frame_pack() appends for `len` bytes. */
size_t frame_bound(size_t len);

/*
 * Append the frame of the payload to `out`, raw when it looks or turns out
 * incompressible.  Returns 0; ERR_NOMEM; ERR_LIMIT.
 */
int frame_pack(struct buf *out, struct frame *f, enum frame_kind kind,
    const uint8_t *payload, size_t len);

/*
 * Append the payload of the frame of `len` bytes at `p` to `out`.  Trusts
 * nothing.  Returns 0; ERR_DAMAGED; ERR_NOMEM.
 */
int frame_unpack(
    struct buf *out, struct frame *f, const uint8_t *p, size_t len);

/*
 * The same without a copy where none is needed: the payload lies in the frame,
 * or in `room`, whose content it replaces.
 */
int frame_view(const uint8_t **payload, size_t *payload_len, struct buf *room,
    struct frame *f, const uint8_t *p, size_t len);

/* The length to which a frame of `len` bytes is padded. */
size_t frame_padded(size_t len);

#endif
