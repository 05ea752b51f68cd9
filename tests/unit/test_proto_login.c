/* Log-in messages: both sides get the same keys, every member is proved. */

#include "base/err.h"
#include "proto/login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t mount_seed[32] = {1};
static const uint8_t store_seed[32] = {3};

struct exchange {
	struct login_request rq;
	struct login_answer a;
	uint8_t client_secret[32], server_secret[32];
	uint8_t mount_public[32], store_public[32];
};

static void
make_exchange(struct exchange *x, int has_parent)
{
	memset(x, 0, sizeof(*x));
	sign_public(x->mount_public, mount_seed);
	sign_public(x->store_public, store_seed);
	memcpy(x->rq.store, x->store_public, 32);
	memset(x->rq.mount, 5, sizeof(x->rq.mount));
	sign_dh_pair(x->client_secret, x->rq.dh);
	login_request_make(&x->rq, mount_seed);
	sign_dh_pair(x->server_secret, x->a.dh);
	memset(x->a.session, 6, sizeof(x->a.session));
	x->a.has_parent = has_parent;
	if (has_parent) {
		x->a.parent_client_seq = 12;
		x->a.parent_server_seq = INT64_MAX;
		memset(x->a.parent_hash, 8, sizeof(x->a.parent_hash));
	}
	assert_int_equal(login_answer_make(&x->a, &x->rq, store_seed), 0);
}

static void
test_same_keys(void **state)
{
	struct mac_session client, server, other;
	struct login_request rq;
	struct login_answer a;
	struct exchange x;
	struct buf b = BUF_INIT;
	int parent;

	(void)state;
	for (parent = 0; parent < 2; parent++) {
		make_exchange(&x, parent);
		buf_reset(&b);
		assert_int_equal(login_request_encode(&b, &x.rq), 0);
		assert_int_equal(login_request_decode(&rq, b.data, b.len), 0);
		assert_int_equal(login_request_check(&rq, x.mount_public), 0);
		buf_reset(&b);
		assert_int_equal(login_answer_encode(&b, &x.a), 0);
		assert_int_equal(login_answer_decode(&a, b.data, b.len), 0);
		assert_int_equal(
		    login_answer_check(&a, &x.rq, x.store_public), 0);
		assert_int_equal(
		    login_session(&client, &x.rq, &a, x.client_secret, a.dh),
		    0);
		assert_int_equal(
		    login_session(&server, &rq, &x.a, x.server_secret, rq.dh),
		    0);
		assert_memory_equal(&client, &server, sizeof(client));
		assert_memory_not_equal(
		    client.request_key, client.answer_key, 32);
		/* Who only listened has other keys. */
		assert_int_equal(
		    login_session(&other, &rq, &x.a, x.server_secret, x.a.dh),
		    0);
		assert_memory_not_equal(
		    other.request_key, client.request_key, 32);
	}
	/* A degenerate key gives none. */
	memset(a.dh, 0, sizeof(a.dh));
	assert_int_equal(
	    login_session(&client, &x.rq, &a, x.client_secret, a.dh),
	    ERR_REFUSED);
	buf_release(&b);
}

static void
test_every_change(void **state)
{
	struct login_request rq;
	struct login_answer a;
	struct exchange x;
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	make_exchange(&x, 1);
	assert_int_equal(login_request_encode(&b, &x.rq), 0);
	for (i = 0; i < b.len; i++) {
		b.data[i] ^= 1;
		if (login_request_decode(&rq, b.data, b.len) == 0)
			assert_true(login_request_check(&rq, x.mount_public) ==
					ERR_REFUSED ||
				    memcmp(&rq, &x.rq, sizeof(rq)) == 0);
		b.data[i] ^= 1;
	}
	buf_reset(&b);
	assert_int_equal(login_answer_encode(&b, &x.a), 0);
	for (i = 0; i < b.len; i++) {
		b.data[i] ^= 1;
		if (login_answer_decode(&a, b.data, b.len) == 0)
			assert_int_equal(
			    login_answer_check(&a, &x.rq, x.store_public),
			    ERR_REFUSED);
		b.data[i] ^= 1;
	}
	/* Another store signs. */
	x.store_public[0] ^= 1;
	assert_int_equal(
	    login_answer_check(&x.a, &x.rq, x.store_public), ERR_REFUSED);
	buf_release(&b);
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
	    cmocka_unit_test(test_same_keys),
	    cmocka_unit_test(test_every_change),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
