/* Snapshots as a client lists and names them. */

#include "base/err.h"
#include "base/hex.h"
#include "engine/catalog.h"
#include "lib/planter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	struct memory_store *m;
	struct catalog *c;
	char warnings[2000];
};

/* A snapshot whose directory holds one name. */
static void
commit(struct fixture *f, const char *name)
{
	struct planter p;
	struct entry e;

	planter_init(&p, f->m);
	planter_meta(&e, name, ADDRESS_FIFO);
	planter_fifo(&p, &e);
	planter_meta(&e, "", ADDRESS_DIR);
	planter_commit(&p, &e);
	planter_release(&p);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->m = memory_store_new();
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	catalog_free(f->c);
	memory_store_free(f->m);
	free(f);
	return 0;
}

static void
warn(void *arg, const char *text)
{
	struct fixture *f = arg;
	size_t len = strlen(f->warnings);

	(void)snprintf(
	    f->warnings + len, sizeof(f->warnings) - len, "%s\n", text);
}

static void
load(struct fixture *f)
{
	catalog_free(f->c);
	f->c = NULL;
	f->warnings[0] = '\0';
	assert_int_equal(0, catalog_load(&f->c, &f->m->store, &f->m->keys,
				f->m->store.info.mount, warn, f));
}

/* The server's sequence of the snapshot that `key` means; or the error. */
static int
resolve(struct fixture *f, const char *key)
{
	const struct catalog_entry *e;
	int rc = catalog_resolve(&e, f->c, key);

	return rc == 0 ? (int)e->server_seq : rc;
}

static void
keys_are_found(void **state)
{
	struct fixture *f = *state;
	char key[ADDRESS_TEXT_BYTES + 2];

	load(f);
	assert_int_equal(ERR_NOENT, resolve(f, "latest"));
	assert_int_equal(ERR_NOENT, resolve(f, NULL));
	commit(f, "a");
	commit(f, "b");
	commit(f, "a");
	commit(f, "c");
	load(f);
	assert_string_equal("", f->warnings);
	assert_int_equal(4, f->c->nentries);
	assert_string_equal("desk", f->c->entries[0].mount->label);
	assert_int_equal(1, f->c->entries[2].info.files);
	assert_int_equal(4, resolve(f, "latest"));
	assert_int_equal(4, resolve(f, NULL));
	assert_int_equal(1, resolve(f, "@1"));
	assert_int_equal(4, resolve(f, "@0004"));
	assert_int_equal(ERR_NOENT, resolve(f, "@5"));
	assert_int_equal(ERR_NOENT, resolve(f, "@0"));

	/* The first and third are equal: the newer one. */
	memcpy(key, f->c->entries[0].key, ADDRESS_TEXT_BYTES);
	assert_int_equal('X', key[0]);
	assert_int_equal(3, resolve(f, key));
	assert_int_equal(3, resolve(f, key + 1));
	key[0] = 'x';
	assert_int_equal(3, resolve(f, key));
	key[9] = '\0';
	assert_int_equal(3, resolve(f, key));
	assert_int_equal(3, resolve(f, key + 1));
	key[8] = '\0';
	assert_int_equal(ERR_USAGE, resolve(f, key));
	memcpy(key, f->c->entries[1].key, ADDRESS_TEXT_BYTES);
	assert_int_equal(2, resolve(f, key));
	key[40] = key[40] == '0' ? '1' : '0';
	assert_int_equal(ERR_NOENT, resolve(f, key));
}

static void
malformed_keys(void **state)
{
	static const char *const wrong[] = {"", "X", "latest ", "LATEST", "@",
	    "@1x", "@-1", "@ 1", "@1234567890123456789", "XX12345678",
	    "1234567g", "../../etc", "12345678\n"};
	struct fixture *f = *state;
	char longer[70];
	size_t i;

	commit(f, "a");
	load(f);
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(ERR_USAGE, resolve(f, wrong[i]));
	memset(longer, '1', sizeof(longer));
	longer[65] = '\0';
	assert_int_equal(ERR_USAGE, resolve(f, longer));
}

static void
ambiguous_keys(void **state)
{
	struct fixture *f = *state;
	char *a, *b;

	commit(f, "a");
	commit(f, "b");
	load(f);
	/* No two real keys with 8 equal digits are at hand. */
	a = f->c->entries[0].key;
	b = f->c->entries[1].key;
	memcpy(b, a, 10);
	b[10] = a[10] == '0' ? '1' : '0';
	a[9] = '\0';
	assert_int_equal(ERR_USAGE, resolve(f, a + 1));
	assert_non_null(strstr(err_text(), "several"));
}

/* Whatever byte is changed, the snapshot is told and never chosen. */
static void
flipped_bytes(void **state)
{
	struct fixture *f = *state;
	struct buf *b;
	size_t i;

	commit(f, "a");
	commit(f, "b");
	b = memory_store_snapshot(f->m, 1);
	for (i = 0; i < b->len; i++) {
		b->data[i] ^= 0x20;
		load(f);
		assert_int_equal(2, f->c->nentries);
		assert_non_null(f->c->entries[1].damage);
		assert_int_equal(2, f->c->entries[1].server_seq);
		assert_ptr_equal(f->c->mounts, f->c->entries[1].mount);
		assert_int_equal(ERR_DAMAGED, resolve(f, "@2"));
		assert_null(f->c->entries[0].damage);
		assert_true(f->warnings[0] != '\0');
		assert_int_equal(ERR_DAMAGED, resolve(f, "latest"));
		assert_int_equal(1, resolve(f, "@1"));
		b->data[i] ^= 0x20;
	}
	b->len--;
	load(f);
	assert_non_null(f->c->entries[1].damage);
	b->len++;
	load(f);
	assert_null(f->c->entries[1].damage);
}

/* A byte of the signed part is changed and the checksum, which needs no key,
 * made to fit: then the signature tells. */
static void
changed_and_sealed_again(void **state)
{
	static const size_t at[] = {
	    4, 8, 24, 40, 48, 80, 88, 128, 176, 184, 220, 260};
	struct fixture *f = *state;
	struct buf *b, keep = BUF_INIT;
	size_t i;

	commit(f, "a");
	b = memory_store_snapshot(f->m, 0);
	assert_int_equal(0, buf_append(&keep, b->data, b->len));
	for (i = 0; i < sizeof(at) / sizeof(*at); i++) {
		memcpy(b->data, keep.data, keep.len);
		b->data[at[i]] ^= 1;
		hash_bytes(b->data + b->len - HASH_BYTES, b->data,
		    b->len - HASH_BYTES);
		load(f);
		assert_non_null(f->c->entries[0].damage);
		assert_int_equal(ERR_DAMAGED, resolve(f, "latest"));
	}
	/* The server's own part is not signed. */
	memcpy(b->data, keep.data, keep.len);
	b->data[b->len - HASH_BYTES - 16] ^= 1;
	hash_bytes(b->data + b->len - HASH_BYTES, b->data, b->len - HASH_BYTES);
	load(f);
	assert_null(f->c->entries[0].damage);
	buf_release(&keep);
}

static void
strangers(void **state)
{
	struct fixture *f = *state;

	commit(f, "a");
	f->m->mount_public[3] ^= 1;
	load(f);
	assert_non_null(strstr(f->warnings, "not signed by its mount"));
	f->m->mount_public[3] ^= 1;
	f->m->store.info.mount[0] ^= 1;
	load(f);
	assert_non_null(strstr(f->warnings, "not asked for"));
	catalog_free(f->c);
	f->c = NULL;
	f->warnings[0] = '\0';
	assert_int_equal(
	    0, catalog_load(&f->c, &f->m->store, &f->m->keys, NULL, warn, f));
	assert_non_null(strstr(f->warnings, "mount that is not known"));
	f->m->store.info.mount[0] ^= 1;
	/* A snapshot of another vault with the same mount. */
	f->m->keys.vault[0] ^= 1;
	load(f);
	assert_non_null(strstr(f->warnings, "of another vault"));
}

static void
breaks_of_the_chain(void **state)
{
	struct fixture *f = *state;
	struct buf *s, keep;

	commit(f, "a");
	commit(f, "b");
	commit(f, "c");
	s = memory_store_snapshot(f->m, 0);
	load(f);
	assert_int_equal(CATALOG_CHAIN_OK, f->c->entries[2].chain);

	/* The one in the middle is withheld. */
	keep = s[1];
	s[1] = s[2];
	f->m->snapshots.len -= sizeof(keep);
	load(f);
	assert_int_equal(2, f->c->nentries);
	assert_int_equal(CATALOG_CHAIN_GAP, f->c->entries[1].chain);
	assert_non_null(strstr(f->warnings, "@3 of desk: snapshots before"));
	/* A gap hides nothing that is there. */
	assert_int_equal(3, resolve(f, "latest"));
	s[2] = s[1];
	s[1] = keep;
	f->m->snapshots.len += sizeof(keep);

	/* One is shown twice. */
	keep = s[2];
	s[2] = s[1];
	load(f);
	assert_int_equal(CATALOG_CHAIN_BROKEN, f->c->entries[2].chain);
	s[2] = keep;

	/* A second history: the third was made after another second one. */
	keep = s[1];
	memset(&s[1], 0, sizeof(keep));
	f->m->snapshots.len = sizeof(keep);
	hash_bytes(
	    f->m->last_hash, s[0].data, s[0].len - SNAPSHOT_SERVER_BYTES);
	commit(f, "other");
	f->m->snapshots.len = 3 * sizeof(keep);
	load(f);
	assert_int_equal(CATALOG_CHAIN_OK, f->c->entries[1].chain);
	assert_int_equal(CATALOG_CHAIN_BROKEN, f->c->entries[2].chain);
	assert_non_null(strstr(f->warnings, "@3 of desk: does not follow"));
	buf_release(&keep);
}

/* While the store could not read the second, another followed the first; now
 * it shows both, and nothing is missing. */
static void
two_follow_one(void **state)
{
	struct fixture *f = *state;
	struct buf *s;

	commit(f, "a");
	commit(f, "b");
	s = memory_store_snapshot(f->m, 0);
	hash_bytes(
	    f->m->last_hash, s[0].data, s[0].len - SNAPSHOT_SERVER_BYTES);
	f->m->passed_over = 1;
	commit(f, "c");
	commit(f, "d");
	load(f);
	assert_int_equal(4, f->c->nentries);
	assert_int_equal(CATALOG_CHAIN_OK, f->c->entries[2].chain);
	assert_int_equal(CATALOG_CHAIN_OK, f->c->entries[3].chain);
	assert_string_equal("", f->warnings);
}

static void
mounts_by_name(void **state)
{
	struct fixture *f = *state;
	char text[2 * STORE_NAME_BYTES + 1];
	uint8_t mount[STORE_NAME_BYTES];
	struct store *s = &f->m->store;

	assert_int_equal(0, catalog_find_mount(mount, s, "desk"));
	assert_memory_equal(s->info.mount, mount, sizeof(mount));
	hex_encode(text, s->info.mount, sizeof(mount));
	assert_int_equal(0, catalog_find_mount(mount, s, text));
	text[8] = '\0';
	assert_int_equal(0, catalog_find_mount(mount, s, text));
	text[7] = '\0';
	assert_int_equal(ERR_NOENT, catalog_find_mount(mount, s, text));
	assert_int_equal(ERR_NOENT, catalog_find_mount(mount, s, "des"));
	assert_int_equal(ERR_NOENT, catalog_find_mount(mount, s, ""));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(keys_are_found),
	    TEST(malformed_keys),
	    TEST(ambiguous_keys),
	    TEST(flipped_bytes),
	    TEST(changed_and_sealed_again),
	    TEST(strangers),
	    TEST(breaks_of_the_chain),
	    TEST(two_follow_one),
	    TEST(mounts_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
