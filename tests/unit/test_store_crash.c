/*
 * A small history of backups over the in-memory backend, cut at every step:
 * by a power cut, by the death of the process, by an error.  Whatever the
 * state of the index afterwards, the store opens by itself and
 *  P1 every acknowledged snapshot is there and whole,
 *  P2 every other one is absent or whole,
 *  P3 nothing reads as wrong bytes,
 * and the next backups succeed.  Every fault that was planned must have
 * happened, and a sabotaged backend must be noticed.
 */

#include "backend/mem.h"
#include "base/err.h"
#include "base/fs.h"
#include "lib/store_fixture.h"
#include "sign/sign.h"
#include "store/backend.h"
#include "store/envelope.h"
#include "store/session.h"
#include "store/vault.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t vault_id[16] = "a vault's name";

#define BACKUPS 4
/* Backup k has the data 10 k .. 10 k + 3, two trees over them and over data of
 * the backup before, and a root. */
#define TREE_A(k) (1000 + 10 * (uint64_t)(k))
#define TREE_B(k) (1001 + 10 * (uint64_t)(k))
#define ROOT(k) (5000 + (uint64_t)(k))

struct world {
	char *folder, *index_dir, *old_dir;
	struct backend *b;
	struct vault *v; /* NULL: closed */
	struct fixture_mount m;
	/* Roots of acknowledged snapshots by server sequence, 1 .. */
	uint64_t acked[4 * BACKUPS + 1];
	uint64_t nacked; /* highest acknowledged sequence */
};

/* What object `number` refers to. */
static uint32_t
children(uint64_t out[4], uint64_t number)
{
	uint64_t k;
	uint32_t n = 0, i;

	if (number >= ROOT(0)) {
		k = number - ROOT(0);
		out[n++] = TREE_A(k);
		out[n++] = TREE_B(k);
	} else if (number >= TREE_A(0)) {
		k = (number - TREE_A(0)) / 10;
		for (i = 0; i < 2; i++)
			out[n++] = 10 * k + 2 * (number % 2) + i;
		if (k > 0)
			out[n++] = 10 * (k - 1) + 1;
	}
	return n;
}

static int
open_vault(struct world *w)
{
	struct vault_options o = {.backend = w->b, .index_dir = w->index_dir};

	memcpy(o.id, vault_id, 16);
	return vault_open(&w->v, &o);
}

static void
close_vault(struct world *w)
{
	vault_close(w->v);
	w->v = NULL;
}

static int
put(struct session *s, uint64_t number)
{
	struct buf b = BUF_INIT;
	uint64_t kids[4];
	uint8_t id[32], refs[4 * 32];
	uint32_t n = children(kids, number), i;
	int ret;

	for (i = 0; i < n; i++)
		fixture_id(refs + (size_t)i * 32, kids[i]);
	fixture_id(id, number);
	if (n > 0)
		fixture_meta(&b, id, refs, n, 60);
	else
		fixture_data(&b, id, NULL, 0, 80);
	ret = session_put(s, b.data, b.len, 0);
	buf_release(&b);
	return ret;
}

/* What the client does: ask, descend where it must, children first. */
static int
walk(struct session *s, uint64_t number)
{
	uint64_t kids[4];
	uint8_t id[32], bit;
	uint32_t n = children(kids, number), i;
	int ret;

	fixture_id(id, number);
	ret = session_have(s, &bit, id, 1);
	if (ret < 0 || bit)
		return ret;
	for (i = 0; i < n && ret == 0; i++)
		ret = walk(s, kids[i]);
	return ret < 0 ? ret : put(s, number);
}

/* One backup of state `k`; with `leave` it is interrupted before commit. */
static int
backup(struct world *w, uint64_t k, int leave)
{
	struct buf client = BUF_INIT, missing = BUF_INIT;
	struct store_receipt receipt;
	struct store_info info;
	struct session *s;
	uint8_t root[32];
	int ret = session_open(&s, w->v, w->m.id, w->m.public_key);

	if (ret < 0)
		return ret;
	session_info(&info, s);
	w->m.client_seq = info.parent_client_seq;
	memcpy(w->m.previous, info.parent_hash, 32);
	ret = walk(s, ROOT(k));
	if (ret == 0 && !leave) {
		fixture_id(root, ROOT(k));
		fixture_snapshot(&client, &w->m, vault_id, root);
		ret = session_commit(
		    s, &receipt, &missing, client.data, client.len);
	}
	if (ret == 0 && !leave) {
		w->nacked = receipt.server_seq;
		w->acked[w->nacked] = ROOT(k);
	}
	if (session_close(s) < 0 && ret == 0 && leave)
		ret = ERR_IO;
	buf_release(&client);
	buf_release(&missing);
	return ret;
}

static void
copy_file(const char *from, const char *to)
{
	struct buf b = BUF_INIT;

	assert_int_equal(fs_read_file(&b, AT_FDCWD, from, 1 << 30), 0);
	assert_int_equal(
	    fs_write_file(AT_FDCWD, to, b.data, b.len, 0600, FS_NOSYNC), 0);
	buf_release(&b);
}

/* Take a copy of the index aside, or bring it back, as one that was not
 * closed: with the sum of another it would not be used. */
static void
copy_index(struct world *w, int back)
{
	char *here = fs_join(w->index_dir, "data.mdb");
	char *aside = fs_join(w->old_dir, "data.mdb");

	if (!back) {
		copy_file(here, aside);
	} else if (access(aside, F_OK) == 0 && access(here, F_OK) == 0) {
		copy_file(aside, here);
		fixture_unclosed_index(w->index_dir);
	}
	free(here);
	free(aside);
}

/* The history; the first error ends it. */
static int
history(struct world *w)
{
	uint8_t id[32];
	int ret = open_vault(w);

	if (ret == 0)
		ret = backup(w, 0, 0);
	if (w->v != NULL)
		close_vault(w);
	if (ret < 0)
		return ret;
	copy_index(w, 0);
	ret = open_vault(w);
	if (ret == 0)
		ret = backup(w, 1, 1);
	if (ret == 0)
		ret = backup(w, 1, 0);
	if (ret == 0) {
		fixture_id(id, 11);
		ret = vault_damaged(w->v, id, NULL);
	}
	if (ret == 0)
		ret = backup(w, 2, 0);
	if (ret == 0)
		ret = backup(w, 2, 0);
	if (w->v != NULL)
		close_vault(w);
	return ret;
}

static void
make_world(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	/* In memory where there is such a place: the index syncs a lot. */
	if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0)
		assert_int_equal(setenv("TMPDIR", "/dev/shm", 1), 0);
	w->folder = fixture_folder();
	w->index_dir = fs_join(w->folder, "index");
	w->old_dir = fs_join(w->folder, "old");
	assert_int_equal(fs_make_dirs(w->old_dir, 0700), 0);
	fixture_mount(&w->m, 1);
	assert_int_equal(backend_mem_open(&w->b, seed), 0);
}

static void
end_world(struct world *w)
{
	if (w->v != NULL)
		close_vault(w);
	w->b->ops->close(w->b);
	free(w->index_dir);
	free(w->old_dir);
	fixture_remove(w->folder);
}

/* Objects of the tree below `number` that do not come back. */
static unsigned
count_lost(struct session *s, uint64_t number)
{
	struct fixture_reading r = {0};
	uint64_t kids[4];
	uint8_t id[32];
	uint32_t n = children(kids, number), i;
	unsigned lost;

	fixture_id(id, number);
	assert_int_equal(session_get(s, id, 1, fixture_read_one, &r), 0);
	lost = r.records != 1;
	for (i = 0; i < n; i++)
		lost += count_lost(s, kids[i]);
	return lost;
}

struct snapshots {
	struct world *w;
	struct session *s;
	uint64_t last;
	unsigned wrong;
};

static int
check_snapshot(void *arg, const struct store_snapshot *s)
{
	struct snapshots *c = arg;
	struct envelope e;
	uint8_t id[32];
	uint64_t k;

	if (envelope_decode_file(&e, s->file, s->len) != 0 ||
	    e.server_seq != c->last + 1 || s->seq != e.server_seq) {
		c->wrong++;
		return 0;
	}
	c->last++;
	for (k = 0; k < BACKUPS; k++) {
		fixture_id(id, ROOT(k));
		if (memcmp(id, e.refs, 32) == 0)
			break;
	}
	/* P1: the right one; P1 and P2: whole. */
	if (k == BACKUPS ||
	    (e.server_seq <= c->w->nacked && c->w->acked[e.server_seq] != 0 &&
		c->w->acked[e.server_seq] != ROOT(k)))
		c->wrong++;
	else
		c->wrong += count_lost(c->s, ROOT(k));
	return 0;
}

/* Everything that is wrong with the store as it is. */
static unsigned
count_wrong(struct world *w)
{
	struct snapshots c = {.w = w};

	if (session_open(&c.s, w->v, w->m.id, w->m.public_key) != 0)
		return 1;
	if (vault_snapshots(w->v, NULL, check_snapshot, &c) != 0)
		c.wrong++;
	if (c.last < w->nacked)
		c.wrong++;
	if (session_close(c.s) != 0)
		c.wrong++;
	return c.wrong;
}

enum index_after { INDEX_KEPT, INDEX_GONE, INDEX_OLD, INDEX_AFTERS };

/* The crash is over: what is wrong now, and after the next backups? */
static unsigned
recover(struct world *w, enum index_after index)
{
	unsigned wrong;

	if (index == INDEX_GONE)
		assert_int_equal(fs_remove_tree(w->index_dir), 0);
	if (index == INDEX_OLD)
		copy_index(w, 1);
	if (open_vault(w) != 0)
		return 1;
	wrong = count_wrong(w);
	wrong += backup(w, 2, 0) != 0;
	wrong += backup(w, 3, 0) != 0;
	wrong += count_wrong(w);
	wrong += vault_reindex(w->v) != 0;
	wrong += count_wrong(w);
	close_vault(w);
	return wrong;
}

static uint64_t
count_steps(void)
{
	struct world w;
	uint64_t steps;

	make_world(&w, 1);
	assert_int_equal(history(&w), 0);
	steps = backend_mem_count(w.b);
	assert_int_equal(w.nacked, 4);
	assert_int_equal(recover(&w, INDEX_KEPT), 0);
	end_world(&w);
	return steps;
}

static void
test_power_cut_at_every_step(void **state)
{
	uint64_t steps = count_steps(), at;
	unsigned index, states = 0;
	struct world w;

	(void)state;
	for (at = 1; at <= steps; at++) {
		for (index = 0; index < INDEX_AFTERS; index++) {
			make_world(&w, at * 7 + index);
			backend_mem_cut(w.b, at);
			/* The last step may be one that nobody needs. */
			(void)history(&w);
			assert_int_equal(backend_mem_fired(NULL, w.b), 1);
			backend_mem_restart(w.b, 1);
			if (recover(&w, index) != 0)
				fail_msg("power cut at step %llu, index %u",
				    (unsigned long long)at, index);
			end_world(&w);
			states++;
		}
	}
	print_message("%u power cuts over %llu steps\n", states,
	    (unsigned long long)steps);
}

/* The process dies, is restarted, and then the power goes at once: what the
 * second process saw must be durable. */
static void
test_kill_then_power_cut(void **state)
{
	uint64_t steps = count_steps(), at;
	struct world w;

	(void)state;
	for (at = 1; at <= steps; at++) {
		make_world(&w, at * 11);
		backend_mem_cut(w.b, at);
		(void)history(&w); /* ends somewhere */
		assert_int_equal(backend_mem_fired(NULL, w.b), 1);
		backend_mem_restart(w.b, 0);
		if (open_vault(&w) != 0 || backup(&w, 2, 0) != 0)
			fail_msg("kill at step %llu", (unsigned long long)at);
		close_vault(&w);
		backend_mem_restart(w.b, 1);
		if (recover(&w, INDEX_KEPT) != 0)
			fail_msg("kill at step %llu", (unsigned long long)at);
		end_world(&w);
	}
}

static void
test_every_step_fails(void **state)
{
	static const int codes[] = {ERR_IO, ERR_NOSPACE};
	uint64_t steps = count_steps(), at;
	struct world w;
	unsigned i, persistent;

	(void)state;
	for (at = 1; at <= steps; at++) {
		for (i = 0; i < 4; i++) {
			persistent = i / 2;
			make_world(&w, at * 13 + i);
			backend_mem_fail(w.b, at,
			    persistent ? UINT64_MAX / 2 : 1, codes[i % 2]);
			(void)history(&w); /* may get by */
			assert_true(backend_mem_fired(NULL, w.b) > 0);
			backend_mem_restart(w.b, at % 2 == 0);
			if (recover(&w, INDEX_KEPT) != 0)
				fail_msg("fault %u at step %llu", i,
				    (unsigned long long)at);
			end_world(&w);
		}
	}
}

/* After an error that is not a failed sync the same process goes on. */
static void
test_goes_on_after_errors(void **state)
{
	enum backend_mem_step kind;
	uint64_t steps = count_steps(), at;
	struct world w;

	(void)state;
	for (at = 20; at <= steps; at++) {
		make_world(&w, at);
		if (open_vault(&w) != 0 || backup(&w, 0, 0) != 0)
			fail_msg("no first backup");
		backend_mem_fail(
		    w.b, backend_mem_count(w.b) + at - 19, 1, ERR_NOSPACE);
		(void)backup(&w, 1, 0); /* may fail */
		if (backend_mem_fired(&kind, w.b) == 0) {
			end_world(&w);
			return;
		}
		if (kind != BACKEND_MEM_SYNC && kind != BACKEND_MEM_SYNC_DIR &&
		    (backup(&w, 1, 0) != 0 || backup(&w, 2, 0) != 0 ||
			count_wrong(&w) != 0))
			fail_msg("step %llu after the first backup",
			    (unsigned long long)at - 19);
		end_world(&w);
	}
	fail_msg("the second backup never got through");
}

/* Tests of the test: a backend that does not sync must be found out. */
static void
test_sabotage_is_noticed(void **state)
{
	static const unsigned flags[] = {
	    BACKEND_MEM_NO_SYNC, BACKEND_MEM_NO_SYNC_DIR};
	uint64_t steps = count_steps(), at;
	struct world w;
	unsigned i, wrong;

	(void)state;
	for (i = 0; i < 2; i++) {
		wrong = 0;
		for (at = steps / 2; at <= steps && wrong == 0; at++) {
			make_world(&w, at * 17);
			backend_mem_sabotage(w.b, flags[i]);
			backend_mem_cut(w.b, at);
			(void)history(&w); /* ends somewhere */
			backend_mem_restart(w.b, 1);
			wrong += recover(&w, INDEX_KEPT);
			end_world(&w);
		}
		assert_true(wrong > 0);
	}
}

/*
 * A sync fails at step `at`, and what it left lies to who reads it through the
 * cache; the server starts again, takes a backup, and then the power goes.
 * Returns what is wrong then, and whether it was a sync in `*fired`.
 */
static unsigned
fail_sync(int *fired, uint64_t at, unsigned sabotage)
{
	enum backend_mem_step kind;
	struct world w;
	unsigned wrong;

	make_world(&w, at * 19);
	backend_mem_sabotage(w.b, sabotage);
	backend_mem_lie(w.b);
	backend_mem_fail(w.b, at, 1, ERR_IO);
	(void)history(&w); /* may get by */
	assert_true(backend_mem_fired(&kind, w.b) > 0);
	*fired = kind == BACKEND_MEM_SYNC || kind == BACKEND_MEM_SYNC_DIR;
	if (*fired)
		assert_int_equal(w.b->ops->check(w.b), ERR_READONLY);
	backend_mem_restart(w.b, 0);
	wrong = open_vault(&w) != 0 || backup(&w, 2, 0) != 0;
	if (w.v != NULL)
		close_vault(&w);
	backend_mem_restart(w.b, 1);
	wrong += recover(&w, INDEX_KEPT);
	end_world(&w);
	return wrong;
}

static void
test_what_a_failed_sync_left_is_read_again(void **state)
{
	uint64_t steps = count_steps(), at;
	unsigned syncs = 0, believed = 0;
	int fired;

	(void)state;
	for (at = 1; at <= steps; at++) {
		if (fail_sync(&fired, at, 0) != 0)
			fail_msg("sync at step %llu", (unsigned long long)at);
		syncs += fired != 0;
		if (fired)
			believed += fail_sync(&fired, at, BACKEND_MEM_SURE);
	}
	assert_true(syncs > 20);
	/* Who believes the cache loses what was acknowledged on top of it. */
	assert_true(believed > 0);
}

static void
test_failed_list_is_no_loss(void **state)
{
	struct world w;
	uint8_t id[32], bit = 0;
	struct session *s;

	(void)state;
	make_world(&w, 3);
	assert_int_equal(open_vault(&w), 0);
	assert_int_equal(backup(&w, 0, 0), 0);
	close_vault(&w);
	/* Every list fails: the vault does not open, and loses nothing. */
	backend_mem_fail(w.b, backend_mem_count(w.b) + 1, 1000, ERR_IO);
	assert_int_equal(open_vault(&w), ERR_IO);
	backend_mem_restart(w.b, 0);
	assert_int_equal(open_vault(&w), 0);
	assert_int_equal(session_open(&s, w.v, w.m.id, w.m.public_key), 0);
	fixture_id(id, ROOT(0));
	assert_int_equal(session_have(s, &bit, id, 1), 0);
	assert_int_equal(bit, 1);
	assert_int_equal(session_close(s), 0);
	end_world(&w);
}

/* An index that lags behind on a full disk: reading goes on. */
static void
test_full_disk_reads(void **state)
{
	struct world w;
	struct session *s;
	uint8_t id[32], bit;

	(void)state;
	make_world(&w, 5);
	assert_int_equal(open_vault(&w), 0);
	assert_int_equal(backup(&w, 0, 0), 0);
	vault_suspect(w.v);
	backend_mem_fail(w.b, backend_mem_count(w.b) + 1, 1, ERR_NOSPACE);
	assert_int_equal(session_open(&s, w.v, w.m.id, w.m.public_key), 0);
	assert_int_equal(backend_mem_fired(NULL, w.b), 1);
	fixture_id(id, ROOT(0));
	assert_int_equal(session_have(s, &bit, id, 1), ERR_NOSPACE);
	assert_int_equal(put(s, 777), ERR_NOSPACE);
	assert_int_equal(count_lost(s, ROOT(0)), 0);
	assert_int_equal(session_close(s), 0);
	/* There is room again. */
	assert_int_equal(backup(&w, 1, 0), 0);
	assert_int_equal(count_wrong(&w), 0);
	end_world(&w);
}

/* An index file that is cut or overwritten is made anew. */
static void
test_broken_index(void **state)
{
	static const char noise[20000] = "noise";
	struct world w;
	struct buf b = BUF_INIT;
	char *path;
	unsigned i;

	(void)state;
	make_world(&w, 6);
	path = fs_join(w.index_dir, "data.mdb");
	for (i = 0; i < 6; i++) {
		assert_int_equal(open_vault(&w), 0);
		assert_int_equal(backup(&w, i % 3, 0), 0);
		assert_int_equal(count_wrong(&w), 0);
		close_vault(&w);
		buf_reset(&b);
		assert_int_equal(fs_read_file(&b, AT_FDCWD, path, 1 << 30), 0);
		if (i < 3)
			b.len = b.len * i / 3 + i; /* cut */
		else if (i == 3)
			memcpy(b.data, noise, 8192); /* both heads */
		else if (i == 4)
			b.len = 0;
		if (i % 2 == 0)
			fixture_unclosed_index(w.index_dir);
		assert_int_equal(fs_write_file(AT_FDCWD, path, b.data, b.len,
				     0600, FS_NOSYNC),
		    0);
	}
	assert_int_equal(open_vault(&w), 0);
	assert_int_equal(count_wrong(&w), 0);
	buf_release(&b);
	free(path);
	end_world(&w);
}

/* A place of the disk that cannot be read is the end of what lies there, not
 * of the vault: it opens, with its index and without, and takes backups. */
static void
test_unreadable_places(void **state)
{
	enum backend_mem_step kind;
	struct world w;
	uint64_t at;
	unsigned i, fired;

	(void)state;
	for (i = 0; i < 2; i++) {
		fired = 1;
		for (at = 1; fired; at++) {
			make_world(&w, at);
			assert_int_equal(history(&w), 0);
			if (i == 1)
				assert_int_equal(
				    fs_remove_tree(w.index_dir), 0);
			backend_mem_fail(
			    w.b, backend_mem_count(w.b) + at, 1, ERR_DAMAGED);
			if (open_vault(&w) != 0 &&
			    (backend_mem_fired(&kind, w.b) == 0 ||
				kind == BACKEND_MEM_GET))
				fail_msg("read %llu", (unsigned long long)at);
			fired = backend_mem_fired(&kind, w.b) > 0;
			if (w.v != NULL && kind == BACKEND_MEM_GET)
				assert_int_equal(backup(&w, 3, 0), 0);
			end_world(&w);
		}
	}
}

/* What fails for another reason than a bad place of the disk (no rights, no
 * descriptors) says nothing about the record. */
static void
test_trouble_is_no_damage(void **state)
{
	struct fixture_reading r = {0};
	struct session *s;
	struct world w;
	uint8_t id[32], bit = 0;

	(void)state;
	make_world(&w, 8);
	assert_int_equal(open_vault(&w), 0);
	assert_int_equal(backup(&w, 0, 0), 0);
	assert_int_equal(session_open(&s, w.v, w.m.id, w.m.public_key), 0);
	fixture_id(id, ROOT(0));
	/* Both tries. */
	backend_mem_fail(w.b, backend_mem_count(w.b) + 1, 2, ERR_IO);
	assert_int_equal(session_get(s, id, 1, fixture_read_one, &r), ERR_IO);
	assert_int_equal(session_have(s, &bit, id, 1), 0);
	assert_int_equal(bit, 1);
	assert_int_equal(session_get(s, id, 1, fixture_read_one, &r), 0);
	assert_int_equal(r.records, 1);
	assert_int_equal(session_close(s), 0);
	end_world(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_power_cut_at_every_step),
	    cmocka_unit_test(test_kill_then_power_cut),
	    cmocka_unit_test(test_every_step_fails),
	    cmocka_unit_test(test_goes_on_after_errors),
	    cmocka_unit_test(test_sabotage_is_noticed),
	    cmocka_unit_test(test_what_a_failed_sync_left_is_read_again),
	    cmocka_unit_test(test_failed_list_is_no_loss),
	    cmocka_unit_test(test_full_disk_reads),
	    cmocka_unit_test(test_broken_index),
	    cmocka_unit_test(test_unreadable_places),
	    cmocka_unit_test(test_trouble_is_no_damage),
	};

	if (sign_start() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
