#include "store/footless.h"

#include "base/buf.h"
#include "base/err.h"
#include "store/backend.h"
#include "store/pack.h"
#include "store/record.h"
#include "store/vault.h"

#include <string.h>

int
footless_list(struct buf *out, struct index_txn *t, uint32_t number)
{
	struct footless_object p;
	struct kv_slice key, value;
	struct kv_cursor *c;
	int ret = kv_cursor_open(&c, t->kv, INDEX_OBJ);

	if (ret < 0)
		return ret;
	for (ret = kv_cursor_first(&key, &value, c); ret == 0;
	     ret = kv_cursor_next(&key, &value, c)) {
		ret = index_decode_object(&p.o, value);
		if (ret < 0)
			break;
		if (p.o.pack != number || key.len != sizeof(p.id))
			continue;
		memcpy(p.id, key.data, sizeof(p.id));
		ret = buf_append(out, &p, sizeof(p));
		if (ret < 0)
			break;
	}
	kv_cursor_close(c);
	return ret < 0 ? ret : 0;
}

/* Returns 0; 1 when its record is not there, or not whole; ERR_*. */
static int
look(struct buf *scratch, struct backend *b, const char *path,
    const struct footless_object *p)
{
	struct record r;
	uint8_t *to;
	int ret;

	buf_reset(scratch);
	ret = buf_extend(&to, scratch, p->o.length);
	if (ret < 0)
		return ret;
	ret = b->ops->get(b, path, to, p->o.length, p->o.offset);
	if (ret == 0)
		ret = record_decode(&r, to, p->o.length);
	if (ret == 0)
		return memcmp(r.id, p->id, sizeof(p->id)) != 0;
	return ret == ERR_NOMEM ? ret : 1;
}

int
footless_check(uint64_t *placed, struct vault *v, const uint8_t name[32],
    int (*bad)(void *arg, const uint8_t id[INDEX_ID_BYTES],
	const struct index_object *o),
    void *arg)
{
	struct buf list = BUF_INIT, scratch = BUF_INIT;
	char path[PACK_PATH_BYTES];
	const struct footless_object *p;
	struct index_pack known;
	struct index_txn t;
	size_t i, n;
	int ret = index_begin(&t, v->index, 0);

	if (ret < 0)
		return ret;
	ret = index_pack_named(&known, &t, name);
	if (ret == 0)
		ret = footless_list(&list, &t, known.number);
	index_abort(&t);
	pack_path(path, name);
	p = (const struct footless_object *)(const void *)list.data;
	n = list.len / sizeof(*p);
	for (i = 0; i < n && ret >= 0; i++) {
		if (p[i].o.state == INDEX_DAMAGED)
			continue;
		ret = look(&scratch, v->backend, path, p + i);
		if (ret == 1)
			ret = bad(arg, p[i].id, &p[i].o);
	}
	if (ret >= 0)
		*placed = n;
	buf_release(&scratch);
	buf_release(&list);
	return ret < 0 ? ret : 0;
}
