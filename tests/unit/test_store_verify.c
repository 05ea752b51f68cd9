/* store/verify: a healthy store has no findings, every flipped byte has one,
 * and what it marks is healed by the next backup. */

#include "backend/mem.h"
#include "base/err.h"
#include "base/fs.h"
#include "lib/store_fixture.h"
#include "sign/sign.h"
#include "store/backend.h"
#include "store/session.h"
#include "store/vault.h"
#include "store/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t vault_id[16] = "a vault's name";

struct world {
	char *folder, *index_dir;
	struct backend *b;
	struct vault *v;
	struct fixture_mount m;
	char last[200];
	unsigned rows; /* findings of file ids that the index lacks */
};

static void
open_vault(struct world *w)
{
	struct vault_options o = {.backend = w->b, .index_dir = w->index_dir};

	memcpy(o.id, vault_id, 16);
	assert_int_equal(vault_open(&w->v, &o), 0);
}

/* Data 1 .. 3, a bundle 4, trees 10 and 11, root 20. */
static void
backup(struct world *w, uint64_t root)
{
	struct buf b = BUF_INIT, client = BUF_INIT, missing = BUF_INIT;
	struct store_receipt receipt;
	struct session *s;
	uint8_t id[32], ids[3 * 32];
	uint64_t i;

	for (i = 1; i <= 3; i++) {
		fixture_id(id, i);
		fixture_data(&b, id, NULL, 0, 60);
	}
	fixture_id(ids, 71);
	fixture_id(ids + 32, 72);
	fixture_id(id, 4);
	fixture_data(&b, id, ids, 2, 60);
	fixture_id(ids, 1);
	fixture_id(ids + 32, 2);
	fixture_id(id, 10);
	fixture_meta(&b, id, ids, 2, 60);
	fixture_id(ids, 3);
	fixture_id(ids + 32, 4);
	fixture_id(id, 11);
	fixture_meta(&b, id, ids, 2, 60);
	fixture_id(ids, 10);
	fixture_id(ids + 32, 11);
	fixture_id(id, root);
	fixture_meta(&b, id, ids, 2, 60);
	assert_int_equal(session_open(&s, w->v, w->m.id, w->m.public_key), 0);
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	fixture_snapshot(&client, &w->m, vault_id, id);
	assert_int_equal(
	    session_commit(s, &receipt, &missing, client.data, client.len), 0);
	fixture_committed(&w->m, &client);
	assert_int_equal(session_close(s), 0);
	buf_release(&b);
	buf_release(&client);
	buf_release(&missing);
}

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->folder = fixture_folder();
	w->index_dir = fs_join(w->folder, "index");
	fixture_mount(&w->m, 1);
	assert_int_equal(backend_mem_open(&w->b, 1), 0);
	open_vault(w);
	backup(w, 20);
	backup(w, 21);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	vault_close(w->v);
	w->b->ops->close(w->b);
	free(w->index_dir);
	fixture_remove(w->folder);
	free(w);
	return 0;
}

static void
found(void *arg, const char *where, const char *what)
{
	struct world *w = arg;

	(void)snprintf(w->last, sizeof(w->last), "%s: %s", where, what);
	w->rows += strstr(what, "lacks a file") != NULL;
}

static int
key(void *arg, uint8_t public_key[32], const uint8_t mount[16])
{
	struct world *w = arg;

	if (memcmp(mount, w->m.id, 16) != 0)
		return 1;
	memcpy(public_key, w->m.public_key, 32);
	return 0;
}

static uint64_t
findings(struct world *w, int mark)
{
	struct verify_options o = {
	    .vault = w->v, .found = found, .key = key, .arg = w, .mark = mark};
	struct verify_counts n;

	assert_int_equal(verify_vault(&n, &o), 0);
	return n.findings;
}

static void
test_healthy(void **state)
{
	struct world *w = *state;
	struct verify_options o = {
	    .vault = w->v, .found = found, .key = key, .arg = w};
	struct verify_counts n;

	assert_int_equal(verify_vault(&n, &o), 0);
	assert_int_equal(n.findings, 0);
	assert_int_equal(n.packs, 3);
	assert_int_equal(n.records, 8);
	assert_int_equal(n.snapshots, 2);
}

struct flips {
	struct world *w;
	unsigned n, unnoticed;
};

struct names {
	char name[8][BACKEND_NAME_MAX];
	uint64_t size[8];
	unsigned n;
};

static int
note_name(void *arg, const char *name, uint64_t size)
{
	struct names *k = arg;

	assert_true(k->n < 8);
	(void)snprintf(k->name[k->n], BACKEND_NAME_MAX, "%s", name);
	k->size[k->n++] = size;
	return 0;
}

static void
test_every_flip(void **state)
{
	struct world *w = *state;
	struct names k = {.n = 0};
	unsigned i, flips = 0;
	uint64_t at;

	assert_int_equal(w->b->ops->list(w->b, "packs", note_name, &k), 0);
	assert_int_equal(w->b->ops->list(w->b, "snapshots", note_name, &k), 0);
	assert_int_equal(k.n, 5);
	for (i = 0; i < k.n; i++) {
		for (at = 0; at < k.size[i]; at++) {
			uint8_t mask = (uint8_t)(1 << at % 8);

			assert_int_equal(
			    backend_mem_flip(w->b, k.name[i], at, mask), 0);
			if (findings(w, 0) == 0)
				fail_msg("%s: flip at %llu not noticed",
				    k.name[i], (unsigned long long)at);
			assert_int_equal(
			    backend_mem_flip(w->b, k.name[i], at, mask), 0);
			flips++;
		}
	}
	assert_int_equal(findings(w, 0), 0);
	print_message("%u bytes flipped\n", flips);
}

static void
test_mark_and_heal(void **state)
{
	struct world *w = *state;
	struct names k = {.n = 0};
	unsigned i;

	/* One record of each pack. */
	assert_int_equal(w->b->ops->list(w->b, "packs", note_name, &k), 0);
	for (i = 0; i < k.n; i++)
		assert_int_equal(
		    backend_mem_flip(w->b, k.name[i], 48 + 72 + 5, 0x10), 0);
	assert_true(findings(w, 1) > 0);
	/* Still told of, as long as it is not healed. */
	assert_true(findings(w, 0) > 0);
	backup(w, 21);
	backup(w, 20);
	assert_int_equal(findings(w, 0), 0);
	/* An index made anew agrees. */
	assert_int_equal(vault_reindex(w->v), 0);
	assert_int_equal(findings(w, 0), 0);
}

static void
test_missing_things(void **state)
{
	struct world *w = *state;
	struct names k = {.n = 0};
	struct backend_put *p;

	/* A name that is none. */
	assert_int_equal(w->b->ops->put_begin(&p, w->b, 0), 0);
	assert_int_equal(w->b->ops->put_commit(p, "packs/ab/hello"), 0);
	assert_int_equal(findings(w, 0), 1);
	assert_int_equal(w->b->ops->remove(w->b, "packs/ab/hello"), 0);
	/* The older snapshot, then a pack. */
	assert_int_equal(w->b->ops->list(w->b, "packs", note_name, &k), 0);
	assert_int_equal(w->b->ops->remove(w->b, k.name[0]), 0);
	assert_true(findings(w, 0) > 0);
	vault_close(w->v);
	open_vault(w);
	/* The index has learnt of it; the snapshots still lack objects. */
	assert_true(findings(w, 0) > 0);
	backup(w, 21);
	backup(w, 20);
	assert_int_equal(findings(w, 0), 0);
}

static int
count_got(void *arg, enum store_got got, const uint8_t *id,
    const uint8_t *record, size_t len)
{
	unsigned *counts = arg;

	(void)id;
	(void)record;
	(void)len;
	counts[got]++;
	return 0;
}

/* What can be read of objects 1 .. 4. */
static void
get_data(struct world *w, unsigned counts[3])
{
	struct session *s;
	uint8_t ids[4 * 32];
	unsigned i;

	for (i = 0; i < 4; i++)
		fixture_id(ids + (size_t)i * 32, i + 1);
	memset(counts, 0, 3 * sizeof(*counts));
	assert_int_equal(session_open(&s, w->v, w->m.id, w->m.public_key), 0);
	assert_int_equal(session_get(s, ids, 4, count_got, counts), 0);
	assert_int_equal(session_close(s), 0);
}

/* A sector of a pack that cannot be read, in each kind of place. */
static void
test_bad_sector(void **state)
{
	struct world *w = *state;
	struct names k = {.n = 0};
	unsigned i, counts[3];

	assert_int_equal(w->b->ops->list(w->b, "packs", note_name, &k), 0);
	for (i = 0; i < k.n; i++) {
		/* A footer: the vault opens without the pack. */
		backend_mem_bad(w->b, k.name[i], k.size[i] - 20);
		assert_true(findings(w, 0) > 0);
		assert_int_equal(vault_reindex(w->v), 0);
		backend_mem_bad(w->b, NULL, 0);
		assert_int_equal(vault_reindex(w->v), 0);
		assert_int_equal(findings(w, 0), 0);
	}
	for (i = 0; i < k.n; i++) {
		/* A record: only it is damaged, and the next backup heals. */
		backend_mem_bad(w->b, k.name[i], 48 + 72 + 5);
		assert_true(findings(w, 1) > 0);
		get_data(w, counts);
		assert_true(counts[STORE_GOT_RECORD] >= 3);
		assert_int_equal(counts[STORE_GOT_ABSENT], 0);
		backup(w, 21);
		backup(w, 20);
		get_data(w, counts);
		assert_int_equal(counts[STORE_GOT_RECORD], 4);
		backend_mem_bad(w->b, NULL, 0);
		assert_int_equal(vault_reindex(w->v), 0);
		assert_int_equal(findings(w, 0), 0);
	}
}

/* Put data 1 again, whatever there is of it. */
static void
put_again(struct world *w)
{
	struct buf b = BUF_INIT;
	struct session *s;
	uint8_t id[32];

	fixture_id(id, 1);
	fixture_data(&b, id, NULL, 0, 100);
	assert_int_equal(session_open(&s, w->v, w->m.id, w->m.public_key), 0);
	assert_int_equal(session_put(s, b.data, b.len, SESSION_REPLACE), 0);
	assert_int_equal(session_close(s), 0);
	buf_release(&b);
}

/* Flip a byte of the first record in the pack that `before` lacks. */
static void
flip_in_new(struct world *w, const struct names *before)
{
	struct names now = {.n = 0};
	unsigned i, j;

	assert_int_equal(w->b->ops->list(w->b, "packs", note_name, &now), 0);
	assert_int_equal(now.n, before->n + 1);
	for (i = 0; i < now.n; i++) {
		for (j = 0; j < before->n; j++) {
			if (strcmp(now.name[i], before->name[j]) == 0)
				break;
		}
		if (j == before->n)
			assert_int_equal(backend_mem_flip(w->b, now.name[i],
					     48 + 72 + 5, 0x10),
			    0);
	}
}

/* Of two records of an object the good one counts once the other is marked. */
static void
test_second_record(void **state)
{
	struct world *w = *state;
	struct names k = {.n = 0};
	unsigned counts[3];

	assert_int_equal(w->b->ops->list(w->b, "packs", note_name, &k), 0);
	put_again(w);
	flip_in_new(w, &k);
	assert_true(findings(w, 1) > 0);
	get_data(w, counts);
	assert_int_equal(counts[STORE_GOT_RECORD], 4);
	assert_int_equal(findings(w, 0), 0);
	/* And an index that had only the mark, as after a crash. */
	vault_close(w->v);
	open_vault(w);
	assert_int_equal(findings(w, 0), 0);
}

/* A file id in two bundles, one of which is damaged. */
static void
test_file_in_two_bundles(void **state)
{
	struct world *w = *state;
	struct store_member found = {.found = 0};
	struct buf b = BUF_INIT;
	struct session *s;
	uint8_t id[32], ids[2 * 32];
	unsigned counts[3];

	/* Bundle 5 has file 71, which bundle 4 has too, and 73. */
	fixture_id(ids, 71);
	fixture_id(ids + 32, 73);
	fixture_id(id, 5);
	fixture_data(&b, id, ids, 2, 100);
	assert_int_equal(session_open(&s, w->v, w->m.id, w->m.public_key), 0);
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	assert_int_equal(session_close(s), 0);
	fixture_id(id, 4);
	assert_int_equal(vault_damaged(w->v, id, NULL), 0);
	assert_int_equal(vault_have_files(w->v, &found, ids, 1), 0);
	assert_int_equal(found.found, 0);
	/* The next session looks for bundle 4 in vain. */
	get_data(w, counts);
	/* What verify says is of bundle 4 only, and it mends the row. */
	assert_true(findings(w, 1) > 0);
	assert_int_equal(w->rows, 0);
	assert_int_equal(vault_have_files(w->v, &found, ids, 1), 0);
	assert_int_equal(found.found, 1);
	fixture_id(id, 5);
	assert_memory_equal(found.bundle, id, sizeof(id));
	assert_int_equal(found.member, 0);
	buf_release(&b);
}

/* Lose the snapshot file of this name. */
static void
lose(struct world *w, const char *seq)
{
	struct names k = {.n = 0};
	unsigned i;

	assert_int_equal(w->b->ops->list(w->b, "snapshots", note_name, &k), 0);
	for (i = 0; i < k.n; i++) {
		if (strstr(k.name[i], seq) != NULL)
			break;
	}
	assert_true(i < k.n);
	assert_int_equal(w->b->ops->remove(w->b, k.name[i]), 0);
}

static void
test_first_snapshot(void **state)
{
	struct world *w = *state;

	lose(w, "0000000001.snap");
	assert_int_equal(findings(w, 0), 1);
	assert_non_null(strstr(w->last, "gone"));
	/* Still so after a restart. */
	vault_close(w->v);
	open_vault(w);
	assert_int_equal(findings(w, 0), 1);
}

/* The newest ones leave no gap: the index knows of them, once. */
static void
test_last_snapshot(void **state)
{
	struct world *w = *state;

	lose(w, "0000000002.snap");
	vault_close(w->v);
	open_vault(w);
	assert_int_equal(findings(w, 0), 1);
	assert_non_null(strstr(w->last, "newest"));
	lose(w, "0000000001.snap");
	vault_close(w->v);
	open_vault(w);
	assert_int_equal(findings(w, 0), 1);
	assert_non_null(strstr(w->last, "newest"));
}

static void
test_chain(void **state)
{
	struct world *w = *state;

	backup(w, 20);
	lose(w, "0000000002.snap");
	assert_int_equal(findings(w, 0), 1);
	assert_non_null(strstr(w->last, "gone"));
	/* Another key than the one that signed. */
	w->m.public_key[3] ^= 1;
	assert_int_equal(findings(w, 0), 3);
}

/* While the newest one could not be read another followed the one before; when
 * it is there again nothing is missing. */
static void
test_chain_of_a_bad_disk(void **state)
{
	struct world *w = *state;
	struct fixture_mount before = w->m;
	struct names k = {.n = 0};
	unsigned i;

	backup(w, 20);
	assert_int_equal(w->b->ops->list(w->b, "snapshots", note_name, &k), 0);
	for (i = 0; strstr(k.name[i], "0000000003.snap") == NULL;)
		assert_true(++i < k.n);
	assert_int_equal(backend_mem_flip(w->b, k.name[i], 100, 1), 0);
	vault_close(w->v);
	open_vault(w);
	w->m = before;
	backup(w, 21);
	backup(w, 20);
	assert_true(findings(w, 0) > 0);
	assert_int_equal(backend_mem_flip(w->b, k.name[i], 100, 1), 0);
	w->last[0] = '\0';
	(void)findings(w, 0); /* below */
	assert_string_equal(w->last, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* Two records of one object that need different things. */
static void
test_records_that_disagree(void **state)
{
	struct world *w = *state;
	struct buf b = BUF_INIT;
	struct session *s;
	uint8_t id[32], ref[32];

	fixture_id(id, 10);
	fixture_id(ref, 1);
	fixture_meta(&b, id, ref, 1, 77);
	assert_int_equal(session_open(&s, w->v, w->m.id, w->m.public_key), 0);
	assert_int_equal(session_put(s, b.data, b.len, SESSION_REPLACE), 0);
	assert_int_equal(session_close(s), 0);
	assert_int_equal(findings(w, 0), 1);
	assert_non_null(strstr(w->last, "disagree"));
	/* Reading this one does not take the first out of the index. */
	assert_int_equal(findings(w, 1), 1);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_healthy),
	    TEST(test_every_flip),
	    TEST(test_mark_and_heal),
	    TEST(test_missing_things),
	    TEST(test_bad_sector),
	    TEST(test_second_record),
	    TEST(test_file_in_two_bundles),
	    TEST(test_first_snapshot),
	    TEST(test_last_snapshot),
	    TEST(test_chain),
	    TEST(test_chain_of_a_bad_disk),
	    TEST(test_records_that_disagree),
	};

	if (sign_start() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
