#include "store/twin.h"

#include "base/buf.h"
#include "base/err.h"
#include "store/admit.h"
#include "store/index.h"
#include "store/pack.h"
#include "store/record.h"

#include <string.h>

/* Nonzero when the record at `o` is whole and the same as that of `e`. */
static int
is_same(struct buf *scratch, struct index_txn *t, struct backend *b,
    const struct pack_entry *e, const struct index_object *o)
{
	struct record r;
	int ret;

	if (o->length != e->length)
		return 0;
	ret = admit_read(&r, scratch, t, b, e->id, o);
	if (ret == ERR_DAMAGED || ret == ERR_NOENT)
		return 0;
	if (ret < 0)
		return ret;
	return memcmp(r.checksum, e->checksum, HASH_BYTES) == 0;
}

int
twin_find(struct index_object *out, struct index_txn *t, struct backend *b,
    const struct pack_entry *e, const struct index_object *o, uint32_t pack)
{
	struct buf all = BUF_INIT, scratch = BUF_INIT;
	const struct index_object *p;
	size_t i;
	int ret = buf_append(&all, o, sizeof(*o)), found = 0;

	if (ret == 0)
		ret = index_other_list(&all, t, e->id);
	p = (const struct index_object *)(const void *)all.data;
	for (i = 0; ret == 0 && i < all.len / sizeof(*p) && !found; i++) {
		if (p[i].pack == pack)
			continue;
		found = is_same(&scratch, t, b, e, p + i);
		if (found < 0)
			ret = found;
		else if (found)
			*out = p[i];
	}
	buf_release(&all);
	buf_release(&scratch);
	return ret < 0 ? ret : !found;
}
