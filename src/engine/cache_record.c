#include "engine/cache_record.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

#include <string.h>

/* The keyed checksum of `len` value bytes under a key. */
static void
check_of(uint8_t out[CACHE_CHECK_BYTES], const uint8_t check_key[HASH_BYTES],
    const uint8_t *key, size_t key_len, const uint8_t *p, size_t len)
{
	struct hash h;
	uint8_t digest[HASH_BYTES], prefix[4];

	bytes_put32(prefix, (uint32_t)key_len);
	hash_init_keyed(&h, check_key);
	hash_update(&h, prefix, sizeof(prefix));
	hash_update(&h, key, key_len);
	hash_update(&h, p, len);
	hash_final(&h, digest);
	memcpy(out, digest, CACHE_CHECK_BYTES);
}

/* Append the checksum over all of `out`. */
static int
close_record(struct buf *out, const uint8_t check_key[HASH_BYTES],
    const uint8_t *key, size_t key_len)
{
	uint8_t check[CACHE_CHECK_BYTES];

	check_of(check, check_key, key, key_len, out->data, out->len);
	return buf_append(out, check, sizeof(check));
}

/* Check the record and set up `r` over what is before the checksum. */
static int
open_record(struct bytes_reader *r, const uint8_t check_key[HASH_BYTES],
    const uint8_t *key, size_t key_len, const uint8_t *p, size_t len)
{
	uint8_t check[CACHE_CHECK_BYTES];

	if (len < CACHE_CHECK_BYTES)
		return err_set(ERR_DAMAGED, "stat cache: record too short");
	len -= CACHE_CHECK_BYTES;
	check_of(check, check_key, key, key_len, p, len);
	if (!hash_equal(check, p + len, CACHE_CHECK_BYTES))
		return err_set(
		    ERR_DAMAGED, "stat cache: record fails its check");
	bytes_reader_init(r, p, len);
	return 0;
}

static int
malformed(void)
{
	return err_set(ERR_DAMAGED, "stat cache: malformed record");
}

void
cache_record_stat_from(
    struct cache_stat *out, const struct stat *st, uint8_t kind, int dirty)
{
	out->kind = kind;
	out->dirty = dirty != 0;
	out->size = (uint64_t)st->st_size;
	out->mtime_s = st->st_mtim.tv_sec;
	out->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
	out->ctime_s = st->st_ctim.tv_sec;
	out->ctime_ns = (uint32_t)st->st_ctim.tv_nsec;
	out->ino = st->st_ino;
}

int
cache_record_stat_same(
    const struct cache_stat *old, const struct cache_stat *now)
{
	/* `now` may be young: only what was recorded young was unsafe. */
	return !old->dirty && old->kind == now->kind &&
	       old->size == now->size && old->ino == now->ino &&
	       old->mtime_s == now->mtime_s && old->mtime_ns == now->mtime_ns &&
	       old->ctime_s == now->ctime_s && old->ctime_ns == now->ctime_ns;
}

int
cache_record_stat_encode(struct buf *out, const struct cache_stat *s)
{
	uint8_t *p;
	int rc = buf_extend(&p, out, CACHE_STAT_BYTES);

	if (rc != 0)
		return rc;
	memset(p, 0, 8);
	p[0] = s->kind;
	p[1] = s->dirty;
	bytes_put64(p + 8, s->size);
	bytes_put64(p + 16, (uint64_t)s->mtime_s);
	bytes_put64(p + 24, (uint64_t)s->ctime_s);
	bytes_put32(p + 32, s->mtime_ns);
	bytes_put32(p + 36, s->ctime_ns);
	bytes_put64(p + 40, s->ino);
	return 0;
}

void
cache_record_stat_decode(struct cache_stat *out, const uint8_t *p)
{
	out->kind = p[0];
	out->dirty = p[1];
	out->size = bytes_get64(p + 8);
	out->mtime_s = (int64_t)bytes_get64(p + 16);
	out->ctime_s = (int64_t)bytes_get64(p + 24);
	out->mtime_ns = bytes_get32(p + 32);
	out->ctime_ns = bytes_get32(p + 36);
	out->ino = bytes_get64(p + 40);
}

int
cache_record_leaf_encode(struct buf *out, const struct cache_leaf *l,
    const uint8_t check_key[HASH_BYTES], const uint8_t *key, size_t key_len)
{
	int rc;

	buf_reset(out);
	rc = buf_append(out, l->id, HASH_BYTES);
	if (rc == 0)
		rc = buf_append32(out, l->nrefs);
	if (rc == 0)
		rc = buf_append32(out, l->payload_len);
	if (rc == 0)
		rc = buf_append32(out, l->entries);
	if (rc == 0)
		rc = buf_append(out, l->refs, (size_t)l->nrefs * HASH_BYTES);
	if (rc == 0)
		rc = buf_append(out, l->payload, l->payload_len);
	if (rc == 0)
		rc = buf_append(
		    out, l->stats, (size_t)l->entries * CACHE_STAT_BYTES);
	if (rc == 0)
		rc = close_record(out, check_key, key, key_len);
	return rc;
}

int
cache_record_leaf_decode(struct cache_leaf *out,
    const uint8_t check_key[HASH_BYTES], const uint8_t *key, size_t key_len,
    const uint8_t *p, size_t len)
{
	struct cache_leaf l;
	struct bytes_reader r;
	int rc = open_record(&r, check_key, key, key_len, p, len);

	if (rc != 0)
		return rc;
	l.id = bytes_read(&r, HASH_BYTES);
	l.nrefs = bytes_read32(&r);
	l.payload_len = bytes_read32(&r);
	l.entries = bytes_read32(&r);
	if (r.failed || l.nrefs > LIMIT_REFS ||
	    l.payload_len > LIMIT_PAYLOAD_BYTES)
		return malformed();
	l.refs = bytes_read(&r, (size_t)l.nrefs * HASH_BYTES);
	l.payload = bytes_read(&r, l.payload_len);
	l.stats = bytes_read(&r, (size_t)l.entries * CACHE_STAT_BYTES);
	if (!bytes_reader_done(&r))
		return malformed();
	*out = l;
	return 0;
}

int
cache_record_dir_encode(struct buf *out, const struct cache_dir *d,
    const uint8_t check_key[HASH_BYTES], const uint8_t *key, size_t key_len)
{
	int rc;

	buf_reset(out);
	rc = buf_append(out, d->tree, HASH_BYTES);
	if (rc == 0)
		rc = buf_append(out, d->address, HASH_BYTES);
	if (rc == 0)
		rc = buf_append8(out, d->level);
	if (rc == 0)
		rc = buf_append_zeros(out, 7);
	if (rc == 0)
		rc = buf_append64(out, d->entries);
	if (rc == 0)
		rc = close_record(out, check_key, key, key_len);
	return rc;
}

int
cache_record_dir_decode(struct cache_dir *out,
    const uint8_t check_key[HASH_BYTES], const uint8_t *key, size_t key_len,
    const uint8_t *p, size_t len)
{
	const uint8_t *tree, *address;
	struct cache_dir d;
	struct bytes_reader r;
	int rc = open_record(&r, check_key, key, key_len, p, len);

	if (rc != 0)
		return rc;
	tree = bytes_read(&r, HASH_BYTES);
	address = bytes_read(&r, HASH_BYTES);
	d.level = bytes_read8(&r);
	(void)bytes_read(&r, 7); /* zero; a failure shows at the end */
	d.entries = bytes_read64(&r);
	if (!bytes_reader_done(&r) || d.level >= LIMIT_LEVELS)
		return malformed();
	memcpy(d.tree, tree, HASH_BYTES);
	memcpy(d.address, address, HASH_BYTES);
	*out = d;
	return 0;
}

int
cache_record_bundle_encode(struct buf *out, const struct cache_bundle *b,
    const uint8_t check_key[HASH_BYTES], const uint8_t *key, size_t key_len)
{
	int rc;

	buf_reset(out);
	rc = buf_append64(out, b->bytes);
	if (rc == 0)
		rc = buf_append8(out, b->sparse);
	if (rc == 0)
		rc = close_record(out, check_key, key, key_len);
	return rc;
}

int
cache_record_bundle_decode(struct cache_bundle *out,
    const uint8_t check_key[HASH_BYTES], const uint8_t *key, size_t key_len,
    const uint8_t *p, size_t len)
{
	struct cache_bundle b;
	struct bytes_reader r;
	int rc = open_record(&r, check_key, key, key_len, p, len);

	if (rc != 0)
		return rc;
	b.bytes = bytes_read64(&r);
	b.sparse = bytes_read8(&r);
	if (!bytes_reader_done(&r) || b.sparse > 1)
		return malformed();
	*out = b;
	return 0;
}

int
cache_record_head_encode(struct buf *out, const struct cache_head *h,
    const uint8_t check_key[HASH_BYTES], const uint8_t *key, size_t key_len)
{
	int rc;

	_Static_assert(sizeof(*h) == CACHE_HEAD_BYTES, "only bytes in it");
	buf_reset(out);
	rc = buf_append(out, h, sizeof(*h));
	if (rc == 0)
		rc = close_record(out, check_key, key, key_len);
	return rc;
}

int
cache_record_head_decode(struct cache_head *out,
    const uint8_t check_key[HASH_BYTES], const uint8_t *key, size_t key_len,
    const uint8_t *p, size_t len)
{
	struct bytes_reader r;
	const uint8_t *head;
	int rc = open_record(&r, check_key, key, key_len, p, len);

	if (rc != 0)
		return rc;
	head = bytes_read(&r, sizeof(*out));
	if (head == NULL || !bytes_reader_done(&r))
		return malformed();
	memcpy(out, head, sizeof(*out));
	return 0;
}
