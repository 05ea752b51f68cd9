#include "base/kv.h"

#include "base/ballast.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/kvpages.h"
#include "base/kvsum.h"
#include "base/marker.h"
#include "base/os.h"
#include "base/pool.h"

#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The size of the map.  LMDB wants it in advance, refuses to write beyond it,
 * and can only change it while this process has no transaction.  So the map
 * is far larger than the data (addresses, not memory or disk), and grows
 * before a write transaction begins, when nobody reads: a transaction then
 * always finds room for at least a quarter of MAP_RESERVE.  Readers are asked
 * to pause only when less than that is left.  Where addresses are scarce
 * (small machines, ulimit -v) the reserve is halved until it fits.
 *
 * Not used on purpose: MDB_NOMEMINIT would write our freed memory, keys and
 * all, into the file; MDB_NORDAHEAD makes a cold index on a spinning disk one
 * seek per page.
 */
#define MAP_RESERVE ((size_t)64 << 30)
#define MAP_RESERVE_MIN ((size_t)1 << 20)
#define MAP_RESERVE_TINY ((size_t)1 << 20)
/* A multiple of every page size. */
#define MAP_STEP ((size_t)1 << 18)

/* How long a pause may take; readers are short, or it is skipped. */
#define PAUSE_MS 1000
/* The same when another process made the file outgrow our map. */
#define PAUSE_MUST_MS 30000
#define ADOPT_TRIES 8

/* Read transactions at one moment, of all processes. */
#define READERS_MAX 1022
#define LOCK_BYTES 65536 /* of their slots, written through a map */

/* A file of at least two pages of LMDB's smallest common size. */
#define FILE_BYTES_MIN 8192

/* An I/O error with less than this free is taken for a full disk. */
#define FULL_BYTES 65536

struct kv {
	MDB_env *env;
	char *path;
	struct marker *marker; /* of data not synced yet */
	unsigned flags;
	size_t page_bytes;
	size_t reserve_bytes;
	unsigned ntables;
	MDB_dbi tables[KV_TABLES_MAX];

	struct pool_lock lock; /* over all that follows */
	struct pool_cond changed;
	unsigned active; /* transactions that use the map */
	int writing; /* one of them is the write transaction */
	int paused; /* none may begin: the map is about to change */
	atomic_int failed; /* by an I/O error: 1 for writes, 2 altogether */
	atomic_int damaged;
};

struct kv_txn {
	struct kv *kv;
	MDB_txn *txn;
	int write;
};

struct kv_cursor {
	struct kv_txn *txn;
	MDB_cursor *cursor;
};

/* Nonzero when the disk of the environment has no room left. */
static int
disk_is_full(const struct kv *kv)
{
	struct ballast_room room;

	return ballast_room(&room, kv->path) == 0 && room.bytes < FULL_BYTES;
}

/* Word a failed call of the library and return our code. */
static int
fail(struct kv *kv, int rc, const char *what)
{
	int code;

	switch (rc) {
	case MDB_CORRUPTED:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_PAGE_NOTFOUND:
	case MDB_BAD_TXN: /* after one of these */
	case MDB_INCOMPATIBLE:
		code = ERR_DAMAGED;
		atomic_store(&kv->damaged, 1);
		break;
	case ENOSPC:
	case EDQUOT:
	case MDB_MAP_FULL:
		code = ERR_NOSPACE;
		break;
	case EIO:
		/* The library calls a short write EIO. */
		code = disk_is_full(kv) ? ERR_NOSPACE : ERR_IO;
		break;
	case ENOMEM:
		code = ERR_NOMEM;
		break;
	case EAGAIN:
	case EBUSY:
	case MDB_READERS_FULL:
		code = ERR_BUSY;
		break;
	case MDB_BAD_VALSIZE:
	case MDB_TXN_FULL:
		code = ERR_LIMIT;
		break;
	default:
		code = ERR_IO;
	}
	return err_set(code, "%s: %s: %s", kv->path, what, mdb_strerror(rc));
}

/* A map size for `used` bytes of data; 0 when there are no addresses. */
static size_t
choose_map_bytes(const struct kv *kv, size_t used)
{
	size_t room = kv->reserve_bytes + used, size;

	for (; room >= MAP_RESERVE_MIN; room /= 2) {
		size = (used + room + MAP_STEP - 1) / MAP_STEP * MAP_STEP;
		/* The library has no way back from a map that fails. */
		if (os_can_map(size))
			return size;
	}
	return 0;
}

/* Bytes in use up to the last page, and bytes of the map behind them. */
static void
measure(size_t *used, size_t *room, const struct kv *kv)
{
	MDB_envinfo info;
	int rc = mdb_env_info(kv->env, &info);

	assert(rc == 0);
	*used = (info.me_last_pgno + 1) * kv->page_bytes;
	*room = info.me_mapsize > *used ? info.me_mapsize - *used : 0;
}

/*
 * Wait until no transaction is active and keep new ones from beginning; the
 * caller holds the lock and ends it with resume().  Returns 0, or 1 when it
 * took too long (the caller's own thread may be the reader).
 */
static int
pause_all(struct kv *kv, unsigned timeout_ms)
{
	kv->paused = 1;
	while (kv->active > 0) {
		if (pool_cond_wait_ms(&kv->changed, &kv->lock, timeout_ms) != 0)
			break;
	}
	return kv->active > 0;
}

static void
resume(struct kv *kv)
{
	kv->paused = 0;
	pool_cond_wake_all(&kv->changed);
}

/* Change the map; the lock is held and nothing is active. */
static int
resize(struct kv *kv, size_t used)
{
	size_t size = choose_map_bytes(kv, used);
	int rc;

	if (size == 0)
		return fail(kv, ENOMEM, "cannot enlarge the map");
	rc = mdb_env_set_mapsize(kv->env, size);
	if (rc != 0) {
		kv->failed = 2;
		return fail(kv, rc, "cannot enlarge the map");
	}
	return 0;
}

/* Before a write transaction, with the lock held: see MAP_RESERVE. */
static int
make_room(struct kv *kv)
{
	size_t used, room, want;
	int r = 0;

	measure(&used, &room, kv);
	want = (kv->reserve_bytes + used) / 2;
	if (room >= want)
		return 0;
	if (kv->active > 0 && room >= want / 2)
		return 0;
	if (pause_all(kv, PAUSE_MS) == 0)
		r = resize(kv, used);
	resume(kv);
	/* Without addresses for more, what is left has to do. */
	return r == ERR_NOMEM ? 0 : r;
}

/* The file outgrew our map: follow it.  The lock is held. */
static int
adopt(struct kv *kv)
{
	size_t used, room;
	int r = 0;

	while (kv->paused)
		pool_cond_wait(&kv->changed, &kv->lock);
	if (pause_all(kv, PAUSE_MUST_MS) != 0) {
		r = err_set(ERR_BUSY, "%s: readers keep the map", kv->path);
	} else {
		measure(&used, &room, kv);
		if (room == 0)
			r = resize(kv, used);
	}
	resume(kv);
	return r;
}

/* Leave what kv_begin() entered. */
static void
leave(struct kv *kv, int write)
{
	pool_lock_enter(&kv->lock);
	kv->active--;
	if (write)
		kv->writing = 0;
	pool_cond_wake_all(&kv->changed);
	pool_lock_leave(&kv->lock);
}

/* Wait for our turn, make room, count the transaction. */
static int
enter(struct kv *kv, int write)
{
	int r = 0;

	pool_lock_enter(&kv->lock);
	while (kv->paused || (write && kv->writing))
		pool_cond_wait(&kv->changed, &kv->lock);
	if (kv->failed > !write) {
		r = err_set(ERR_IO, "%s: failed before", kv->path);
		goto out;
	}
	if (write) {
		kv->writing = 1;
		r = make_room(kv);
		if (r < 0) {
			kv->writing = 0;
			pool_cond_wake_all(&kv->changed);
			goto out;
		}
	}
	kv->active++;
out:
	pool_lock_leave(&kv->lock);
	return r;
}

/* mdb_txn_begin() that follows a file grown by another process. */
static int
begin_in_map(MDB_txn **out, struct kv *kv, int write)
{
	int rc, r, tries;

	for (tries = 0;; tries++) {
		rc = mdb_txn_begin(kv->env, NULL, write ? 0 : MDB_RDONLY, out);
		if (rc == 0)
			return 0;
		if (rc != MDB_MAP_RESIZED || tries == ADOPT_TRIES)
			return fail(kv, rc, "cannot begin a transaction");
		pool_lock_enter(&kv->lock);
		kv->active--;
		r = adopt(kv);
		kv->active++;
		pool_lock_leave(&kv->lock);
		if (r < 0)
			return r;
	}
}

/* Sync, and then say so; no other process can write in between. */
static void
take_marker(struct kv *kv)
{
	MDB_txn *txn;

	if (!marker_is_ours(kv->marker) || kv->failed)
		return;
	if (mdb_txn_begin(kv->env, NULL, 0, &txn) != 0)
		return;
	/* Where this fails the marker stays, which is always safe. */
	if (mdb_env_sync(kv->env, 1) == 0)
		marker_remove(kv->marker);
	mdb_txn_abort(txn);
}

int
kv_begin(struct kv_txn **out, struct kv *kv, int write)
{
	struct kv_txn *t;
	int r;

	t = malloc(sizeof(*t));
	if (t == NULL)
		return err_nomem(sizeof(*t));
	t->kv = kv;
	t->write = write != 0;
	r = enter(kv, t->write);
	if (r < 0)
		goto out;
	r = begin_in_map(&t->txn, kv, t->write);
	if (r == 0 && t->write && (kv->flags & KV_NOSYNC) != 0) {
		r = marker_put(kv->marker);
		if (r < 0)
			mdb_txn_abort(t->txn);
	}
	if (r < 0)
		leave(kv, t->write);
out:
	if (r < 0)
		free(t);
	else
		*out = t;
	return r;
}

int
kv_commit(struct kv_txn *txn)
{
	struct kv *kv = txn->kv;
	int rc = mdb_txn_commit(txn->txn);
	int r = rc == 0 ? 0 : fail(kv, rc, "cannot commit");

	if (r == ERR_IO) {
		/* After a failed fsync nothing of the file can be trusted. */
		kv->failed = 1;
		marker_spoil(kv->marker);
	}
	leave(kv, txn->write);
	free(txn);
	return r;
}

void
kv_abort(struct kv_txn *txn)
{
	if (txn == NULL)
		return;
	mdb_txn_abort(txn->txn);
	leave(txn->kv, txn->write);
	free(txn);
}

/*
 * Reading behind the end of the file would kill us.  A file may lawfully end
 * before its last page, when the pages behind the end are free ones that were
 * never written; any other missing page was cut off.
 */
static int
check_length(struct kv *kv)
{
	MDB_txn *txn = NULL;
	size_t used, room;
	mdb_filehandle_t fd;
	struct stat st;
	int rc, r;

	rc = mdb_env_get_fd(kv->env, &fd);
	if (rc != 0)
		return fail(kv, rc, "cannot open");
	measure(&used, &room, kv);
	if (fstat(fd, &st) == 0 && (uint64_t)st.st_size >= used)
		return 0;
	/* The write transaction keeps other processes from growing it. */
	rc = mdb_txn_begin(kv->env, NULL, 0, &txn);
	if (rc != 0)
		return fail(kv, rc, "cannot open");
	measure(&used, &room, kv);
	r = kvpages_check(kv->path);
	if (r == 0 && fstat(fd, &st) != 0)
		r = err_errno(ERR_IO, "%s: cannot stat", kv->path);
	else if (r == 0 && (uint64_t)st.st_size < used &&
		 ftruncate(fd, (off_t)used) != 0)
		r = err_errno(ERR_IO, "%s: cannot lengthen", kv->path);
	mdb_txn_abort(txn);
	return r;
}

/* What can be seen before the library maps the file. */
static int
check_before_open(struct kv *kv)
{
	uint64_t size;
	int r = kvpages_look(&size, kv->path);

	if (r == 1 && (kv->flags & KV_CREATE) == 0)
		return err_set(ERR_NOENT, "%s: not there", kv->path);
	if (r != 0)
		return r < 0 ? r : 0;
	if (size < FILE_BYTES_MIN)
		return err_set(
		    ERR_DAMAGED, "%s: the file is cut off", kv->path);
	r = marker_check(kv->marker);
	if (r == 1)
		return err_set(ERR_DAMAGED, "%s: never synced", kv->path);
	return r == 0 && (kv->flags & KV_CHECK) != 0 ? kvpages_check(kv->path)
						     : r;
}

/* Open the library's environment with a map that fits. */
static int
open_env(struct kv *kv)
{
	unsigned flags = MDB_NOTLS;
	size_t used = 0, size;
	struct stat st;
	MDB_stat stat_env;
	char *data;
	int rc = ballast_blocks(kv->path, KV_LOCK_NAME, LOCK_BYTES);

	if (rc < 0)
		return rc;
	data = fs_join(kv->path, KV_DATA_NAME);
	if (data == NULL)
		return ERR_NOMEM;
	if (stat(data, &st) == 0)
		used = (size_t)st.st_size;
	free(data);
	size = choose_map_bytes(kv, used);
	if (size == 0)
		return fail(kv, ENOMEM, "cannot map");
	if ((kv->flags & KV_NOSYNC) != 0)
		flags |= MDB_NOSYNC;
	if ((rc = mdb_env_create(&kv->env)) != 0 ||
	    (rc = mdb_env_set_maxdbs(kv->env, KV_TABLES_MAX)) != 0 ||
	    (rc = mdb_env_set_maxreaders(kv->env, READERS_MAX)) != 0 ||
	    (rc = mdb_env_set_mapsize(kv->env, size)) != 0 ||
	    (rc = mdb_env_open(kv->env, kv->path, flags, 0600)) != 0 ||
	    /* Slots of readers that died would pin old pages forever. */
	    (rc = mdb_reader_check(kv->env, NULL)) != 0 ||
	    (rc = mdb_env_stat(kv->env, &stat_env)) != 0)
		return fail(kv, rc, "cannot open");
	kv->page_bytes = stat_env.ms_psize;
	return 0;
}

/* Returns 0, 1 when a table is not there and may not be made, ERR_*. */
static int
open_tables(struct kv *kv, const char *const *names,
    const unsigned *table_flags, int write)
{
	unsigned i, flags, is;
	MDB_txn *txn;
	int rc;

	rc = mdb_txn_begin(kv->env, NULL, write ? 0 : MDB_RDONLY, &txn);
	if (rc != 0)
		return fail(kv, rc, "cannot begin a transaction");
	for (i = 0; i < kv->ntables; i++) {
		flags = 0;
		if (table_flags != NULL && (table_flags[i] & KV_INTKEY) != 0)
			flags = MDB_INTEGERKEY;
		rc = mdb_dbi_open(txn, names[i],
		    flags | (write ? MDB_CREATE : 0), &kv->tables[i]);
		/* One that is there keeps its flags without a word. */
		if (rc == 0)
			rc = mdb_dbi_flags(txn, kv->tables[i], &is);
		if (rc == 0 && is != flags)
			rc = MDB_INCOMPATIBLE;
		if (rc != 0) {
			mdb_txn_abort(txn);
			return rc == MDB_NOTFOUND
				   ? 1
				   : fail(kv, rc, "cannot open a table");
		}
	}
	/* Also after reading: the handles live on only if it is committed. */
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : fail(kv, rc, "cannot make the tables");
}

static struct kv *
new_kv(const char *path, unsigned ntables, unsigned flags)
{
	struct kv *kv = calloc(1, sizeof(*kv));

	if (kv == NULL) {
		(void)err_nomem(sizeof(*kv)); /* the caller sees NULL */
		return NULL;
	}
	kv->flags = flags;
	kv->ntables = ntables;
	kv->reserve_bytes =
	    (flags & KV_TINY_MAP) != 0 ? MAP_RESERVE_TINY : MAP_RESERVE;
	pool_lock_init(&kv->lock);
	pool_cond_init(&kv->changed);
	kv->path = fs_printf("%s", path);
	if (kv->path == NULL || marker_new(&kv->marker, path) < 0) {
		kv_close(kv);
		return NULL;
	}
	return kv;
}

int
kv_open(struct kv **out, const char *path, const char *const *names,
    const unsigned *table_flags, unsigned ntables, unsigned flags)
{
	struct kv *kv = new_kv(path, ntables, flags);
	int r;

	assert(ntables <= KV_TABLES_MAX);
	if (kv == NULL)
		return ERR_NOMEM;
	r = (flags & KV_CREATE) == 0 || access(path, F_OK) == 0
		? 0
		: fs_make_dirs(path, 0700);
	if (r == 0)
		r = check_before_open(kv);
	if (r == 0)
		r = open_env(kv);
	if (r == 0)
		r = check_length(kv);
	if (r == 0)
		r = open_tables(kv, names, table_flags, 0);
	if (r == 1 && (flags & KV_CREATE) != 0)
		r = open_tables(kv, names, table_flags, 1);
	if (r == 1)
		r = err_set(ERR_DAMAGED, "%s: a table is missing", path);
	if (r < 0)
		kv_close(kv);
	else
		*out = kv;
	return r;
}

void
kv_close(struct kv *kv)
{
	if (kv == NULL)
		return;
	assert(kv->active == 0);
	if (kv->env != NULL) {
		take_marker(kv);
		mdb_env_close(kv->env);
	}
	pool_cond_release(&kv->changed);
	pool_lock_release(&kv->lock);
	marker_free(kv->marker);
	free(kv->path);
	free(kv);
}

int
kv_failed(const struct kv *kv)
{
	return kv->failed;
}

int
kv_damaged(const struct kv *kv)
{
	return kv->damaged;
}

static MDB_dbi
table_of(const struct kv_txn *txn, unsigned table)
{
	assert(table < txn->kv->ntables);
	return txn->kv->tables[table];
}

/* The library does not write through it; its type has no const. */
static MDB_val
value_of(const void *p, size_t len)
{
	MDB_val v = {len, (void *)(uintptr_t)p};

	return v;
}

/* What was read, without its sum, if that is right. */
static int
take_value(
    struct kv_slice *out, struct kv *kv, const MDB_val *k, const MDB_val *v)
{
	size_t len = v->mv_size;

	if ((kv->flags & KV_SUMS) != 0 &&
	    kvsum_take(&len, k->mv_data, k->mv_size, v->mv_data) != 0) {
		atomic_store(&kv->damaged, 1);
		return err_set(ERR_DAMAGED, "%s: a row is damaged", kv->path);
	}
	out->data = v->mv_data;
	out->len = len;
	return 0;
}

int
kv_get(struct kv_slice *out, struct kv_txn *txn, unsigned table,
    const void *key, size_t key_len)
{
	MDB_val k = value_of(key, key_len), v;
	int rc = mdb_get(txn->txn, table_of(txn, table), &k, &v);

	if (rc == MDB_NOTFOUND)
		return 1;
	return rc == 0 ? take_value(out, txn->kv, &k, &v)
		       : fail(txn->kv, rc, "cannot read");
}

int
kv_put(struct kv_txn *txn, unsigned table, const void *key, size_t key_len,
    const void *value, size_t value_len)
{
	MDB_val k = value_of(key, key_len), v = value_of(value, value_len);
	int sums = (txn->kv->flags & KV_SUMS) != 0, rc;

	if (sums)
		v.mv_size += KVSUM_BYTES;
	rc = mdb_put(
	    txn->txn, table_of(txn, table), &k, &v, sums ? MDB_RESERVE : 0);
	if (rc == 0 && sums)
		kvsum_put(v.mv_data, key, key_len, value, value_len);
	return rc == 0 ? 0 : fail(txn->kv, rc, "cannot write");
}

int
kv_del(struct kv_txn *txn, unsigned table, const void *key, size_t key_len)
{
	MDB_val k = value_of(key, key_len);
	int rc = mdb_del(txn->txn, table_of(txn, table), &k, NULL);

	if (rc == MDB_NOTFOUND)
		return 1;
	return rc == 0 ? 0 : fail(txn->kv, rc, "cannot delete");
}

int
kv_clear(struct kv_txn *txn, unsigned table)
{
	int rc = mdb_drop(txn->txn, table_of(txn, table), 0);

	return rc == 0 ? 0 : fail(txn->kv, rc, "cannot empty a table");
}

int
kv_count(uint64_t *out, struct kv_txn *txn, unsigned table)
{
	MDB_stat st;
	int rc = mdb_stat(txn->txn, table_of(txn, table), &st);

	if (rc != 0)
		return fail(txn->kv, rc, "cannot read");
	*out = st.ms_entries;
	return 0;
}

int
kv_cursor_open(struct kv_cursor **out, struct kv_txn *txn, unsigned table)
{
	struct kv_cursor *c = malloc(sizeof(*c));
	int rc;

	if (c == NULL)
		return err_nomem(sizeof(*c));
	c->txn = txn;
	rc = mdb_cursor_open(txn->txn, table_of(txn, table), &c->cursor);
	if (rc != 0) {
		free(c);
		return fail(txn->kv, rc, "cannot read");
	}
	*out = c;
	return 0;
}

void
kv_cursor_close(struct kv_cursor *c)
{
	if (c == NULL)
		return;
	mdb_cursor_close(c->cursor);
	free(c);
}

/* One step of the cursor; `k` is the key to look for, where `op` takes one. */
static int
move(struct kv_slice *key, struct kv_slice *value, struct kv_cursor *c,
    MDB_cursor_op op, MDB_val k)
{
	MDB_val v;
	int rc = mdb_cursor_get(c->cursor, &k, &v, op);

	if (rc == MDB_NOTFOUND)
		return 1;
	if (rc != 0)
		return fail(c->txn->kv, rc, "cannot read");
	key->data = k.mv_data;
	key->len = k.mv_size;
	return take_value(value, c->txn->kv, &k, &v);
}

int
kv_cursor_first(
    struct kv_slice *key, struct kv_slice *value, struct kv_cursor *c)
{
	return move(key, value, c, MDB_FIRST, value_of(NULL, 0));
}

int
kv_cursor_last(
    struct kv_slice *key, struct kv_slice *value, struct kv_cursor *c)
{
	return move(key, value, c, MDB_LAST, value_of(NULL, 0));
}

int
kv_cursor_next(
    struct kv_slice *key, struct kv_slice *value, struct kv_cursor *c)
{
	return move(key, value, c, MDB_NEXT, value_of(NULL, 0));
}

int
kv_cursor_prev(
    struct kv_slice *key, struct kv_slice *value, struct kv_cursor *c)
{
	return move(key, value, c, MDB_PREV, value_of(NULL, 0));
}

int
kv_cursor_seek(struct kv_slice *key, struct kv_slice *value,
    struct kv_cursor *c, const void *at, size_t at_len)
{
	return move(key, value, c, MDB_SET_RANGE, value_of(at, at_len));
}

int
kv_cursor_del(struct kv_cursor *c)
{
	int rc = mdb_cursor_del(c->cursor, 0);

	return rc == 0 ? 0 : fail(c->txn->kv, rc, "cannot delete");
}
