#include "store/footless.h"

#include "base/buf.h"
#include "base/err.h"
#include "store/backend.h"
#include "store/pack.h"
#include "store/record.h"
#include "store/vault.h"

#include <string.h>

struct placed {
	uint8_t id[INDEX_ID_BYTES];
	struct index_object o;
};

/* The objects that the index places in pack `number`. */
static int
collect(struct buf *list, struct index_txn *t, uint32_t number)
{
	struct kv_slice key, value;
	struct kv_cursor *c;
	struct placed p;
	int ret = kv_cursor_open(&c, t->kv, INDEX_OBJ);

	if (ret < 0)
		return ret;
	for (ret = kv_cursor_first(&key, &value, c); ret == 0;
	     ret = kv_cursor_next(&key, &value, c)) {
		ret = index_decode_object(&p.o, value);
		if (ret < 0)
			break;
		if (p.o.pack != number || p.o.state == INDEX_DAMAGED)
			continue;
		memcpy(p.id, key.data, sizeof(p.id));
		ret = buf_append(list, &p, sizeof(p));
		if (ret < 0)
			break;
	}
	kv_cursor_close(c);
	return ret < 0 ? ret : 0;
}

/* Returns 0; 1 when its record is not there, or not whole; ERR_*. */
static int
look(struct buf *scratch, struct backend *b, const char *path,
    const struct placed *p)
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
footless_check(struct vault *v, const uint8_t name[32],
    int (*bad)(void *arg, const uint8_t id[INDEX_ID_BYTES],
	const struct index_object *o),
    void *arg)
{
	struct buf list = BUF_INIT, scratch = BUF_INIT;
	char path[PACK_PATH_BYTES];
	const struct placed *p;
	struct index_pack known;
	struct index_txn t;
	size_t i;
	int ret = index_begin(&t, v->index, 0);

	if (ret < 0)
		return ret;
	ret = index_pack_named(&known, &t, name);
	if (ret == 0)
		ret = collect(&list, &t, known.number);
	index_abort(&t);
	pack_path(path, name);
	p = (const struct placed *)(const void *)list.data;
	for (i = 0; i < list.len / sizeof(*p) && ret == 0; i++) {
		ret = look(&scratch, v->backend, path, p + i);
		if (ret == 1)
			ret = bad(arg, p[i].id, &p[i].o);
	}
	buf_release(&scratch);
	buf_release(&list);
	return ret < 0 ? ret : 0;
}
