/*
 * A pack with more rows than one transaction of the index takes: whenever the
 * process dies on the way, the vault opens complete, and knows the files of
 * all bundles that it has.
 */

#include "backend/dir.h"
#include "backend/mem.h"
#include "base/err.h"
#include "base/fs.h"
#include "lib/store_fixture.h"
#include "sign/sign.h"
#include "store/backend.h"
#include "store/index.h"
#include "store/session.h"
#include "store/vault.h"
#include "store/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t vault_id[16] = "a vault's name";

/* More rows than two transactions hold, of files and of objects. */
#define BUNDLES 3u
#define MEMBERS 3000u
#define FILES (BUNDLES * MEMBERS)
#define OBJECTS INDEX_TXN_ROWS
#define DIED 77

/* Numbers of the fixture's ids. */
#define BUNDLE(k) (100 + (uint64_t)(k))
#define FILE_OF(k) (1000000 + (uint64_t)(k))
#define OBJECT(k) (2000000 + (uint64_t)(k))
#define ROOT 7

/* The sync at which the process dies; 0: never. */
static unsigned die_at, syncs;

/* In place of the C library's: both the index and the packs call it. */
int
fdatasync(int fd)
{
	if (die_at != 0 && ++syncs == die_at)
		_exit(DIED);
	return (int)syscall(SYS_fdatasync, fd);
}

struct world {
	char *folder, *index_dir;
	struct backend *b;
	struct vault *v;
	struct fixture_mount m;
};

static int
open_vault(struct world *w)
{
	struct vault_options o = {.backend = w->b, .index_dir = w->index_dir};

	memcpy(o.id, vault_id, 16);
	return vault_open(&w->v, &o);
}

static int
open_dir(struct world *w)
{
	char *packs = fs_join(w->folder, "vault");
	char *incoming = fs_join(w->folder, "incoming");
	int ret;

	(void)mkdir(packs, 0700); /* may be there */
	(void)mkdir(incoming, 0700); /* may be there */
	ret = backend_dir_open(&w->b, packs, incoming);
	free(packs);
	free(incoming);
	return ret;
}

static void
init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->folder = fixture_folder();
	w->index_dir = fs_join(w->folder, "index");
	fixture_mount(&w->m, 1);
}

static void
release(struct world *w)
{
	vault_close(w->v);
	w->b->ops->close(w->b);
	free(w->index_dir);
	fixture_remove(w->folder);
}

static void
make_bundle(struct buf *b, uint32_t k)
{
	uint8_t *files = malloc((size_t)MEMBERS * 32), id[32];
	uint32_t i;

	assert_non_null(files);
	for (i = 0; i < MEMBERS; i++)
		fixture_id(files + (size_t)i * 32, FILE_OF(k * MEMBERS + i));
	fixture_id(id, BUNDLE(k));
	fixture_data(b, id, files, MEMBERS, 100);
	free(files);
}

/* The bundles, many small objects, and a root that needs all of them. */
static int
backup(struct world *w)
{
	struct buf b = BUF_INIT, refs = BUF_INIT, client = BUF_INIT;
	struct buf missing = BUF_INIT;
	struct store_receipt receipt;
	struct session *s;
	uint8_t id[32];
	uint32_t i;
	int ret;

	for (i = 0; i < BUNDLES; i++) {
		make_bundle(&b, i);
		fixture_id(id, BUNDLE(i));
		assert_int_equal(buf_append(&refs, id, 32), 0);
	}
	for (i = 0; i < OBJECTS; i++) {
		fixture_id(id, OBJECT(i));
		fixture_data(&b, id, NULL, 0, 60);
		assert_int_equal(buf_append(&refs, id, 32), 0);
	}
	fixture_id(id, ROOT);
	fixture_meta(&b, id, refs.data, (uint32_t)(refs.len / 32), 60);
	ret = session_open(&s, w->v, w->m.id, w->m.public_key);
	if (ret == 0)
		ret = session_put(s, b.data, b.len, 0);
	fixture_snapshot(&client, &w->m, vault_id, id);
	if (ret == 0)
		ret = session_commit(
		    s, &receipt, &missing, client.data, client.len);
	if (ret == 0)
		ret = session_close(s);
	buf_release(&b);
	buf_release(&refs);
	buf_release(&client);
	buf_release(&missing);
	return ret;
}

/* How many of the files the store finds, rightly. */
static uint32_t
count_files(struct session *s)
{
	struct store_member *found = calloc(MEMBERS, sizeof(*found));
	uint8_t *ids = malloc((size_t)MEMBERS * 32), bundle[32];
	uint32_t k, i, n = 0;

	assert_non_null(found);
	assert_non_null(ids);
	for (k = 0; k < BUNDLES; k++) {
		for (i = 0; i < MEMBERS; i++)
			fixture_id(
			    ids + (size_t)i * 32, FILE_OF(k * MEMBERS + i));
		fixture_id(bundle, BUNDLE(k));
		assert_int_equal(session_have_files(s, found, ids, MEMBERS), 0);
		for (i = 0; i < MEMBERS; i++) {
			if (!found[i].found)
				continue;
			assert_memory_equal(found[i].bundle, bundle, 32);
			assert_int_equal(found[i].member, i);
			n++;
		}
	}
	free(found);
	free(ids);
	return n;
}

static uint32_t
files_of_vault(struct world *w)
{
	struct session *s;
	uint32_t n;

	assert_int_equal(session_open(&s, w->v, w->m.id, w->m.public_key), 0);
	n = count_files(s);
	assert_int_equal(session_close(s), 0);
	return n;
}

static uint64_t
count(struct index *ix, enum index_table table)
{
	struct index_txn t;
	uint64_t n;

	assert_int_equal(index_begin(&t, ix, 0), 0);
	assert_int_equal(kv_count(&n, t.kv, table), 0);
	index_abort(&t);
	return n;
}

static void
found(void *arg, const char *where, const char *what)
{
	(void)arg;
	print_message("%s: %s\n", where, what);
}

static uint64_t
findings(struct world *w)
{
	struct verify_options o = {.vault = w->v, .found = found};
	struct verify_counts n;

	assert_int_equal(verify_vault(&n, &o), 0);
	return n.findings;
}

/* What stands in the index that a dead process left. */
static uint64_t
count_pending(struct world *w)
{
	struct index *ix;
	uint64_t n;

	assert_true(index_open(&ix, w->index_dir, vault_id) >= 0);
	n = count(ix, INDEX_PENDING);
	index_close(ix);
	return n;
}

/* A process that dies at sync `k`.  Nonzero when it came to its end. */
static int
run_child(struct world *w, unsigned k)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		syncs = 0;
		die_at = k;
		if (open_dir(w) < 0 || open_vault(w) < 0 || backup(w) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) != 0)
		assert_int_equal(WEXITSTATUS(status), DIED);
	return WEXITSTATUS(status) == 0;
}

static void
test_die_at_each_sync(void **state)
{
	unsigned k, halves = 0, complete = 0;
	struct world w;
	uint64_t pending;
	uint32_t files;
	int ended = 0;

	(void)state;
	for (k = 1; !ended; k++) {
		init(&w);
		ended = run_child(&w, k);
		pending = count_pending(&w);
		halves += pending > 0;
		assert_int_equal(open_dir(&w), 0);
		assert_int_equal(open_vault(&w), 0);
		assert_int_equal(count(w.v->index, INDEX_PENDING), 0);
		assert_int_equal(findings(&w), 0);
		files = files_of_vault(&w);
		assert_true(files == 0 || files == FILES);
		if (pending > 0)
			assert_int_equal(files, FILES);
		complete += files == FILES;
		/* Whatever was there, the next backup succeeds. */
		if (!ended)
			assert_int_equal(backup(&w), 0);
		assert_int_equal(files_of_vault(&w), FILES);
		assert_int_equal(count(w.v->index, INDEX_PENDING), 0);
		release(&w);
	}
	print_message("%u syncs, %u times half a pack, %u times a whole one\n",
	    k - 1, halves, complete);
	assert_true(halves >= 3);
	assert_true(complete > halves);
}

/* In one open pack, closed, and in an index made anew. */
static void
test_files_everywhere(void **state)
{
	struct buf b = BUF_INIT;
	struct session *s;
	struct world w;
	uint32_t i;

	(void)state;
	init(&w);
	assert_int_equal(backend_mem_open(&w.b, 1), 0);
	assert_int_equal(open_vault(&w), 0);
	for (i = 0; i < BUNDLES; i++)
		make_bundle(&b, i);
	assert_int_equal(session_open(&s, w.v, w.m.id, w.m.public_key), 0);
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	assert_int_equal(count_files(s), FILES);
	assert_int_equal(count(w.v->index, INDEX_FILE), 0);
	assert_int_equal(session_close(s), 0);
	assert_int_equal(count(w.v->index, INDEX_FILE), FILES);
	assert_int_equal(files_of_vault(&w), FILES);
	assert_int_equal(vault_reindex(w.v), 0);
	assert_int_equal(count(w.v->index, INDEX_PENDING), 0);
	assert_int_equal(files_of_vault(&w), FILES);
	assert_int_equal(findings(&w), 0);
	buf_release(&b);
	release(&w);
}

/* Make the index one that has only the objects of its first pack. */
static void
forget_files(struct world *w)
{
	struct index_txn t;

	assert_int_equal(index_begin(&t, w->v->index, 1), 0);
	assert_int_equal(kv_clear(t.kv, INDEX_FILE), 0);
	assert_int_equal(index_set_pending(&t, 0, INDEX_PENDING_ROWS), 0);
	assert_int_equal(index_commit(&t), 0);
}

/* A bundle leaves between its object's admission and its members'. */
static void
test_evicted_between(void **state)
{
	struct buf b = BUF_INIT;
	struct session *s;
	struct world w;
	uint8_t id[32];

	(void)state;
	init(&w);
	assert_int_equal(backend_mem_open(&w.b, 1), 0);
	assert_int_equal(open_vault(&w), 0);
	assert_int_equal(backup(&w), 0);
	forget_files(&w);
	/* A missing row is no finding while the pack is known to be half in. */
	assert_int_equal(findings(&w), 0);
	assert_int_equal(files_of_vault(&w), 0);
	fixture_id(id, BUNDLE(0));
	assert_int_equal(vault_damaged(w.v, id, NULL), 0);
	vault_close(w.v);
	assert_int_equal(open_vault(&w), 0);
	assert_int_equal(count(w.v->index, INDEX_PENDING), 0);
	assert_int_equal(files_of_vault(&w), FILES - MEMBERS);
	/* Healed by a record in another pack, whose members count. */
	make_bundle(&b, 0);
	assert_int_equal(session_open(&s, w.v, w.m.id, w.m.public_key), 0);
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	assert_int_equal(session_close(s), 0);
	assert_int_equal(files_of_vault(&w), FILES);
	assert_int_equal(count(w.v->index, INDEX_FILE), FILES);
	/* And if that pack is the one that is half in, the first one's rows
	 * are not taken for its own. */
	forget_files(&w);
	vault_close(w.v);
	assert_int_equal(open_vault(&w), 0);
	assert_int_equal(files_of_vault(&w), FILES - MEMBERS);
	buf_release(&b);
	release(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_files_everywhere),
	    cmocka_unit_test(test_evicted_between),
	    cmocka_unit_test(test_die_at_each_sync),
	};

	if (sign_start() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
