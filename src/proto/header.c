#include "proto/header.h"

#include "base/err.h"
#include "hash/hash.h"

#include <string.h>

int
header_append(struct buf *out, const struct header *h)
{
	int r = buf_append32(out, HEADER_FORMAT);

	if (r == 0)
		r = buf_append(out, h->vault, sizeof(h->vault));
	if (r == 0)
		r = buf_append32(out, h->chunker_id);
	if (r == 0)
		r = buf_append32(out, h->chunk_average);
	if (r == 0)
		r = buf_append32(out, h->chunk_min);
	if (r == 0)
		r = buf_append32(out, h->chunk_max);
	if (r == 0)
		r = buf_append(out, h->join_public, sizeof(h->join_public));
	if (r == 0)
		r = buf_append32(out, 0); /* epoch; so many links */
	if (r == 0)
		r = buf_append_zeros(out, HEADER_RESERVED);
	if (r == 0)
		r = buf_append(out, h->mac, sizeof(h->mac));
	return r;
}

int
header_to_json(struct json *j, const struct header *h)
{
	static const uint8_t reserved[HEADER_RESERVED];
	int r = json_set_int(j, "format", HEADER_FORMAT);

	if (r == 0)
		r = json_set_hex(j, "vault", h->vault, sizeof(h->vault));
	if (r == 0)
		r = json_set_int(j, "chunker", h->chunker_id);
	if (r == 0)
		r = json_set_int(j, "chunk_average", h->chunk_average);
	if (r == 0)
		r = json_set_int(j, "chunk_min", h->chunk_min);
	if (r == 0)
		r = json_set_int(j, "chunk_max", h->chunk_max);
	if (r == 0)
		r = json_set_hex(
		    j, "join_public", h->join_public, sizeof(h->join_public));
	if (r == 0)
		r = json_set_int(j, "epoch", 0);
	if (r == 0)
		r = json_set_text(j, "links", "");
	if (r == 0)
		r = json_set_hex(j, "reserved", reserved, sizeof(reserved));
	if (r == 0)
		r = json_set_hex(j, "mac", h->mac, sizeof(h->mac));
	return r;
}

static int
get_u32(uint32_t *out, const struct json *j, const char *name)
{
	int64_t v;
	int r = json_get_int(&v, j, name, 0, UINT32_MAX);

	if (r == 0)
		*out = (uint32_t)v;
	return r;
}

/* What version 1 does not know is said before anything else is looked at:
 * its other members may be other ones. */
static int
check_version(const struct json *j)
{
	int64_t format, epoch;
	int r = json_get_int(&format, j, "format", 1, INT64_MAX);

	if (r == 0 && format > HEADER_FORMAT)
		return err_set(ERR_NOSTORE,
		    "the vault has format %lld, this shash knows %d: use a "
		    "newer shash",
		    (long long)format, HEADER_FORMAT);
	if (r == 0)
		r = json_get_int(&epoch, j, "epoch", 0, UINT32_MAX);
	if (r == 0 && epoch > 0)
		return err_set(ERR_NOSTORE,
		    "the vault's master key was changed (key epoch %lld, this "
		    "shash knows 0): use a newer shash",
		    (long long)epoch);
	return r;
}

static int
check_constants(const struct json *j)
{
	uint8_t reserved[HEADER_RESERVED];
	const char *links;
	int r = json_get_text(&links, j, "links", 0);

	if (r == 0)
		r = json_get_hex(reserved, sizeof(reserved), j, "reserved");
	if (r == 0 && !bytes_are_zero(reserved, sizeof(reserved)))
		r = err_set(ERR_DAMAGED, "reserved bytes that are not zero");
	return r;
}

int
header_from_json(struct header *out, const struct json *j)
{
	struct header h;
	int r;

	memset(&h, 0, sizeof(h));
	r = check_version(j);
	if (r == 0)
		r = check_constants(j);
	if (r == 0)
		r = json_get_hex(h.vault, sizeof(h.vault), j, "vault");
	if (r == 0)
		r = get_u32(&h.chunker_id, j, "chunker");
	if (r == 0)
		r = get_u32(&h.chunk_average, j, "chunk_average");
	if (r == 0)
		r = get_u32(&h.chunk_min, j, "chunk_min");
	if (r == 0)
		r = get_u32(&h.chunk_max, j, "chunk_max");
	if (r == 0)
		r = json_get_hex(
		    h.join_public, sizeof(h.join_public), j, "join_public");
	if (r == 0)
		r = json_get_hex(h.mac, sizeof(h.mac), j, "mac");
	if (r == 0)
		*out = h;
	return r;
}

int
header_equal(const struct header *a, const struct header *b)
{
	return memcmp(a->vault, b->vault, sizeof(a->vault)) == 0 &&
	       a->chunker_id == b->chunker_id &&
	       a->chunk_average == b->chunk_average &&
	       a->chunk_min == b->chunk_min && a->chunk_max == b->chunk_max &&
	       hash_equal(
		   a->join_public, b->join_public, sizeof(a->join_public)) &&
	       hash_equal(a->mac, b->mac, sizeof(a->mac));
}
