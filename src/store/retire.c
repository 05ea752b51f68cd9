#include "store/retire.h"

#include "base/err.h"
#include "store/backend.h"
#include "store/envelope.h"
#include "store/heads.h"
#include "store/seqname.h"
#include "store/vault.h"

#include <string.h>

static const struct seqname_kind kind = {"retired", ".tomb"};

int
retire_list(
    struct buf *out, struct backend *b, const uint8_t mount[STORE_NAME_BYTES])
{
	return seqname_list(out, b, &kind, mount);
}

/* A tombstone's bytes and content.  0; 1 when it is none; ERR_*. */
static int
read_tomb(struct tomb *t, uint8_t bytes[TOMB_BYTES], struct vault *v,
    const uint8_t mount[STORE_NAME_BYTES], uint64_t seq)
{
	char path[BACKEND_NAME_MAX];
	int ret;

	seqname_path(path, &kind, mount, seq);
	ret = v->backend->ops->get(v->backend, path, bytes, TOMB_BYTES, 0);
	/* A second try: without it its snapshot is not told as retired. */
	if (ret == ERR_DAMAGED)
		ret = v->backend->ops->get(
		    v->backend, path, bytes, TOMB_BYTES, 0);
	if (ret == 0)
		ret = tomb_decode(t, bytes, TOMB_BYTES);
	if (ret == ERR_NOENT || ret == ERR_DAMAGED)
		return 1;
	if (ret < 0)
		return ret;
	return memcmp(t->vault, v->id, STORE_NAME_BYTES) != 0 ||
	       memcmp(t->mount, mount, STORE_NAME_BYTES) != 0 ||
	       t->server_seq != seq;
}

/* What `read_root` found. */
struct found {
	struct retire_root r;
	struct envelope e;
	struct tomb t;
	uint8_t bytes[TOMB_BYTES]; /* of `t` */
	struct buf file;
};

/* The snapshot's file: 0, also when it is damaged; ERR_*. */
static int
read_file(struct found *f, struct vault *v, const struct heads_name *name)
{
	int ret;

	buf_reset(&f->file);
	memset(&f->r, 0, sizeof(f->r));
	memcpy(f->r.mount, name->mount, sizeof(f->r.mount));
	f->r.seq = name->seq;
	f->r.state = RETIRE_LIVE;
	ret = heads_read(&f->file, v->backend, name);
	if (ret == 0)
		ret = envelope_decode_file(&f->e, f->file.data, f->file.len);
	if (ret == 0 &&
	    (memcmp(f->e.vault, v->id, STORE_NAME_BYTES) != 0 ||
		memcmp(f->e.mount, name->mount, STORE_NAME_BYTES) != 0 ||
		f->e.server_seq != name->seq))
		ret = ERR_DAMAGED;
	if (ret != 0 && ret != ERR_DAMAGED)
		return ret;
	f->r.file = f->file.data;
	f->r.len = f->file.len;
	f->r.damaged = ret != 0;
	f->r.e = ret == 0 ? &f->e : NULL;
	return 0;
}

/* Does the tombstone of that name, if it is there, count? */
static int
read_state(struct found *f, struct vault *v)
{
	uint8_t hash[HASH_BYTES];
	int ret = read_tomb(&f->t, f->bytes, v, f->r.mount, f->r.seq);

	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (!f->r.damaged) {
		envelope_hash(hash, &f->e);
		if (memcmp(hash, f->t.hash, sizeof(hash)) != 0)
			return 0;
	}
	/* No number is used twice (heads.h), so it is of a damaged one too. */
	f->r.state = RETIRE_RETIRED;
	f->r.tomb = &f->t;
	f->r.tomb_bytes = f->bytes;
	return 0;
}

int
retire_roots(struct vault *v, const uint8_t mount[STORE_NAME_BYTES],
    retire_root_fn *found, void *arg)
{
	struct buf snaps = BUF_INIT, tombs = BUF_INIT;
	struct found f = {.file = BUF_INIT};
	const struct heads_name *s, *t;
	size_t i, k = 0, n, nt;
	int ret, order;

	/* Whoever is retired after this is told as live, which it was. */
	ret = retire_list(&tombs, v->backend, mount);
	if (ret == 0)
		ret = heads_list(&snaps, v->backend, mount);
	s = (const struct heads_name *)(const void *)snaps.data;
	t = (const struct heads_name *)(const void *)tombs.data;
	n = ret == 0 ? snaps.len / sizeof(*s) : 0;
	nt = tombs.len / sizeof(*t);
	for (i = 0; i < n && ret == 0; i++) {
		order = 1;
		while (k < nt && (order = heads_compare(&t[k], &s[i])) < 0)
			k++;
		ret = read_file(&f, v, &s[i]);
		/* Removed since the listing: no root any more. */
		if (ret == ERR_NOENT) {
			ret = 0;
			continue;
		}
		if (ret == 0 && k < nt && order == 0)
			ret = read_state(&f, v);
		if (ret == 0)
			ret = found(arg, &f.r);
	}
	buf_release(&f.file);
	buf_release(&snaps);
	buf_release(&tombs);
	return ret;
}

/* One snapshot.  `f->file` is the caller's, also after an error. */
static int
look(enum retire_state *out, struct found *f, struct vault *v,
    const uint8_t mount[STORE_NAME_BYTES], uint64_t seq)
{
	struct heads_name name = {.seq = seq};
	uint8_t bytes[TOMB_BYTES];
	char path[HEADS_PATH_BYTES];
	int ret;

	memcpy(name.mount, mount, sizeof(name.mount));
	heads_path(path, mount, seq);
	ret = v->backend->ops->size(&name.size, v->backend, path);
	if (ret == 0)
		ret = read_file(f, v, &name);
	if (ret == ERR_NOENT) {
		ret = read_tomb(&f->t, bytes, v, mount, seq);
		if (ret >= 0)
			*out = ret == 0 ? RETIRE_GONE : RETIRE_NONE;
		return ret < 0 ? ret : 0;
	}
	if (ret == 0)
		ret = read_state(f, v);
	if (ret == 0)
		*out = f->r.state;
	return ret;
}

int
retire_look(enum retire_state *out, struct vault *v,
    const uint8_t mount[STORE_NAME_BYTES], uint64_t seq)
{
	struct found f = {.file = BUF_INIT};
	int ret = look(out, &f, v, mount, seq);

	buf_release(&f.file);
	return ret;
}

int
retire_put(struct vault *v, const uint8_t mount[STORE_NAME_BYTES], uint64_t seq,
    const struct tomb *t, const uint8_t seed[SIGN_SEED_BYTES])
{
	struct found f = {.file = BUF_INIT};
	enum retire_state state = RETIRE_NONE;
	struct tomb full = *t;
	uint8_t bytes[TOMB_BYTES];
	char path[BACKEND_NAME_MAX];
	int ret;

	pool_lock_enter(&v->change);
	ret = look(&state, &f, v, mount, seq);
	if (ret == 0 && (state != RETIRE_LIVE || f.r.damaged))
		ret = 1;
	if (ret != 0)
		goto out;
	memcpy(full.vault, v->id, sizeof(full.vault));
	memcpy(full.mount, mount, sizeof(full.mount));
	full.server_seq = seq;
	full.client_seq = f.e.client_seq;
	full.receive_ns = f.e.receive_ns;
	envelope_hash(full.hash, &f.e);
	tomb_encode(bytes, &full, seed);
	seqname_path(path, &kind, mount, seq);
	/* One that is there retires nothing: it is damaged. */
	ret = v->backend->ops->remove(v->backend, path);
	if (ret == 0 || ret == ERR_NOENT)
		ret = backend_put_all(v->backend, path, bytes, sizeof(bytes));
out:
	pool_lock_leave(&v->change);
	buf_release(&f.file);
	return ret;
}

/* R2 and R3: remove one of the two files. */
static int
end_wait(struct vault *v, const uint8_t mount[STORE_NAME_BYTES], uint64_t seq,
    int undo)
{
	struct found f = {.file = BUF_INIT};
	enum retire_state state = RETIRE_NONE;
	char path[BACKEND_NAME_MAX];
	int ret;

	pool_lock_enter(&v->change);
	ret = look(&state, &f, v, mount, seq);
	if (ret == 0 && state != RETIRE_RETIRED)
		ret = 1;
	if (ret == 0) {
		if (undo)
			seqname_path(path, &kind, mount, seq);
		else
			heads_path(path, mount, seq);
		ret = v->backend->ops->remove(v->backend, path);
	}
	pool_lock_leave(&v->change);
	buf_release(&f.file);
	return ret;
}

int
retire_undo(
    struct vault *v, const uint8_t mount[STORE_NAME_BYTES], uint64_t seq)
{
	return end_wait(v, mount, seq, 1);
}

int
retire_remove(
    struct vault *v, const uint8_t mount[STORE_NAME_BYTES], uint64_t seq)
{
	return end_wait(v, mount, seq, 0);
}

/* Nonzero when the sorted names hold that one. */
static int
listed(const struct buf *names, const struct heads_name *name)
{
	const struct heads_name *n = (const void *)names->data;
	size_t low = 0, high = names->len / sizeof(*n), mid;
	int order;

	while (low < high) {
		mid = low + (high - low) / 2;
		order = heads_compare(&n[mid], name);
		if (order == 0)
			return 1;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return 0;
}

int
retire_tombs(struct vault *v, const uint8_t mount[STORE_NAME_BYTES],
    retire_tomb_fn *found, void (*bad)(void *arg, const char *name), void *arg)
{
	struct buf snaps = BUF_INIT, tombs = BUF_INIT;
	uint8_t bytes[TOMB_BYTES];
	const struct heads_name *t;
	struct retire_tomb one;
	char path[BACKEND_NAME_MAX];
	size_t i, n;
	int ret = heads_list(&snaps, v->backend, mount);

	if (ret == 0)
		ret = retire_list(&tombs, v->backend, mount);
	t = (const struct heads_name *)(const void *)tombs.data;
	n = ret == 0 ? tombs.len / sizeof(*t) : 0;
	for (i = 0; i < n && ret == 0; i++) {
		ret = read_tomb(&one.t, bytes, v, t[i].mount, t[i].seq);
		if (ret == 1) {
			seqname_path(path, &kind, t[i].mount, t[i].seq);
			if (bad != NULL)
				bad(arg, path);
			ret = 0;
			continue;
		}
		one.bytes = bytes;
		one.gone = !listed(&snaps, &t[i]);
		if (ret == 0)
			ret = found(arg, &one);
	}
	buf_release(&snaps);
	buf_release(&tombs);
	return ret;
}
