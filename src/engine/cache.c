#include "engine/cache.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/kv.h"
#include "base/limits.h"
#include "engine/cache_last.h"

#include <stdlib.h>
#include <string.h>

enum { TABLE_META, TABLE_DIR, TABLE_LEAF, TABLE_BUNDLE, TABLES };

static const char *const table_names[TABLES] = {
    "meta", "dir", "leaf", "bundle"};

/* In the tables: what the cache belongs to. */
#define HEAD_KEY "head"
#define DIR_KEY_BYTES 16
#define LEAF_KEY_MAX (DIR_KEY_BYTES + LIMIT_NAME_BYTES)

/* Values written before a transaction is committed: bounds its memory. */
#define BATCH_BYTES (4u << 20)
/* Or so long: what a killed run would do again. */
#define BATCH_NS INT64_C(2000000000)

/* Records more than twice the directories, and these few, are too many. */
#define CROWD_LEAST 1024u
/* Records looked at in one transaction when some are removed. */
#define SWEEP_BATCH 4096u

struct cache {
	char *path;
	struct kv *kv;
	struct kv_txn *view; /* as it was when the run began */
	struct kv_txn *seen; /* the same, for who writes */
	struct kv_cursor *seen_leaves;
	struct kv_txn *write; /* the open batch, or NULL */
	size_t written; /* bytes of the open batch */
	int64_t begun_ns; /* when it began */
	uint64_t visits;
	int sweeping; /* visits are noted, to remove the other records */
	struct buf visited; /* DIR_KEY_BYTES each */
	uint8_t check_key[HASH_BYTES];
	struct cache_head head; /* what this run is bound to */
	int looking; /* nothing is written */
	int current;
	uint8_t root[HASH_BYTES]; /* if current */
	struct buf value; /* memory for encoding */
};

/* Big endian, so that a directory's leaves lie together in name order. */
static void
put_big64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
}

static size_t
make_key(
    uint8_t *key, uint64_t fs, uint64_t ino, const void *name, size_t name_len)
{
	put_big64(key, fs);
	put_big64(key + 8, ino);
	if (name_len > 0)
		memcpy(key + DIR_KEY_BYTES, name, name_len);
	return DIR_KEY_BYTES + name_len;
}

/* Do store, vault, mount and machine of two heads agree? */
static int
same_binding(const struct cache_head *a, const struct cache_head *b)
{
	return memcmp(a->store_public, b->store_public, 32) == 0 &&
	       memcmp(a->vault, b->vault, 16) == 0 &&
	       memcmp(a->mount, b->mount, 16) == 0 &&
	       memcmp(a->machine, b->machine, 32) == 0;
}

/* 0: `*out` is what the cache says of itself; 1: it says nothing usable. */
static int
read_head(struct cache_head *out, struct cache *c, struct kv_txn *txn)
{
	struct kv_slice v;
	int rc = kv_get(&v, txn, TABLE_META, HEAD_KEY, strlen(HEAD_KEY));

	if (rc != 0)
		return rc;
	rc = cache_record_head_decode(out, c->check_key,
	    (const uint8_t *)HEAD_KEY, strlen(HEAD_KEY), v.data, v.len);
	return rc == 0 ? 0 : 1;
}

static int
write_head(struct cache *c, struct kv_txn *txn)
{
	int rc = cache_record_head_encode(&c->value, &c->head, c->check_key,
	    (const uint8_t *)HEAD_KEY, strlen(HEAD_KEY));

	if (rc != 0)
		return rc;
	return kv_put(txn, TABLE_META, HEAD_KEY, strlen(HEAD_KEY),
	    c->value.data, c->value.len);
}

/* Begin anew for this run's binding, with no snapshot. */
static int
empty(struct cache *c)
{
	struct cache_head wanted = c->head;
	struct kv_txn *txn;
	int rc = kv_begin(&txn, c->kv, 1);

	if (rc != 0)
		return rc;
	memset(c->head.snapshot, 0, sizeof(c->head.snapshot));
	memset(c->head.root, 0, sizeof(c->head.root));
	c->head.crowded = 0;
	for (unsigned t = 0; rc == 0 && t < TABLES; t++)
		rc = kv_clear(txn, t);
	if (rc == 0)
		rc = write_head(c, txn);
	c->head = wanted;
	if (rc != 0) {
		kv_abort(txn);
		return rc;
	}
	return kv_commit(txn);
}

/* Open the view; empty a cache that belongs to something else first. */
static int
bind(struct cache *c)
{
	static const uint8_t none[32];
	struct cache_head was, last;
	int rc = kv_begin(&c->view, c->kv, 0);

	if (rc != 0)
		return rc;
	rc = read_head(&was, c, c->view);
	if (rc < 0)
		return rc;
	if (rc == 0 && same_binding(&was, &c->head)) {
		if (cache_last_read(&last, c->path, c->check_key) != 0 ||
		    !same_binding(&last, &c->head))
			return 0;
		c->current =
		    memcmp(last.snapshot, none, 32) != 0 &&
		    memcmp(last.snapshot, c->head.snapshot, 32) == 0 &&
		    memcmp(last.generation, c->head.generation, 32) == 0;
		memcpy(c->root, last.root, sizeof(c->root));
		c->sweeping = last.crowded;
		return 0;
	}
	kv_abort(c->view);
	c->view = NULL;
	if (c->looking)
		return 1;
	rc = empty(c);
	return rc != 0 ? rc : kv_begin(&c->view, c->kv, 0);
}

static int
open_environment(struct cache *c)
{
	int rc = kv_open(&c->kv, c->path, table_names, NULL, TABLES,
	    KV_NOSYNC | KV_CHECK | (c->looking ? 0 : KV_CREATE));

	return rc == 0 ? bind(c) : rc;
}

/* NULL for want of memory. */
static struct cache *
new_cache(const char *path, const uint8_t check_key[HASH_BYTES],
    const struct cache_head *head)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		(void)err_nomem(sizeof(*c)); /* the caller sees NULL */
		return NULL;
	}
	c->path = fs_printf("%s", path);
	if (c->path == NULL) {
		free(c);
		return NULL;
	}
	memcpy(c->check_key, check_key, HASH_BYTES);
	c->head = *head;
	return c;
}

int
cache_open(struct cache **out, const char *path,
    const uint8_t check_key[HASH_BYTES], const struct cache_head *head)
{
	struct cache *c = new_cache(path, check_key, head);
	int rc;

	if (c == NULL)
		return ERR_NOMEM;
	rc = open_environment(c);
	if (rc == ERR_DAMAGED) {
		/* A cache may be lost at any time: begin anew. */
		kv_abort(c->view);
		c->view = NULL;
		kv_close(c->kv);
		c->kv = NULL;
		rc = fs_remove_tree(path);
		if (rc == 0)
			rc = open_environment(c);
	}
	if (rc != 0) {
		cache_close(c);
		return rc;
	}
	*out = c;
	return 0;
}

int
cache_look(struct cache **out, const char *path,
    const uint8_t check_key[HASH_BYTES], const struct cache_head *head)
{
	struct cache *c = new_cache(path, check_key, head);
	int rc;

	if (c == NULL)
		return ERR_NOMEM;
	c->looking = 1;
	rc = open_environment(c);
	if (rc != 0) {
		cache_close(c);
		/* Absent, or to be begun anew by the next backup. */
		return rc == ERR_NOENT || rc == ERR_DAMAGED ? 1 : rc;
	}
	*out = c;
	return 0;
}

void
cache_close(struct cache *c)
{
	if (c == NULL)
		return;
	kv_cursor_close(c->seen_leaves);
	kv_abort(c->seen);
	kv_abort(c->write);
	kv_abort(c->view);
	kv_close(c->kv);
	buf_release(&c->value);
	buf_release(&c->visited);
	free(c->path);
	hash_wipe(c->check_key, sizeof(c->check_key));
	free(c);
}

const uint8_t *
cache_root(const struct cache *c)
{
	return c->current ? c->root : NULL;
}

int
cache_dir(struct cache_dir *out, struct cache *c, uint64_t fs, uint64_t ino)
{
	uint8_t key[DIR_KEY_BYTES];
	struct kv_slice v;
	size_t len = make_key(key, fs, ino, NULL, 0);
	int rc = kv_get(&v, c->view, TABLE_DIR, key, len);

	if (rc != 0)
		return rc;
	rc =
	    cache_record_dir_decode(out, c->check_key, key, len, v.data, v.len);
	return rc == 0 ? 0 : 1; /* what fails its check is not there */
}

int
cache_leaf(struct cache_leaf *out, struct cache *c, uint64_t fs, uint64_t ino,
    const char *name, size_t name_len)
{
	uint8_t key[LEAF_KEY_MAX];
	struct kv_slice k, v;
	struct kv_cursor *cursor = NULL;
	size_t len = make_key(key, fs, ino, name, name_len);
	int rc = kv_cursor_open(&cursor, c->view, TABLE_LEAF);

	if (rc == 0)
		rc = kv_cursor_seek(&k, &v, cursor, key, len);
	if (rc == 0 &&
	    (k.len < DIR_KEY_BYTES || memcmp(k.data, key, DIR_KEY_BYTES) != 0))
		rc = 1; /* the next directory's */
	if (rc == 0 && cache_record_leaf_decode(out, c->check_key, k.data,
			   k.len, v.data, v.len) != 0)
		rc = 1;
	kv_cursor_close(cursor);
	return rc;
}

static int
begin_batch(struct cache *c)
{
	if (c->write != NULL)
		return 0;
	c->begun_ns = clock_mono_ns();
	return kv_begin(&c->write, c->kv, 1);
}

static int
commit_batch(struct cache *c)
{
	struct kv_txn *txn = c->write;

	c->write = NULL;
	c->written = 0;
	return txn == NULL ? 0 : kv_commit(txn);
}

/* So many bytes were written: commit when it is time. */
static int
end_write(struct cache *c, size_t bytes)
{
	c->written += bytes;
	if (c->written < BATCH_BYTES &&
	    clock_mono_ns() - c->begun_ns < BATCH_NS)
		return 0;
	return commit_batch(c);
}

/* Rule 3: from here on the directory has no record until the edit ends. */
static int
mark_changed(struct cache *c, struct cache_edit *e)
{
	uint8_t key[DIR_KEY_BYTES];
	size_t len = make_key(key, e->fs, e->ino, NULL, 0);
	int rc = begin_batch(c);

	if (rc != 0 || e->changed)
		return rc;
	rc = kv_del(c->write, TABLE_DIR, key, len);
	if (rc < 0)
		return rc;
	e->changed = 1;
	return 0;
}

/* Is the leaf key `k` the edit's directory's? */
static int
of_directory(const struct kv_slice *k, const struct cache_edit *e)
{
	uint8_t key[DIR_KEY_BYTES];

	(void)make_key(key, e->fs, e->ino, NULL, 0); /* the length is known */
	return k->len >= DIR_KEY_BYTES &&
	       memcmp(k->data, key, DIR_KEY_BYTES) == 0;
}

/*
 * Remove leaves behind `after` and before `until` (NULL: the directory's
 * end).  The first one behind is looked for in the batch, where earlier edits
 * of this run are seen too.
 */
static int
remove_between(
    struct cache *c, struct cache_edit *e, const void *until, size_t until_len)
{
	uint8_t key[LEAF_KEY_MAX + 1], stop[LEAF_KEY_MAX];
	size_t len = make_key(key, e->fs, e->ino, e->after, e->after_len);
	size_t stop_len = make_key(stop, e->fs, e->ino, until, until_len);
	struct kv_cursor *cursor = NULL;
	struct kv_slice k, v;
	int rc = begin_batch(c);

	key[len] = 0; /* the smallest key behind `after` */
	if (rc == 0)
		rc = kv_cursor_open(&cursor, c->write, TABLE_LEAF);
	while (rc == 0) {
		rc = kv_cursor_seek(&k, &v, cursor, key, len + (e->begun != 0));
		if (rc != 0 || !of_directory(&k, e))
			break;
		if (until != NULL) {
			size_t n = k.len < stop_len ? k.len : stop_len;
			int order = memcmp(k.data, stop, n);

			if (order > 0 || (order == 0 && k.len >= stop_len))
				break;
		}
		if (!e->changed) {
			kv_cursor_close(cursor);
			cursor = NULL;
			rc = mark_changed(c, e);
			if (rc == 0)
				rc = kv_cursor_open(
				    &cursor, c->write, TABLE_LEAF);
			continue;
		}
		rc = kv_cursor_del(cursor);
	}
	kv_cursor_close(cursor);
	return rc < 0 ? rc : 0;
}

static void
step(struct cache_edit *e, const char *last_name, size_t last_name_len)
{
	if (last_name_len > 0)
		memcpy(e->after, last_name, last_name_len);
	e->after_len = last_name_len;
	e->begun = 1;
}

int
cache_visit(struct cache *c, uint64_t fs, uint64_t ino)
{
	uint8_t key[DIR_KEY_BYTES];

	c->visits++;
	if (!c->sweeping)
		return 0;
	return buf_append(&c->visited, key, make_key(key, fs, ino, NULL, 0));
}

void
cache_edit_begin(struct cache_edit *e, uint64_t fs, uint64_t ino)
{
	memset(e, 0, sizeof(*e));
	e->fs = fs;
	e->ino = ino;
}

int
cache_edit_leaf(struct cache *c, struct cache_edit *e,
    const struct cache_leaf *leaf, const char *last_name, size_t last_name_len)
{
	uint8_t key[LEAF_KEY_MAX];
	size_t len;
	int rc = mark_changed(c, e);

	if (rc == 0)
		rc = remove_between(c, e, last_name, last_name_len);
	if (rc != 0)
		return rc;
	len = make_key(key, e->fs, e->ino, last_name, last_name_len);
	rc = cache_record_leaf_encode(&c->value, leaf, c->check_key, key, len);
	if (rc == 0)
		rc = kv_put(c->write, TABLE_LEAF, key, len, c->value.data,
		    c->value.len);
	if (rc != 0)
		return rc;
	step(e, last_name, last_name_len);
	return end_write(c, c->value.len);
}

/*
 * Is the leaf with this last name the next one behind `after`, in a directory
 * that is as it was?  Then there is nothing to do, and no batch is begun: an
 * unchanged tree writes nothing.
 */
static int
is_next(struct cache *c, const struct cache_edit *e, const char *last_name,
    size_t last_name_len)
{
	uint8_t key[LEAF_KEY_MAX + 1], want[LEAF_KEY_MAX];
	size_t len = make_key(key, e->fs, e->ino, e->after, e->after_len);
	size_t want_len =
	    make_key(want, e->fs, e->ino, last_name, last_name_len);
	struct kv_slice k, v;

	if (e->changed ||
	    (c->seen == NULL && kv_begin(&c->seen, c->kv, 0) != 0))
		return 0;
	if (c->seen_leaves == NULL &&
	    kv_cursor_open(&c->seen_leaves, c->seen, TABLE_LEAF) != 0)
		return 0;
	key[len] = 0; /* the smallest key behind `after` */
	return kv_cursor_seek(
		   &k, &v, c->seen_leaves, key, len + (e->begun != 0)) == 0 &&
	       k.len == want_len && memcmp(k.data, want, want_len) == 0;
}

int
cache_edit_keep(struct cache *c, struct cache_edit *e, const char *last_name,
    size_t last_name_len)
{
	int rc = 0;

	if (!is_next(c, e, last_name, last_name_len))
		rc = remove_between(c, e, last_name, last_name_len);
	if (rc == 0)
		step(e, last_name, last_name_len);
	return rc;
}

int
cache_edit_end(
    struct cache *c, struct cache_edit *e, const struct cache_dir *dir)
{
	uint8_t key[DIR_KEY_BYTES];
	size_t len = make_key(key, e->fs, e->ino, NULL, 0);
	struct cache_dir was;
	struct kv_slice v;
	int rc = remove_between(c, e, NULL, 0);

	if (rc != 0)
		return rc;
	if (!e->changed) {
		rc = kv_get(&v, c->write, TABLE_DIR, key, len);
		if (rc == 0 &&
		    cache_record_dir_decode(
			&was, c->check_key, key, len, v.data, v.len) == 0 &&
		    memcmp(was.tree, dir->tree, HASH_BYTES) == 0)
			return 0;
		if (rc < 0)
			return rc;
	}
	rc = cache_record_dir_encode(&c->value, dir, c->check_key, key, len);
	if (rc == 0)
		rc = kv_put(
		    c->write, TABLE_DIR, key, len, c->value.data, c->value.len);
	return rc == 0 ? end_write(c, c->value.len) : rc;
}

int
cache_flush(struct cache *c)
{
	kv_cursor_close(c->seen_leaves);
	c->seen_leaves = NULL;
	kv_abort(c->seen);
	c->seen = NULL;
	return commit_batch(c);
}

int
cache_bundles(struct cache *c, cache_bundle_fn *found, void *arg)
{
	struct kv_cursor *cursor = NULL;
	struct kv_slice k, v;
	struct cache_bundle b;
	int rc = kv_cursor_open(&cursor, c->view, TABLE_BUNDLE);

	if (rc == 0)
		rc = kv_cursor_first(&k, &v, cursor);
	while (rc == 0) {
		if (k.len == HASH_BYTES &&
		    cache_record_bundle_decode(
			&b, c->check_key, k.data, k.len, v.data, v.len) == 0)
			rc = found(arg, k.data, &b);
		if (rc == 0)
			rc = kv_cursor_next(&k, &v, cursor);
	}
	kv_cursor_close(cursor);
	return rc < 0 ? rc : 0;
}

int
cache_bundle_put(
    struct cache *c, const uint8_t id[HASH_BYTES], const struct cache_bundle *b)
{
	int rc = begin_batch(c);

	if (rc == 0 && b == NULL) {
		rc = kv_del(c->write, TABLE_BUNDLE, id, HASH_BYTES);
		return rc < 0 ? rc : 0;
	}
	if (rc == 0)
		rc = cache_record_bundle_encode(
		    &c->value, b, c->check_key, id, HASH_BYTES);
	if (rc == 0)
		rc = kv_put(c->write, TABLE_BUNDLE, id, HASH_BYTES,
		    c->value.data, c->value.len);
	return rc == 0 ? end_write(c, c->value.len) : rc;
}

static int
compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, DIR_KEY_BYTES);
}

static int
was_visited(const struct cache *c, const struct kv_slice *k)
{
	return k->len >= DIR_KEY_BYTES &&
	       bsearch(k->data, c->visited.data, c->visited.len / DIR_KEY_BYTES,
		   DIR_KEY_BYTES, compare_keys) != NULL;
}

/*
 * Remove the records of directories that were not visited, from `key` on;
 * `key` becomes where to go on.  0; 1 at the end.
 */
static int
sweep_some(struct cache *c, unsigned table, uint8_t *key, size_t *key_len)
{
	struct kv_cursor *cursor = NULL;
	struct kv_slice k, v;
	unsigned i;
	int rc = begin_batch(c);

	if (rc == 0)
		rc = kv_cursor_open(&cursor, c->write, table);
	if (rc == 0)
		rc = kv_cursor_seek(&k, &v, cursor, key, *key_len);
	for (i = 0; rc == 0 && i < SWEEP_BATCH; i++) {
		if (!was_visited(c, &k))
			rc = kv_cursor_del(cursor);
		if (rc == 0)
			rc = kv_cursor_next(&k, &v, cursor);
	}
	if (rc == 0 && k.len <= LEAF_KEY_MAX) {
		memcpy(key, k.data, k.len);
		*key_len = k.len;
	}
	kv_cursor_close(cursor);
	return rc;
}

static int
sweep(struct cache *c, unsigned table)
{
	uint8_t key[LEAF_KEY_MAX] = {0};
	size_t key_len = 1;
	int rc = 0;

	qsort(c->visited.data, c->visited.len / DIR_KEY_BYTES, DIR_KEY_BYTES,
	    compare_keys);
	while (rc == 0) {
		rc = sweep_some(c, table, key, &key_len);
		if (rc == 0)
			rc = commit_batch(c);
	}
	return rc < 0 ? rc : 0;
}

/* Say in the head whether the next run is to remove records. */
static int
count_records(struct cache *c)
{
	struct kv_txn *txn;
	uint64_t n;
	int rc;

	if (c->sweeping && c->visited.len > 0) {
		/* The dir records first: rule 3. */
		rc = sweep(c, TABLE_DIR);
		if (rc == 0)
			rc = sweep(c, TABLE_LEAF);
		if (rc != 0)
			return rc;
	}
	rc = commit_batch(c);
	if (rc == 0)
		rc = kv_begin(&txn, c->kv, 0);
	if (rc != 0)
		return rc;
	rc = kv_count(&n, txn, TABLE_DIR);
	kv_abort(txn);
	if (rc == 0)
		c->head.crowded = n > 2 * c->visits + CROWD_LEAST;
	return rc;
}

int
cache_finish(struct cache *c, const uint8_t snapshot[HASH_BYTES],
    const uint8_t root[HASH_BYTES], const uint8_t generation[32])
{
	int rc = count_records(c);

	memcpy(c->head.snapshot, snapshot, HASH_BYTES);
	memcpy(c->head.root, root, HASH_BYTES);
	memcpy(c->head.generation, generation, sizeof(c->head.generation));
	return rc == 0 ? cache_last_write(c->path, c->check_key, &c->head) : rc;
}
