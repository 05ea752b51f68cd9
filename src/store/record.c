#include "store/record.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

#include <assert.h>
#include <string.h>

#define SEALED_LEN_AT 20 /* in the header */

static const uint8_t magic[4] = {'H', 'S', 'R', '1'};

int
record_ids_sorted(const uint8_t *ids, uint32_t n)
{
	uint32_t i;

	for (i = 1; i < n; i++) {
		if (memcmp(ids + (size_t)(i - 1) * RECORD_ID_BYTES,
			ids + (size_t)i * RECORD_ID_BYTES,
			RECORD_ID_BYTES) >= 0)
			return 0;
	}
	return 1;
}

int
record_begin(struct buf *out, const struct record *r)
{
	size_t refs_len = (size_t)r->nrefs * RECORD_ID_BYTES;
	size_t members_len = (size_t)r->nmembers * RECORD_ID_BYTES;
	uint8_t *p;
	int ret;

	assert(r->class == RECORD_DATA || r->class == RECORD_META);
	assert(r->nrefs <= (r->class == RECORD_META ? LIMIT_REFS : 0));
	assert(r->nmembers <= (r->class == RECORD_DATA ? LIMIT_MEMBERS : 0));

	ret = buf_extend(&p, out, RECORD_HEADER_BYTES + refs_len + members_len);
	if (ret < 0)
		return ret;
	memcpy(p, magic, 4);
	p[4] = (uint8_t)r->class;
	p[5] = RECORD_SUITE;
	bytes_put16(p + 6, 0);
	bytes_put32(p + 8, r->epoch);
	bytes_put32(p + 12, r->nrefs);
	bytes_put32(p + 16, r->nmembers);
	bytes_put32(p + SEALED_LEN_AT, 0); /* not known yet */
	memcpy(p + 24, r->key_id, 16);
	memcpy(p + 40, r->id, RECORD_ID_BYTES);
	p += RECORD_HEADER_BYTES;
	if (refs_len > 0)
		memcpy(p, r->refs, refs_len);
	p += refs_len;
	if (members_len > 0)
		memcpy(p, r->members, members_len);
	return 0;
}

int
record_end(struct buf *out, size_t start, size_t sealed_len)
{
	uint8_t *p;
	int ret;

	assert(sealed_len >= RECORD_SEALED_BYTES_MIN &&
	       sealed_len <= LIMIT_SEALED_BYTES);
	ret = buf_extend(&p, out, HASH_BYTES);
	if (ret < 0)
		return ret;
	bytes_put32(out->data + start + SEALED_LEN_AT, (uint32_t)sealed_len);
	hash_bytes(p, out->data + start, out->len - start - HASH_BYTES);
	return 0;
}

int
record_encode(struct buf *out, const struct record *r)
{
	size_t start = out->len;
	int ret = record_begin(out, r);

	if (ret == 0)
		ret = buf_append(out, r->sealed, r->sealed_len);
	if (ret == 0)
		ret = record_end(out, start, r->sealed_len);
	if (ret < 0)
		out->len = start;
	return ret;
}

/* The fixed fields and their limits. */
static int
parse_header(struct record *out, const uint8_t *p, size_t len)
{
	struct bytes_reader in;
	uint8_t class, suite;
	const uint8_t *m;

	bytes_reader_init(&in, p, len);
	m = bytes_read(&in, sizeof(magic));
	class = bytes_read8(&in);
	suite = bytes_read8(&in);
	if (m == NULL || memcmp(m, magic, sizeof(magic)) != 0)
		return err_set(ERR_DAMAGED, "no record begins here");
	if (bytes_read16(&in) != 0 || suite != RECORD_SUITE ||
	    (class != RECORD_DATA && class != RECORD_META))
		return err_set(ERR_DAMAGED,
		    "record of unknown class %u or suite %u", class, suite);
	out->class = (enum record_class) class;
	out->epoch = bytes_read32(&in);
	out->nrefs = bytes_read32(&in);
	out->nmembers = bytes_read32(&in);
	out->sealed_len = bytes_read32(&in);
	out->key_id = bytes_read(&in, 16);
	out->id = bytes_read(&in, RECORD_ID_BYTES);
	if (in.failed)
		return err_set(ERR_DAMAGED, "record header is cut");
	if (out->nrefs > (class == RECORD_META ? LIMIT_REFS : 0) ||
	    out->nmembers > (class == RECORD_DATA ? LIMIT_MEMBERS : 0) ||
	    out->sealed_len < RECORD_SEALED_BYTES_MIN ||
	    out->sealed_len > LIMIT_SEALED_BYTES)
		return err_set(ERR_DAMAGED,
		    "record beyond limits: %u refs, %u members, %u bytes",
		    out->nrefs, out->nmembers, out->sealed_len);
	out->len = RECORD_HEADER_BYTES +
		   ((size_t)out->nrefs + out->nmembers) * RECORD_ID_BYTES +
		   out->sealed_len + HASH_BYTES;
	return 0;
}

int
record_parse_head(
    struct record *out, const uint8_t *p, size_t len, size_t len_max)
{
	struct record r = {0};
	size_t ids_len;
	int ret;

	ret = parse_header(&r, p, len);
	if (ret < 0)
		return ret;
	ids_len = ((size_t)r.nrefs + r.nmembers) * RECORD_ID_BYTES;
	if (r.len > len_max || ids_len > len - RECORD_HEADER_BYTES)
		return err_set(ERR_DAMAGED, "record is cut");
	r.refs = p + RECORD_HEADER_BYTES;
	r.members = r.refs + (size_t)r.nrefs * RECORD_ID_BYTES;
	if (!record_ids_sorted(r.refs, r.nrefs))
		return err_set(ERR_DAMAGED, "refs of a record are not sorted");
	*out = r;
	return 0;
}

int
record_parse(struct record *out, const uint8_t *p, size_t len)
{
	struct record r;
	int ret;

	ret = record_parse_head(&r, p, len, len);
	if (ret < 0)
		return ret;
	r.sealed = r.members + (size_t)r.nmembers * RECORD_ID_BYTES;
	r.checksum = r.sealed + r.sealed_len;
	r.bytes = p;
	*out = r;
	return 0;
}

int
record_check_bytes(const uint8_t *p, size_t len)
{
	uint8_t sum[HASH_BYTES];

	if (len < HASH_BYTES)
		return err_set(ERR_DAMAGED, "record is cut");
	hash_bytes(sum, p, len - HASH_BYTES);
	if (memcmp(sum, p + len - HASH_BYTES, HASH_BYTES) != 0)
		return err_set(ERR_DAMAGED, "record fails its checksum");
	return 0;
}

int
record_check(const struct record *r)
{
	return record_check_bytes(r->bytes, r->len);
}

int
record_feed_sums(struct hash *h, const uint8_t *p, size_t len)
{
	uint8_t n[4];
	struct record r;
	size_t at;
	int ret;

	for (at = 0; at < len; at += r.len) {
		ret = record_parse(&r, p + at, len - at);
		if (ret < 0)
			return ret;
		bytes_put32(n, (uint32_t)r.len);
		hash_update(h, n, sizeof(n));
		hash_update(h, r.checksum, HASH_BYTES);
	}
	return 0;
}

int
record_decode(struct record *out, const uint8_t *p, size_t len)
{
	struct record r;
	int ret;

	ret = record_parse(&r, p, len);
	if (ret < 0)
		return ret;
	if (r.len != len)
		return err_set(ERR_DAMAGED, "bytes behind a record");
	ret = record_check(&r);
	if (ret < 0)
		return ret;
	*out = r;
	return 0;
}
