#ifndef HS_BASE_BUF_H
#define HS_BASE_BUF_H

/*
 * A growing byte string.  The appending functions give 0 or ERR_NOMEM (with
 * the message set) and leave the content as it was when they fail.
 */

#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data; /* owned; NULL while cap is 0 */
	size_t len;
	size_t cap;
};

#define BUF_INIT \
	{ \
		NULL, 0, 0 \
	}

void buf_init(struct buf *b);
/* Free the memory; the buf is empty and usable afterwards. */
void buf_release(struct buf *b);
/* Forget the content, keep the memory. */
void buf_reset(struct buf *b);
/* Give back most of what the content does not need. */
void buf_trim(struct buf *b);
/* Make room for `extra` more bytes behind the content. */
int buf_reserve(struct buf *b, size_t extra);
/* Grow by `len` bytes (content undefined) and set `*out` to the first. */
int buf_extend(uint8_t **out, struct buf *b, size_t len);
int buf_append(struct buf *b, const void *p, size_t len);
int buf_append8(struct buf *b, uint8_t v);
int buf_append16(struct buf *b, uint16_t v);
int buf_append32(struct buf *b, uint32_t v);
int buf_append64(struct buf *b, uint64_t v);
/* Append `len` zero bytes. */
int buf_append_zeros(struct buf *b, size_t len);
/* Append formatted text, without its NUL. */
int buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
