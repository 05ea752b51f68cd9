#include "store/survey.h"

#include "base/bytes.h"
#include "base/err.h"
#include "hash/hash.h"
#include "store/admit.h"
#include "store/backend.h"
#include "store/idmap.h"
#include "store/pack.h"
#include "store/record.h"
#include "store/salvage.h"

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

/* An item for each record that `k` lists. */
static int
list_items(struct survey *s, const struct pack *k, const struct idmap *marks)
{
	struct pack_entry e;
	uint32_t i;

	s->items = calloc((size_t)k->count + 1, sizeof(*s->items));
	if (s->items == NULL)
		return err_nomem(k->count * sizeof(*s->items));
	s->n = k->count;
	s->pack.size = k->size;
	s->pack.records = k->count;
	s->pack.class = (uint8_t)k->class;
	for (i = 0; i < k->count; i++) {
		struct admit_item *it = s->items + i;

		pack_entry(&e, k, i);
		memcpy(it->id, e.id, 32);
		it->offset = e.offset;
		it->length = e.length;
		it->epoch = e.epoch;
		it->class = (uint8_t)e.class;
		it->replace = ADMIT_LATER;
		it->damaged = (uint8_t)is_marked(s, marks, e.offset);
	}
	return 0;
}

static int
read_footer(struct survey *s, struct backend *b, const struct pack *k,
    const struct idmap *marks)
{
	char path[PACK_PATH_BYTES];
	struct buf scratch = BUF_INIT;
	struct pack_entry e;
	uint32_t i;
	int ret = list_items(s, k, marks);

	pack_path(path, k->name);
	if (k->origin != NULL) {
		memcpy(s->pack.origin, k->origin, sizeof(s->pack.origin));
		s->pack.after = k->after;
	}
	for (i = 0; i < k->count && ret == 0; i++) {
		pack_entry(&e, k, i);
		if (!s->items[i].damaged)
			ret = read_item(s, b, path, s->items + i, &e, &scratch);
	}
	buf_release(&scratch);
	return ret;
}

/* From what is whole in a pack whose footer cannot be used. */
static int
read_salvaged(
    struct survey *s, const struct salvage *found, const struct idmap *marks)
{
	struct pack_entry e;
	struct record r;
	uint32_t i;
	int ret;

	if (found->k.count == 0)
		return err_set(ERR_DAMAGED, "no record can be used");
	ret = list_items(s, &found->k, marks);
	for (i = 0; i < found->k.count && ret == 0; i++) {
		if (s->items[i].damaged)
			continue;
		pack_entry(&e, &found->k, i);
		salvage_record(&r, found, &e);
		ret = add_ids(s, s->items + i, &r);
	}
	return ret;
}

int
survey_pack(struct survey *s, struct backend *b, const uint8_t name[32],
    uint64_t size, const uint8_t vault[16], const struct idmap *marks)
{
	struct salvage found = SALVAGE_INIT;
	struct pack k = PACK_INIT;
	int ret;

	survey_release(s);
	memcpy(s->pack.name, name, 32);
	ret = pack_load(&k, b, name, size, vault);
	if (ret == ERR_DAMAGED) {
		s->salvaged = 1;
		ret = salvage_pack(&found, b, name, vault);
		if (ret == 0)
			ret = read_salvaged(s, &found, marks);
		salvage_release(&found);
		if (ret != 1)
			return ret;
		/* That was a passing fault. */
		s->salvaged = 0;
		ret = pack_load(&k, b, name, 0, vault);
	}
	if (ret == 0)
		ret = read_footer(s, b, &k, marks);
	pack_release(&k);
	return ret;
}
