#include "base/buf.h"

#include "base/bytes.h"
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_CAP_MIN 64

void
buf_init(struct buf *b)
{
	b->data = NULL;
	b->len = 0;
	b->cap = 0;
}

void
buf_release(struct buf *b)
{
	free(b->data);
	buf_init(b);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
}

void
buf_trim(struct buf *b)
{
	uint8_t *data;

	if (b->len == 0) {
		buf_release(b);
		return;
	}
	if (b->cap - b->len <= b->len / 8)
		return;
	data = realloc(b->data, b->len);
	if (data == NULL)
		return; /* it is only kept */
	b->data = data;
	b->cap = b->len;
}

int
buf_reserve(struct buf *b, size_t extra)
{
	size_t need, cap;
	uint8_t *data;

	if (extra <= b->cap - b->len)
		return 0;
	if (extra > SIZE_MAX / 2 - b->len)
		return err_nomem(extra);
	need = b->len + extra;
	/* Half more each time keeps the copying linear. */
	cap = b->cap + b->cap / 2;
	if (cap < need)
		cap = need;
	if (cap < BUF_CAP_MIN)
		cap = BUF_CAP_MIN;
	data = realloc(b->data, cap);
	if (data == NULL)
		return err_nomem(cap);
	b->data = data;
	b->cap = cap;
	return 0;
}

int
buf_extend(uint8_t **out, struct buf *b, size_t len)
{
	int r = buf_reserve(b, len);

	if (r < 0)
		return r;
	/* An empty buf may have no memory: then nothing is pointed at. */
	*out = b->data == NULL ? NULL : b->data + b->len;
	b->len += len;
	return 0;
}

int
buf_append(struct buf *b, const void *p, size_t len)
{
	uint8_t *to;
	int r = buf_extend(&to, b, len);

	if (r < 0)
		return r;
	if (len > 0)
		memcpy(to, p, len);
	return 0;
}

int
buf_append8(struct buf *b, uint8_t v)
{
	return buf_append(b, &v, 1);
}

int
buf_append16(struct buf *b, uint16_t v)
{
	uint8_t p[2];

	bytes_put16(p, v);
	return buf_append(b, p, sizeof(p));
}

int
buf_append32(struct buf *b, uint32_t v)
{
	uint8_t p[4];

	bytes_put32(p, v);
	return buf_append(b, p, sizeof(p));
}

int
buf_append64(struct buf *b, uint64_t v)
{
	uint8_t p[8];

	bytes_put64(p, v);
	return buf_append(b, p, sizeof(p));
}

int
buf_append_zeros(struct buf *b, size_t len)
{
	uint8_t *to;
	int r = buf_extend(&to, b, len);

	if (r < 0)
		return r;
	if (len > 0)
		memset(to, 0, len);
	return 0;
}

int
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n, r;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return err_nomem(0);
	/* vsnprintf() writes a NUL, which is no part of the content. */
	r = buf_reserve(b, (size_t)n + 1);
	if (r < 0)
		return r;
	va_start(ap, fmt);
	/* It has just said how long it will be. */
	(void)vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}
