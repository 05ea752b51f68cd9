#include "store/seqname.h"

#include "base/hex.h"
#include "store/heads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
seqname_path(char out[BACKEND_NAME_MAX], const struct seqname_kind *k,
    const uint8_t mount[16], uint64_t seq)
{
	char hex[33];

	hex_encode(hex, mount, 16);
	(void)snprintf(out, BACKEND_NAME_MAX, "%s/%s/%010llu%s", k->folder, hex,
	    (unsigned long long)seq, k->end); /* it fits: the kinds are short */
}

/* The parts of a name; 1 when it is of another kind. */
static int
parse(struct heads_name *out, const struct seqname_kind *k, const char *name)
{
	size_t skip = strlen(k->folder) + 1;
	char again[BACKEND_NAME_MAX];

	if (strlen(name) != skip + 33 + 10 + strlen(k->end) ||
	    hex_decode(out->mount, 16, name + skip, 32) != 0)
		return 1;
	out->seq = strtoull(name + skip + 33, NULL, 10);
	seqname_path(again, k, out->mount, out->seq);
	/* Only the one way to write it, and numbers begin with 1. */
	return out->seq == 0 || strcmp(again, name) != 0;
}

struct listing {
	struct buf names;
	const struct seqname_kind *kind;
};

static int
collect(void *arg, const char *name, uint64_t size)
{
	struct listing *l = arg;
	struct heads_name n;

	if (parse(&n, l->kind, name) != 0)
		return 0;
	n.size = size;
	return buf_append(&l->names, &n, sizeof(n));
}

static int
compare(const void *a, const void *b)
{
	return heads_compare(a, b);
}

int
seqname_list(struct buf *out, struct backend *b, const struct seqname_kind *k,
    const uint8_t mount[16])
{
	struct listing l = {BUF_INIT, k};
	char prefix[BACKEND_NAME_MAX];
	int ret;

	(void)snprintf(prefix, sizeof(prefix), "%s", k->folder); /* it fits */
	if (mount != NULL) {
		seqname_path(prefix, k, mount, 1);
		prefix[strlen(k->folder) + 33] = '\0';
	}
	ret = b->ops->list(b, prefix, collect, &l);
	if (ret != 0) {
		buf_release(&l.names);
		return ret;
	}
	if (l.names.len > 0)
		qsort(l.names.data, l.names.len / sizeof(struct heads_name),
		    sizeof(struct heads_name), compare);
	buf_release(out);
	*out = l.names;
	return 0;
}
