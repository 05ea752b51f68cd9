/* store/session, commit, fetch and vault over backend/dir. */

#include "backend/dir.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/pool.h"
#include "lib/store_fixture.h"
#include "lib/vault_world.h"
#include "sign/sign.h"
#include "store/backend.h"
#include "store/local.h"
#include "store/session.h"
#include "store/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_backup_and_restore(void **state)
{
	struct world *w = *state;
	struct buf missing = BUF_INIT;
	struct session *s = world_log_in(w);
	struct store_info info;
	unsigned counts[3];
	int i;

	for (i = 0; i < 20; i++)
		world_put_data(s, (uint64_t)i);
	world_put_meta(s, 100, 0, 20);
	world_put_meta(s, 200, 100, 1);
	assert_true(world_have(s, 3));
	assert_true(world_have(s, 200));
	assert_false(world_have(s, 999));
	world_get(counts, s, 0, 30);
	assert_int_equal(counts[STORE_GOT_RECORD], 20);
	assert_int_equal(counts[STORE_GOT_ABSENT], 10);
	assert_int_equal(world_commit(w, s, 200, &missing), 0);
	world_get(counts, s, 0, 30);
	assert_int_equal(counts[STORE_GOT_RECORD], 20);
	assert_int_equal(session_close(s), 0);

	/* Another process. */
	world_close(w);
	world_open(w);
	s = world_log_in(w);
	session_info(&info, s);
	assert_true(info.has_parent);
	assert_int_equal(info.parent_client_seq, 1);
	assert_memory_equal(info.parent_hash, w->m.previous, 32);
	assert_true(world_have(s, 200));
	world_get(counts, s, 100, 101);
	assert_int_equal(counts[STORE_GOT_RECORD], 2);
	assert_int_equal(world_commit(w, s, 200, &missing), 0);
	assert_int_equal(session_close(s), 0);
	buf_release(&missing);
}

static void
test_commit_refuses(void **state)
{
	struct world *w = *state;
	struct buf missing = BUF_INIT, client = BUF_INIT, other = BUF_INIT;
	struct store_receipt one, two;
	struct session *s = world_log_in(w);
	uint8_t id[32];

	/* The parent is there, its child is not. */
	world_put_data(s, 1);
	world_put_meta(s, 10, 1, 2);
	world_put_meta(s, 20, 10, 1);
	assert_int_equal(world_commit(w, s, 20, &missing), ERR_MISSING);
	/* 20, 10 and 2 have to be looked at again. */
	assert_int_equal(missing.len, 3 * 32);
	/* Said so while the session lives, but no other session has it. */
	assert_true(world_have(s, 20));
	assert_int_equal(session_close(s), 0);
	s = world_log_in(w);
	assert_false(world_have(s, 20));
	assert_false(world_have(s, 10));
	assert_true(world_have(s, 1));
	/* The child comes: nothing else is sent again. */
	world_put_data(s, 2);
	assert_int_equal(world_commit(w, s, 20, &missing), 0);
	assert_true(world_have(s, 20));

	/* A repeat gets the same receipt; other content does not. */
	fixture_id(id, 20);
	fixture_snapshot(&client, &w->m, world_vault, id);
	assert_int_equal(
	    session_commit(s, &one, &missing, client.data, client.len), 0);
	assert_int_equal(
	    session_commit(s, &two, &missing, client.data, client.len), 0);
	assert_int_equal(one.server_seq, 2);
	assert_int_equal(two.server_seq, 2);
	assert_int_equal(one.receive_ns, two.receive_ns);
	fixture_id(id, 10);
	fixture_snapshot(&other, &w->m, world_vault, id);
	assert_int_equal(
	    session_commit(s, &one, &missing, other.data, other.len),
	    ERR_EXIST);
	/* A gap, another vault, a wrong signature. */
	w->m.client_seq += 5;
	buf_reset(&other);
	fixture_snapshot(&other, &w->m, world_vault, id);
	assert_int_equal(
	    session_commit(s, &one, &missing, other.data, other.len),
	    ERR_STALE);
	other.data[other.len - 1] ^= 1;
	assert_int_equal(
	    session_commit(s, &one, &missing, other.data, other.len),
	    ERR_REFUSED);
	buf_reset(&other);
	fixture_snapshot(
	    &other, &w->m, (const uint8_t *)"another vault!!!", id);
	assert_int_equal(
	    session_commit(s, &one, &missing, other.data, other.len),
	    ERR_REFUSED);
	assert_int_equal(session_close(s), 0);
	buf_release(&missing);
	buf_release(&client);
	buf_release(&other);
}

static void
test_parents_before_children(void **state)
{
	struct world *w = *state;
	struct buf missing = BUF_INIT;
	struct session *s = world_log_in(w);
	int i;

	/* A chain in the worst order, longer than admission's passes. */
	for (i = 0; i < 50; i++)
		world_put_meta(s, (uint64_t)(1000 - i), (uint64_t)(999 - i), 1);
	world_put_data(s, 950);
	assert_int_equal(world_commit(w, s, 1000, &missing), 0);
	assert_int_equal(session_close(s), 0);
	buf_release(&missing);
}

static void
test_put_refuses_damage(void **state)
{
	struct world *w = *state;
	struct session *s = world_log_in(w);
	struct buf b = BUF_INIT;
	uint8_t id[32];

	fixture_id(id, 1);
	fixture_data(&b, id, NULL, 0, 100);
	fixture_id(id, 2);
	fixture_data(&b, id, NULL, 0, 100);
	b.data[b.len - 1] ^= 1;
	assert_int_equal(session_put(s, b.data, b.len, 0), ERR_DAMAGED);
	/* None of them was stored. */
	assert_false(world_have(s, 1));
	assert_int_equal(session_put(s, b.data, b.len - 7, 0), ERR_DAMAGED);
	b.data[b.len - 1] ^= 1;
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	assert_true(world_have(s, 1));
	session_fence(s);
	assert_int_equal(session_put(s, b.data, b.len, 0), ERR_STALE);
	assert_int_equal(session_close(s), 0);
	s = world_log_in(w);
	assert_true(world_have(s, 2));
	assert_int_equal(session_close(s), 0);
	buf_release(&b);
}

static void
test_file_ids(void **state)
{
	struct world *w = *state;
	struct session *s = world_log_in(w);
	struct store_member found[2];
	struct buf b = BUF_INIT;
	uint8_t bundle[32], files[3 * 32];
	int round;

	fixture_id(bundle, 5);
	fixture_id(files, 51);
	fixture_id(files + 32, 52);
	fixture_id(files + 64, 53);
	fixture_data(&b, bundle, files, 2, 300);
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	for (round = 0; round < 3; round++) {
		assert_int_equal(
		    session_have_files(s, found, files + 32, 2), 0);
		assert_true(found[0].found);
		assert_int_equal(found[0].member, 1);
		assert_memory_equal(found[0].bundle, bundle, 32);
		assert_false(found[1].found);
		assert_int_equal(session_close(s), 0);
		if (round == 1)
			assert_int_equal(vault_reindex(w->v), 0);
		s = world_log_in(w);
	}
	assert_int_equal(session_close(s), 0);
	buf_release(&b);
}

/* A session that stores object 1 alone, then one with its ancestors. */
static void
store_chain(struct world *w)
{
	struct buf missing = BUF_INIT;
	struct session *s = world_log_in(w);

	world_put_data(s, 1);
	assert_int_equal(session_close(s), 0);
	s = world_log_in(w);
	world_put_data(s, 2);
	world_put_meta(s, 10, 1, 2);
	world_put_meta(s, 20, 10, 1);
	assert_int_equal(world_commit(w, s, 20, &missing), 0);
	assert_int_equal(session_close(s), 0);
	buf_release(&missing);
}

static void
test_damage_and_heal(void **state)
{
	struct world *w = *state;
	uint8_t before[32], after[32];
	struct buf missing = BUF_INIT;
	struct session *s;
	unsigned counts[3];

	s = world_log_in(w);
	world_put_data(s, 1);
	assert_int_equal(session_close(s), 0);
	assert_int_equal(w->b->ops->list(w->b, "packs", world_spoil, w), 0);
	s = world_log_in(w);
	world_put_data(s, 2);
	world_put_meta(s, 10, 1, 2);
	world_put_meta(s, 20, 10, 1);
	assert_int_equal(world_commit(w, s, 20, &missing), 0);
	vault_generation(before, w->v);
	/* Never wrong bytes; noticed, marked, and its ancestors leave. */
	world_get(counts, s, 1, 2);
	assert_int_equal(counts[STORE_GOT_DAMAGED], 1);
	assert_int_equal(counts[STORE_GOT_RECORD], 1);
	vault_generation(after, w->v);
	assert_memory_not_equal(before, after, 32);
	assert_false(world_have(s, 1));
	assert_false(world_have(s, 10));
	assert_false(world_have(s, 20));
	assert_true(world_have(s, 2));
	assert_int_equal(world_commit(w, s, 20, &missing), ERR_MISSING);
	assert_int_equal(session_close(s), 0);
	/* The mark outlives the index. */
	assert_int_equal(vault_reindex(w->v), 0);
	s = world_log_in(w);
	assert_false(world_have(s, 1));
	assert_false(world_have(s, 20));
	/* get serves the ancestors. */
	world_get(counts, s, 20, 1);
	assert_int_equal(counts[STORE_GOT_RECORD], 1);
	/* Put again it heals them, and stays healed. */
	world_put_data(s, 1);
	assert_int_equal(world_commit(w, s, 20, &missing), 0);
	assert_true(world_have(s, 20));
	assert_int_equal(session_close(s), 0);
	assert_int_equal(vault_reindex(w->v), 0);
	s = world_log_in(w);
	assert_true(world_have(s, 20));
	world_get(counts, s, 1, 2);
	assert_int_equal(counts[STORE_GOT_RECORD], 2);
	assert_int_equal(session_close(s), 0);
	buf_release(&missing);
}

static void
test_report(void **state)
{
	struct world *w = *state;
	uint8_t before[32], after[32], id[32];
	struct buf missing = BUF_INIT;
	struct session *s;

	s = world_log_in(w);
	world_put_data(s, 1);
	assert_int_equal(session_close(s), 0);
	s = world_log_in(w);
	world_put_data(s, 2);
	world_put_meta(s, 10, 1, 2);
	world_put_meta(s, 20, 10, 1);
	assert_int_equal(world_commit(w, s, 20, &missing), 0);
	/* A whole record stays, whatever is said of it: a stolen mount key
	 * must not clear the way for another record of this id. */
	vault_generation(before, w->v);
	fixture_id(id, 1);
	assert_int_equal(session_report(s, id), 0);
	assert_true(world_have(s, 1));
	assert_true(world_have(s, 20));
	vault_generation(after, w->v);
	assert_memory_equal(before, after, 32);
	/* What is not there is no news. */
	fixture_id(id, 99);
	assert_int_equal(session_report(s, id), 0);
	/* A bad one leaves, with its ancestors, and can be put again. */
	assert_int_equal(w->b->ops->list(w->b, "packs", world_spoil, w), 0);
	fixture_id(id, 1);
	assert_int_equal(session_report(s, id), 0);
	assert_false(world_have(s, 1));
	assert_false(world_have(s, 20));
	assert_int_equal(session_report(s, id), 0);
	world_put_data(s, 1);
	assert_int_equal(session_close(s), 0);
	s = world_log_in(w);
	assert_true(world_have(s, 1));
	assert_int_equal(session_close(s), 0);
	buf_release(&missing);
}

static void
test_lost_index(void **state)
{
	struct world *w = *state;
	uint8_t before[32], after[32];
	struct session *s;

	store_chain(w);
	vault_generation(before, w->v);
	world_close(w);
	assert_int_equal(fs_remove_tree(w->index_dir), 0);
	world_open(w);
	vault_generation(after, w->v);
	assert_memory_not_equal(before, after, 32);
	s = world_log_in(w);
	assert_true(world_have(s, 1));
	assert_true(world_have(s, 20));
	assert_int_equal(session_close(s), 0);
	/* Opened again, nothing changes. */
	world_close(w);
	world_open(w);
	vault_generation(before, w->v);
	assert_memory_equal(before, after, 32);
}

static void
test_lost_pack(void **state)
{
	struct world *w = *state;
	uint8_t before[32], after[32];
	char name[BACKEND_NAME_MAX];
	struct session *s = world_log_in(w);
	struct buf missing = BUF_INIT;

	world_put_data(s, 1);
	assert_int_equal(session_close(s), 0);
	assert_int_equal(
	    w->b->ops->list(w->b, "packs", world_copy_name, name), 0);
	store_chain(w);
	vault_generation(before, w->v);
	world_close(w);
	assert_int_equal(world_erase(w, name, 0), 0);
	world_open(w);
	vault_generation(after, w->v);
	assert_memory_not_equal(before, after, 32);
	s = world_log_in(w);
	assert_false(world_have(s, 1));
	assert_false(world_have(s, 10));
	assert_false(world_have(s, 20));
	assert_true(world_have(s, 2));
	world_put_data(s, 1);
	assert_int_equal(world_commit(w, s, 20, &missing), 0);
	assert_int_equal(session_close(s), 0);
	buf_release(&missing);
}

static void
test_older_copy(void **state)
{
	struct world *w = *state;
	uint8_t before[32], after[32];
	char name[BACKEND_NAME_MAX];

	store_chain(w);
	vault_generation(before, w->v);
	assert_int_equal(
	    w->b->ops->list(w->b, "snapshots", world_copy_name, name), 0);
	world_close(w);
	assert_int_equal(world_erase(w, name, 0), 0);
	world_open(w);
	vault_generation(after, w->v);
	assert_memory_not_equal(before, after, 32);
}

static void
test_broken_footer(void **state)
{
	struct world *w = *state;
	char name[BACKEND_NAME_MAX];
	struct session *s = world_log_in(w);
	uint64_t size;
	char *path;
	FILE *f;

	world_put_data(s, 1);
	world_put_data(s, 2);
	assert_int_equal(session_close(s), 0);
	assert_int_equal(
	    w->b->ops->list(w->b, "packs", world_copy_name, name), 0);
	assert_int_equal(w->b->ops->size(&size, w->b, name), 0);
	world_close(w);
	path = fs_join(w->vault_dir, name);
	f = fopen(path, "r+b");
	assert_non_null(f);
	assert_int_equal(fseek(f, (long)size - 50, SEEK_SET), 0);
	assert_int_equal(fputc(0x5a, f), 0x5a);
	assert_int_equal(fclose(f), 0);
	free(path);
	assert_int_equal(fs_remove_tree(w->index_dir), 0);
	world_open(w);
	assert_int_equal(w->v->packs_damaged, 1);
	s = world_log_in(w);
	assert_true(world_have(s, 1));
	assert_true(world_have(s, 2));
	assert_int_equal(session_close(s), 0);
}

/* One record of object 1, data, sealed in `epoch`. */
static void
epoch_record(struct buf *b, uint32_t epoch)
{
	uint8_t id[32];

	buf_reset(b);
	fixture_id(id, 1);
	fixture_data(b, id, NULL, 0, 200);
	bytes_put32(b->data + 8, epoch);
	hash_bytes(b->data + b->len - 32, b->data, b->len - 32);
}

static int
check_epoch(void *arg, enum store_got got, const uint8_t *id,
    const uint8_t *record, size_t len)
{
	const uint32_t *epoch = arg;
	struct record r;

	(void)id;
	assert_int_equal(got, STORE_GOT_RECORD);
	assert_int_equal(record_decode(&r, record, len), 0);
	assert_int_equal(r.epoch, *epoch);
	return 0;
}

static void
get_epoch(struct world *w, uint32_t epoch)
{
	struct session *s = world_log_in(w);
	uint8_t id[32];

	fixture_id(id, 1);
	assert_int_equal(session_get(s, id, 1, check_epoch, &epoch), 0);
	assert_int_equal(session_close(s), 0);
}

static void
test_epochs(void **state)
{
	struct world *w = *state;
	struct session *s;
	struct buf b = BUF_INIT;

	w->v->epoch = 2;
	s = world_log_in(w);
	epoch_record(&b, 1);
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	assert_int_equal(session_close(s), 0);
	/* Dropped without the flag, whatever its epoch; later than all: no. */
	s = world_log_in(w);
	epoch_record(&b, 2);
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	epoch_record(&b, 3);
	assert_int_equal(session_put(s, b.data, b.len, 0), ERR_REFUSED);
	assert_int_equal(session_close(s), 0);
	get_epoch(w, 1);
	/* With it the later epoch takes the place, the earlier one does not. */
	s = world_log_in(w);
	epoch_record(&b, 2);
	assert_int_equal(session_put(s, b.data, b.len, SESSION_REPLACE), 0);
	assert_int_equal(session_close(s), 0);
	get_epoch(w, 2);
	s = world_log_in(w);
	epoch_record(&b, 0);
	assert_int_equal(session_put(s, b.data, b.len, SESSION_REPLACE), 0);
	assert_int_equal(session_close(s), 0);
	get_epoch(w, 2);
	assert_int_equal(vault_reindex(w->v), 0);
	get_epoch(w, 2);
	buf_release(&b);
}

struct work {
	struct world *w;
	struct session *s;
	uint64_t first;
};

static void
put_many(void *arg)
{
	struct work *k = arg;
	int i;

	for (i = 0; i < 300; i++) {
		world_put_data(k->s, k->first + (uint64_t)i);
		world_put_meta(k->s, 100000 + k->first + (uint64_t)i,
		    k->first + (uint64_t)i, 1);
	}
}

static void
test_two_sessions_at_once(void **state)
{
	struct world *w = *state;
	struct buf missing = BUF_INIT;
	struct session *a = world_log_in(w), *b = world_log_in(w);
	/* Two threads in one session, one in the other; they overlap. */
	struct work k[3] = {{w, a, 0}, {w, a, 200}, {w, b, 100}};
	struct pool_thread *t[3];
	int i;

	for (i = 0; i < 3; i++)
		assert_int_equal(pool_thread_start(&t[i], put_many, &k[i]), 0);
	for (i = 0; i < 3; i++)
		pool_thread_join(t[i]);
	world_put_meta(a, 500000, 100000, 500);
	assert_int_equal(world_commit(w, a, 500000, &missing), 0);
	assert_int_equal(session_close(a), 0);
	assert_int_equal(world_commit(w, b, 100150, &missing), 0);
	assert_int_equal(session_close(b), 0);
	assert_int_equal(vault_reindex(w->v), 0);
	a = world_log_in(w);
	assert_true(world_have(a, 500000));
	assert_int_equal(session_close(a), 0);
	buf_release(&missing);
}

static void
test_local_store(void **state)
{
	struct world *w = *state;
	struct store_local_options o = {.vault = w->v};
	struct store *st;
	uint8_t id[32], bit;

	store_chain(w);
	memcpy(o.mount, w->m.id, 16);
	memcpy(o.mount_public, w->m.public_key, 32);
	assert_int_equal(store_local_open(&st, &o), 0);
	assert_true(st->info.has_parent);
	fixture_id(id, 20);
	assert_int_equal(st->ops->have(st, &bit, id, 1), 0);
	assert_int_equal(bit, 1);
	st->ops->close(st);
}

#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_backup_and_restore),
	    TEST(test_commit_refuses),
	    TEST(test_parents_before_children),
	    TEST(test_put_refuses_damage),
	    TEST(test_file_ids),
	    TEST(test_damage_and_heal),
	    TEST(test_report),
	    TEST(test_lost_index),
	    TEST(test_lost_pack),
	    TEST(test_older_copy),
	    TEST(test_broken_footer),
	    TEST(test_epochs),
	    TEST(test_two_sessions_at_once),
	    TEST(test_local_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
