#include "fault/sim_tables.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/os.h"
#include "engine/fsclock.h"
#include "fault/sim_disk.h"
#include "lib/fill.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TABLES_MAX 16
#define PAGE_BYTES 4096u
#define FILE_BYTES_MAX (1u << 30)

/* One environment, by the path of its folder. */
struct tables {
	char *path;
	struct buf synced; /* as its last sync left it */
	struct buf now; /* as the power went */
};

static struct {
	const char *root; /* NULL: there are none */
	struct fill draws;
	unsigned n, boot;
	struct tables at[TABLES_MAX];
} all;

/* Over all disks. */
static struct {
	uint64_t kept, mixed, gone, damaged;
} counts;

int __wrap_mdb_txn_commit(MDB_txn *txn);
int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_env_sync(MDB_env *env, int force);
int __wrap_os_boot_id(char out[OS_BOOT_ID_LEN + 1]);

static unsigned
draw(unsigned below)
{
	return (unsigned)fill_below(&all.draws, below);
}

/* NULL: it does not lie on the disk.  One writer at a time: LMDB's. */
static struct tables *
tables_of(MDB_env *env)
{
	const char *path;
	unsigned i;
	int rc = mdb_env_get_path(env, &path);

	assert(rc == 0);
	if (all.root == NULL ||
	    strncmp(path, all.root, strlen(all.root)) != 0 ||
	    path[strlen(all.root)] != '/')
		return NULL;
	for (i = 0; i < all.n; i++) {
		if (strcmp(all.at[i].path, path) == 0)
			return &all.at[i];
	}
	assert(all.n < TABLES_MAX);
	all.at[all.n].path = strdup(path);
	assert(all.at[all.n].path != NULL);
	return &all.at[all.n++];
}

static void
read_data(struct buf *out, const struct tables *t)
{
	char *path = fs_join(t->path, "data.mdb");
	int rc;

	assert(path != NULL);
	buf_reset(out);
	rc = fs_read_file(out, AT_FDCWD, path, FILE_BYTES_MAX);
	assert(rc >= 0); /* there may be none */
	free(path);
}

int
__wrap_mdb_txn_commit(MDB_txn *txn)
{
	MDB_env *env = mdb_txn_env(txn);
	struct tables *t = tables_of(env);
	unsigned flags = 0;
	int on = t == NULL ? 0 : sim_disk_step(), rc;

	if (on < 0) {
		mdb_txn_abort(txn);
		return EIO;
	}
	/* The real disk under all this need not hurry. */
	rc = mdb_env_get_flags(env, &flags);
	if (rc == 0)
		rc = mdb_env_set_flags(env, MDB_NOSYNC, 1);
	assert(rc == 0);
	rc = __real_mdb_txn_commit(txn);
	if ((flags & MDB_NOSYNC) == 0) {
		if (t != NULL && rc == 0)
			read_data(&t->synced, t);
		if (mdb_env_set_flags(env, MDB_NOSYNC, 0) != 0)
			abort(); /* it was so before */
	}
	return on == 1 ? EIO : rc;
}

int
__wrap_mdb_env_sync(MDB_env *env, int force)
{
	struct tables *t = tables_of(env);
	int on = t == NULL ? 0 : sim_disk_step();

	(void)force; /* as the library's */
	if (on < 0)
		return EIO;
	if (t != NULL)
		read_data(&t->synced, t);
	return on == 1 ? EIO : 0;
}

int
__wrap_os_boot_id(char out[OS_BOOT_ID_LEN + 1])
{
	(void)snprintf(out, OS_BOOT_ID_LEN + 1, "%0*u", OS_BOOT_ID_LEN,
	    all.boot); /* it fits */
	return 0;
}

/* What a restore wrote is not part of the disk. */
int __wrap_os_sync_fs(int fd);

int
__wrap_os_sync_fs(int fd)
{
	(void)fd;
	return 0;
}

/* No file is too young to be believed: each change changes a length, too. */
void __wrap_fsclock_young(
    struct timespec *out, dev_t dev, int fd, const char *dir);

void
__wrap_fsclock_young(struct timespec *out, dev_t dev, int fd, const char *dir)
{
	(void)dev;
	(void)fd;
	(void)dir;
	out->tv_sec = INT32_MAX;
	out->tv_nsec = 0;
}

/* The reserve costs time, and has nothing in it. */
int __wrap_ballast_hold(const char *dir, unsigned files, uint64_t file_bytes);

int
__wrap_ballast_hold(const char *dir, unsigned files, uint64_t file_bytes)
{
	(void)dir;
	(void)files;
	(void)file_bytes;
	return 0;
}

void
sim_tables_start(const char *root, uint64_t seed)
{
	memset(&all, 0, sizeof(all));
	all.root = root;
	fill_init(&all.draws, seed);
}

void
sim_tables_stop(void)
{
	while (all.n > 0) {
		all.n--;
		free(all.at[all.n].path);
		buf_release(&all.at[all.n].synced);
		buf_release(&all.at[all.n].now);
	}
	all.root = NULL;
}

void
sim_tables_take(void)
{
	unsigned i;

	for (i = 0; i < all.n; i++)
		read_data(&all.at[i].now, &all.at[i]);
	all.boot++;
}

/* What of it was not synced is there or not, page by page. */
static void
mix(struct buf *to, const struct tables *t)
{
	size_t at, len;
	const struct buf *from;
	int rc = 0;

	for (at = 0; at < t->now.len && rc == 0; at += len) {
		len = t->now.len - at;
		len = len < PAGE_BYTES ? len : PAGE_BYTES;
		from = draw(2) ? &t->now : &t->synced;
		if (at + len <= from->len)
			rc = buf_append(to, from->data + at, len);
		else
			rc = buf_append_zeros(to, len);
	}
	assert(rc == 0);
}

static void
damage(struct buf *b)
{
	size_t at = draw((unsigned)b->len), n;

	switch (draw(3)) {
	case 0:
		b->data[at] ^= (uint8_t)(1 + draw(255));
		break;
	case 1:
		n = b->len - at;
		memset(b->data + at, 0, n < PAGE_BYTES ? n : PAGE_BYTES);
		break;
	default:
		b->len = at;
	}
}

/* Is there something that tells of damage? */
static int
is_watched(const struct tables *t)
{
	char *sum = fs_join(t->path, "sum");
	char *unsynced = fs_join(t->path, "unsynced");
	int watched;

	assert(sum != NULL && unsynced != NULL);
	watched = access(sum, F_OK) == 0 || access(unsynced, F_OK) == 0 ||
		  strcmp(strrchr(t->path, '/'), "/cache") == 0;
	free(sum);
	free(unsynced);
	return watched;
}

/* Without a temporary name, which would be one of the disk. */
static void
write_data(const char *path, const struct buf *b)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int rc;

	assert(fd >= 0);
	rc = fs_write_all(fd, b->data, b->len);
	assert(rc == 0);
	(void)close(fd); /* in memory */
}

static void
put(struct tables *t)
{
	char *path = fs_join(t->path, "data.mdb");
	struct buf b = BUF_INIT;
	unsigned how = draw(8);
	int rc = 0;

	assert(path != NULL);
	if (how < 2) {
		counts.mixed++;
		mix(&b, t);
	} else if (how == 2) {
		counts.gone++;
	} else {
		rc = buf_append(&b, how == 3 ? t->synced.data : t->now.data,
		    how == 3 ? t->synced.len : t->now.len);
		counts.kept++;
		assert(rc == 0);
	}
	if (how > 5 && b.len > 0 && is_watched(t)) {
		counts.kept--;
		counts.damaged++;
		damage(&b);
	}
	if (b.len > 0 || how > 5)
		write_data(path, &b);
	buf_release(&b);
	free(path);
}

void
sim_tables_put(void)
{
	unsigned i;

	for (i = 0; i < all.n; i++) {
		/* The folder may be gone. */
		if (access(all.at[i].path, F_OK) == 0)
			put(&all.at[i]);
		/* What is there now is on the disk. */
		read_data(&all.at[i].synced, &all.at[i]);
	}
}

void
sim_tables_print(void)
{
	print_message("caches: %" PRIu64 " kept, %" PRIu64 " mixed, %" PRIu64
		      " damaged, %" PRIu64 " gone\n",
	    counts.kept, counts.mixed, counts.damaged, counts.gone);
}
