/* The examples of docs/format.md 3, a record and a pack that holds it, and of
 * what a store notes about snapshots: 8.3 and 9.3. */

#include "backend/mem.h"
#include "base/bytes.h"
#include "base/hex.h"
#include "hash/hash.h"
#include "lib/vectors.h"
#include "store/backend.h"
#include "store/pack.h"
#include "store/record.h"
#include "store/stamps.h"
#include "store/tomb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Where things lie in a pack of one record. */
#define RANDOM_AT 24
#define FIRST_SECTION_BYTES 8 /* type, zero, length */

static struct vectors *vectors;
static uint8_t vault[PACK_VAULT_BYTES];

static int
start(void **state)
{
	uint8_t master[32];
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(master); i++)
		master[i] = (uint8_t)i;
	hash_derive(vault, sizeof(vault), "hashstore 2026 vault id v1", master,
	    sizeof(master));
	vectors = vectors_open("docs/format.md");
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	vectors_close(vectors);
	return 0;
}

/* The chunk "hello" and a line feed, sealed as section 5.2 shows. */
static void
make_record(struct buf *out)
{
	static const uint8_t key_id[16];
	struct record r = {.class = RECORD_DATA, .key_id = key_id};
	size_t len;

	r.id = vectors_get(&len, vectors, "object id");
	assert_true(len >= RECORD_ID_BYTES);
	r.sealed = vectors_get(&len, vectors, "sealed frame");
	r.sealed_len = (uint32_t)len;
	assert_int_equal(record_encode(out, &r), 0);
}

static void
test_record(void **state)
{
	struct buf b = BUF_INIT;
	struct record r;

	(void)state;
	make_record(&b);
	vectors_check(vectors, "record", b.data, b.len);
	assert_int_equal(record_decode(&r, b.data, b.len), 0);
	buf_release(&b);
}

/* A real pack but for its random bytes: 30 .. 3f, and what depends on them. */
static void
make_pack(struct buf *out, uint8_t name[HASH_BYTES])
{
	struct pack_writer *w;
	struct backend *b;
	struct buf record = BUF_INIT;
	struct record r;
	char path[PACK_PATH_BYTES];
	uint64_t size, footer_at;
	uint32_t offset, i;
	uint8_t *p;

	make_record(&record);
	assert_int_equal(record_decode(&r, record.data, record.len), 0);
	assert_int_equal(backend_mem_open(&b, 1), 0);
	assert_int_equal(pack_writer_open(&w, b, RECORD_DATA, vault), 0);
	assert_int_equal(pack_writer_add(&offset, w, &r), 0);
	assert_int_equal(pack_writer_commit(name, w), 0);
	pack_path(path, name);
	assert_int_equal(b->ops->size(&size, b, path), 0);
	assert_int_equal(buf_extend(&p, out, size), 0);
	assert_int_equal(b->ops->get(b, path, p, size, 0), 0);
	b->ops->close(b);
	buf_release(&record);

	for (i = 0; i < 16; i++)
		p[RANDOM_AT + i] = (uint8_t)(0x30 + i);
	footer_at = bytes_get64(p + size - PACK_TRAILER_BYTES);
	hash_bytes(p + footer_at + FIRST_SECTION_BYTES, p, PACK_HEADER_BYTES);
	hash_bytes(name, p + footer_at, size - PACK_TRAILER_BYTES - footer_at);
}

static void
test_pack(void **state)
{
	struct pack k = PACK_INIT;
	struct buf b = BUF_INIT;
	struct pack_entry e;
	uint8_t name[HASH_BYTES];
	char path[PACK_PATH_BYTES];

	(void)state;
	make_pack(&b, name);
	vectors_check(vectors, "pack", b.data, b.len);
	pack_path(path, name);
	vectors_check(vectors, "pack path", path, strlen(path));
	/* The document's bytes are a pack to every check. */
	assert_int_equal(pack_decode(&k, name, b.data, b.len, vault), 0);
	assert_int_equal(k.count, 1);
	pack_entry(&e, &k, 0);
	assert_int_equal(
	    pack_check_record(NULL, &e, b.data + e.offset, e.length), 0);
	pack_release(&k);
	buf_release(&b);
}

static void
test_tombstone(void **state)
{
	uint8_t seed[SIGN_SEED_BYTES], key[SIGN_PUBLIC_BYTES];
	uint8_t bytes[TOMB_BYTES];
	const uint8_t *example;
	struct tomb t,
	    want = {.reason = TOMB_POLICY, .server_seq = 1, .client_seq = 1};
	size_t len;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)(0x40 + i);
	for (i = 0; i < sizeof(want.mount); i++)
		want.mount[i] = (uint8_t)(0xa0 + i);
	memcpy(want.vault, vault, sizeof(want.vault));
	example = vectors_get(&len, vectors, "snapshot hash");
	assert_int_equal(len, sizeof(want.hash));
	memcpy(want.hash, example, sizeof(want.hash));
	example = vectors_get(&len, vectors, "snapshot");
	want.receive_ns = (int64_t)bytes_get64(example + len - 48);
	want.stamp_ns = want.receive_ns;
	want.retired_ns = want.wall_ns =
	    want.receive_ns + 40 * INT64_C(86400000000000);
	assert_int_equal(sign_start(), 0);
	tomb_encode(bytes, &want, seed);
	vectors_check(vectors, "tombstone", bytes, sizeof(bytes));
	sign_public(key, seed);
	assert_int_equal(tomb_decode(&t, bytes, sizeof(bytes)), 0);
	assert_int_equal(tomb_check_signature(bytes, key), 0);
	assert_int_equal(t.retired_ns, want.retired_ns);
	assert_memory_equal(t.hash, want.hash, sizeof(t.hash));
}

static void
test_times(void **state)
{
	struct buf found = BUF_INIT;
	const struct stamp *s;
	const uint8_t *example;
	uint8_t mount[16];
	size_t len;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(mount); i++)
		mount[i] = (uint8_t)(0xa0 + i);
	example = vectors_get(&len, vectors, "times");
	assert_int_equal(
	    stamps_decode(&found, example, len, vault, mount, 2), 0);
	s = (const struct stamp *)(const void *)found.data;
	assert_int_equal(found.len, 2 * sizeof(*s));
	assert_int_equal(s[0].seq, 1);
	assert_int_equal(s[1].seq, 2);
	assert_int_equal(s[1].ns - s[0].ns, INT64_C(86400000000000));
	buf_release(&found);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_record),
	    cmocka_unit_test(test_pack),
	    cmocka_unit_test(test_tombstone),
	    cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
