#include "store/salvage.h"

#include "base/err.h"
#include "base/limits.h"
#include "store/backend.h"
#include "store/record.h"

#include <assert.h>
#include <string.h>

/* Around a bad place of the disk: this much is given up. */
#define PIECE_BYTES 4096u

/* Read what can be read, a piece at a time; a passing fault has two tries. */
static int
read_pieces(uint8_t *to, struct backend *b, const char *path, size_t len)
{
	size_t at, n;
	int ret;

	for (at = 0; at < len; at += n) {
		n = len - at < PIECE_BYTES ? len - at : PIECE_BYTES;
		ret = b->ops->get(b, path, to + at, n, at);
		if (ret == ERR_DAMAGED)
			ret = b->ops->get(b, path, to + at, n, at);
		if (ret == ERR_DAMAGED)
			memset(to + at, 0, n);
		else if (ret < 0)
			return ret;
	}
	return 0;
}

static int
read_file(struct salvage *s, struct backend *b, const char *path)
{
	size_t len;
	uint8_t *to;
	int ret = b->ops->size(&s->k.size, b, path);

	if (ret < 0 || s->k.size == 0)
		return ret;
	len =
	    s->k.size < LIMIT_PACK_BYTES ? (size_t)s->k.size : LIMIT_PACK_BYTES;
	ret = buf_extend(&to, &s->whole, len);
	if (ret < 0)
		return ret;
	ret = b->ops->get(b, path, to, len, 0);
	return ret == ERR_DAMAGED ? read_pieces(to, b, path, len) : ret;
}

/* Every whole record, wherever it begins. */
static int
find_records(struct salvage *s)
{
	const uint8_t *p = s->whole.data, *next;
	size_t at = PACK_HEADER_BYTES, len = s->whole.len;
	struct record r;
	int ret;

	while (at < len && s->k.count < LIMIT_PACK_RECORDS) {
		if (record_parse(&r, p + at, len - at) == 0 &&
		    record_check(&r) == 0) {
			ret = pack_note(&s->k, &r, (uint32_t)at);
			if (ret < 0)
				return ret;
			at += r.len;
			continue;
		}
		next = memmem(p + at + 1, len - at - 1, "HSR1", 4);
		if (next == NULL)
			break;
		at = (size_t)(next - p);
	}
	return 0;
}

/* Nonzero when it is a sound pack, of a vault that is not this one. */
static int
is_foreign(const struct salvage *s)
{
	const uint8_t *vault = s->whole.data + 8; /* format.md 3.2 */
	struct pack k = PACK_INIT;
	int ret;

	if (s->whole.len < PACK_HEADER_BYTES || s->whole.len != s->k.size ||
	    memcmp(vault, s->k.vault, PACK_VAULT_BYTES) == 0)
		return 0;
	ret = pack_decode(&k, s->k.name, s->whole.data, s->whole.len, vault);
	pack_release(&k);
	return ret == 0;
}

int
salvage_pack(struct salvage *out, struct backend *b,
    const uint8_t name[HASH_BYTES], const uint8_t vault[PACK_VAULT_BYTES])
{
	struct salvage s = SALVAGE_INIT;
	struct pack sound = PACK_INIT;
	char path[PACK_PATH_BYTES];
	int ret;

	pack_path(path, name);
	memcpy(s.k.name, name, HASH_BYTES);
	memcpy(s.k.vault, vault, PACK_VAULT_BYTES);
	ret = read_file(&s, b, path);
	if (ret == 0 && s.whole.len == s.k.size &&
	    pack_decode(&sound, name, s.whole.data, s.whole.len, vault) == 0)
		ret = 1;
	pack_release(&sound);
	if (ret == 0 && is_foreign(&s))
		ret = err_set(ERR_DAMAGED, "%s: a pack of another vault", path);
	if (ret == 0)
		ret = find_records(&s);
	if (ret == 0)
		*out = s;
	else
		salvage_release(&s);
	return ret;
}

void
salvage_release(struct salvage *s)
{
	pack_release(&s->k);
	buf_release(&s->whole);
}

void
salvage_record(
    struct record *out, const struct salvage *s, const struct pack_entry *e)
{
	int ret = record_parse(out, s->whole.data + e->offset, e->length);

	assert(ret == 0);
}
