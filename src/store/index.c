#include "store/index.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/fs.h"
#include "store/indexsum.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 3
#define OBJECT_BYTES 24
#define META_BYTES 32
#define FILE_BYTES 8

static const char *const table_names[INDEX_TABLES] = {"obj", "refs", "num",
    "file", "pack", "packname", "open", "head", "pending", "other", "meta"};
static const unsigned table_flags[INDEX_TABLES] = {[INDEX_REFS] = KV_INTKEY,
    [INDEX_NUM] = KV_INTKEY,
    [INDEX_PACK] = KV_INTKEY,
    [INDEX_PENDING] = KV_INTKEY};

struct index {
	struct kv *kv;
	char *path;
	int summed; /* its sum is true; the writer's */
	atomic_int lacking; /* a row that must be there is not */
	uint8_t vault[INDEX_VAULT_BYTES];
};

int
index_is_damaged(void)
{
	return err_set(ERR_DAMAGED, "the index is damaged: run reindex");
}

int
index_put_row(struct index_txn *t, unsigned table, const void *key,
    size_t key_len, const void *value, size_t len)
{
	/* A long value has pages of its own. */
	t->rows += 1 + (uint32_t)(len / 4096);
	return kv_put(t->kv, table, key, key_len, value, len);
}

int
index_del_row(
    struct index_txn *t, unsigned table, const void *key, size_t key_len)
{
	int ret = kv_del(t->kv, table, key, key_len);

	t->rows += ret == 0;
	return ret;
}

/* Insert native integers and their like. */
static int
put_u32(struct index_txn *t, unsigned table, uint32_t key, const void *value,
    size_t len)
{
	return index_put_row(t, table, &key, sizeof(key), value, len);
}

static int
del_u32(struct index_txn *t, unsigned table, uint32_t key)
{
	return index_del_row(t, table, &key, sizeof(key));
}

/* meta: version u32, next number u32, next pack u32, zero u32, vault. */
static int
load_meta(struct index_txn *t, const struct index *ix)
{
	struct kv_slice v;
	const uint8_t *p;
	int ret = kv_get(&v, t->kv, INDEX_META, "index", 5);

	if (ret != 0)
		return ret;
	p = v.data;
	if (v.len != META_BYTES || bytes_get32(p) != VERSION ||
	    memcmp(p + 16, ix->vault, INDEX_VAULT_BYTES) != 0)
		return 1;
	t->next_num = bytes_get32(p + 4);
	t->next_pack = bytes_get32(p + 8);
	return 0;
}

static int
save_meta(struct index_txn *t, const struct index *ix)
{
	uint8_t p[META_BYTES] = {0};

	bytes_put32(p, VERSION);
	bytes_put32(p + 4, t->next_num);
	bytes_put32(p + 8, t->next_pack);
	memcpy(p + 16, ix->vault, INDEX_VAULT_BYTES);
	return kv_put(t->kv, INDEX_META, "index", 5, p, sizeof(p));
}

/* Whether the tables are those of this vault and version: 0, 1, ERR_*. */
static int
check_meta(struct index *ix)
{
	struct index_txn t = {0};
	int ret = kv_begin(&t.kv, ix->kv, 0);

	if (ret < 0)
		return ret;
	ret = load_meta(&t, ix);
	kv_abort(t.kv);
	return ret;
}

/* kv_begin(); what is written makes the sum untrue. */
static int
begin(struct kv_txn **out, struct index *ix, int write)
{
	struct kv_txn *kv;
	int ret = kv_begin(&kv, ix->kv, write);

	if (ret < 0)
		return ret;
	if (write && ix->summed) {
		ret = indexsum_forget(ix->path);
		if (ret < 0) {
			kv_abort(kv);
			return ret;
		}
		ix->summed = 0;
	}
	*out = kv;
	return 0;
}

int
index_clear(struct index *ix)
{
	struct index_txn t = {0};
	unsigned i;
	int ret = begin(&t.kv, ix, 1);

	if (ret < 0)
		return ret;
	for (i = 0; i < INDEX_TABLES && ret == 0; i++)
		ret = kv_clear(t.kv, i);
	if (ret == 0)
		ret = save_meta(&t, ix);
	if (ret < 0) {
		kv_abort(t.kv);
		return ret;
	}
	return kv_commit(t.kv);
}

static int
open_kv(struct index *ix, unsigned flags)
{
	return kv_open(&ix->kv, ix->path, table_names, table_flags,
	    INDEX_TABLES, KV_CREATE | KV_SUMS | flags);
}

/* Read all rows of a table, and count them. */
static int
read_rows(uint64_t *out, struct kv_txn *kv, unsigned table)
{
	struct kv_slice key, value;
	struct kv_cursor *c;
	uint64_t rows = 0;
	int ret = kv_cursor_open(&c, kv, table);

	if (ret < 0)
		return ret;
	for (ret = kv_cursor_first(&key, &value, c); ret == 0;
	     ret = kv_cursor_next(&key, &value, c))
		rows++;
	kv_cursor_close(c);
	if (ret < 0)
		return ret;
	*out = rows;
	return 0;
}

/* No row is damaged, and none of the refs is missing. */
static int
check_rows(struct index *ix)
{
	uint64_t rows[INDEX_TABLES];
	struct index_txn t = {.ix = ix};
	unsigned i;
	int ret = kv_begin(&t.kv, ix->kv, 0);

	if (ret < 0)
		return ret;
	for (i = 0; i < INDEX_TABLES && ret == 0; i++)
		ret = read_rows(&rows[i], t.kv, i);
	if (ret == 0)
		ret = index_check_refs(&t, rows[INDEX_REFS]);
	kv_abort(t.kv);
	return ret;
}

/* Open what is there: as it was when it was closed, or page by page and row by
 * row as good as that. */
static int
open_data(struct index *ix)
{
	int ret = indexsum_check(ix->path), unclosed = ret == 1;

	ix->summed = ret == 0;
	if (ret >= 0)
		ret = open_kv(ix, unclosed ? KV_CHECK : 0);
	if (ret == 0 && unclosed)
		ret = check_rows(ix);
	return ret;
}

/* As index_open(), without a second try. */
static int
try_open(struct index *ix)
{
	int ret = open_data(ix);

	if (ret == 0)
		ret = check_meta(ix);
	if (ret != 1)
		return ret;
	ret = index_clear(ix);
	return ret < 0 ? ret : 1;
}

int
index_open(struct index **out, const char *path,
    const uint8_t vault[INDEX_VAULT_BYTES])
{
	struct index *ix = calloc(1, sizeof(*ix));
	int ret;

	if (ix == NULL)
		return err_nomem(sizeof(*ix));
	memcpy(ix->vault, vault, INDEX_VAULT_BYTES);
	ix->path = fs_printf("%s", path);
	ret = ix->path == NULL ? ERR_NOMEM : try_open(ix);
	if (ret == ERR_DAMAGED) {
		/* The packs have it all. */
		kv_close(ix->kv);
		ix->kv = NULL;
		ix->lacking = 0;
		ret = fs_remove_tree(ix->path);
		if (ret == 0)
			ret = try_open(ix);
	}
	if (ret < 0) {
		index_close(ix);
		return ret;
	}
	*out = ix;
	return ret;
}

void
index_close(struct index *ix)
{
	int bad;

	if (ix == NULL)
		return;
	if (ix->kv != NULL) {
		bad = kv_failed(ix->kv) || kv_damaged(ix->kv) || ix->lacking;
		kv_close(ix->kv);
		/* Without a sum it is one that was not closed.  One that is bad
		 * must not have any, and is looked at when it is opened. */
		if (bad)
			(void)indexsum_forget(ix->path); /* or it differs */
		else if (!ix->summed)
			(void)indexsum_note(ix->path);
	}
	free(ix->path);
	free(ix);
}

int
index_check(struct index *ix)
{
	return !kv_failed(ix->kv)
		   ? 0
		   : err_set(ERR_READONLY,
			 "the store is read-only since a sync of its index "
			 "failed; start the server again");
}

int
index_begin(struct index_txn *out, struct index *ix, int write)
{
	struct index_txn t = {.write = write};
	int ret = begin(&t.kv, ix, write);

	if (ret < 0)
		return ret;
	t.ix = ix;
	ret = load_meta(&t, ix);
	if (ret != 0) {
		kv_abort(t.kv);
		return ret < 0 ? ret : index_is_damaged();
	}
	*out = t;
	return 0;
}

int
index_commit(struct index_txn *t)
{
	struct kv_txn *kv = t->kv;
	int ret;

	assert(t->write);
	ret = save_meta(t, t->ix);
	t->kv = NULL;
	if (ret < 0) {
		kv_abort(kv);
		return ret;
	}
	return kv_commit(kv);
}

void
index_abort(struct index_txn *t)
{
	kv_abort(t->kv);
	t->kv = NULL;
}

int
index_step(struct index_txn *t)
{
	int ret;

	if (t->rows < INDEX_TXN_ROWS)
		return 0;
	ret = index_commit(t);
	if (ret == 0)
		ret = index_begin(t, t->ix, 1);
	return ret < 0 ? ret : 1;
}

int
index_decode_object(struct index_object *out, struct kv_slice value)
{
	const uint8_t *p = value.data;

	if (value.len != OBJECT_BYTES)
		return index_is_damaged();
	out->num = bytes_get32(p);
	out->pack = bytes_get32(p + 4);
	out->offset = bytes_get32(p + 8);
	out->length = bytes_get32(p + 12);
	out->epoch = bytes_get32(p + 16);
	out->class = p[20];
	out->state = p[21];
	return 0;
}

static int
put_object(struct index_txn *t, const uint8_t id[INDEX_ID_BYTES],
    const struct index_object *o)
{
	uint8_t p[OBJECT_BYTES] = {0};

	bytes_put32(p, o->num);
	bytes_put32(p + 4, o->pack);
	bytes_put32(p + 8, o->offset);
	bytes_put32(p + 12, o->length);
	bytes_put32(p + 16, o->epoch);
	p[20] = o->class;
	p[21] = o->state;
	return index_put_row(t, INDEX_OBJ, id, INDEX_ID_BYTES, p, sizeof(p));
}

int
index_find(struct index_object *out, struct index_txn *t,
    const uint8_t id[INDEX_ID_BYTES])
{
	struct kv_slice v;
	int ret = kv_get(&v, t->kv, INDEX_OBJ, id, INDEX_ID_BYTES);

	return ret != 0 ? ret : index_decode_object(out, v);
}

/* Keep the table of open ids in step. */
static int
set_open(struct index_txn *t, const uint8_t id[INDEX_ID_BYTES], int open)
{
	int ret;

	if (open)
		return index_put_row(
		    t, INDEX_OPEN_IDS, id, INDEX_ID_BYTES, "", 0);
	ret = index_del_row(t, INDEX_OPEN_IDS, id, INDEX_ID_BYTES);
	return ret < 0 ? ret : 0;
}

int
index_add_closed(struct index_txn *t, const uint8_t id[INDEX_ID_BYTES],
    struct index_object *o, const uint32_t *refs, uint32_t nrefs)
{
	uint32_t i;
	int ret;

	if (t->next_num == INDEX_NUM_NONE)
		return err_set(ERR_LIMIT, "the index is full: run reindex");
	for (i = 0; i < nrefs; i++)
		assert(refs[i] < t->next_num);
	o->num = t->next_num++;
	o->state = INDEX_CLOSED;
	ret = put_object(t, id, o);
	if (ret == 0)
		ret = put_u32(t, INDEX_NUM, o->num, id, INDEX_ID_BYTES);
	if (ret == 0)
		ret = put_u32(
		    t, INDEX_REFS, o->num, refs, (size_t)nrefs * sizeof(*refs));
	if (ret == 0)
		ret = set_open(t, id, 0);
	return ret;
}

int
index_add_unclosed(struct index_txn *t, const uint8_t id[INDEX_ID_BYTES],
    struct index_object *o, enum index_state state)
{
	int ret;

	assert(state == INDEX_OPEN || state == INDEX_DAMAGED);
	o->num = INDEX_NUM_NONE;
	o->state = (uint8_t)state;
	ret = put_object(t, id, o);
	return ret < 0 ? ret : set_open(t, id, state == INDEX_OPEN);
}

int
index_move(struct index_txn *t, const uint8_t id[INDEX_ID_BYTES],
    const struct index_object *o)
{
	return put_object(t, id, o);
}

int
index_forget(struct index_txn *t, const uint8_t id[INDEX_ID_BYTES])
{
	int ret = index_del_row(t, INDEX_OBJ, id, INDEX_ID_BYTES);

	return ret < 0 ? ret : set_open(t, id, 0);
}

int
index_unclose(struct index_txn *t, uint32_t num, int state)
{
	uint8_t id[INDEX_ID_BYTES];
	struct index_object o;
	int ret = index_id_of(id, t, num);

	if (ret == 0)
		ret = index_find(&o, t, id);
	if (ret == 1)
		return index_is_damaged();
	if (ret == 0)
		ret = del_u32(t, INDEX_NUM, num);
	if (ret == 0)
		ret = del_u32(t, INDEX_REFS, num);
	if (ret < 0)
		return ret;
	if (state == 0)
		return index_forget(t, id);
	return index_add_unclosed(t, id, &o, (enum index_state)state);
}

int
index_retire(struct index_txn *t, uint32_t num)
{
	uint8_t id[INDEX_ID_BYTES];
	struct index_object o;
	int ret = index_id_of(id, t, num);

	if (ret != 0)
		return ret;
	ret = index_find(&o, t, id);
	if (ret == 1 || (ret == 0 && o.num != num))
		return index_is_damaged();
	if (ret == 0)
		ret = del_u32(t, INDEX_NUM, num);
	if (ret == 0)
		ret = del_u32(t, INDEX_REFS, num);
	if (ret < 0)
		return ret;
	o.num = INDEX_NUM_NONE;
	o.state = INDEX_OPEN;
	return put_object(t, id, &o);
}

int
index_id_of(uint8_t id[INDEX_ID_BYTES], struct index_txn *t, uint32_t num)
{
	struct kv_slice v;
	int ret = kv_get(&v, t->kv, INDEX_NUM, &num, sizeof(num));

	if (ret != 0)
		return ret;
	if (v.len != INDEX_ID_BYTES)
		return index_is_damaged();
	memcpy(id, v.data, INDEX_ID_BYTES);
	return 0;
}

static int
is_lacking(struct index *ix)
{
	atomic_store(&ix->lacking, 1);
	return index_is_damaged();
}

int
index_refs(struct kv_slice *out, struct index_txn *t, uint32_t num)
{
	struct kv_slice v;
	int ret = kv_get(&v, t->kv, INDEX_REFS, &num, sizeof(num));

	if (ret < 0)
		return ret;
	if (ret == 1)
		return is_lacking(t->ix);
	if (v.len % sizeof(uint32_t) != 0)
		return index_is_damaged();
	*out = v;
	return 0;
}

int
index_check_refs(struct index_txn *t, uint64_t rows)
{
	uint64_t n;
	int ret = kv_count(&n, t->kv, INDEX_NUM);

	return ret < 0 || n == rows ? ret : is_lacking(t->ix);
}

int
index_find_file(uint8_t bundle[INDEX_ID_BYTES], uint32_t *member,
    struct index_txn *t, const uint8_t file_id[INDEX_ID_BYTES])
{
	struct kv_slice v;
	uint32_t m;
	int ret = kv_get(&v, t->kv, INDEX_FILE, file_id, INDEX_ID_BYTES);

	if (ret != 0)
		return ret;
	if (v.len != FILE_BYTES)
		return index_is_damaged();
	m = bytes_get32((const uint8_t *)v.data + 4);
	ret = index_id_of(bundle, t, bytes_get32(v.data));
	if (ret == 0)
		*member = m;
	return ret;
}

int
index_add_file(struct index_txn *t, const uint8_t file_id[INDEX_ID_BYTES],
    uint32_t num, uint32_t member)
{
	uint8_t p[FILE_BYTES], bundle[INDEX_ID_BYTES];
	uint32_t known;
	/* A row of a bundle that has left since is as good as none. */
	int ret = index_find_file(bundle, &known, t, file_id);

	if (ret <= 0)
		return ret;
	bytes_put32(p, num);
	bytes_put32(p + 4, member);
	return index_put_row(
	    t, INDEX_FILE, file_id, INDEX_ID_BYTES, p, sizeof(p));
}

int
index_generation(uint8_t out[32], struct index_txn *t)
{
	struct kv_slice v;
	int ret = kv_get(&v, t->kv, INDEX_META, "generation", 10);

	if (ret != 0)
		return ret;
	if (v.len != 32)
		return index_is_damaged();
	memcpy(out, v.data, 32);
	return 0;
}

int
index_set_generation(struct index_txn *t, const uint8_t generation[32])
{
	return kv_put(t->kv, INDEX_META, "generation", 10, generation, 32);
}

int
index_head(uint64_t *out, struct index_txn *t, const uint8_t mount[16])
{
	struct kv_slice v;
	int ret = kv_get(&v, t->kv, INDEX_HEAD, mount, 16);

	if (ret < 0)
		return ret;
	if (ret == 0 && v.len != 8)
		return index_is_damaged();
	*out = ret == 1 ? 0 : bytes_get64(v.data);
	return 0;
}

int
index_set_head(struct index_txn *t, const uint8_t mount[16], uint64_t seq)
{
	uint8_t p[8];

	bytes_put64(p, seq);
	return kv_put(t->kv, INDEX_HEAD, mount, 16, p, sizeof(p));
}

int
index_heads(struct index_txn *t,
    int (*found)(void *arg, const uint8_t mount[16], uint64_t seq), void *arg)
{
	struct kv_cursor *c;
	struct kv_slice key, value;
	int ret = kv_cursor_open(&c, t->kv, INDEX_HEAD);

	if (ret < 0)
		return ret;
	for (ret = kv_cursor_first(&key, &value, c); ret == 0;
	     ret = kv_cursor_next(&key, &value, c)) {
		if (key.len != 16 || value.len != 8)
			ret = index_is_damaged();
		else
			ret = found(arg, key.data, bytes_get64(value.data));
		if (ret != 0)
			break;
	}
	kv_cursor_close(c);
	return ret == 1 ? 0 : ret;
}
