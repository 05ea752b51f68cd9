/* store/envelope: every flip is noticed, by checksum or by signature. */

#include "base/err.h"
#include "lib/store_fixture.h"
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_client_part),
	    cmocka_unit_test(test_file),
	};

	if (sign_start() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
