/* Several records of one object: which counts, and who gets the others. */

#include "backend/dir.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/fs.h"
#include "lib/store_fixture.h"
#include "sign/sign.h"
#include "store/backend.h"
#include "store/session.h"
#include "store/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t vault_id[16] = "a vault's name";

struct world {
	char *folder, *vault_dir, *incoming, *index_dir;
	struct backend *b;
	struct vault *v;
	struct fixture_mount m;
};

static void
open_vault(struct world *w)
{
	struct vault_options o = {0};

	assert_int_equal(backend_dir_open(&w->b, w->vault_dir, w->incoming), 0);
	o.backend = w->b;
	o.index_dir = w->index_dir;
	memcpy(o.id, vault_id, 16);
	assert_int_equal(vault_open(&w->v, &o), 0);
}

static void
close_vault(struct world *w)
{
	vault_close(w->v);
	w->b->ops->close(w->b);
}

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(sign_start(), 0);
	w->folder = fixture_folder();
	w->vault_dir = fs_join(w->folder, "vault");
	w->incoming = fs_join(w->folder, "incoming");
	w->index_dir = fs_join(w->folder, "index");
	assert_int_equal(fs_make_dirs(w->vault_dir, 0700), 0);
	assert_int_equal(fs_make_dirs(w->incoming, 0700), 0);
	fixture_mount(&w->m, 1);
	open_vault(w);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	close_vault(w);
	fixture_remove(w->folder);
	free(w->vault_dir);
	free(w->incoming);
	free(w->index_dir);
	free(w);
	return 0;
}

static struct session *
log_in(struct world *w)
{
	struct session *s;

	assert_int_equal(session_open(&s, w->v, w->m.id, w->m.public_key), 0);
	return s;
}

static int
have(struct session *s, uint64_t number)
{
	uint8_t id[32], bit;

	fixture_id(id, number);
	assert_int_equal(session_have(s, &bit, id, 1), 0);
	return bit;
}

/* Put a data object without members. */
static void
put_data(struct session *s, uint64_t number)
{
	struct buf b = BUF_INIT;
	uint8_t id[32];

	fixture_id(id, number);
	fixture_data(&b, id, NULL, 0, 1000);
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	buf_release(&b);
}

/* Put a meta object that refers to `n` others, numbered from `first` on. */
static void
put_meta(struct session *s, uint64_t number, uint64_t first, uint32_t n)
{
	struct buf b = BUF_INIT;
	uint8_t id[32], *refs = malloc((size_t)n * 32 + 1);
	uint32_t i;

	assert_non_null(refs);
	for (i = 0; i < n; i++)
		fixture_id(refs + (size_t)i * 32, first + i);
	fixture_id(id, number);
	fixture_meta(&b, id, refs, n, 100);
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	buf_release(&b);
	free(refs);
}

static int
commit(struct world *w, struct session *s, uint64_t root, struct buf *missing)
{
	struct store_receipt receipt;
	struct buf client = BUF_INIT;
	uint8_t id[32];
	int ret;

	fixture_id(id, root);
	fixture_snapshot(&client, &w->m, vault_id, id);
	ret = session_commit(s, &receipt, missing, client.data, client.len);
	if (ret == 0)
		fixture_committed(&w->m, &client);
	buf_release(&client);
	return ret;
}

static int
check_got(void *arg, enum store_got got, const uint8_t *id,
    const uint8_t *record, size_t len)
{
	unsigned *counts = arg;
	struct record r;

	counts[got]++;
	if (got == STORE_GOT_RECORD) {
		assert_int_equal(record_decode(&r, record, len), 0);
		assert_memory_equal(r.id, id, 32);
	}
	return 0;
}

/* How many of the objects first .. first + n - 1 come as what. */
static void
get_all(unsigned counts[3], struct session *s, uint64_t first, uint32_t n)
{
	uint8_t *ids = malloc((size_t)n * 32);
	uint32_t i;

	memset(counts, 0, 3 * sizeof(*counts));
	for (i = 0; i < n; i++)
		fixture_id(ids + (size_t)i * 32, first + i);
	assert_int_equal(session_get(s, ids, n, check_got, counts), 0);
	free(ids);
}

/* A file of the store changes under us: flip, or remove. */
static int
spoil(void *arg, const char *name, uint64_t size)
{
	struct world *w = arg;
	char *path = fs_join(w->vault_dir, name);
	FILE *f = fopen(path, "r+b");

	assert_non_null(f);
	(void)size;
	/* Into the first record's payload. */
	assert_int_equal(fseek(f, 48 + 72 + 20, SEEK_SET), 0);
	assert_int_equal(fputc(0x5a, f), 0x5a);
	assert_int_equal(fclose(f), 0);
	free(path);
	return 0;
}

static int
erase(void *arg, const char *name, uint64_t size)
{
	struct world *w = arg;
	char *path = fs_join(w->vault_dir, name);

	(void)size;
	assert_int_equal(remove(path), 0);
	free(path);
	return 0;
}

static int
copy_name(void *arg, const char *name, uint64_t size)
{
	(void)size;
	(void)snprintf(arg, BACKEND_NAME_MAX, "%s", name);
	return 0;
}

/* What a member of the vault can make who wants to do harm: a record that is
 * whole, of an id that is not its own; other bytes, and no refs. */
static void
put_forged(struct session *s, uint64_t number, uint32_t epoch)
{
	struct buf b = BUF_INIT;
	uint8_t id[32];

	fixture_id(id, number);
	fixture_meta(&b, id, NULL, 0, 99);
	bytes_put32(b.data + 8, epoch);
	hash_bytes(b.data + b.len - 32, b.data, b.len - 32);
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	buf_release(&b);
}

struct lengths {
	size_t len[4];
	unsigned n;
};

static int
note_length(void *arg, enum store_got got, const uint8_t *id,
    const uint8_t *record, size_t len)
{
	struct lengths *l = arg;

	(void)id;
	(void)record;
	assert_int_equal(got, STORE_GOT_RECORD);
	l->len[l->n++] = len;
	return 0;
}

static size_t
length_of(struct session *s, uint64_t number)
{
	struct lengths l = {0};
	uint8_t id[32];

	fixture_id(id, number);
	assert_int_equal(session_get(s, id, 1, note_length, &l), 0);
	assert_int_equal(l.n, 1);
	return l.len[0];
}

/* Note a checksum; without one there are no more. */
static int
note_sum(void *arg, enum store_got got, const uint8_t *id,
    const uint8_t *record, size_t len)
{
	(void)id;
	if (got != STORE_GOT_RECORD)
		return 0;
	return buf_append(arg, record + len - 32, 32);
}

/* How many records of an object the vault gives, one after the other. */
static size_t
others_of(struct world *w, uint64_t number)
{
	struct session *s = log_in(w);
	struct buf sums = BUF_INIT;
	uint8_t id[32];
	size_t n = 0, before;

	fixture_id(id, number);
	do {
		before = sums.len;
		assert_int_equal(
		    session_get_other(s, id, sums.data,
			(uint32_t)(sums.len / 32), note_sum, &sums),
		    0);
		n++;
	} while (sums.len > before);
	buf_release(&sums);
	assert_int_equal(session_close(s), 0);
	return n - 1;
}

/*
 * A record that is there stays the one that is served, and what it needs
 * stays what the object needs, also while that is not all there.
 */
static void
test_first_record_stays(void **state)
{
	struct world *w = *state;
	struct buf missing = BUF_INIT;
	struct session *s = log_in(w);
	size_t good;

	w->v->epoch = 2;
	/* 10 needs 1 and 2; 2 does not come. */
	put_data(s, 1);
	put_meta(s, 10, 1, 2);
	assert_int_equal(session_close(s), 0);
	s = log_in(w);
	good = length_of(s, 10);
	assert_false(have(s, 10));
	/* In the same epoch, and in a later one. */
	put_forged(s, 10, 0);
	assert_int_equal(session_close(s), 0);
	s = log_in(w);
	put_forged(s, 10, 2);
	assert_int_equal(session_close(s), 0);
	s = log_in(w);
	assert_false(have(s, 10));
	assert_int_equal(length_of(s, 10), good);
	/* The others are there for who cannot use the first. */
	assert_int_equal(others_of(w, 10), 3);
	/* Complete, it is what it was. */
	put_data(s, 2);
	put_meta(s, 20, 10, 1);
	assert_int_equal(commit(w, s, 20, &missing), 0);
	assert_true(have(s, 10));
	assert_int_equal(length_of(s, 10), good);
	assert_int_equal(session_close(s), 0);
	assert_int_equal(vault_reindex(w->v), 0);
	assert_int_equal(others_of(w, 10), 3);
	buf_release(&missing);
}

/* Another whole record takes the place of a damaged one: nothing is lost. */
static void
test_other_record_heals(void **state)
{
	struct world *w = *state;
	uint8_t before[32], after[32], id[32];
	struct session *a = log_in(w), *b = log_in(w);
	char name[BACKEND_NAME_MAX];
	unsigned counts[3] = {0};

	/* Two sessions at once store the same. */
	put_data(a, 1);
	put_data(b, 1);
	assert_int_equal(session_close(a), 0);
	assert_int_equal(w->b->ops->list(w->b, "packs", copy_name, name), 0);
	assert_int_equal(session_close(b), 0);
	a = log_in(w);
	put_meta(a, 10, 1, 1);
	assert_int_equal(session_close(a), 0);
	assert_int_equal(others_of(w, 1), 1); /* with equal checksums */
	vault_generation(before, w->v);
	assert_int_equal(spoil(w, name, 0), 0);
	a = log_in(w);
	get_all(counts, a, 1, 1);
	assert_int_equal(counts[STORE_GOT_DAMAGED], 1);
	assert_true(have(a, 1));
	assert_true(have(a, 10));
	vault_generation(after, w->v);
	assert_memory_equal(before, after, 32);
	get_all(counts, a, 1, 1);
	assert_int_equal(counts[STORE_GOT_RECORD], 1);
	/* Of a pack that is gone nothing is kept in mind. */
	memset(counts, 0, sizeof(counts));
	fixture_id(id, 1);
	assert_int_equal(
	    session_get_other(a, id, NULL, 0, check_got, counts), 0);
	assert_int_equal(counts[STORE_GOT_RECORD], 1);
	assert_int_equal(session_close(a), 0);
	close_vault(w);
	assert_int_equal(erase(w, name, 0), 0);
	open_vault(w);
	a = log_in(w);
	assert_true(have(a, 10));
	assert_int_equal(session_close(a), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_first_record_stays),
	    TEST(test_other_record_heals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
