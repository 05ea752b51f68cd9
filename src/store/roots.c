#include "store/roots.h"

#include "base/buf.h"
#include "base/err.h"
#include "store/backend.h"
#include "store/envelope.h"
#include "store/heads.h"
#include "store/index.h"
#include "store/seqname.h"
#include "store/vault.h"

#include <stdlib.h>
#include <string.h>

static const struct seqname_kind tombs = {"retired", ".tomb"};

/* The highest sequence of a mount that somebody remembers. */
struct last {
	uint8_t mount[16];
	uint64_t seq;
};

struct roots {
	struct vault *v;
	struct buf last; /* struct last, by mount in the end */
	struct buf list; /* struct heads_name: what is there */
	roots_found_fn *found;
	void *arg;
};

static int
note_last(void *arg, const uint8_t mount[16], uint64_t seq)
{
	struct roots *r = arg;
	struct last *l = (struct last *)(void *)r->last.data, add;
	size_t i, n = r->last.len / sizeof(*l);

	for (i = 0; i < n; i++) {
		if (memcmp(l[i].mount, mount, 16) != 0)
			continue;
		if (l[i].seq < seq)
			l[i].seq = seq;
		return 0;
	}
	memcpy(add.mount, mount, 16);
	add.seq = seq;
	return buf_append(&r->last, &add, sizeof(add));
}

static int
compare_last(const void *a, const void *b)
{
	return memcmp(((const struct last *)a)->mount,
	    ((const struct last *)b)->mount, 16);
}

/* Listing, index and memory together. */
static int
collect(struct roots *r, struct index_txn *t)
{
	const struct heads_name *n;
	size_t i;
	int ret = heads_list(&r->list, r->v->backend, NULL);

	if (ret < 0)
		return ret;
	n = (const struct heads_name *)(const void *)r->list.data;
	/* The last of each mount is enough. */
	for (i = 0; i < r->list.len / sizeof(*n) && ret == 0; i++) {
		if ((i + 1) * sizeof(*n) == r->list.len ||
		    memcmp(n[i].mount, n[i + 1].mount, 16) != 0)
			ret = note_last(r, n[i].mount, n[i].seq);
	}
	pool_lock_enter(&r->v->lock);
	for (i = 0; i < r->v->heads.len && ret == 0; i++)
		ret = note_last(r, r->v->heads.items[i].mount,
		    r->v->heads.items[i].last_seq);
	pool_lock_leave(&r->v->lock);
	if (ret == 0)
		ret = index_heads(t, note_last, r);
	if (ret == 0 && r->last.len > 0)
		qsort(r->last.data, r->last.len / sizeof(struct last),
		    sizeof(struct last), compare_last);
	return ret;
}

/* A sequence that the listing lacks: it is gone if its tombstone says so. */
static int
missing(struct roots *r, const uint8_t mount[16], uint64_t seq)
{
	struct roots_item item = {.seq = seq, .lost = 1};
	char path[BACKEND_NAME_MAX];
	struct backend *b = r->v->backend;
	uint64_t size;
	int ret;

	heads_path(path, mount, seq);
	ret = b->ops->size(&size, b, path);
	if (ret == 0)
		return err_set(ERR_IO, "the list of snapshots lacks %s", path);
	if (ret != ERR_NOENT)
		return ret;
	seqname_path(path, &tombs, mount, seq);
	ret = b->ops->size(&size, b, path);
	if (ret != ERR_NOENT)
		return ret;
	memcpy(item.mount, mount, 16);
	return r->found(r->arg, &item);
}

static int
present(struct roots *r, const struct heads_name *name)
{
	struct roots_item item = {.seq = name->seq};
	struct buf file = BUF_INIT;
	struct envelope e;
	int ret = heads_read(&file, r->v->backend, name);

	/* A second try: much hangs on it. */
	if (ret == ERR_DAMAGED)
		ret = heads_read(&file, r->v->backend, name);
	if (ret == 0)
		ret = envelope_decode_file(&e, file.data, file.len);
	if (ret == 0 && (memcmp(e.vault, r->v->id, 16) != 0 ||
			    memcmp(e.mount, name->mount, 16) != 0 ||
			    e.server_seq != name->seq))
		ret = ERR_DAMAGED;
	if (ret == 0 || ret == ERR_DAMAGED) {
		item.e = ret == 0 ? &e : NULL;
		memcpy(item.mount, name->mount, 16);
		ret = r->found(r->arg, &item);
	}
	buf_release(&file);
	return ret;
}

static int
each(struct roots *r)
{
	const struct last *l = (const struct last *)(void *)r->last.data;
	const struct heads_name *n =
	    (const struct heads_name *)(void *)r->list.data;
	const struct heads_name *end = n + r->list.len / sizeof(*n);
	const struct last *l_end = l + r->last.len / sizeof(*l);
	uint64_t seq;
	int ret;

	/* Both are in the order of mounts, and each listed one is in `last`. */
	for (; l < l_end; l++) {
		for (seq = 1; seq <= l->seq; seq++) {
			if (n < end && n->seq == seq &&
			    memcmp(n->mount, l->mount, 16) == 0)
				ret = present(r, n++);
			else
				ret = missing(r, l->mount, seq);
			if (ret != 0)
				return ret;
		}
	}
	return 0;
}

int
roots_each(
    struct vault *v, struct index_txn *t, roots_found_fn *found, void *arg)
{
	struct roots r = {.v = v, .found = found, .arg = arg};
	int ret = collect(&r, t);

	if (ret == 0)
		ret = each(&r);
	buf_release(&r.last);
	buf_release(&r.list);
	return ret;
}
