#include "store/stamps.h"

#include "base/bytes.h"
#include "base/err.h"
#include "hash/hash.h"
#include "store/backend.h"
#include "store/envelope.h"
#include "store/heads.h"
#include "store/seqname.h"
#include "store/vault.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC "HSC1"
#define HEAD_BYTES 40 /* magic, count, vault, mount */
#define ENTRY_BYTES 16
#define FILE_BYTES_MAX (HEAD_BYTES + STAMPS_ENTRIES_MAX * ENTRY_BYTES + 32)

/* Named by the highest sequence that it has. */
static const struct seqname_kind kind = {"times", ".time"};

int
stamps_decode(struct buf *out, const uint8_t *p, size_t len,
    const uint8_t vault[STORE_NAME_BYTES],
    const uint8_t mount[STORE_NAME_BYTES], uint64_t last_seq)
{
	uint8_t sum[HASH_BYTES];
	struct stamp s;
	uint32_t i, n;
	uint64_t last = 0;
	int ret = 0;

	if (len < HEAD_BYTES + HASH_BYTES || memcmp(p, MAGIC, 4) != 0)
		return err_set(ERR_DAMAGED, "no times");
	n = bytes_get32(p + 4);
	if (n == 0 || n > STAMPS_ENTRIES_MAX ||
	    len != HEAD_BYTES + (size_t)n * ENTRY_BYTES + HASH_BYTES)
		return err_set(ERR_DAMAGED, "times of a wrong length");
	hash_bytes(sum, p, len - HASH_BYTES);
	if (memcmp(sum, p + len - HASH_BYTES, HASH_BYTES) != 0 ||
	    memcmp(p + 8, vault, STORE_NAME_BYTES) != 0 ||
	    memcmp(p + 24, mount, STORE_NAME_BYTES) != 0)
		return err_set(ERR_DAMAGED, "damaged times");
	memcpy(s.mount, mount, sizeof(s.mount));
	for (i = 0; i < n && ret == 0; i++) {
		s.seq = bytes_get64(p + HEAD_BYTES + i * ENTRY_BYTES);
		s.ns =
		    (int64_t)bytes_get64(p + HEAD_BYTES + i * ENTRY_BYTES + 8);
		if (s.seq <= last || s.seq > last_seq || s.ns < 0)
			return err_set(ERR_DAMAGED, "times out of order");
		last = s.seq;
		ret = buf_append(out, &s, sizeof(s));
	}
	return ret;
}

static int
compare(const void *a, const void *b)
{
	const struct stamp *x = a, *y = b;
	int ret = memcmp(x->mount, y->mount, sizeof(x->mount));

	if (ret != 0)
		return ret;
	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	/* Of two for one snapshot the later one counts: it comes last. */
	return x->ns < y->ns ? -1 : x->ns > y->ns;
}

/* Sort, and leave one for each snapshot. */
static void
sort(struct buf *stamps)
{
	struct stamp *s = (struct stamp *)(void *)stamps->data;
	size_t n = stamps->len / sizeof(*s), i, left = 0;

	if (n == 0)
		return;
	qsort(s, n, sizeof(*s), compare);
	for (i = 0; i < n; i++) {
		if (i + 1 < n && s[i].seq == s[i + 1].seq &&
		    memcmp(s[i].mount, s[i + 1].mount, sizeof(s->mount)) == 0)
			continue;
		s[left++] = s[i];
	}
	stamps->len = left * sizeof(*s);
}

int
stamps_load(struct buf *out, struct vault *v,
    void (*bad)(void *arg, const char *name), void *arg)
{
	struct buf list = BUF_INIT, file = BUF_INIT;
	const struct heads_name *names;
	char path[BACKEND_NAME_MAX];
	uint8_t *to;
	size_t i, n, before;
	int ret = seqname_list(&list, v->backend, &kind, NULL);

	names = (const struct heads_name *)(const void *)list.data;
	n = ret == 0 ? list.len / sizeof(*names) : 0;
	for (i = 0; i < n && ret == 0; i++) {
		seqname_path(path, &kind, names[i].mount, names[i].seq);
		before = out->len;
		buf_reset(&file);
		ret = names[i].size > FILE_BYTES_MAX
			  ? ERR_DAMAGED
			  : buf_extend(&to, &file, (size_t)names[i].size);
		if (ret == 0 && file.len > 0)
			ret = v->backend->ops->get(
			    v->backend, path, to, file.len, 0);
		if (ret == 0)
			ret = stamps_decode(out, file.data, file.len, v->id,
			    names[i].mount, names[i].seq);
		if (ret != ERR_DAMAGED)
			continue;
		out->len = before;
		if (bad != NULL)
			bad(arg, path);
		ret = 0;
	}
	if (ret == 0)
		sort(out);
	buf_release(&file);
	buf_release(&list);
	return ret;
}

int
stamps_find(int64_t *ns, const struct buf *stamps,
    const uint8_t mount[STORE_NAME_BYTES], uint64_t seq)
{
	const struct stamp *s = (const void *)stamps->data, *found;
	struct stamp key = {.seq = seq, .ns = INT64_MAX};
	size_t low = 0, high = stamps->len / sizeof(*s), mid;

	memcpy(key.mount, mount, sizeof(key.mount));
	while (low < high) {
		mid = low + (high - low) / 2;
		if (compare(&s[mid], &key) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0)
		return 1;
	found = &s[low - 1];
	if (found->seq != seq ||
	    memcmp(found->mount, mount, sizeof(found->mount)) != 0)
		return 1;
	*ns = found->ns;
	return 0;
}

/* The last stamp of a mount: its sequence, 0 when there is none. */
static uint64_t
last_of(int64_t *ns, const struct buf *stamps,
    const uint8_t mount[STORE_NAME_BYTES])
{
	const struct stamp *s = (const void *)stamps->data;
	size_t i = stamps->len / sizeof(*s);

	while (i-- > 0) {
		if (memcmp(s[i].mount, mount, sizeof(s->mount)) != 0)
			continue;
		*ns = s[i].ns;
		return s[i].seq;
	}
	return 0;
}

int
stamps_pending(int *out, struct vault *v)
{
	struct buf snaps = BUF_INIT, list = BUF_INIT;
	const struct heads_name *s, *t;
	size_t i, k = 0, n, nt;
	int ret = seqname_list(&list, v->backend, &kind, NULL), pending = 0;

	if (ret == 0)
		ret = heads_list(&snaps, v->backend, NULL);
	s = (const struct heads_name *)(const void *)snaps.data;
	t = (const struct heads_name *)(const void *)list.data;
	n = ret == 0 ? snaps.len / sizeof(*s) : 0;
	nt = list.len / sizeof(*t);
	/* Is there an object of its mount that is named by as high a number? */
	for (i = 0; i < n && !pending; i++) {
		while (k < nt && heads_compare(&t[k], &s[i]) < 0)
			k++;
		pending = k == nt ||
			  memcmp(t[k].mount, s[i].mount, STORE_NAME_BYTES) != 0;
	}
	if (ret == 0)
		*out = pending;
	buf_release(&snaps);
	buf_release(&list);
	return ret;
}

/* Snapshots of one mount that get their stamps. */
struct batch {
	struct vault *v;
	struct buf file;
	uint32_t count;
	struct heads_name last;
};

static int
flush(struct batch *b)
{
	uint8_t sum[HASH_BYTES];
	char path[BACKEND_NAME_MAX];
	int ret;

	if (b->count == 0)
		return 0;
	bytes_put32(b->file.data + 4, b->count);
	hash_bytes(sum, b->file.data, b->file.len);
	ret = buf_append(&b->file, sum, sizeof(sum));
	if (ret < 0)
		return ret;
	seqname_path(path, &kind, b->last.mount, b->last.seq);
	/* Not one of ours: that would have had a stamp for it. */
	ret = b->v->backend->ops->remove(b->v->backend, path);
	if (ret == 0 || ret == ERR_NOENT)
		ret = backend_put_all(
		    b->v->backend, path, b->file.data, b->file.len);
	buf_reset(&b->file);
	b->count = 0;
	return ret;
}

static int
add(struct batch *b, const struct heads_name *name, int64_t ns)
{
	uint8_t head[HEAD_BYTES] = MAGIC;
	int ret = 0;

	if (b->count == STAMPS_ENTRIES_MAX ||
	    memcmp(b->last.mount, name->mount, sizeof(name->mount)) != 0)
		ret = flush(b);
	if (ret == 0 && b->count == 0) {
		memcpy(head + 8, b->v->id, STORE_NAME_BYTES);
		memcpy(head + 24, name->mount, STORE_NAME_BYTES);
		ret = buf_append(&b->file, head, sizeof(head));
	}
	if (ret == 0)
		ret = buf_append64(&b->file, name->seq);
	if (ret == 0)
		ret = buf_append64(&b->file, (uint64_t)ns);
	if (ret < 0)
		return ret;
	b->count++;
	b->last = *name;
	return 0;
}

/* When was it received?  `now_ns` for one that cannot be read. */
static int
receive_time(
    int64_t *ns, struct vault *v, const struct heads_name *name, int64_t now_ns)
{
	struct buf file = BUF_INIT;
	struct envelope e;
	int ret = heads_read(&file, v->backend, name);

	if (ret == 0)
		ret = envelope_decode_file(&e, file.data, file.len);
	if (ret == 0)
		*ns = e.receive_ns;
	else if (ret == ERR_DAMAGED || ret == ERR_NOENT)
		*ns = now_ns;
	buf_release(&file);
	return ret == ERR_DAMAGED || ret == ERR_NOENT ? 0 : ret;
}

int
stamps_make(struct vault *v, int64_t from_ns, int64_t now_ns)
{
	struct batch b = {.v = v, .file = BUF_INIT};
	struct buf stamps = BUF_INIT, list = BUF_INIT;
	const struct heads_name *names;
	uint64_t last = 0;
	int64_t ns = 0, before = 0;
	size_t i, n;
	int ret = stamps_load(&stamps, v, NULL, NULL);

	if (ret == 0)
		ret = heads_list(&list, v->backend, NULL);
	names = (const struct heads_name *)(const void *)list.data;
	n = ret == 0 ? list.len / sizeof(*names) : 0;
	for (i = 0; i < n && ret == 0; i++) {
		if (i == 0 || memcmp(names[i].mount, names[i - 1].mount,
				  STORE_NAME_BYTES) != 0) {
			before = 0;
			last = last_of(&before, &stamps, names[i].mount);
			if (before < from_ns)
				before = from_ns;
		}
		if (names[i].seq <= last)
			continue;
		ret = receive_time(&ns, v, &names[i], now_ns);
		if (ns < before)
			ns = before;
		if (ns > now_ns)
			ns = now_ns;
		if (ret == 0)
			ret = add(&b, &names[i], ns);
		before = ns;
	}
	if (ret == 0)
		ret = flush(&b);
	buf_release(&b.file);
	buf_release(&stamps);
	buf_release(&list);
	return ret;
}

int
stamps_trim(struct vault *v)
{
	struct buf snaps = BUF_INIT, list = BUF_INIT;
	const struct heads_name *names, *s;
	char path[BACKEND_NAME_MAX];
	size_t i, k = 0, n, ns;
	int ret = seqname_list(&list, v->backend, &kind, NULL), mine;
	uint64_t from;

	if (ret == 0)
		ret = heads_list(&snaps, v->backend, NULL);
	names = (const struct heads_name *)(const void *)list.data;
	s = (const struct heads_name *)(const void *)snaps.data;
	n = ret == 0 ? list.len / sizeof(*names) : 0;
	ns = snaps.len / sizeof(*s);
	for (i = 0; i < n && ret == 0; i++) {
		/* The snapshots behind the object before, up to this one. */
		from = i > 0 && memcmp(names[i].mount, names[i - 1].mount,
				    STORE_NAME_BYTES) == 0
			   ? names[i - 1].seq
			   : 0;
		while (k < ns && (memcmp(s[k].mount, names[i].mount,
				      STORE_NAME_BYTES) < 0 ||
				     (memcmp(s[k].mount, names[i].mount,
					  STORE_NAME_BYTES) == 0 &&
					 s[k].seq <= from)))
			k++;
		mine = k < ns && heads_compare(&s[k], &names[i]) <= 0;
		/* The last one of a mount says how far its stamps go. */
		if (mine || i + 1 == n ||
		    memcmp(names[i].mount, names[i + 1].mount,
			STORE_NAME_BYTES) != 0)
			continue;
		seqname_path(path, &kind, names[i].mount, names[i].seq);
		ret = v->backend->ops->remove(v->backend, path);
	}
	buf_release(&snaps);
	buf_release(&list);
	return ret;
}
