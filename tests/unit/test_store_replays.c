/*
 * The lost backups of other programs, replayed here: each test brings about
 * the moment at which data was lost there, says so by a canary, and looks
 * whether anything is lost.  docs/testing.md has the table.
 */

#include "backend/dir.h"
#include "backend/mem.h"
#include "base/err.h"
#include "base/fs.h"
#include "engine/backup.h"
#include "lib/engine_vault.h"
#include "lib/source_tree.h"
#include "lib/sweep_world.h"
#include "lib/tempdir.h"
#include "store/backend.h"
#include "store/index.h"
#include "store/pack.h"
#include "store/scrub.h"
#include "store/session.h"
#include "store/sweep.h"
#include "store/vault.h"
#include "store/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What the world's states are made of: lib/sweep_world.c. */
#define ROOT(k) (5000 + (uint64_t)(k))
#define TREE(k, i) (1000 + 10 * (uint64_t)(k) + (uint64_t)(i))

/* Mount 0 has a snapshot of state 0 and one of state 5. */
static void
begin(struct sweep_world *w)
{
	sw_make(w, 1);
	assert_int_equal(sw_open(w), 0);
	assert_int_equal(sw_backup(w, 0, 0, SW_ASK), 0);
	assert_int_equal(sw_backup(w, 0, 5, SW_ASK), 0);
}

/* Nothing is lost, and all work goes on. */
static void
end(struct sweep_world *w)
{
	assert_int_equal(sw_wrong_later(w), 0);
	sw_end(w);
}

static struct session *
log_in(struct sweep_world *w, unsigned mount)
{
	struct fixture_mount *m = &w->mounts[mount].m;
	struct session *s;

	assert_int_equal(session_open(&s, w->v, m->id, m->public_key), 0);
	return s;
}

static int
is_told(struct session *s, uint64_t number)
{
	uint8_t id[32], bit = 0;

	fixture_id(id, number);
	assert_int_equal(session_have(s, &bit, id, 1), 0);
	return bit;
}

static int
has(struct sweep_world *w, uint64_t number)
{
	uint8_t id[32], bit = 0;

	fixture_id(id, number);
	assert_int_equal(vault_have(w->v, &bit, id, 1), 0);
	return bit;
}

/* What the index says of an object; 0: nothing. */
static int
state_of(struct index *ix, uint64_t number)
{
	struct index_object o;
	struct index_txn t;
	uint8_t id[32];
	int ret;

	fixture_id(id, number);
	assert_int_equal(index_begin(&t, ix, 0), 0);
	ret = index_find(&o, &t, id);
	index_abort(&t);
	assert_true(ret >= 0);
	return ret == 0 ? (int)o.state : 0;
}

/* Where its record lies. */
static void
path_of(char path[PACK_PATH_BYTES], struct sweep_world *w, uint64_t number)
{
	struct index_object o;
	struct index_pack p;
	struct index_txn t;
	uint8_t id[32];

	fixture_id(id, number);
	assert_int_equal(index_begin(&t, w->v->index, 0), 0);
	assert_int_equal(index_find(&o, &t, id), 0);
	assert_int_equal(index_pack(&p, &t, o.pack), 0);
	index_abort(&t);
	pack_path(path, p.name);
}

static void
put(struct session *s, uint64_t number, const uint64_t *kids, uint32_t n)
{
	uint8_t id[32], refs[4 * 32];
	struct buf b = BUF_INIT;
	uint32_t i;

	for (i = 0; i < n; i++)
		fixture_id(refs + (size_t)i * 32, kids[i]);
	fixture_id(id, number);
	if (n > 0)
		fixture_meta(&b, id, refs, n, 60);
	else
		fixture_data(&b, id, NULL, 0, 400);
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	buf_release(&b);
}

/* Delete the snapshot of state 0, and free what it alone needed. */
static void
delete_and_sweep(struct sweep_world *w)
{
	struct sweep_counts n;

	assert_int_equal(sw_delete(w, 0, 1), 0);
	assert_int_equal(sw_sweep(w, &n), 0);
	assert_true(n.freed_packs > 0);
	assert_false(sw_has(w, 0));
}

/*
 * Proxmox Backup Server, PSA-2025-00019-1: while the collection marks, a new
 * snapshot comes that is based on one which is then removed, before the
 * collection has looked at either.
 */
static void
test_pbs_2025_00019(void **state)
{
	unsigned at, seen = 0;

	(void)state;
	for (at = 0; at < 12; at++) {
		struct sweep_world w;
		struct session *held;
		struct sweep *sweep;
		uint64_t bytes;
		unsigned i;
		int ret = SWEEP_MORE;

		begin(&w);
		assert_int_equal(sw_backup(&w, 1, 8, SW_ASK), 0);
		assert_int_equal(sw_backup(&w, 1, 3, SW_ASK), 0);
		assert_int_equal(sw_delete(&w, 1, 1), 0);
		/* It may come to wait for somebody else, too. */
		held = log_in(&w, 1);
		assert_int_equal(sw_sweep_begin(&sweep, &w), 0);
		for (i = 0; i < at && ret == SWEEP_MORE; i++)
			ret = sweep_step(sweep);
		seen |= 1u << sweep_state(sweep);
		bytes = sw_bytes(&w);
		/* Based on state 5, of which nothing is uploaded again. */
		assert_int_equal(sw_backup(&w, 0, 5, SW_TRUST), 0);
		assert_int_equal(sw_bytes(&w), bytes);
		assert_int_equal(sw_delete(&w, 0, 2), 0);
		assert_int_equal(session_close(held), 0);
		assert_int_equal(sweep_run(sweep), 0);
		sweep_free(sweep);
		end(&w);
	}
	/* It came in each state before the deleting. */
	assert_int_equal(seen, 1u << SWEEP_LEAVE | 1u << SWEEP_FILES |
				   1u << SWEEP_COPY | 1u << SWEEP_WAIT);
}

/*
 * borg #9748: compact was interrupted after it had deleted, and before it had
 * saved its index; the next create believed that index and skipped uploads.
 */
static void
test_borg_9748(void **state)
{
	struct sweep_world w;
	struct index *old;

	(void)state;
	begin(&w);
	sw_copy_index(&w, 0);
	delete_and_sweep(&w);
	sw_close(&w);
	sw_copy_index(&w, 1);
	/* The old index knows what is gone. */
	assert_int_equal(index_open(&old, w.index_dir, w.id), 0);
	assert_int_equal(state_of(old, ROOT(0)), INDEX_CLOSED);
	index_close(old);
	assert_int_equal(sw_open(&w), 0);
	assert_false(sw_has(&w, 0));
	assert_int_equal(sw_backup(&w, 1, 0, SW_ASK), 0);
	assert_int_equal(sw_count_lost(&w, 0), 0);
	end(&w);
}

static int
count_pack(void *arg, const struct index_pack *p)
{
	unsigned *n = arg;

	(void)p;
	(*n)++;
	return 0;
}

static unsigned
packs_in_index(struct sweep_world *w)
{
	struct index_txn t;
	struct index *ix;
	unsigned n = 0;

	assert_true(index_open(&ix, w->index_dir, w->id) >= 0);
	assert_int_equal(index_begin(&t, ix, 0), 0);
	assert_int_equal(index_packs(&t, count_pack, &n), 0);
	index_abort(&t);
	index_close(ix);
	return n;
}

/* borg #9904: an index of which a part had been written was taken for whole. */
static void
test_borg_9904(void **state)
{
	unsigned partial = 0, all;
	uint64_t at;
	int ret = -1;

	(void)state;
	for (at = 1; ret != 0; at++) {
		struct sweep_world w;

		begin(&w);
		backend_mem_cut(w.b, backend_mem_count(w.b) + at);
		ret = vault_reindex(w.v);
		sw_close(&w);
		all = packs_in_index(&w);
		partial += all > 0 && all < 4;
		backend_mem_restart(w.b, 1);
		assert_int_equal(sw_open(&w), 0);
		assert_int_equal(packs_in_index(&w), 4);
		assert_true(sw_has(&w, 0) && sw_has(&w, 5));
		end(&w);
	}
	assert_true(partial >= 3);
}

/*
 * borg #9853: a full disk under the repository was taken for a source file that
 * cannot be read; the archive was saved without the file, exit code 0.
 */
static void
test_borg_9853(void **state)
{
	struct engine_vault v;
	struct notes_counts counts = {0};
	char *dir = tempdir_new();
	struct backup_options o = {.walk = {.path = dir},
	    .host = "host",
	    .dir = "/somewhere",
	    .counts = &counts};
	struct backup_result res;

	(void)state;
	engine_vault_open(&v);
	o.mount_seed = v.seed;
	source_tree_make(dir);
	v.fail_put = 1;
	v.fail_code = ERR_NOSPACE;
	assert_int_equal(backup_run(&res, &v.base, &v.keys, &o), ERR_NOSPACE);
	assert_true(v.puts >= 1);
	assert_int_equal(v.commits, 0);
	assert_int_equal(counts.unreadable, 0);
	/* There is room again. */
	v.fail_put = 0;
	engine_vault_again(&v);
	memset(&counts, 0, sizeof(counts));
	assert_int_equal(backup_run(&res, &v.base, &v.keys, &o), 0);
	assert_int_equal(engine_vault_check(&v, dir), 1);
	engine_vault_close(&v);
	tempdir_free(dir);
}

static void
count_finding(void *arg, const char *where, const char *what)
{
	unsigned *n = arg;

	(void)where;
	(void)what;
	(*n)++;
}

static unsigned
verify(struct sweep_world *w, int mark)
{
	unsigned findings = 0;
	struct verify_options o = {.vault = w->v,
	    .found = count_finding,
	    .arg = &findings,
	    .mark = mark};
	struct verify_counts n;

	assert_int_equal(verify_vault(&n, &o), 0);
	assert_true(n.packs > 0 && n.snapshots > 0);
	return findings;
}

/* borg #4829: the index had lost entries, for years, and nobody noticed. */
static void
test_borg_4829(void **state)
{
	static const uint64_t lost[] = {35, TREE(5, 1), ROOT(5)};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
		struct sweep_world w;
		struct index_txn t;
		uint8_t id[32];
		int ret;

		begin(&w);
		assert_int_equal(sw_backup(&w, 0, 8, SW_ASK), 0);
		fixture_id(id, lost[i]);
		assert_int_equal(index_begin(&t, w.v->index, 1), 0);
		assert_int_equal(kv_del(t.kv, INDEX_OBJ, id, 32), 0);
		assert_int_equal(index_commit(&t), 0);
		assert_int_equal(state_of(w.v->index, lost[i]), 0);
		/* A sweep deletes nothing of what the index does not know. */
		assert_int_equal(sw_delete(&w, 0, 1), 0);
		ret = sw_sweep(&w, NULL);
		assert_true(ret == 0 || ret == ERR_DAMAGED);
		assert_true(verify(&w, 0) > 0);
		assert_int_equal(vault_reindex(w.v), 0);
		assert_int_equal(verify(&w, 0), 0);
		end(&w);
	}
}

/* borg #3444: check --repair took what was whole for damaged, and repaired the
 * archives to nothing. */
static void
test_borg_3444(void **state)
{
	struct scrub_counts n;
	struct sweep_world w;
	uint64_t changes, bytes;

	(void)state;
	begin(&w);
	changes = backend_mem_changes(w.b);
	assert_int_equal(verify(&w, 1), 0);
	assert_int_equal(sw_scrub(&w, &n, 0), 0);
	assert_int_equal(n.packs, 4);
	assert_int_equal(n.findings, 0);
	assert_int_equal(backend_mem_changes(w.b), changes);
	assert_true(sw_has(&w, 0) && sw_has(&w, 5));
	/* What is damaged is marked, and nothing of it deleted. */
	bytes = sw_bytes(&w);
	sw_flip(&w, TREE(0, 1));
	assert_true(verify(&w, 1) > 0);
	assert_false(sw_has(&w, 0));
	assert_int_equal(sw_bytes(&w), bytes);
	assert_int_equal(vault_reindex(w.v), 0);
	assert_int_equal(sw_bytes(&w), bytes);
	assert_int_equal(sw_backup(&w, 1, 0, SW_ASK), 0);
	assert_int_equal(sw_count_lost(&w, 0), 0);
	w.hurt = SW_HURT; /* the broken record is still there */
	end(&w);
}

/* restic #4612: a listing that failed looked like an empty one, and prune could
 * delete everything. */
static void
test_restic_4612(void **state)
{
	static const unsigned looks_empty[] = {0, BACKEND_MEM_LIST_EMPTY};
	enum backend_mem_step kind = BACKEND_MEM_STEPS;
	unsigned i, lists;
	uint64_t at;
	int fired;

	(void)state;
	for (i = 0; i < 2; i++) {
		lists = 0;
		fired = 1;
		for (at = 1; fired; at++) {
			struct sweep_world w;
			uint64_t bytes;
			int ret;

			begin(&w);
			assert_int_equal(sw_delete(&w, 0, 1), 0);
			bytes = sw_bytes(&w);
			backend_mem_sabotage(w.b, looks_empty[i]);
			backend_mem_fail(
			    w.b, backend_mem_count(w.b) + at, 1, ERR_IO);
			ret = sw_sweep(&w, NULL);
			fired = backend_mem_fired(&kind, w.b) > 0;
			lists += fired && kind == BACKEND_MEM_LIST;
			assert_true(
			    ret == 0 || ret == ERR_IO || ret == ERR_DAMAGED);
			backend_mem_sabotage(w.b, 0);
			backend_mem_restart(w.b, 0);
			if (ret != 0 && kind == BACKEND_MEM_LIST)
				assert_true(sw_bytes(&w) >= bytes);
			end(&w);
		}
		assert_true(lists >= 2);
	}
}

/*
 * restic #3126: the lock of a laptop that slept was taken for stale, a prune
 * ran, and the backup went on when it awoke.
 */
static void
test_restic_3126(void **state)
{
	struct buf client = BUF_INIT, missing = BUF_INIT;
	struct store_receipt receipt;
	struct sweep_world w;
	struct session *s;
	uint8_t root[32];

	(void)state;
	begin(&w);
	s = log_in(&w, 1);
	assert_true(is_told(s, ROOT(0)));
	/* Its lease is over. */
	session_fence(s);
	delete_and_sweep(&w);
	fixture_id(root, ROOT(0));
	fixture_snapshot(&client, &w.mounts[1].m, w.id, root);
	assert_int_equal(
	    session_commit(s, &receipt, &missing, client.data, client.len),
	    ERR_STALE);
	assert_int_equal(session_close(s), 0);
	assert_int_equal(sw_backup(&w, 1, 0, SW_TRUST), 0);
	assert_int_equal(sw_count_lost(&w, 0), 0);
	buf_release(&client);
	buf_release(&missing);
	end(&w);
}

static void
upload_twice(struct backend *b)
{
	struct backend_put *first, *second;
	char got[8] = "";

	/* The first upload stops, the client tries again. */
	assert_int_equal(b->ops->put_begin(&first, b, 0), 0);
	assert_int_equal(b->ops->put_write(first, "whol", 4), 0);
	assert_int_equal(b->ops->put_begin(&second, b, 0), 0);
	assert_int_equal(b->ops->put_write(second, "whole!", 6), 0);
	assert_int_equal(b->ops->put_commit(second, "packs/aa/name"), 0);
	/* Only now the server notices that the first has failed. */
	b->ops->put_abort(first);
	assert_int_equal(b->ops->get(b, "packs/aa/name", got, 6, 0), 0);
	assert_string_equal(got, "whole!");
	/* Nor does one that comes late replace it. */
	assert_int_equal(
	    backend_put_all(b, "packs/aa/name", "late", 4), ERR_EXIST);
	assert_int_equal(b->ops->get(b, "packs/aa/name", got, 6, 0), 0);
	assert_string_equal(got, "whole!");
}

/* rest-server #142: when an upload failed late, the server deleted the file
 * that a second upload of the same name had finished. */
static void
test_rest_server_142(void **state)
{
	char *folder = tempdir_new(), *incoming = fs_join(folder, "incoming");
	struct sweep_world w;
	struct session *first;
	struct backend *b;

	(void)state;
	assert_int_equal(fs_make_dirs(incoming, 0700), 0);
	assert_int_equal(backend_dir_open(&b, folder, incoming), 0);
	upload_twice(b);
	b->ops->close(b);
	assert_int_equal(backend_mem_open(&b, 1), 0);
	upload_twice(b);
	b->ops->close(b);
	free(incoming);
	tempdir_free(folder);
	/* The same with sessions, whose packs have the same records. */
	begin(&w);
	first = log_in(&w, 1);
	put(first, 27, NULL, 0);
	session_fence(first);
	assert_int_equal(sw_backup(&w, 1, 3, SW_ASK), 0);
	(void)session_close(first); /* fenced: it may say so */
	assert_int_equal(sw_count_lost(&w, 3), 0);
	end(&w);
}

/* bup before 0.33.5, the first: a client's index kept what the collection had
 * removed, and nobody asked the server. */
static void
test_bup_1(void **state)
{
	struct sweep_world w;

	(void)state;
	begin(&w);
	delete_and_sweep(&w);
	/* A commit of what it believes to be there, with nothing asked. */
	assert_int_equal(sw_commit(&w, 0, 0), ERR_MISSING);
	assert_int_equal(sw_commit(&w, 1, 0), ERR_MISSING);
	assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
	assert_int_equal(sw_count_lost(&w, 0), 0);
	end(&w);
}

/*
 * bup, the second: the collection kept a tree, for its pack had enough that
 * lived, and removed a blob of it; later saves trusted the tree.
 */
static void
test_bup_2(void **state)
{
	char path[PACK_PATH_BYTES];
	struct sweep_counts n;
	struct sweep_world w;
	struct session *s;
	uint64_t size;

	(void)state;
	sw_make(&w, 1);
	w.copy_bytes_max = 0;
	assert_int_equal(sw_open(&w), 0);
	/* A blob of the second tree of state 1, in a pack of its own. */
	s = log_in(&w, 0);
	put(s, 10, NULL, 0);
	assert_int_equal(session_close(s), 0);
	path_of(path, &w, 10);
	/* State 0 needs the first tree of state 1, whose pack lives on. */
	assert_int_equal(sw_backup(&w, 0, 1, SW_ASK), 0);
	assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
	assert_int_equal(sw_delete(&w, 0, 1), 0);
	assert_int_equal(sw_sweep(&w, &n), 0);
	assert_int_equal(n.freed_packs, 1);
	assert_int_equal(w.b->ops->size(&size, w.b, path), ERR_NOENT);
	/* The tree is there still, but nobody is told so. */
	assert_int_equal(state_of(w.v->index, TREE(1, 1)), INDEX_OPEN);
	assert_false(has(&w, TREE(1, 1)));
	assert_int_equal(vault_reindex(w.v), 0);
	assert_int_equal(state_of(w.v->index, TREE(1, 1)), INDEX_OPEN);
	assert_false(has(&w, TREE(1, 1)));
	assert_int_equal(sw_commit(&w, 1, 1), ERR_MISSING);
	assert_int_equal(sw_backup(&w, 1, 1, SW_ASK), 0);
	assert_int_equal(sw_count_lost(&w, 1), 0);
	end(&w);
}

/* bup, the third: parents were transferred before their children; what was
 * interrupted stayed an incomplete tree for ever. */
static void
test_bup_3(void **state)
{
	static const uint64_t trees[] = {TREE(0, 0), TREE(0, 1), TREE(0, 2)};
	static const uint64_t data[] = {0, 1, 2};
	struct sweep_world w;
	struct session *s;

	(void)state;
	sw_make(&w, 1);
	assert_int_equal(sw_open(&w), 0);
	s = log_in(&w, 0);
	put(s, ROOT(0), trees, 3);
	put(s, TREE(0, 0), data, 3);
	assert_int_equal(session_close(s), 0);
	/* They are on the disk. */
	assert_int_equal(state_of(w.v->index, ROOT(0)), INDEX_OPEN);
	assert_int_equal(state_of(w.v->index, TREE(0, 0)), INDEX_OPEN);
	assert_false(has(&w, ROOT(0)) || has(&w, TREE(0, 0)));
	assert_int_equal(sw_commit(&w, 0, 0), ERR_MISSING);
	assert_int_equal(vault_reindex(w.v), 0);
	assert_false(has(&w, ROOT(0)) || has(&w, TREE(0, 0)));
	assert_int_equal(sw_backup(&w, 0, 0, SW_ASK), 0);
	assert_int_equal(sw_count_lost(&w, 0), 0);
	end(&w);
}

/* duplicacy #323: a prune beside a backup that was under way removed chunks
 * which the backup had found to be there. */
static void
test_duplicacy_323(void **state)
{
	struct sweep_counts n;
	struct sweep_world w;
	struct session *s;
	struct sweep *sweep;

	(void)state;
	begin(&w);
	s = log_in(&w, 1);
	assert_true(is_told(s, ROOT(0)));
	assert_int_equal(sw_delete(&w, 0, 1), 0);
	assert_int_equal(sw_sweep_begin(&sweep, &w), 0);
	/* Others are not told of it any more; its packs wait. */
	assert_int_equal(sweep_run(sweep), SWEEP_WAITS);
	assert_false(sw_has(&w, 0));
	sweep_counts(&n, sweep);
	assert_true(n.waiting_packs > 0 && n.freed_packs == 0);
	assert_int_equal(sw_commit(&w, 1, 0), 0);
	assert_int_equal(session_close(s), 0);
	assert_int_equal(sweep_run(sweep), 0);
	sweep_free(sweep);
	assert_int_equal(sw_count_lost(&w, 0), 0);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pbs_2025_00019),
	    cmocka_unit_test(test_borg_9748),
	    cmocka_unit_test(test_borg_9904),
	    cmocka_unit_test(test_borg_9853),
	    cmocka_unit_test(test_borg_4829),
	    cmocka_unit_test(test_borg_3444),
	    cmocka_unit_test(test_restic_4612),
	    cmocka_unit_test(test_restic_3126),
	    cmocka_unit_test(test_rest_server_142),
	    cmocka_unit_test(test_bup_1),
	    cmocka_unit_test(test_bup_2),
	    cmocka_unit_test(test_bup_3),
	    cmocka_unit_test(test_duplicacy_323),
	};

	return sw_start() != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
