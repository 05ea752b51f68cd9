#include "proto/body.h"

#include "base/bytes.h"
#include "base/err.h"

#include <string.h>

#define BITMAP_BYTES(n) (((size_t)(n) + 7) / 8)

static int
malformed(const char *what)
{
	return err_set(ERR_DAMAGED, "malformed %s", what);
}

/* count u32 and that many ids, to the end of the body. */
static int
read_ids(const uint8_t **ids, uint32_t *count, struct bytes_reader *r,
    uint32_t count_max)
{
	*count = bytes_read32(r);
	if (r->failed || *count > count_max)
		return 1;
	*ids = bytes_read(r, (size_t)*count * BODY_ID_BYTES);
	return !bytes_reader_done(r);
}

static int
append_ids(struct buf *out, const uint8_t *ids, uint32_t count)
{
	int r = buf_append32(out, count);

	if (r == 0)
		r = buf_append(out, ids, (size_t)count * BODY_ID_BYTES);
	return r;
}

int
body_have_encode(
    struct buf *out, enum body_kind kind, const uint8_t *ids, uint32_t count)
{
	int r = buf_append32(out, (uint32_t)kind);

	return r < 0 ? r : append_ids(out, ids, count);
}

int
body_have_decode(struct body_have *out, const uint8_t *p, size_t len)
{
	struct bytes_reader r;
	struct body_have h;
	uint32_t kind;

	bytes_reader_init(&r, p, len);
	kind = bytes_read32(&r);
	if (read_ids(&h.ids, &h.count, &r, LIMIT_HAVE_IDS) != 0 ||
	    kind > BODY_FILES)
		return malformed("have");
	h.kind = (enum body_kind)kind;
	*out = h;
	return 0;
}

int
body_have_answer_encode(struct buf *out, const uint8_t *bitmap, uint32_t count)
{
	return buf_append(out, bitmap, BITMAP_BYTES(count));
}

int
body_files_answer_encode(
    struct buf *out, const struct body_member *members, uint32_t count)
{
	uint8_t *bitmap;
	uint32_t i;
	size_t at = out->len;
	int r = buf_append_zeros(out, BITMAP_BYTES(count));

	for (i = 0; i < count && r == 0; i++) {
		if (!members[i].found)
			continue;
		bitmap = out->data + at;
		bitmap[i / 8] |= (uint8_t)(1u << (i % 8));
		r = buf_append(out, members[i].bundle, BODY_ID_BYTES);
		if (r == 0)
			r = buf_append32(out, members[i].member);
	}
	return r;
}

/* Bits behind the last one must be zero. */
static int
bitmap_is_clean(const uint8_t *bitmap, uint32_t count)
{
	return count % 8 == 0 || (bitmap[count / 8] >> (count % 8)) == 0;
}

int
body_have_answer_decode(
    uint8_t *bitmap, uint32_t count, const uint8_t *p, size_t len)
{
	if (len != BITMAP_BYTES(count) || !bitmap_is_clean(p, count))
		return malformed("answer to have");
	if (len > 0)
		memcpy(bitmap, p, len);
	return 0;
}

int
body_files_answer_decode(
    struct body_member *members, uint32_t count, const uint8_t *p, size_t len)
{
	const uint8_t *bits, *bundle;
	struct bytes_reader r;
	uint32_t i;

	bytes_reader_init(&r, p, len);
	bits = bytes_read(&r, BITMAP_BYTES(count));
	if (r.failed || !bitmap_is_clean(bits, count))
		return malformed("answer to have");
	for (i = 0; i < count; i++) {
		memset(&members[i], 0, sizeof(members[i]));
		if ((bits[i / 8] >> (i % 8) & 1) == 0)
			continue;
		bundle = bytes_read(&r, BODY_ID_BYTES);
		members[i].member = bytes_read32(&r);
		if (r.failed)
			return malformed("answer to have");
		members[i].found = 1;
		memcpy(members[i].bundle, bundle, BODY_ID_BYTES);
	}
	if (!bytes_reader_done(&r))
		return malformed("answer to have");
	return 0;
}

int
body_get_encode(struct buf *out, const uint8_t *ids, uint32_t count)
{
	return append_ids(out, ids, count);
}

int
body_get_decode(
    const uint8_t **ids, uint32_t *count, const uint8_t *p, size_t len)
{
	struct bytes_reader r;
	const uint8_t *at;
	uint32_t n;

	bytes_reader_init(&r, p, len);
	if (read_ids(&at, &n, &r, LIMIT_GET_IDS) != 0)
		return malformed("get");
	*ids = at;
	*count = n;
	return 0;
}

int
body_other_encode(
    struct buf *out, const uint8_t *id, const uint8_t *bad, uint32_t count)
{
	int r = buf_append(out, id, BODY_ID_BYTES);

	return r == 0 ? append_ids(out, bad, count) : r;
}

int
body_other_decode(const uint8_t **id, const uint8_t **bad, uint32_t *count,
    const uint8_t *p, size_t len)
{
	const uint8_t *name, *sums;
	struct bytes_reader r;
	uint32_t n;

	bytes_reader_init(&r, p, len);
	name = bytes_read(&r, BODY_ID_BYTES);
	if (name == NULL || read_ids(&sums, &n, &r, LIMIT_OTHER_SUMS) != 0)
		return malformed("other");
	*id = name;
	*bad = sums;
	*count = n;
	return 0;
}

int
body_item_encode(struct buf *out, uint8_t status, const uint8_t *id,
    const uint8_t *record, size_t len)
{
	int r = buf_reserve(out, BODY_ITEM_BYTES + len);

	if (r == 0)
		r = buf_append8(out, status);
	if (r == 0)
		r = buf_append(out, id, BODY_ID_BYTES);
	if (r == 0)
		r = buf_append32(out, (uint32_t)len);
	if (r == 0)
		r = buf_append(out, record, len);
	return r;
}

void
body_items_init(struct body_items *it, const uint8_t *p, size_t len)
{
	it->p = p;
	it->left = len;
}

/* Move past what `r` has read. */
static void
advance(struct body_items *it, const struct bytes_reader *r)
{
	it->p = r->p;
	it->left = r->left;
}

int
body_items_next(struct body_item *out, struct body_items *it)
{
	struct bytes_reader r;
	struct body_item i;

	if (it->left == 0)
		return 1;
	bytes_reader_init(&r, it->p, it->left);
	i.status = bytes_read8(&r);
	i.id = bytes_read(&r, BODY_ID_BYTES);
	i.len = bytes_read32(&r);
	i.record = bytes_read(&r, i.len);
	if (r.failed || i.status > BODY_ITEM_DAMAGED ||
	    i.len > LIMIT_RECORD_BYTES ||
	    (i.status == BODY_ITEM_RECORD) != (i.len > 0))
		return malformed("answer to get");
	if (i.len == 0)
		i.record = NULL;
	advance(it, &r);
	*out = i;
	return 0;
}

int
body_file_encode(struct buf *out, const struct body_file *f)
{
	int r = buf_append(out, f->mount, IDENT_BYTES);

	if (r == 0)
		r = buf_append64(out, f->seq);
	if (r == 0)
		r = buf_append32(out, (uint32_t)f->len);
	return r < 0 ? r : buf_append(out, f->file, f->len);
}

int
body_files_next(struct body_file *out, struct body_items *it)
{
	struct bytes_reader r;
	const uint8_t *mount, *p;
	uint64_t seq;
	uint32_t n;

	if (it->left == 0)
		return 1;
	bytes_reader_init(&r, it->p, it->left);
	mount = bytes_read(&r, IDENT_BYTES);
	seq = bytes_read64(&r);
	n = bytes_read32(&r);
	p = bytes_read(&r, n);
	if (r.failed || n > LIMIT_SNAPSHOT_BYTES)
		return malformed("answer to snapshots");
	advance(it, &r);
	memcpy(out->mount, mount, IDENT_BYTES);
	out->seq = seq;
	out->file = p;
	out->len = n;
	return 0;
}

int
body_snapshots_encode(struct buf *out, const uint8_t *mount, int tombs)
{
	int r = buf_append8(out, (uint8_t)((mount != NULL) | !!tombs << 1));

	if (r == 0 && mount != NULL)
		r = buf_append(out, mount, IDENT_BYTES);
	return r;
}

int
body_snapshots_decode(
    const uint8_t **mount, int *tombs, const uint8_t *p, size_t len)
{
	if (len == 0 || p[0] > 3 || len != 1 + (p[0] & 1u) * IDENT_BYTES)
		return malformed("snapshots");
	*mount = p[0] & 1 ? p + 1 : NULL;
	*tombs = p[0] >> 1;
	return 0;
}

int
body_mount_encode(struct buf *out, const struct body_mount *m)
{
	size_t len = strlen(m->label);
	int r = buf_append(out, m->mount, sizeof(m->mount));

	if (r == 0)
		r = buf_append(out, m->public_key, sizeof(m->public_key));
	if (r == 0)
		r = buf_append8(out, (uint8_t)len);
	if (r == 0)
		r = buf_append(out, m->label, len);
	return r;
}

int
body_mounts_next(struct body_mount *out, struct body_items *it)
{
	const uint8_t *mount, *key, *label;
	struct bytes_reader r;
	size_t len;

	if (it->left == 0)
		return 1;
	bytes_reader_init(&r, it->p, it->left);
	mount = bytes_read(&r, IDENT_BYTES);
	key = bytes_read(&r, SIGN_PUBLIC_BYTES);
	len = bytes_read8(&r);
	label = bytes_read(&r, len);
	if (r.failed || memchr(label, '\0', len) != NULL)
		return malformed("answer to mounts");
	advance(it, &r);
	memset(out, 0, sizeof(*out));
	memcpy(out->mount, mount, IDENT_BYTES);
	memcpy(out->public_key, key, SIGN_PUBLIC_BYTES);
	memcpy(out->label, label, len);
	return 0;
}

int
body_commit_encode(struct buf *out, const struct body_commit *c)
{
	int r = buf_append32(out, c->missing != 0);

	if (r == 0 && c->missing)
		return append_ids(out, c->ids, c->count);
	if (r == 0)
		r = buf_append64(out, c->server_seq);
	if (r == 0)
		r = buf_append64(out, (uint64_t)c->receive_ns);
	return r;
}

int
body_commit_decode(struct body_commit *out, const uint8_t *p, size_t len)
{
	struct bytes_reader r;
	struct body_commit c;
	uint32_t result;

	memset(&c, 0, sizeof(c));
	bytes_reader_init(&r, p, len);
	result = bytes_read32(&r);
	if (!r.failed && result == 1) {
		c.missing = 1;
		if (read_ids(&c.ids, &c.count, &r, LIMIT_MISSING_IDS) != 0)
			return malformed("answer to commit");
	} else {
		c.server_seq = bytes_read64(&r);
		c.receive_ns = (int64_t)bytes_read64(&r);
		if (result != 0 || !bytes_reader_done(&r))
			return malformed("answer to commit");
	}
	*out = c;
	return 0;
}
