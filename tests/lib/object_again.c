#include "lib/object_again.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "object/bundle.h"
#include "object/snapshot.h"
#include "object/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 8

static void
must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "object_again: %s\n", what);
	abort();
}

static void
must_equal(const struct buf *b, const uint8_t *p, size_t len, const char *what)
{
	must(b->len == len && (len == 0 || memcmp(b->data, p, len) == 0), what);
}

struct again {
	struct refs refs;
	struct buf payload;
	struct buf ids;
};

static void
begin(struct again *g)
{
	refs_init(&g->refs);
	buf_init(&g->payload);
	buf_init(&g->ids);
}

static void
head(struct again *g, unsigned level, const uint8_t *p)
{
	int r;

	r = buf_append8(&g->payload, (uint8_t)level);
	if (r == 0)
		r = buf_append_zeros(&g->payload, 3);
	/* The count is checked by the items that follow. */
	if (r == 0)
		r = buf_append(&g->payload, p + 4, 4);
	must(r == 0, "no memory");
}

/* Compare when the decoder was content; `rc` is handed on. */
static int
end(struct again *g, int rc, const struct again_bytes *a, const uint8_t *p,
    size_t len)
{
	if (rc == 0) {
		must(refs_finish(&g->ids, &g->refs, &g->payload) == 0,
		    "refs_finish failed");
		must_equal(&g->payload, p, len, "another payload");
		must_equal(
		    &g->ids, a->refs, (size_t)a->nrefs * 32, "other refs");
	}
	refs_release(&g->refs);
	buf_release(&g->payload);
	buf_release(&g->ids);
	return rc;
}

static int
tree_items(struct again *g, struct tree_reader *t)
{
	struct entry e;
	struct tree_node node;
	size_t before, size;
	int r;

	while (t->level == 0) {
		r = tree_reader_entry(&e, t);
		if (r != 0)
			return r;
		before = g->payload.len;
		must(entry_size(&size, &e) == 0, "entry_size failed");
		must(entry_encode(&g->payload, &g->refs, &e) == 0,
		    "entry_encode failed");
		must(g->payload.len - before == size, "wrong entry_size");
	}
	for (;;) {
		r = tree_reader_node(&node, t);
		if (r != 0)
			return r;
		r = refs_add(&g->refs, &g->payload, node.id);
		if (r == 0)
			r = buf_append64(&g->payload, node.entries);
		if (r == 0)
			r = buf_append16(
			    &g->payload, (uint16_t)node.last_name_len);
		if (r == 0)
			r = buf_append(
			    &g->payload, node.last_name, node.last_name_len);
		must(r == 0, "a node cannot be encoded");
	}
}

int
again_tree(const struct again_bytes *a, const uint8_t *p, size_t len)
{
	struct tree_reader t;
	struct again g;
	int r;

	r = tree_reader_init(&t, a->level, a->refs, a->nrefs, p, len);
	if (r < 0)
		return r;
	begin(&g);
	head(&g, a->level, p);
	r = tree_items(&g, &t);
	tree_reader_release(&t);
	return end(&g, r == 1 ? 0 : r, a, p, len);
}

int
again_map(const struct again_bytes *a, const uint8_t *p, size_t len)
{
	struct buf list = BUF_INIT;
	struct again g;
	size_t i;
	int r;

	r = extent_map_decode(
	    &list, a->level, a->length, a->refs, a->nrefs, p, len);
	must(r == 0 || list.len == 0, "a list after a failure");
	begin(&g);
	if (r == 0) {
		const struct extent *e = (const void *)list.data;

		head(&g, a->level, p);
		for (i = 0; i < list.len / sizeof(*e); i++)
			must(extent_encode(&g.payload, &g.refs, &e[i]) == 0,
			    "extent_encode failed");
	}
	buf_release(&list);
	return end(&g, r, a, p, len);
}

int
again_bundle(const struct again_bytes *a, const uint8_t *p, size_t len)
{
	static const uint8_t id[OBJECT_ID_BYTES];
	struct object o;
	struct bundle b;
	const uint8_t *member;
	size_t member_len;
	uint32_t n = len < 4 ? 0 : bytes_get32(p), i;
	int r, closed;

	(void)a;
	r = bundle_check(n, p, len);
	if (r < 0) {
		must(bundle_member(&member, &member_len, 0, p, len) < 0,
		    "a member of a bad bundle");
		return r;
	}
	bundle_init(&b);
	object_init(&o, OBJECT_BUNDLE);
	for (i = 0; i < n; i++) {
		must(bundle_member(&member, &member_len, i, p, len) == 0,
		    "bundle_member failed");
		must(bundle_add(&closed, &b, id, member, member_len) == 0,
		    "bundle_add failed");
	}
	must(bundle_member(&member, &member_len, n, p, len) == ERR_DAMAGED,
	    "a member behind the last");
	must(bundle_finish(&o, &b) == 0, "bundle_finish failed");
	must_equal(&o.payload, p, len, "another bundle");
	bundle_release(&b);
	object_release(&o);
	return 0;
}

int
again_xattrs(const struct again_bytes *a, const uint8_t *p, size_t len)
{
	struct entry_xattr x;
	struct buf b = BUF_INIT;
	size_t pos = 0;
	int r;

	(void)a;
	must(entry_xattr_begin(&b) == 0, "no memory");
	while ((r = entry_xattr_next(&x, &pos, p, len)) == 0)
		must(entry_xattr_add(&b, &x) == 0, "entry_xattr_add failed");
	if (r == 1)
		must_equal(&b, p, len, "other xattrs");
	buf_release(&b);
	return r == 1 ? 0 : r;
}

int
again_client(const struct again_bytes *a, const uint8_t *p, size_t len)
{
	struct snapshot_envelope e;
	struct buf b = BUF_INIT;
	int r;

	(void)a;
	r = snapshot_decode_client(&e, p, len);
	if (r == 0) {
		must(snapshot_encode(&b, &e) == 0, "snapshot_encode failed");
		must(buf_append(&b, e.signature, SNAPSHOT_SIGNATURE_BYTES) == 0,
		    "no memory");
		must_equal(&b, p, len, "another client part");
	}
	buf_release(&b);
	return r;
}

int
again_file(const struct again_bytes *a, const uint8_t *p, size_t len)
{
	struct snapshot_envelope e;
	struct buf b = BUF_INIT;
	int r;

	(void)a;
	r = snapshot_decode_file(&e, p, len);
	if (r == 0) {
		must(buf_append(&b, p, len - SNAPSHOT_SERVER_BYTES) == 0,
		    "no memory");
		must(snapshot_seal_file(&b, e.receive_ns, e.server_seq) == 0,
		    "snapshot_seal_file failed");
		must_equal(&b, p, len, "another file");
	}
	buf_release(&b);
	return r;
}

int
again_info(const struct again_bytes *a, const uint8_t *p, size_t len)
{
	struct snapshot_info s;
	struct object o;
	int r;

	r = snapshot_info_decode(&s, a->refs, a->nrefs, p, len);
	if (r < 0)
		return r;
	object_init(&o, OBJECT_SNAPSHOT);
	must(snapshot_info_encode(&o, &s) == 0, "snapshot_info_encode failed");
	must_equal(&o.payload, p, len, "another payload");
	must_equal(&o.refs, a->refs, (size_t)a->nrefs * 32, "other refs");
	object_release(&o);
	return 0;
}

/* In memory of exactly its size, so that a read too far is seen. */
static int
try(again_fn *fn, const struct again_bytes *a, const uint8_t *p, size_t len,
    size_t flip, uint8_t with)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	int r;

	must(copy != NULL, "no memory");
	memcpy(copy, p, len);
	if (flip < len)
		copy[flip] ^= with;
	r = fn(a, copy, len);
	must(r == 0 || r == ERR_DAMAGED, "an unexpected error");
	free(copy);
	return r;
}

void
again_break(
    again_fn *fn, const struct again_bytes *a, const uint8_t *p, size_t len)
{
	static const uint8_t with[] = {0x01, 0x02, 0x40, 0x80, 0xff};
	uint8_t *more = calloc(1, len + 1);
	size_t i, k;

	must(more != NULL, "no memory");
	memcpy(more, p, len);
	must(try(fn, a, p, len, len, 0) == 0, "the sample itself is bad");
	must(try(fn, a, more, len + 1, len, 0) < 0, "one byte more is taken");
	for (i = 0; i < len; i++) {
		must(try(fn, a, p, i, i, 0) < 0, "a shorter one is taken");
		for (k = 0; k < sizeof(with); k++)
			(void)try(fn, a, p, len, i, with[k]); /* any result */
	}
	free(more);
}
