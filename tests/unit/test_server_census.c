/* What a store holds, counted from its files alone. */

#include "server/census.h"

#include "backend/dir.h"
#include "base/fs.h"
#include "base/hex.h"
#include "lib/store_fixture.h"
#include "lib/tempdir.h"
#include "sign/sign.h"
#include "store/envelope.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t vault_id[IDENT_BYTES] = {7};

/* A store with one vault and the mounts "a" and "b". */
struct world {
	char *top, *dir, *vault;
	struct account *a;
	struct account_mount m[2];
};

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct header h, stored;
	uint8_t seed[SIGN_SEED_BYTES] = {1}, public_key[SIGN_PUBLIC_BYTES];
	int created, i;

	assert_non_null(w);
	memset(&h, 0, sizeof(h));
	memcpy(h.vault, vault_id, sizeof(vault_id));
	w->top = tempdir_new();
	w->dir = fs_join(w->top, "store");
	assert_int_equal(account_open(&w->a, w->dir, ACCOUNT_CREATE), 0);
	/* The later label first: the census sorts. */
	for (i = 1; i >= 0; i--) {
		seed[0] = (uint8_t)(i + 1);
		sign_public(public_key, seed);
		assert_int_equal(account_add(&w->m[i], &stored, &created, w->a,
				     public_key, i == 0 ? "a" : "b", &h,
				     i == 1 ? ENROLL_NEW : ENROLL_JOIN),
		    0);
	}
	w->vault = account_vault_dir(w->a, vault_id);
	assert_non_null(w->vault);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	account_close(w->a);
	free(w->vault);
	free(w->dir);
	tempdir_free(w->top);
	free(w);
	return 0;
}

/* A file of the vault, its folders made. */
static void
put(const struct world *w, const char *folder, const char *name, const void *p,
    size_t len)
{
	char *dir = fs_join(w->vault, folder), *path = fs_join(dir, name);

	assert_int_equal(fs_make_dirs(dir, 0700), 0);
	assert_int_equal(fs_write_file(AT_FDCWD, path, p, len, 0600, 0), 0);
	free(path);
	free(dir);
}

static void
put_pack(const struct world *w, char first, size_t len)
{
	char folder[] = "packs/00", name[70];
	uint8_t bytes[4096] = {0};

	folder[6] = first;
	memset(name, '0', 64);
	name[0] = first;
	memcpy(name + 64, ".pack", 6);
	put(w, folder, name, bytes, len);
}

/* Snapshot `seq` of mount `i`, with these bytes. */
static void
put_snapshot(
    const struct world *w, int i, unsigned seq, const void *p, size_t len)
{
	char folder[64] = "snapshots/", name[32];

	hex_encode(folder + 10, w->m[i].mount, IDENT_BYTES);
	(void)snprintf(name, sizeof(name), "%010u.snap", seq); /* it fits */
	put(w, folder, name, p, len);
}

static void
test_nothing_yet(void **state)
{
	struct world *w = *state;
	struct census c;

	assert_int_equal(census_take(&c, w->a, backend_dir_open), 0);
	assert_int_equal(c.vaults, 1);
	assert_int_equal(c.packs + c.snapshots + c.damaged + c.retired, 0);
	assert_int_equal(c.pack_bytes + c.snapshot_bytes + c.bytes, 0);
	assert_true(c.free_bytes > 0);
	assert_non_null(c.write_path);
	assert_int_equal(c.nmounts, 2);
	assert_string_equal(c.mounts[0].mount.label, "a");
	assert_string_equal(c.mounts[1].mount.label, "b");
	assert_int_equal(c.mounts[0].last_seq, 0);
	census_release(&c);
	assert_null(c.mounts);
}

static void
test_packs_and_damage(void **state)
{
	struct world *w = *state;
	struct census c;

	put_pack(w, 'a', 1000);
	put_pack(w, 'b', 24);
	/* What is no snapshot, and an empty one: counted, not believed. */
	put_snapshot(w, 1, 1, "nothing", 7);
	put_snapshot(w, 1, 2, "", 0);
	assert_int_equal(census_take(&c, w->a, backend_dir_open), 0);
	assert_int_equal(c.packs, 2);
	assert_int_equal(c.pack_bytes, 1024);
	assert_int_equal(c.snapshots, 2);
	assert_int_equal(c.snapshot_bytes, 7);
	assert_int_equal(c.damaged, 2);
	assert_int_equal(c.bytes, 0);
	assert_int_equal(c.mounts[0].snapshots, 0);
	assert_int_equal(c.mounts[1].snapshots, 2);
	assert_int_equal(c.mounts[1].damaged, 2);
	assert_int_equal(c.mounts[1].last_seq, 0);
	census_release(&c);
}

/* A mount whose own file is lost is known by its snapshots. */
static void
test_lost_mount(void **state)
{
	struct world *w = *state;
	uint8_t lost[IDENT_BYTES] = {0xee};
	struct census c;

	memcpy(w->m[0].mount, lost, sizeof(lost));
	put_snapshot(w, 0, 1, "nothing", 7);
	assert_int_equal(census_take(&c, w->a, backend_dir_open), 0);
	assert_int_equal(c.nmounts, 3);
	/* It sorts first, for it has no label. */
	assert_string_equal(c.mounts[0].mount.label, "");
	assert_memory_equal(c.mounts[0].mount.mount, lost, sizeof(lost));
	assert_memory_equal(
	    c.mounts[0].mount.vault, vault_id, sizeof(vault_id));
	assert_int_equal(c.mounts[0].snapshots, 1);
	census_release(&c);
}

/* The newest that is whole is the last one, whatever comes behind it. */
static void
test_last(void **state)
{
	struct world *w = *state;
	struct fixture_mount fm;
	uint8_t root[32];
	struct envelope e;
	struct census c;
	unsigned seq;

	fixture_mount(&fm, 1);
	fixture_id(root, 1);
	memcpy(w->m[0].mount, fm.id, sizeof(fm.id));
	for (seq = 1; seq <= 2; seq++) {
		struct buf b = BUF_INIT;

		fixture_snapshot(&b, &fm, vault_id, root);
		fixture_committed(&fm, &b);
		assert_int_equal(envelope_finish(&b, 1000 + seq, seq), 0);
		assert_int_equal(envelope_decode_file(&e, b.data, b.len), 0);
		put_snapshot(w, 0, seq, b.data, b.len);
		buf_release(&b);
	}
	put_snapshot(w, 0, 3, "nothing", 7);
	assert_int_equal(census_take(&c, w->a, backend_dir_open), 0);
	assert_int_equal(c.snapshots, 3);
	assert_int_equal(c.damaged, 1);
	assert_int_equal(c.bytes, 2 * e.bytes);
	assert_int_equal(c.mounts[0].last_seq, 2);
	assert_int_equal(c.mounts[0].last_ns, 1002);
	assert_int_equal(c.mounts[0].last_files, e.files);
	assert_int_equal(c.mounts[0].last_bytes, e.bytes);
	census_release(&c);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_nothing_yet),
	    TEST(test_packs_and_damage),
	    TEST(test_lost_mount),
	    TEST(test_last),
	};

	if (sign_start() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
