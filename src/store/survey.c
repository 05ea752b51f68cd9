#include "store/survey.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "hash/hash.h"
#include "store/admit.h"
#include "store/backend.h"
#include "store/idmap.h"
#include "store/pack.h"
#include "store/record.h"

#include <stdlib.h>
#include <string.h>

void
survey_init(struct survey *s)
{
	memset(s, 0, sizeof(*s));
}

void
survey_release(struct survey *s)
{
	free(s->items);
	buf_release(&s->ids);
	survey_init(s);
}

void
survey_mark_key(uint8_t key[32], const uint8_t pack[32], uint32_t offset)
{
	uint8_t text[36];

	memcpy(text, pack, 32);
	bytes_put32(text + 32, offset);
	hash_bytes(key, text, sizeof(text));
}

static int
is_marked(const struct survey *s, const struct idmap *marks, uint32_t offset)
{
	uint8_t key[32];

	if (marks->len == 0)
		return 0;
	survey_mark_key(key, s->pack.name, offset);
	return idmap_get(NULL, marks, key) == 0;
}

/* Note the refs or members of a parsed record. */
static int
add_ids(struct survey *s, struct admit_item *it, const struct record *r)
{
	it->ids_at = (uint32_t)(s->ids.len / 32);
	it->nrefs = r->nrefs;
	it->nmembers = r->nmembers;
	return buf_append(&s->ids, r->nrefs > 0 ? r->refs : r->members,
	    ((size_t)r->nrefs + r->nmembers) * 32);
}

/*
 * Read what admission needs of one record.  Damage stays with the item;
 * `scratch` is ours.
 */
static int
read_item(struct survey *s, struct backend *b, const char *path,
    struct admit_item *it, const struct pack_entry *e, struct buf *scratch)
{
	size_t len = e->length;
	struct record r;
	uint8_t *to;
	int ret;

	if (e->class == RECORD_DATA) {
		if (e->nmembers == 0)
			return 0;
		len = RECORD_HEADER_BYTES + (size_t)e->nmembers * 32;
	}
	buf_reset(scratch);
	ret = buf_extend(&to, scratch, len);
	if (ret < 0)
		return ret;
	ret = b->ops->get(b, path, to, len, e->offset);
	/* A sector that cannot be read must not keep the vault shut. */
	if (ret < 0 && ret != ERR_DAMAGED)
		return ret;
	if (ret == 0 && e->class == RECORD_META)
		ret = pack_check_record(&r, e, to, len);
	else if (ret == 0)
		ret = record_parse_head(&r, to, len, e->length);
	if (ret < 0 || memcmp(r.id, e->id, 32) != 0 ||
	    r.nmembers != e->nmembers) {
		it->damaged = 1;
		return 0;
	}
	return add_ids(s, it, &r);
}

static int
read_footer(struct survey *s, struct backend *b, const struct pack *k,
    const struct idmap *marks)
{
	char path[PACK_PATH_BYTES];
	struct buf scratch = BUF_INIT;
	struct pack_entry e;
	uint32_t i;
	int ret = 0;

	pack_path(path, k->name);
	s->items = calloc((size_t)k->count + 1, sizeof(*s->items));
	if (s->items == NULL)
		return err_nomem(k->count * sizeof(*s->items));
	s->n = k->count;
	s->pack.records = k->count;
	s->pack.class = (uint8_t)k->class;
	if (k->origin != NULL) {
		memcpy(s->pack.origin, k->origin, sizeof(s->pack.origin));
		s->pack.after = k->after;
	}
	for (i = 0; i < k->count && ret == 0; i++) {
		struct admit_item *it = s->items + i;

		pack_entry(&e, k, i);
		memcpy(it->id, e.id, 32);
		it->offset = e.offset;
		it->length = e.length;
		it->epoch = e.epoch;
		it->class = (uint8_t)e.class;
		it->replace = ADMIT_LATER;
		it->damaged = (uint8_t)is_marked(s, marks, e.offset);
		if (!it->damaged)
			ret = read_item(s, b, path, it, &e, &scratch);
	}
	buf_release(&scratch);
	return ret;
}

/* Add a record that was found in a pack without a footer. */
static int
add_found(struct survey *s, uint32_t *cap, const struct record *r,
    uint32_t offset, int damaged)
{
	struct admit_item *more, *it;
	uint32_t want = *cap == 0 ? 256 : 2 * *cap;

	if (s->n == *cap) {
		more = realloc(s->items, want * sizeof(*more));
		if (more == NULL)
			return err_nomem(want * sizeof(*more));
		s->items = more;
		*cap = want;
	}
	it = s->items + s->n++;
	memset(it, 0, sizeof(*it));
	memcpy(it->id, r->id, 32);
	it->offset = offset;
	it->length = (uint32_t)r->len;
	it->epoch = r->epoch;
	it->class = (uint8_t)r->class;
	it->replace = ADMIT_LATER;
	it->damaged = (uint8_t)damaged;
	s->pack.class = it->class;
	return damaged ? 0 : add_ids(s, it, r);
}

/* Every good record in the whole file, wherever it begins. */
static int
salvage(
    struct survey *s, const uint8_t *p, size_t len, const struct idmap *marks)
{
	size_t at = PACK_HEADER_BYTES;
	const uint8_t *next;
	struct record r;
	uint32_t cap = 0;
	int ret;

	while (at < len && s->n < LIMIT_PACK_RECORDS) {
		if (record_parse(&r, p + at, len - at) == 0 &&
		    record_check(&r) == 0) {
			ret = add_found(s, &cap, &r, (uint32_t)at,
			    is_marked(s, marks, (uint32_t)at));
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
	s->pack.records = s->n;
	if (s->n == 0)
		return err_set(ERR_DAMAGED, "no record can be used");
	return 0;
}

int
survey_pack(struct survey *s, struct backend *b, const uint8_t name[32],
    uint64_t size, const uint8_t vault[16], const struct idmap *marks)
{
	struct pack k = PACK_INIT;
	struct buf whole = BUF_INIT;
	char path[PACK_PATH_BYTES];
	uint8_t *to;
	int ret;

	survey_release(s);
	memcpy(s->pack.name, name, 32);
	s->pack.size = size;
	ret = pack_load(&k, b, name, size, vault);
	if (ret == 0) {
		ret = read_footer(s, b, &k, marks);
		pack_release(&k);
		return ret;
	}
	if (ret != ERR_DAMAGED || size == 0 || size > LIMIT_PACK_BYTES)
		return ret;
	s->salvaged = 1;
	pack_path(path, name);
	ret = buf_extend(&to, &whole, (size_t)size);
	if (ret == 0)
		ret = b->ops->get(b, path, to, (size_t)size, 0);
	if (ret == 0)
		ret = salvage(s, to, (size_t)size, marks);
	buf_release(&whole);
	return ret;
}
