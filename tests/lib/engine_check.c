/* engine_vault_check(): reads a snapshot the plain way, object by object. */

#include "lib/engine_vault.h"

#include "base/fs.h"
#include "lib/source_tree.h"
#include "object/bundle.h"
#include "object/snapshot.h"
#include "object/tree.h"
#include "seal/seal.h"
#include "sign/sign.h"
#include "store/record.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

struct check {
	struct engine_vault *v;
	struct seal *seal;
	uint64_t files, dirs, bytes;
	struct object bundle; /* the last one: neighbours share it */
};

static int
keep_record(void *arg, enum store_got got, const uint8_t id[STORE_ID_BYTES],
    const uint8_t *record, size_t len)
{
	(void)id;
	assert_int_equal(got, STORE_GOT_RECORD);
	return buf_append(arg, record, len);
}

/* The object, opened and compared with its name. */
static void
get(struct object *out, struct check *c, enum object_type type,
    const uint8_t id[OBJECT_ID_BYTES])
{
	struct buf record = BUF_INIT;
	struct seal_bind bind = {0};
	struct record r;

	object_init(out, type);
	assert_int_equal(
	    c->v->real->ops->get(c->v->real, id, 1, keep_record, &record), 0);
	assert_int_equal(record_decode(&r, record.data, record.len), 0);
	assert_int_equal(r.class, (int)object_class(type));
	bind.epoch = r.epoch;
	bind.type = (uint8_t)type;
	bind.id = id;
	bind.refs = r.refs;
	bind.nrefs = r.nrefs;
	bind.members = r.members;
	bind.nmembers = r.nmembers;
	assert_int_equal(
	    seal_unwrap(&out->payload, c->seal, &bind, r.sealed, r.sealed_len),
	    0);
	assert_int_equal(buf_append(&out->refs, r.refs, r.nrefs * 32), 0);
	assert_int_equal(
	    buf_append(&out->members, r.members, r.nmembers * 32), 0);
	object_name(out, c->v->keys.id);
	assert_memory_equal(out->id, id, OBJECT_ID_BYTES);
	buf_release(&record);
}

static void
get_bundle(struct check *c, const uint8_t id[OBJECT_ID_BYTES])
{
	if (c->bundle.payload.len > 0 &&
	    memcmp(c->bundle.id, id, OBJECT_ID_BYTES) == 0)
		return;
	object_release(&c->bundle);
	get(&c->bundle, c, OBJECT_BUNDLE, id);
}

static void
hash_extents(struct hash *h, struct check *c, const struct extent *e, size_t n,
    unsigned level, int fd, uint64_t *pos)
{
	static const uint8_t zeros[4096];
	struct buf below = BUF_INIT;
	struct object o;
	uint64_t left;
	size_t i, len;

	for (i = 0; i < n; i++) {
		if (e[i].hole) {
			for (left = e[i].length; left > 0; left -= len) {
				len = left < 4096 ? (size_t)left : 4096;
				hash_update(h, zeros, len);
			}
			assert_int_equal(
			    lseek(fd, (off_t)*pos, SEEK_HOLE), (off_t)*pos);
			*pos += e[i].length;
			continue;
		}
		get(&o, c, level > 0 ? OBJECT_MAP : OBJECT_CHUNK, e[i].id);
		if (level > 0) {
			assert_int_equal(
			    extent_map_decode(&below, level - 1, e[i].length,
				o.refs.data, object_nrefs(&o), o.payload.data,
				o.payload.len),
			    0);
			hash_extents(h, c,
			    (const struct extent *)(void *)below.data,
			    below.len / sizeof(struct extent), level - 1, fd,
			    pos);
		} else {
			assert_int_equal(o.payload.len, e[i].length);
			hash_update(h, o.payload.data, o.payload.len);
			assert_int_equal(
			    lseek(fd, (off_t)*pos, SEEK_DATA), (off_t)*pos);
			*pos += e[i].length;
		}
		object_release(&o);
	}
	buf_release(&below);
}

/* What the entry's location holds has the entry's address. */
static void
check_content(struct check *c, const struct entry *e, const char *path)
{
	struct extent top = {.length = e->size};
	uint8_t address[HASH_BYTES], file_id[OBJECT_ID_BYTES];
	const uint8_t *p;
	struct hash h;
	uint64_t pos = 0;
	size_t len;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	hash_init(&h);
	if (e->location == ENTRY_AT_INLINE) {
		hash_update(&h, e->data, e->size);
	} else if (e->location == ENTRY_AT_BUNDLE) {
		get_bundle(c, e->id);
		assert_int_equal(
		    bundle_member(&p, &len, e->member, c->bundle.payload.data,
			c->bundle.payload.len),
		    0);
		assert_int_equal(len, e->size);
		hash_update(&h, p, len);
		object_file_id(file_id, c->v->keys.file, e->address);
		assert_memory_equal(c->bundle.members.data + e->member * 32,
		    file_id, OBJECT_ID_BYTES);
	} else if (e->location == ENTRY_AT_EXTENTS) {
		hash_extents(&h, c, e->extents, e->nextents, 0, fd, &pos);
	} else if (e->location == ENTRY_AT_MAP) {
		memcpy(top.id, e->id, OBJECT_ID_BYTES);
		hash_extents(&h, c, &top, 1, e->level + 1u, fd, &pos);
	} else {
		assert_int_equal(e->location, ENTRY_AT_NONE);
		assert_int_equal(e->size, 0);
	}
	hash_final(&h, address);
	assert_memory_equal(address, e->address, HASH_BYTES);
	assert_int_equal(close(fd), 0);
}

static void
check_xattrs(struct check *c, const struct entry *e, const char *path)
{
	uint8_t value[65536];
	struct entry_xattr x;
	struct object o;
	size_t pos = 0, len = e->xattr_len;
	const uint8_t *block = e->xattr;
	ssize_t n = lgetxattr(path, "user.test", value, sizeof(value));

	object_init(&o, OBJECT_CHUNK);
	if ((e->flags & ENTRY_XATTR_REF) != 0) {
		get(&o, c, OBJECT_CHUNK, e->xattr_id);
		block = o.payload.data;
		len = o.payload.len;
	} else if ((e->flags & ENTRY_XATTR_INLINE) == 0) {
		assert_true(n < 0);
		return;
	}
	while (entry_xattr_next(&x, &pos, block, len) == 0)
		if (x.name_len == 9 && memcmp(x.name, "user.test", 9) == 0) {
			assert_int_equal(x.value_len, n);
			assert_memory_equal(x.value, value, (size_t)n);
			n = -1;
		}
	assert_int_equal(n, -1);
	object_release(&o);
}

static void check_tree(
    struct check *c, const uint8_t id[32], unsigned level, const char *path);

static void
check_entry(struct check *c, const struct entry *e, const char *path)
{
	char target[PATH_MAX];
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(e->mode, st.st_mode & 07777);
	assert_int_equal(e->uid, st.st_uid);
	assert_int_equal(e->gid, st.st_gid);
	assert_int_equal(e->mtime_s, st.st_mtim.tv_sec);
	assert_int_equal(e->mtime_ns, st.st_mtim.tv_nsec);
	assert_int_equal((e->flags & ENTRY_HARDLINK) != 0,
	    !S_ISDIR(st.st_mode) && st.st_nlink > 1);
	assert_int_equal(e->flags & ENTRY_UNSTABLE, 0);
	check_xattrs(c, e, path);
	if (!S_ISDIR(st.st_mode))
		c->files++;
	if (e->kind == ADDRESS_DIR) {
		assert_true(S_ISDIR(st.st_mode));
		c->dirs++;
		check_tree(c, e->id, e->level, path);
	} else if (e->kind == ADDRESS_FILE) {
		assert_true(S_ISREG(st.st_mode));
		assert_int_equal(e->size, st.st_size);
		c->bytes += e->size;
		check_content(c, e, path);
	} else if (e->kind == ADDRESS_SYMLINK) {
		assert_int_equal(
		    readlink(path, target, sizeof(target)), e->size);
		assert_memory_equal(target, e->data, e->size);
	} else {
		assert_int_equal(e->kind, ADDRESS_FIFO);
		assert_true(S_ISFIFO(st.st_mode));
	}
}

static void
check_tree(
    struct check *c, const uint8_t id[32], unsigned level, const char *path)
{
	struct tree_reader t;
	struct tree_node node;
	struct entry e;
	struct object o;
	char *below;

	get(&o, c, OBJECT_TREE, id);
	assert_int_equal(tree_reader_init(&t, level, o.refs.data,
			     object_nrefs(&o), o.payload.data, o.payload.len),
	    0);
	if (level > 0)
		while (tree_reader_node(&node, &t) == 0)
			check_tree(c, node.id, level - 1, path);
	else
		while (tree_reader_entry(&e, &t) == 0) {
			below =
			    fs_printf("%s/%.*s", path, (int)e.name_len, e.name);
			assert_non_null(below);
			check_entry(c, &e, below);
			free(below);
		}
	tree_reader_release(&t);
	object_release(&o);
}

struct newest {
	struct buf file;
	unsigned count;
};

static int
keep_newest(void *arg, const struct store_snapshot *s)
{
	struct newest *n = arg;

	n->count++;
	buf_reset(&n->file);
	return buf_append(&n->file, s->file, s->len);
}

/* Open the payload of a snapshot file whose signature holds. */
static void
open_snapshot(struct snapshot_info *info, struct buf *plain, struct check *c,
    const struct buf *file)
{
	size_t signed_len =
	    file->len - SNAPSHOT_SERVER_BYTES - SNAPSHOT_SIGNATURE_BYTES;
	uint8_t pub[SIGN_PUBLIC_BYTES];
	struct snapshot_envelope e;
	struct seal_bind bind = {0};

	assert_int_equal(snapshot_decode_file(&e, file->data, file->len), 0);
	sign_public(pub, c->v->seed);
	assert_int_equal(sign_check(e.signature, pub, SNAPSHOT_CONTEXT,
			     file->data, signed_len),
	    0);
	bind.epoch = e.epoch;
	bind.type = OBJECT_SNAPSHOT;
	bind.id = e.id;
	bind.refs = e.refs;
	bind.nrefs = e.nrefs;
	assert_int_equal(
	    seal_unwrap(plain, c->seal, &bind, e.sealed, e.sealed_len), 0);
	assert_int_equal(snapshot_info_decode(
			     info, e.refs, e.nrefs, plain->data, plain->len),
	    0);
	assert_int_equal(info->files, e.files);
	assert_int_equal(info->bytes, e.bytes);
}

unsigned
engine_vault_check(struct engine_vault *v, const char *dir)
{
	struct check c = {.v = v};
	struct newest n = {BUF_INIT, 0};
	struct buf plain = BUF_INIT;
	struct snapshot_info info;
	uint8_t address[HASH_BYTES];

	assert_int_equal(v->real->ops->snapshots(
			     v->real, v->base.info.mount, keep_newest, &n),
	    0);
	if (n.count == 0)
		return 0;
	assert_int_equal(seal_new(&c.seal, &v->keys, &seal_default), 0);
	open_snapshot(&info, &plain, &c, &n.file);
	source_tree_address(address, dir);
	assert_memory_equal(info.root.address, address, HASH_BYTES);
	check_entry(&c, &info.root, dir);
	assert_int_equal(info.files, c.files);
	assert_int_equal(info.dirs, c.dirs);
	assert_int_equal(info.bytes, c.bytes);
	assert_int_equal(info.unreadable, 0);
	object_release(&c.bundle);
	seal_free(c.seal);
	buf_release(&plain);
	buf_release(&n.file);
	return n.count;
}
