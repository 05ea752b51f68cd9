/* store/envelope: every flip is noticed, by checksum or by signature. */

#include "base/bytes.h"
#include "base/err.h"
#include "lib/store_fixture.h"
#include "object/snapshot.h"
#include "sign/sign.h"
#include "store/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t vault_id[16] = "a vault's name";

static void
make(struct buf *b, struct fixture_mount *m)
{
	uint8_t root[32];

	fixture_mount(m, 3);
	fixture_id(root, 1);
	fixture_snapshot(b, m, vault_id, root);
}

static void
test_client_part(void **state)
{
	struct fixture_mount m, other;
	struct buf b = BUF_INIT;
	struct envelope e;
	size_t i;

	(void)state;
	make(&b, &m);
	assert_int_equal(envelope_decode_client(&e, b.data, b.len), 0);
	assert_memory_equal(e.vault, vault_id, 16);
	assert_memory_equal(e.mount, m.id, 16);
	assert_int_equal(e.client_seq, 1);
	assert_int_equal(e.nrefs, 1);
	assert_int_equal(envelope_check_signature(&e, m.public_key), 0);
	fixture_mount(&other, 4);
	assert_int_equal(
	    envelope_check_signature(&e, other.public_key), ERR_REFUSED);
	for (i = 0; i < b.len; i++) {
		b.data[i] ^= (uint8_t)(1 << i % 8);
		if (envelope_decode_client(&e, b.data, b.len) == 0)
			assert_int_equal(
			    envelope_check_signature(&e, m.public_key),
			    ERR_REFUSED);
		b.data[i] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(
		    envelope_decode_client(&e, b.data, i), ERR_DAMAGED);
	}
	assert_int_equal(buf_append8(&b, 0), 0);
	assert_int_equal(
	    envelope_decode_client(&e, b.data, b.len), ERR_DAMAGED);
	buf_release(&b);
}

static void
test_file(void **state)
{
	struct fixture_mount m;
	struct buf b = BUF_INIT;
	struct envelope e;
	uint8_t hash[32];
	size_t i, client;

	(void)state;
	make(&b, &m);
	client = b.len;
	assert_int_equal(envelope_finish(&b, -5, 77), 0);
	assert_int_equal(b.len, client + ENVELOPE_SERVER_BYTES);
	assert_int_equal(envelope_decode_file(&e, b.data, b.len), 0);
	assert_int_equal(e.receive_ns, -5);
	assert_int_equal(e.server_seq, 77);
	assert_int_equal(e.client_len, client);
	fixture_committed(&m, &(struct buf){b.data, client, client});
	envelope_hash(hash, &e);
	assert_memory_equal(hash, m.previous, 32);
	for (i = 0; i < b.len; i++) {
		b.data[i] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(
		    envelope_decode_file(&e, b.data, b.len), ERR_DAMAGED);
		b.data[i] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(
		    envelope_decode_file(&e, b.data, i), ERR_DAMAGED);
	}
	buf_release(&b);
}

/* Nonzero when both take it; they must say the same of it. */
static int
both_take(const uint8_t *p, size_t len)
{
	struct snapshot_envelope theirs;
	struct envelope ours;
	int a = envelope_decode_client(&ours, p, len);
	int b = snapshot_decode_client(&theirs, p, len);

	assert_int_equal(a, b);
	if (a < 0)
		return 0;
	assert_int_equal(ours.epoch, theirs.epoch);
	assert_memory_equal(ours.vault, theirs.vault, 16);
	assert_memory_equal(ours.mount, theirs.mount, 16);
	assert_true(ours.client_seq == theirs.client_seq);
	assert_memory_equal(ours.previous, theirs.previous, HASH_BYTES);
	assert_true(ours.files == theirs.files && ours.bytes == theirs.bytes);
	assert_memory_equal(ours.id, theirs.id, 32);
	assert_int_equal(ours.nrefs, theirs.nrefs);
	assert_ptr_equal(ours.refs, theirs.refs);
	assert_ptr_equal(ours.client + ours.client_len,
	    theirs.signature + ENVELOPE_SIGNATURE_BYTES);
	return 1;
}

/*
 * The client has a reader of its own (neither layer may know the other), and
 * there is one format: the two must agree about every flip and cut.
 */
static void
test_both_readers(void **state)
{
	struct fixture_mount m;
	uint8_t root[32] = {1};
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	fixture_mount(&m, 1);
	fixture_snapshot(&b, &m, vault_id, root);
	assert_int_equal(both_take(b.data, b.len), 1);
	for (i = 0; i < b.len; i++) {
		(void)both_take(b.data, i); /* it asserts */
		b.data[i] ^= 0x41;
		(void)both_take(b.data, b.len); /* likewise */
		b.data[i] ^= 0x41;
	}
	buf_release(&b);
}

static void
test_no_refs(void **state)
{
	struct fixture_mount m;
	uint8_t root[32] = {1};
	struct buf b = BUF_INIT;

	(void)state;
	fixture_mount(&m, 1);
	fixture_snapshot(&b, &m, vault_id, root);
	bytes_put32(b.data + 176, 0);
	memmove(b.data + ENVELOPE_FIXED_BYTES,
	    b.data + ENVELOPE_FIXED_BYTES + 32,
	    b.len - ENVELOPE_FIXED_BYTES - 32);
	assert_int_equal(both_take(b.data, b.len - 32), 0);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_client_part),
	    cmocka_unit_test(test_file),
	    cmocka_unit_test(test_both_readers),
	    cmocka_unit_test(test_no_refs),
	};

	if (sign_start() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
