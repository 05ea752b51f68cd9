#include "proto/segment.h"

#include "base/bytes.h"
#include "base/err.h"
#include "hash/hash.h"
#include "proto/body.h"

#include <assert.h>
#include <string.h>

#define ANSWER_CONTEXT "hashstore answer v1"

/*
 * Of a record only its checksum: who compares it with the record's bytes, as
 * every reader must, has all of them proved (protocol.md 4.3).
 */
static int
feed_items(struct hash *h, const uint8_t *p, size_t len)
{
	struct body_items items;
	struct body_item i;
	int r;

	body_items_init(&items, p, len);
	for (;;) {
		p = items.p;
		r = body_items_next(&i, &items);
		if (r != 0)
			return r == 1 ? 0 : r;
		hash_update(h, p, BODY_ITEM_BYTES);
		if (i.record == NULL)
			continue;
		if (i.len < HASH_BYTES)
			return err_set(ERR_DAMAGED, "a record is cut");
		hash_update(h, i.record + i.len - HASH_BYTES, HASH_BYTES);
	}
}

/*
 * `p` points to head and payload, `len` bytes in all.  ERR_DAMAGED: the
 * payload is not what it must be.
 */
static int
segment_mac(uint8_t out[SIGN_MAC_BYTES], const struct segment_key *k,
    const uint8_t *p, size_t len)
{
	uint8_t bound[IDENT_BYTES + 8 + SIGN_MAC_BYTES + 4 + 4];
	int is_error = (bytes_get32(p) & SEGMENT_ERROR) != 0, r = 0;
	uint8_t *to = bound;
	struct hash h;

	memcpy(to, k->session->session, IDENT_BYTES);
	to += IDENT_BYTES;
	bytes_put64(to, k->number);
	to += 8;
	memcpy(to, k->request_mac, SIGN_MAC_BYTES);
	to += SIGN_MAC_BYTES;
	bytes_put32(to, k->status);
	bytes_put32(to + 4, k->position);

	hash_init_keyed(&h, k->session->answer_key);
	hash_update(&h, ANSWER_CONTEXT, sizeof(ANSWER_CONTEXT));
	hash_update(&h, bound, sizeof(bound));
	hash_update(&h, p, SEGMENT_HEAD_BYTES);
	p += SEGMENT_HEAD_BYTES;
	len -= SEGMENT_HEAD_BYTES;
	if (k->records && !is_error)
		r = feed_items(&h, p, len);
	else
		hash_update(&h, p, len);
	if (r == 0)
		hash_final(&h, out);
	hash_wipe(&h, sizeof(h));
	return r;
}

int
segment_begin(struct buf *out)
{
	return buf_append_zeros(out, SEGMENT_HEAD_BYTES);
}

int
segment_end(
    struct buf *out, size_t start, struct segment_key *k, uint32_t flags)
{
	size_t len = out->len - start - SEGMENT_HEAD_BYTES;
	uint8_t mac[SIGN_MAC_BYTES];
	int r;

	assert(len <= SEGMENT_PAYLOAD_MAX);
	bytes_put32(out->data + start, (uint32_t)len | flags);
	r = segment_mac(mac, k, out->data + start, SEGMENT_HEAD_BYTES + len);
	if (r < 0)
		return r;
	k->position++;
	return buf_append(out, mac, sizeof(mac));
}

int
segment_append(struct buf *out, struct segment_key *k, uint32_t flags,
    const uint8_t *payload, size_t len)
{
	size_t start = out->len;
	int r = buf_reserve(out, len + SEGMENT_EXTRA_BYTES);

	if (r == 0)
		r = segment_begin(out);
	if (r == 0)
		r = buf_append(out, payload, len);
	if (r == 0)
		r = segment_end(out, start, k, flags);
	return r;
}

void
segment_reader_init(
    struct segment_reader *r, struct segment_key *k, size_t payload_max)
{
	r->k = k;
	buf_init(&r->pending);
	r->payload_max = payload_max;
	r->last = 0;
}

void
segment_reader_release(struct segment_reader *r)
{
	buf_release(&r->pending);
}

static int
bad_answer(void)
{
	return err_set(ERR_UNREACHABLE, "the server's answer fails its check");
}

/* Sets `*out` to the length of the segment that begins with this head. */
static int
segment_len(size_t *out, const struct segment_reader *r, const uint8_t *head)
{
	uint32_t v = bytes_get32(head);
	size_t len = v & ~(SEGMENT_LAST | SEGMENT_ERROR);

	if (len > r->payload_max ||
	    ((v & SEGMENT_ERROR) != 0 && (v & SEGMENT_LAST) == 0))
		return bad_answer();
	*out = len + SEGMENT_EXTRA_BYTES;
	return 0;
}

/* One complete segment. */
static int
take(struct segment_reader *r, const uint8_t *p, size_t len, segment_fn *found,
    void *arg)
{
	uint32_t flags = bytes_get32(p) & (SEGMENT_LAST | SEGMENT_ERROR);
	uint8_t mac[SIGN_MAC_BYTES];

	if (segment_mac(mac, r->k, p, len - SIGN_MAC_BYTES) != 0 ||
	    !hash_equal(mac, p + len - SIGN_MAC_BYTES, SIGN_MAC_BYTES))
		return bad_answer();
	r->k->position++;
	r->last = (flags & SEGMENT_LAST) != 0;
	return found(
	    arg, p + SEGMENT_HEAD_BYTES, len - SEGMENT_EXTRA_BYTES, flags);
}

int
segment_reader_feed(struct segment_reader *r, const uint8_t *p, size_t len,
    segment_fn *found, void *arg)
{
	size_t whole = 0, n;
	int ret;

	while (len > 0) {
		if (r->last)
			return bad_answer();
		if (r->pending.len < SEGMENT_HEAD_BYTES) {
			n = SEGMENT_HEAD_BYTES - r->pending.len;
			n = n < len ? n : len;
			ret = buf_append(&r->pending, p, n);
			if (ret < 0)
				return ret;
			p += n;
			len -= n;
			if (r->pending.len < SEGMENT_HEAD_BYTES)
				return 0;
		}
		ret = segment_len(&whole, r, r->pending.data);
		if (ret != 0)
			return ret;
		n = whole - r->pending.len;
		n = n < len ? n : len;
		/* Room for all of it at once: no copying while it grows. */
		ret = buf_reserve(&r->pending, whole - r->pending.len);
		if (ret == 0)
			ret = buf_append(&r->pending, p, n);
		if (ret < 0)
			return ret;
		p += n;
		len -= n;
		if (r->pending.len < whole)
			return 0;
		ret = take(r, r->pending.data, whole, found, arg);
		buf_reset(&r->pending);
		if (ret != 0)
			return ret;
	}
	return 0;
}

int
segment_reader_end(const struct segment_reader *r)
{
	if (!r->last)
		return err_set(
		    ERR_UNREACHABLE, "the server's answer was cut off");
	return 0;
}
