#include "lib/planter.h"

#include "base/err.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CHUNK_BYTES 150000u

/* An entry with memory of its own. */
struct kept {
	struct entry e;
	struct kept *next;
	int in_bundle; /* the bundle is still open */
	char name[256];
};

struct planter_dir {
	struct planter_dir *parent;
	struct kept *entry; /* in the parent; NULL: the root */
	struct kept *first, *last;
	size_t n;
};

int
planter_emit(void *arg, struct object *o)
{
	struct planter *p = arg;

	if (p->patch != NULL)
		p->patch(p->arg, o);
	memory_store_put(p->m, o);
	return 0;
}

void
planter_init(struct planter *p, struct memory_store *m)
{
	memset(p, 0, sizeof(*p));
	p->m = m;
	bundle_init(&p->bundle);
	p->dir = calloc(1, sizeof(*p->dir));
	assert_non_null(p->dir);
}

void
planter_release(struct planter *p)
{
	assert_null(p->dir);
	bundle_release(&p->bundle);
	buf_release(&p->pending);
}

void
planter_meta(struct entry *e, const char *name, enum address_kind kind)
{
	memset(e, 0, sizeof(*e));
	e->kind = kind;
	e->name = name;
	e->name_len = strlen(name);
	e->mode = kind == ADDRESS_DIR ? 0755 : 0644;
	e->uid = geteuid();
	e->gid = getegid();
	e->mtime_s = 1234567890;
	e->mtime_ns = 123456789;
}

static void *
keep_bytes(const void *p, size_t len)
{
	void *out = malloc(len + 1);

	assert_non_null(out);
	if (len > 0)
		memcpy(out, p, len);
	return out;
}

static struct kept *
keep(struct planter *p, const struct entry *e)
{
	struct kept *k = calloc(1, sizeof(*k)), **at;

	assert_non_null(k);
	k->e = *e;
	memcpy(k->name, e->name, e->name_len);
	k->e.name = k->name;
	if (e->data != NULL)
		k->e.data = keep_bytes(e->data, e->size);
	if (e->xattr != NULL)
		k->e.xattr = keep_bytes(e->xattr, e->xattr_len);
	at = &p->dir->first;
	if (p->dir->last != NULL &&
	    entry_name_compare(p->dir->last->name, p->dir->last->e.name_len,
		k->name, e->name_len) <= 0)
		at = &p->dir->last->next; /* mostly they come in order */
	for (; *at != NULL; at = &(*at)->next) {
		if (entry_name_compare(k->name, e->name_len, (*at)->e.name,
			(*at)->e.name_len) < 0)
			break;
	}
	k->next = *at;
	*at = k;
	if (k->next == NULL)
		p->dir->last = k;
	p->dir->n++;
	if (e->kind == ADDRESS_DIR)
		p->dirs++;
	else
		p->files++;
	if (e->kind == ADDRESS_FILE)
		p->bytes += e->size;
	return k;
}

void
planter_add(struct planter *p, const struct entry *e)
{
	(void)keep(p, e);
}

static void
finish_bundle(struct planter *p)
{
	struct kept **waiting = (struct kept **)(void *)p->pending.data;
	size_t n = p->pending.len / sizeof(struct kept *), i;
	struct object o;

	if (n == 0)
		return;
	object_init(&o, OBJECT_BUNDLE);
	assert_int_equal(0, bundle_finish(&o, &p->bundle));
	assert_int_equal(0, planter_emit(p, &o));
	for (i = 0; i < n; i++)
		memcpy(waiting[i]->e.id, o.id, OBJECT_ID_BYTES);
	buf_reset(&p->pending);
	object_release(&o);
}

static void
add_member(struct planter *p, struct entry *e, const uint8_t *data, size_t len)
{
	uint8_t id[OBJECT_ID_BYTES];
	struct kept *k;
	int closed;

	if (bundle_full(&p->bundle, len))
		finish_bundle(p);
	object_file_id(id, p->m->keys.file, e->address);
	e->location = ENTRY_AT_BUNDLE;
	e->member = bundle_count(&p->bundle);
	assert_int_equal(0, bundle_add(&closed, &p->bundle, id, data, len));
	k = keep(p, e);
	assert_int_equal(0, buf_append(&p->pending, &k, sizeof(struct kept *)));
	if (closed)
		finish_bundle(p);
}

void
planter_file(
    struct planter *p, struct entry *e, const uint8_t *data, size_t len)
{
	const uint8_t *parts[64];
	size_t lengths[64], n = 0, at;

	if (len >= CHUNK_BYTES) {
		for (at = 0; at < len; at += lengths[n++]) {
			assert_true(n < 64);
			parts[n] = data + at;
			lengths[n] =
			    len - at < CHUNK_BYTES ? len - at : CHUNK_BYTES;
		}
		planter_extents(p, e, parts, lengths, n, 0);
		return;
	}
	hash_bytes(e->address, data, len);
	e->size = len;
	e->location = len == 0 ? ENTRY_AT_NONE : ENTRY_AT_INLINE;
	if (len > ENTRY_INLINE_BYTES) {
		add_member(p, e, data, len);
		return;
	}
	e->data = len > 0 ? data : NULL;
	planter_add(p, e);
}

/* Store a chunk and describe it. */
static void
plant_chunk(struct planter *p, struct extent *x, const uint8_t *data)
{
	struct object o;

	if (data == NULL) {
		x->hole = 1;
		return;
	}
	object_init(&o, OBJECT_CHUNK);
	assert_int_equal(0, buf_append(&o.payload, data, x->length));
	assert_int_equal(0, planter_emit(p, &o));
	memcpy(x->id, o.id, OBJECT_ID_BYTES);
	object_release(&o);
}

static void
hash_extent(struct hash *h, const uint8_t *data, size_t len)
{
	static const uint8_t zeros[4096];
	size_t n;

	if (data != NULL) {
		hash_update(h, data, len);
		return;
	}
	for (; len > 0; len -= n) {
		n = len < sizeof(zeros) ? len : sizeof(zeros);
		hash_update(h, zeros, n);
	}
}

void
planter_extents(struct planter *p, struct entry *e, const uint8_t *const *data,
    const size_t *lengths, size_t n, int maps)
{
	struct extent_writer *w;
	struct extent_result r;
	struct extent x;
	struct hash h;
	size_t i;

	assert_int_equal(0, extent_writer_new(&w, planter_emit, p));
	hash_init(&h);
	e->size = 0;
	for (i = 0; i < n; i++) {
		memset(&x, 0, sizeof(x));
		x.length = lengths[i];
		plant_chunk(p, &x, data[i]);
		hash_extent(&h, data[i], lengths[i]);
		assert_int_equal(0, extent_writer_add(w, &x));
		e->size += lengths[i];
	}
	assert_int_equal(0, extent_writer_finish(&r, w));
	hash_final(&h, e->address);
	assert_true(!maps || r.count == 0);
	if (r.count > 0) {
		e->location = ENTRY_AT_EXTENTS;
		e->nextents = r.count;
		memcpy(e->extents, r.list, r.count * sizeof(struct extent));
	} else {
		e->location = ENTRY_AT_MAP;
		memcpy(e->id, r.map, sizeof(e->id));
		e->level = r.level;
	}
	extent_writer_free(w);
	planter_add(p, e);
}

void
planter_symlink(struct planter *p, struct entry *e, const char *target)
{
	e->location = ENTRY_AT_TARGET;
	e->size = strlen(target);
	e->data = (const uint8_t *)target;
	address_symlink(e->address, target, e->size);
	planter_add(p, e);
}

void
planter_device(
    struct planter *p, struct entry *e, uint32_t major, uint32_t minor)
{
	e->location = ENTRY_AT_DEVICE;
	e->major = major;
	e->minor = minor;
	address_device(e->address, major, minor);
	planter_add(p, e);
}

void
planter_fifo(struct planter *p, struct entry *e)
{
	e->location = ENTRY_AT_NONE;
	address_fifo(e->address);
	planter_add(p, e);
}

void
planter_enter(struct planter *p, const struct entry *e)
{
	struct planter_dir *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	d->entry = keep(p, e);
	d->parent = p->dir;
	p->dir = d;
}

/* Write the open directory's tree and fill its entry. */
static void
close_dir(struct planter *p, struct entry *e)
{
	struct planter_dir *d = p->dir;
	struct tree_writer *w;
	struct tree_result r;
	struct kept *k;
	struct hash h;

	finish_bundle(p);
	address_dir_init(&h);
	assert_int_equal(
	    0, tree_writer_new(&w, p->m->keys.split, planter_emit, p));
	while ((k = d->first) != NULL) {
		if (tree_writer_add(w, &k->e) != 0)
			fail_msg("%s: %s", k->name, err_text());
		address_dir_add(
		    &h, k->e.kind, k->name, k->e.name_len, k->e.address);
		d->first = k->next;
		free((void *)(uintptr_t)k->e.data);
		free((void *)(uintptr_t)k->e.xattr);
		free(k);
	}
	assert_int_equal(0, tree_writer_finish(&r, w));
	tree_writer_free(w);
	address_dir_final(&h, e->address);
	e->location = ENTRY_AT_TREE;
	memcpy(e->id, r.id, sizeof(e->id));
	e->level = r.level;
	e->size = d->n;
}

void
planter_leave(struct planter *p)
{
	struct planter_dir *d = p->dir;

	close_dir(p, &d->entry->e);
	p->dir = d->parent;
	free(d);
}

void
planter_commit(struct planter *p, struct entry *root)
{
	struct snapshot_info info;

	close_dir(p, root);
	free(p->dir);
	p->dir = NULL;
	memset(&info, 0, sizeof(info));
	info.start_ns = 1;
	info.end_ns = 2;
	info.files = p->files;
	info.dirs = p->dirs + 1;
	info.bytes = p->bytes;
	info.host = "host";
	info.host_len = 4;
	info.dir = "/source";
	info.dir_len = 7;
	info.root = *root;
	memory_store_commit(p->m, &info);
}
