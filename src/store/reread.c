#include "store/reread.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "store/backend.h"
#include "store/damage.h"
#include "store/envelope.h"
#include "store/pack.h"
#include "store/vault.h"

#include <string.h>

struct name {
	char text[BACKEND_NAME_MAX];
	uint64_t size;
	int own; /* it was under way itself, so nobody was told of it */
};

/* What is to be read: names of objects (struct name). */
struct work {
	struct vault *v;
	struct buf names;
	int own;
};

static int
add_name(void *arg, const char *text, uint64_t size)
{
	struct work *w = arg;
	struct name n = {.size = size, .own = w->own};

	if (strlen(text) >= sizeof(n.text))
		return 0;
	memcpy(n.text, text, strlen(text));
	return buf_append(&w->names, &n, sizeof(n));
}

/* An object, or a folder of them. */
static int
add_unsure(void *arg, const char *text)
{
	struct work *w = arg;
	struct backend *b = w->v->backend;
	uint64_t size;
	int ret = b->ops->size(&size, b, text);

	/* Taken back: the usual case. */
	if (ret == ERR_NOENT)
		return 0;
	w->own = ret == 0;
	if (ret == 0)
		return add_name(w, text, size);
	return ret == ERR_DAMAGED ? b->ops->list(b, text, add_name, w) : ret;
}

/* Mark the records of a pack that the device does not give back. */
static int
read_pack(struct vault *v, const uint8_t name[32])
{
	struct backend *b = v->backend;
	char path[PACK_PATH_BYTES];
	struct pack k = PACK_INIT;
	struct buf one = BUF_INIT;
	struct pack_entry e;
	uint8_t *to;
	uint32_t i;
	int ret = pack_load(&k, b, name, 0, v->id);

	if (ret < 0)
		return ret == ERR_DAMAGED || ret == ERR_NOENT ? 0 : ret;
	pack_path(path, name);
	for (i = 0; i < k.count && ret == 0; i++) {
		pack_entry(&e, &k, i);
		buf_reset(&one);
		ret = buf_extend(&to, &one, e.length);
		if (ret == 0)
			ret = b->ops->get(b, path, to, e.length, e.offset);
		if (ret == 0)
			ret = pack_check_record(NULL, &e, to, e.length);
		if (ret == ERR_DAMAGED) {
			v->reread_damaged++;
			ret = damage_mark(b, name, e.offset);
		}
	}
	buf_release(&one);
	pack_release(&k);
	return ret;
}

/*
 * A snapshot that was not acknowledged is absent or whole: what could not be
 * taken back then is taken back now.
 */
static int
read_snapshot(struct vault *v, const struct name *n)
{
	struct backend *b = v->backend;
	struct buf file = BUF_INIT;
	struct envelope e;
	uint8_t *to;
	int ret = n->size > LIMIT_SNAPSHOT_BYTES
		      ? ERR_DAMAGED
		      : buf_extend(&to, &file, (size_t)n->size);

	if (ret == 0 && n->size > 0)
		ret = b->ops->get(b, n->text, to, (size_t)n->size, 0);
	if (ret == 0)
		ret = envelope_decode_file(&e, file.data, file.len);
	if (ret == ERR_DAMAGED) {
		v->reread_damaged++;
		ret = b->ops->remove(b, n->text);
	}
	buf_release(&file);
	return ret == ERR_NOENT ? 0 : ret;
}

int
reread_vault(struct vault *v)
{
	struct backend *b = v->backend;
	struct work w = {v, BUF_INIT, 0};
	const struct name *names;
	uint8_t pack[32];
	size_t i, n;
	int ret = b->ops->unsure(b, add_unsure, &w);

	names = (const struct name *)(const void *)w.names.data;
	n = w.names.len / sizeof(*names);
	for (i = 0; i < n && ret == 0; i++) {
		v->reread++;
		if (pack_path_name(pack, names[i].text) == 0)
			ret = read_pack(v, pack);
		else if (names[i].own &&
			 strncmp(names[i].text, "snapshots/", 10) == 0)
			ret = read_snapshot(v, names + i);
	}
	if (ret == 0)
		ret = b->ops->sure(b);
	buf_release(&w.names);
	/* The device still takes nothing: it is read as it is. */
	return ret == ERR_READONLY ? 0 : ret;
}
