#include "object/extent.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "object/refs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* format.md 6.3 */
#define HOLE_REF UINT32_MAX
#define HOLE_MARK UINT64_MAX
#define EXTENT_BYTES 12u
#define HEAD_BYTES 8u
#define COUNT_AT 4u
#define MARK_BITS 9u

/* The open map of one level. */
struct level {
	struct object o;
	struct refs refs;
	uint32_t count; /* extents in it */
	uint64_t length; /* bytes they cover */
	uint64_t mark; /* of the last one */
	uint64_t emitted; /* maps of this level so far */
	struct extent last; /* the one emitted last */
};

/*
 * The newest extents wait in `list`: all of them while they are few, else one,
 * which a hole may still be merged into.
 */
struct extent_writer {
	extent_emit *emit;
	void *arg;
	struct level levels[LIMIT_LEVELS];
	struct extent list[LIMIT_LIST_ITEMS];
	uint32_t nlist;
	int mapped; /* extents went to a map */
	uint64_t total; /* bytes of all extents */
};

int
extent_encode(struct buf *payload, struct refs *refs, const struct extent *e)
{
	int r;

	if (e->length == 0)
		return err_set(ERR_FAIL, "extent: it is empty");
	if (e->hole)
		r = buf_append32(payload, HOLE_REF);
	else
		r = refs_add(refs, payload, e->id);
	if (r < 0)
		return r;
	return buf_append64(payload, e->length);
}

static int
decode_one(struct extent *out, int no_hole, struct bytes_reader *r,
    struct refs_check *check, const uint8_t *refs)
{
	uint32_t ref = bytes_read32(r);
	uint64_t length = bytes_read64(r);
	int rc;

	if (r->failed)
		return err_set(ERR_DAMAGED, "extent: it ends too early");
	if (length == 0)
		return err_set(ERR_DAMAGED, "extent: it is empty");
	memset(out, 0, sizeof(*out));
	out->length = length;
	out->hole = ref == HOLE_REF;
	if (out->hole)
		return no_hole ? err_set(ERR_DAMAGED,
				     "extent: a hole where none may be")
			       : 0;
	rc = refs_check_use(check, ref);
	if (rc < 0)
		return rc;
	memcpy(out->id, refs + (size_t)ref * OBJECT_ID_BYTES, OBJECT_ID_BYTES);
	return 0;
}

int
extent_decode(struct extent *out, uint32_t n, uint64_t length, int no_holes,
    struct bytes_reader *r, struct refs_check *check, const uint8_t *refs)
{
	uint64_t left = length;
	uint32_t i;
	int rc;

	for (i = 0; i < n; i++) {
		int after_hole = i > 0 && out[i - 1].hole;

		rc =
		    decode_one(&out[i], no_holes || after_hole, r, check, refs);
		if (rc < 0)
			return rc;
		if (out[i].length > left)
			break;
		left -= out[i].length;
	}
	if (i < n || left > 0)
		return err_set(
		    ERR_DAMAGED, "extent: the lengths do not add up");
	return 0;
}

int
extent_map_decode(struct buf *out, unsigned level, uint64_t length,
    const uint8_t *refs, uint32_t nrefs, const uint8_t *payload, size_t len)
{
	struct refs_check check;
	struct bytes_reader r;
	const uint8_t *head;
	uint8_t *to;
	uint32_t n;
	int rc;

	buf_reset(out);
	rc = refs_check_init(&check, refs, nrefs);
	if (rc < 0)
		goto out;
	bytes_reader_init(&r, payload, len);
	head = bytes_read(&r, COUNT_AT);
	n = bytes_read32(&r);
	rc = ERR_DAMAGED;
	if (r.failed || !bytes_are_zero(head + 1, COUNT_AT - 1)) {
		(void)err_set(rc, "chunk map: bad header"); /* rc is set */
		goto out;
	}
	if (level >= LIMIT_LEVELS || head[0] != level) {
		(void)err_set(rc, "chunk map: bad level"); /* rc is set */
		goto out;
	}
	if (n == 0 || n > EXTENT_MAP_MAX || r.left != n * EXTENT_BYTES) {
		/* rc is set */
		(void)err_set(rc, "chunk map: bad number of extents");
		goto out;
	}
	rc = buf_extend(&to, out, n * sizeof(struct extent));
	if (rc < 0)
		goto out;
	rc = extent_decode((struct extent *)(void *)to, n, length, level > 0,
	    &r, &check, refs);
	if (rc == 0)
		rc = refs_check_done(&check);
out:
	if (rc < 0)
		buf_reset(out);
	refs_check_release(&check);
	return rc;
}

int
extent_writer_new(struct extent_writer **out, extent_emit *emit, void *arg)
{
	struct extent_writer *w = calloc(1, sizeof(*w));
	unsigned n;

	if (w == NULL)
		return err_nomem(sizeof(*w));
	w->emit = emit;
	w->arg = arg;
	for (n = 0; n < LIMIT_LEVELS; n++) {
		object_init(&w->levels[n].o, OBJECT_MAP);
		refs_init(&w->levels[n].refs);
	}
	*out = w;
	return 0;
}

void
extent_writer_free(struct extent_writer *w)
{
	unsigned n;

	if (w == NULL)
		return;
	for (n = 0; n < LIMIT_LEVELS; n++) {
		object_release(&w->levels[n].o);
		refs_release(&w->levels[n].refs);
	}
	free(w);
}

/* Begin a new map at a level. */
static void
level_reset(struct level *l)
{
	object_reset(&l->o, OBJECT_MAP);
	refs_reset(&l->refs);
	l->count = 0;
	l->length = 0;
}

void
extent_writer_reset(struct extent_writer *w)
{
	unsigned n;

	for (n = 0; n < LIMIT_LEVELS; n++) {
		level_reset(&w->levels[n]);
		w->levels[n].emitted = 0;
	}
	w->nlist = 0;
	w->mapped = 0;
	w->total = 0;
}

static int
level_append(struct level *l, unsigned n, const struct extent *e, uint64_t mark)
{
	int r = 0;

	if (l->count == 0) {
		r = buf_append8(&l->o.payload, (uint8_t)n);
		if (r == 0)
			r = buf_append_zeros(&l->o.payload, HEAD_BYTES - 1);
	}
	if (r == 0)
		r = extent_encode(&l->o.payload, &l->refs, e);
	if (r < 0)
		return r;
	l->count++;
	l->length += e->length;
	l->mark = mark;
	return 0;
}

static int
level_is_closed(const struct level *l, unsigned n)
{
	uint64_t bits = (UINT64_C(1) << MARK_BITS) - 1;

	return l->count >= EXTENT_MAP_MAX ||
	       (l->count >= EXTENT_MAP_MIN &&
		   (l->mark >> (MARK_BITS * n) & bits) == 0);
}

/* Emit the open map of a level; `l->last` becomes its extent. */
static int
level_close(struct extent_writer *w, struct level *l)
{
	int r;

	bytes_put32(l->o.payload.data + COUNT_AT, l->count);
	r = refs_finish(&l->o.refs, &l->refs, &l->o.payload);
	if (r == 0)
		r = w->emit(w->arg, &l->o);
	if (r != 0)
		return r;
	l->last.hole = 0;
	memcpy(l->last.id, l->o.id, OBJECT_ID_BYTES);
	l->last.length = l->length;
	l->emitted++;
	level_reset(l);
	return 0;
}

/* Add an extent to level `n`, and what that closes to the levels above. */
static int
push(struct extent_writer *w, unsigned n, const struct extent *e, uint64_t mark)
{
	struct level *l;
	int r;

	/* Maps have at least 64 extents: 64^8 are more than any file has. */
	for (; n < LIMIT_LEVELS; n++) {
		l = &w->levels[n];
		r = level_append(l, n, e, mark);
		if (r < 0 || !level_is_closed(l, n))
			return r;
		r = level_close(w, l);
		if (r != 0)
			return r;
		e = &l->last;
	}
	return err_set(ERR_LIMIT, "chunk map: too many levels");
}

/* Move what waits into maps. */
static int
flush(struct extent_writer *w)
{
	uint32_t i;
	int r;

	w->mapped = 1;
	for (i = 0; i < w->nlist; i++) {
		const struct extent *e = &w->list[i];

		r = push(w, 0, e, e->hole ? HOLE_MARK : bytes_get64(e->id));
		if (r != 0)
			return r;
	}
	w->nlist = 0;
	return 0;
}

int
extent_writer_add(struct extent_writer *w, const struct extent *e)
{
	struct extent *last = w->nlist > 0 ? &w->list[w->nlist - 1] : NULL;
	int r;

	if (e->length == 0)
		return err_set(ERR_FAIL, "extent: it is empty");
	if (e->length > UINT64_MAX - w->total)
		return err_set(ERR_LIMIT, "extent: the file is too large");
	if (last != NULL && last->hole && e->hole) {
		last->length += e->length;
		w->total += e->length;
		return 0;
	}
	if (w->nlist == (w->mapped ? 1 : LIMIT_LIST_ITEMS)) {
		r = flush(w);
		if (r != 0)
			return r;
	}
	last = &w->list[w->nlist++];
	*last = *e;
	if (last->hole)
		memset(last->id, 0, sizeof(last->id));
	w->total += e->length;
	return 0;
}

int
extent_writer_finish(struct extent_result *out, struct extent_writer *w)
{
	struct level *l;
	unsigned n;
	int r;

	if (w->nlist == 0)
		return err_set(ERR_FAIL, "extent: the file has none");
	if (!w->mapped) {
		memset(out, 0, sizeof(*out));
		out->count = w->nlist;
		out->list = w->list;
		return 0;
	}
	r = flush(w);
	if (r != 0)
		return r;
	for (n = 0; n < LIMIT_LEVELS; n++) {
		l = &w->levels[n];
		if (l->count > 0) {
			uint64_t mark = l->mark;

			r = level_close(w, l);
			if (r == 0 && l->emitted > 1)
				r = push(w, n + 1, &l->last, mark);
			if (r != 0)
				return r;
		}
		assert(l->emitted > 0);
		/* The first level with one map holds the top. */
		if (l->emitted == 1) {
			memset(out, 0, sizeof(*out));
			memcpy(out->map, l->last.id, OBJECT_ID_BYTES);
			out->level = (uint8_t)n;
			return 0;
		}
	}
	return err_set(ERR_LIMIT, "chunk map: too many levels");
}
