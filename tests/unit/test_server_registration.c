/* Who may register what: invitations, vaults, crashes in between. */

#include "base/clock.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hex.h"
#include "lib/server_fixture.h"
#include "lib/tempdir.h"
#include "server/invitation.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void
test_invitation_is_used_once(void **state)
{
	char uuid[ENROLL_UUID_LEN + 1];
	struct register_options o, other;
	struct register_result a, b;
	struct server_fixture f;
	int i;

	(void)state;
	server_fixture_start(&f, 0);
	assert_int_equal(invitation_make(uuid, f.dir, 0), 0);
	server_fixture_register_options(&o, &f, uuid, 1);
	server_fixture_register_options(&other, &f, uuid, 2);
	assert_int_equal(register_mount(&a, &o), 0);
	assert_int_equal(a.created, 1);
	/* The same client again, also after the server's restart. */
	for (i = 0; i < 2; i++) {
		assert_int_equal(register_mount(&b, &o), 0);
		assert_memory_equal(a.mount, b.mount, sizeof(a.mount));
		assert_int_equal(b.created, 0);
		/* Another one is refused. */
		assert_int_equal(register_mount(&b, &other), ERR_REFUSED);
		server_fixture_down(&f);
		server_fixture_up(&f, 0, &sessions_limits_default);
		o.url = other.url = f.url;
	}
	/* Without one, with one that is none, with one of elsewhere. */
	other.invitation = NULL;
	assert_int_equal(register_mount(&b, &other), ERR_REFUSED);
	other.invitation = "no";
	assert_int_equal(register_mount(&b, &other), ERR_USAGE);
	enroll_uuid(uuid);
	other.invitation = uuid;
	assert_int_equal(register_mount(&b, &other), ERR_REFUSED);
	server_fixture_stop(&f);
}

static void
test_invitation_expires(void **state)
{
	char uuid[ENROLL_UUID_LEN + 1], late[ENROLL_UUID_LEN + 1];
	struct register_options o;
	struct register_result a;
	struct server_fixture f;
	int64_t now = clock_wall_ns();

	(void)state;
	server_fixture_start(&f, 0);
	assert_int_equal(invitation_make(late, f.dir, now - 61000000000ll), 0);
	server_fixture_register_options(&o, &f, late, 1);
	assert_int_equal(register_mount(&a, &o), ERR_REFUSED);
	assert_non_null(strstr(err_text(), "expired 1 minute ago"));
	assert_int_equal(invitation_make(uuid, f.dir, now + 60000000000ll), 0);
	o.invitation = uuid;
	assert_int_equal(register_mount(&a, &o), 0);
	/* Used is used: it has no time any more, and is good for its mount. */
	assert_int_equal(register_mount(&a, &o), 0);
	server_fixture_stop(&f);
}

static void
test_vaults(void **state)
{
	char uuid[ENROLL_UUID_LEN + 1];
	struct register_options o;
	struct register_result a;
	struct server_fixture f;

	(void)state;
	server_fixture_start(&f, 1);
	server_fixture_register_options(&o, &f, NULL, 1);
	o.mode = ENROLL_JOIN; /* there is none yet */
	assert_int_equal(register_mount(&a, &o), ERR_NOENT);
	o.mode = ENROLL_EITHER;
	assert_int_equal(register_mount(&a, &o), 0);
	assert_int_equal(a.created, 1);

	/* A second mount of it, with the master key. */
	memset(o.mount_seed, 0x21, sizeof(o.mount_seed));
	o.mode = ENROLL_JOIN;
	assert_int_equal(register_mount(&a, &o), 0);
	assert_int_equal(a.created, 0);
	assert_true(header_equal(&a.header, &o.header));

	/* Without the master key an invitation is worth nothing there. */
	assert_int_equal(invitation_make(uuid, f.dir, 0), 0);
	o.invitation = uuid;
	memset(o.mount_seed, 0x22, sizeof(o.mount_seed));
	memset(o.join_seed, 0x66, sizeof(o.join_seed));
	assert_int_equal(register_mount(&a, &o), ERR_REFUSED);
	sign_public(o.header.join_public, o.join_seed);
	assert_int_equal(register_mount(&a, &o), ERR_REFUSED);
	o.mode = ENROLL_EITHER;
	assert_int_equal(register_mount(&a, &o), ERR_REFUSED);
	o.mode = ENROLL_NEW;
	assert_int_equal(register_mount(&a, &o), ERR_REFUSED);
	/* ... and was not used up by that. */
	server_fixture_register_options(&o, &f, uuid, 3);
	assert_int_equal(register_mount(&a, &o), 0);

	/* One mount key, one vault. */
	memset(o.mount_seed, 0x21, sizeof(o.mount_seed));
	o.invitation = NULL;
	assert_int_equal(register_mount(&a, &o), ERR_REFUSED);
	/* Another vault of the same name that must be new. */
	server_fixture_register_options(&o, &f, NULL, 1);
	memset(o.mount_seed, 0x23, sizeof(o.mount_seed));
	o.header.chunk_max++;
	assert_int_equal(register_mount(&a, &o), ERR_EXIST);
	/* Labels. */
	o.label = "";
	assert_int_equal(register_mount(&a, &o), ERR_USAGE);
	o.label = "\xff\xfe";
	assert_int_equal(register_mount(&a, &o), ERR_USAGE);
	server_fixture_stop(&f);
}

/* Nothing that opens the door stands in the store. */
static void
test_store_keeps_no_secret(void **state)
{
	char uuid[ENROLL_UUID_LEN + 1], hex[33], *path, *text;
	static const uint8_t seed[SIGN_SEED_BYTES] = {5};
	struct enroll_request rq = {.has_invitation = 1, .label = "thief"};
	struct enroll_answer answer;
	struct enroll_keys keys, stored;
	struct server_fixture f;
	struct buf b = BUF_INIT;
	struct stat st;

	(void)state;
	server_fixture_start(&f, 0);
	assert_int_equal(invitation_make(uuid, f.dir, 0), 0);
	assert_int_equal(enroll_keys(&keys, uuid), 0);
	hex_encode(hex, keys.id, sizeof(keys.id));
	path = fs_printf("%s/invitations/%s.json", f.dir, hex);
	assert_int_equal(fs_read_file(&b, -1, path, 10000), 0);
	assert_int_equal(buf_append8(&b, 0), 0);
	text = (char *)b.data;
	assert_null(strstr(text, uuid));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* With all that it has of the invitation nobody can register. */
	memcpy(rq.store, account_public(f.account), sizeof(rq.store));
	memcpy(rq.invitation, keys.id, sizeof(rq.invitation));
	sign_public(rq.mount_public, seed);
	sign_public(rq.header.join_public, seed);
	rq.mode = ENROLL_NEW;
	assert_int_equal(
	    invitation_find(&stored, f.account, keys.id, rq.mount_public), 0);
	assert_int_equal(enroll_request_make(&rq, seed, seed, &stored), 0);
	assert_int_equal(
	    registration_do(&answer, &f.dispatch.registration, &rq),
	    ERR_REFUSED);
	assert_int_equal(enroll_request_make(&rq, seed, seed, &keys), 0);
	assert_int_equal(
	    registration_do(&answer, &f.dispatch.registration, &rq), 0);
	free(path);
	buf_release(&b);
	server_fixture_stop(&f);
}

/* Put a store back to an earlier step of a registration. */
static void
drop(const struct server_fixture *f, const char *folder, const char *tail,
    const uint8_t *id)
{
	char hex[33], *path;

	hex_encode(hex, id, 16);
	path = fs_printf("%s/%s/%s%s", f->dir, folder, hex, tail);
	assert_int_equal(unlink(path), 0);
	free(path);
}

static void
test_crash_in_between(void **state)
{
	char uuid[ENROLL_UUID_LEN + 1];
	struct register_options o, other;
	struct register_result a, b;
	struct server_fixture f;
	int step;

	(void)state;
	server_fixture_start(&f, 0);
	for (step = 0; step < 2; step++) {
		assert_int_equal(invitation_make(uuid, f.dir, 0), 0);
		server_fixture_register_options(
		    &o, &f, uuid, (uint8_t)(10 + step));
		server_fixture_register_options(
		    &other, &f, uuid, (uint8_t)(20 + step));
		assert_int_equal(register_mount(&a, &o), 0);
		/* The mount was not written; then: nor the vault. */
		drop(&f, "mounts", ".json", a.mount);
		if (step == 1)
			drop(&f, "vaults", "/vault.json", a.header.vault);
		assert_int_equal(register_mount(&b, &other), ERR_REFUSED);
		assert_int_equal(register_mount(&b, &o), 0);
		assert_memory_equal(a.mount, b.mount, sizeof(a.mount));
		assert_int_equal(b.created, step);
	}
	server_fixture_stop(&f);
}

static int
note_mount(void *arg, const struct account_mount *m)
{
	unsigned *n = arg;

	assert_string_equal(m->label, "desktop");
	assert_true(m->created_ns > 0);
	++*n;
	return *n == 2 ? 77 : 0;
}

static void
test_accounts(void **state)
{
	char *dir = tempdir_new(), *store = fs_join(dir, "deep/store");
	uint8_t public_key[32], id[16] = {0};
	struct account_mount m;
	struct account *a, *b;
	struct header h, got;
	unsigned n = 0;
	uint8_t i;
	int created;

	(void)state;
	assert_int_equal(account_open(&a, store, 0), ERR_NOSTORE);
	assert_int_equal(
	    account_open(&a, store, ACCOUNT_CREATE | ACCOUNT_LOCK), 0);
	/* Somebody else may look, but not lock. */
	assert_int_equal(account_open(&b, store, ACCOUNT_LOCK), ERR_BUSY);
	assert_int_equal(account_open(&b, store, ACCOUNT_CREATE), 0);
	assert_memory_equal(account_public(a), account_public(b), 32);
	account_close(b);
	assert_int_equal(account_mount(&m, a, id), 1);
	assert_int_equal(account_vault(&got, a, id), 1);
	for (i = 1; i <= 3; i++) {
		memset(public_key, i, sizeof(public_key));
		server_fixture_header(&h, public_key, (uint8_t)(i / 2));
		memset(h.join_public, i / 2, sizeof(h.join_public));
		assert_int_equal(account_add(&m, &got, &created, a, public_key,
				     "desktop", &h, ENROLL_EITHER),
		    0);
		assert_int_equal(created, i != 3);
	}
	assert_int_equal(account_mounts(a, h.vault, note_mount, &n), 77);
	assert_int_equal(n, 2);
	n = 2;
	assert_int_equal(account_mounts(a, NULL, note_mount, &n), 0);
	assert_int_equal(n, 5);
	account_close(a);
	/* The key and the name belong together. */
	free(store);
	store = fs_join(dir, "deep/store/server.key");
	assert_int_equal(truncate(store, 31), 0);
	free(store);
	store = fs_join(dir, "deep/store");
	assert_int_equal(account_open(&a, store, 0), ERR_DAMAGED);
	free(store);
	tempdir_free(dir);
}

static int
start(void **state)
{
	(void)state;
	return sign_start();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_invitation_is_used_once),
	    cmocka_unit_test(test_invitation_expires),
	    cmocka_unit_test(test_vaults),
	    cmocka_unit_test(test_store_keeps_no_secret),
	    cmocka_unit_test(test_crash_in_between),
	    cmocka_unit_test(test_accounts),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
