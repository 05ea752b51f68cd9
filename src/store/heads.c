#include "store/heads.h"

#include "base/err.h"
#include "base/limits.h"
#include "store/backend.h"
#include "store/envelope.h"
#include "store/retire.h"
#include "store/seqname.h"

#include <stdlib.h>
#include <string.h>

static const struct seqname_kind kind = {"snapshots", ".snap"};

void
heads_path(char out[HEADS_PATH_BYTES], const uint8_t mount[16], uint64_t seq)
{
	char path[BACKEND_NAME_MAX];

	seqname_path(path, &kind, mount, seq);
	memcpy(out, path, HEADS_PATH_BYTES - 1);
	out[HEADS_PATH_BYTES - 1] = '\0';
}

void
heads_init(struct heads *h)
{
	memset(h, 0, sizeof(*h));
}

void
heads_release(struct heads *h)
{
	free(h->items);
	heads_init(h);
}

const struct head *
heads_find(const struct heads *h, const uint8_t mount[16])
{
	size_t i;

	for (i = 0; i < h->len; i++) {
		if (memcmp(h->items[i].mount, mount, 16) == 0)
			return h->items + i;
	}
	return NULL;
}

int
heads_set(struct heads *h, const struct head *item)
{
	size_t i, cap = h->cap == 0 ? 16 : 2 * h->cap;
	struct head *more;

	for (i = 0; i < h->len; i++) {
		if (memcmp(h->items[i].mount, item->mount, 16) == 0)
			break;
	}
	if (i == h->cap) {
		more = realloc(h->items, cap * sizeof(*more));
		if (more == NULL)
			return err_nomem(cap * sizeof(*more));
		h->items = more;
		h->cap = cap;
	}
	h->items[i] = *item;
	if (i == h->len)
		h->len++;
	return 0;
}

int
heads_list(struct buf *out, struct backend *b, const uint8_t mount[16])
{
	return seqname_list(out, b, &kind, mount);
}

int
heads_read(struct buf *out, struct backend *b, const struct heads_name *name)
{
	char path[HEADS_PATH_BYTES];
	uint8_t *to;
	int ret;

	heads_path(path, name->mount, name->seq);
	if (name->size > LIMIT_SNAPSHOT_BYTES)
		return err_set(ERR_DAMAGED, "%s: too long", path);
	ret = buf_extend(&to, out, (size_t)name->size);
	if (ret < 0 || name->size == 0)
		return ret;
	ret = b->ops->get(b, path, to, (size_t)name->size, 0);
	/* A second try: histories go on from it, and what cannot be read is
	 * not retired. */
	if (ret == ERR_DAMAGED)
		ret = b->ops->get(b, path, to, (size_t)name->size, 0);
	if (ret < 0)
		out->len -= (size_t)name->size;
	return ret;
}

/* Read one snapshot into its mount's head: 0, or 1 when it is damaged. */
static int
load_one(struct head *h, struct backend *b, const struct heads_name *name,
    const uint8_t vault[16])
{
	struct buf file = BUF_INIT;
	struct envelope e;
	int ret = heads_read(&file, b, name);

	if (ret == 0)
		ret = envelope_decode_file(&e, file.data, file.len);
	if (ret == 0 && (memcmp(e.vault, vault, 16) != 0 ||
			    memcmp(e.mount, name->mount, 16) != 0 ||
			    e.server_seq != name->seq))
		ret = ERR_DAMAGED;
	if (ret == 0) {
		h->server_seq = e.server_seq;
		h->client_seq = e.client_seq;
		h->receive_ns = e.receive_ns;
		envelope_hash(h->hash, &e);
	}
	buf_release(&file);
	return ret == ERR_DAMAGED ? 1 : ret;
}

int
heads_compare(const struct heads_name *a, const struct heads_name *b)
{
	int ret = memcmp(a->mount, b->mount, 16);

	if (ret != 0)
		return ret;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* A number that a tombstone has is not given to another snapshot. */
static int
count_tombs(struct heads *h, struct backend *b)
{
	const struct heads_name *names;
	struct buf list = BUF_INIT;
	const struct head *known;
	struct head item;
	size_t i, n;
	int ret = retire_list(&list, b, NULL);

	names = (const struct heads_name *)(const void *)list.data;
	n = list.len / sizeof(*names);
	for (i = 0; i < n && ret == 0; i++) {
		/* The last one of each mount. */
		if (i + 1 < n &&
		    memcmp(names[i].mount, names[i + 1].mount, 16) == 0)
			continue;
		known = heads_find(h, names[i].mount);
		if (known != NULL && known->last_seq >= names[i].seq)
			continue;
		memset(&item, 0, sizeof(item));
		if (known != NULL)
			item = *known;
		memcpy(item.mount, names[i].mount, sizeof(item.mount));
		item.last_seq = names[i].seq;
		ret = heads_set(h, &item);
	}
	buf_release(&list);
	return ret;
}

int
heads_load(struct heads *h, struct backend *b, const uint8_t vault[16])
{
	struct buf list = BUF_INIT;
	struct heads fresh;
	const struct heads_name *names;
	struct head item = {0};
	size_t i, n;
	int ret, open = 0;

	heads_init(&fresh);
	ret = heads_list(&list, b, NULL);
	names = (const struct heads_name *)list.data;
	n = list.len / sizeof(*names);
	/* Backwards, the newest one of each mount comes first. */
	for (i = n; i-- > 0 && ret == 0;) {
		if (i + 1 == n ||
		    memcmp(names[i].mount, names[i + 1].mount, 16) != 0) {
			memset(&item, 0, sizeof(item));
			memcpy(item.mount, names[i].mount, 16);
			item.last_seq = names[i].seq;
			open = 1;
		}
		if (!open)
			continue;
		ret = load_one(&item, b, names + i, vault);
		if (ret >= 0) {
			open = ret;
			ret = heads_set(&fresh, &item);
		}
	}
	buf_release(&list);
	if (ret == 0)
		ret = count_tombs(&fresh, b);
	if (ret < 0) {
		heads_release(&fresh);
		return ret;
	}
	heads_release(h);
	*h = fresh;
	return 0;
}
