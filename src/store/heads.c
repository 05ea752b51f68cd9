#include "store/heads.h"

#include "base/err.h"
#include "base/hex.h"
#include "base/limits.h"
#include "store/backend.h"
#include "store/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "snapshots/"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

void
heads_path(char out[HEADS_PATH_BYTES], const uint8_t mount[16], uint64_t seq)
{
	char hex[33];

	hex_encode(hex, mount, 16);
	(void)snprintf(out, HEADS_PATH_BYTES, PREFIX "%s/%010llu.snap", hex,
	    (unsigned long long)seq); /* it fits by the size of the parts */
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

/* The parts of a snapshot's name; 1 when it is none. */
static int
parse_name(struct heads_name *out, const char *name)
{
	char again[HEADS_PATH_BYTES];
	const char *digits = name + PREFIX_LEN + 33;

	if (strlen(name) != HEADS_PATH_BYTES - 1 ||
	    hex_decode(out->mount, 16, name + PREFIX_LEN, 32) != 0)
		return 1;
	out->seq = strtoull(digits, NULL, 10);
	heads_path(again, out->mount, out->seq);
	/* Only the one way to write it, and numbers begin with 1. */
	return out->seq == 0 || strcmp(again, name) != 0;
}

static int
collect(void *arg, const char *name, uint64_t size)
{
	struct heads_name n;

	if (parse_name(&n, name) != 0)
		return 0;
	n.size = size;
	return buf_append(arg, &n, sizeof(n));
}

static int
compare(const void *a, const void *b)
{
	const struct heads_name *x = a, *y = b;
	int ret = memcmp(x->mount, y->mount, 16);

	if (ret != 0)
		return ret;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

int
heads_list(struct buf *out, struct backend *b, const uint8_t mount[16])
{
	char prefix[HEADS_PATH_BYTES] = "snapshots";
	struct buf names = BUF_INIT;
	int ret;

	if (mount != NULL) {
		heads_path(prefix, mount, 1);
		prefix[PREFIX_LEN + 32] = '\0';
	}
	ret = b->ops->list(b, prefix, collect, &names);
	if (ret != 0) {
		buf_release(&names);
		return ret;
	}
	if (names.len > 0)
		qsort(names.data, names.len / sizeof(struct heads_name),
		    sizeof(struct heads_name), compare);
	buf_release(out);
	*out = names;
	return 0;
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

	/* A second try, since a mount's history goes on from here. */
	if (ret == ERR_DAMAGED)
		ret = heads_read(&file, b, name);
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
	if (ret < 0) {
		heads_release(&fresh);
		return ret;
	}
	heads_release(h);
	*h = fresh;
	return 0;
}
