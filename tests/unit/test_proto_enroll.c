/* Registration messages: round trips, every member proved. */

#include "base/err.h"
#include "proto/enroll.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t mount_seed[32] = {1};
static const uint8_t join_seed[32] = {2};
static const uint8_t store_seed[32] = {3};
static const char uuid[] = "9d739ff3-c218-4a52-a6c3-22fb669c74df";

static void
make_request(struct enroll_request *rq, const struct enroll_keys *keys)
{
	memset(rq, 0, sizeof(*rq));
	rq->has_invitation = keys != NULL;
	if (keys != NULL)
		memcpy(rq->invitation, keys->id, sizeof(rq->invitation));
	sign_public(rq->store, store_seed);
	sign_public(rq->mount_public, mount_seed);
	rq->mode = ENROLL_NEW;
	memcpy(rq->label, "caf\xc3\xa9", 6);
	memset(rq->header.vault, 7, sizeof(rq->header.vault));
	rq->header.chunker_id = 1;
	rq->header.chunk_average = 4096;
	rq->header.chunk_min = 2048;
	rq->header.chunk_max = 0xffffffff;
	sign_public(rq->header.join_public, join_seed);
	assert_int_equal(
	    enroll_request_make(rq, mount_seed, join_seed, keys), 0);
}

static void
test_uuid(void **state)
{
	static const char *const bad[] = {"", "9d739ff3",
	    "9d739ff3-c218-4a52-a6c3-22fb669c74d",
	    "9d739ff3-c218-4a52-a6c3-22fb669c74dff",
	    "9d739ff3-c218-4a52-a6c3-22fb669c74dg",
	    "9d739ff3xc218-4a52-a6c3-22fb669c74df",
	    "../../../../../../../../../etc/passw"};
	char text[ENROLL_UUID_LEN + 1], again[ENROLL_UUID_LEN + 1];
	struct enroll_keys a, b;
	size_t i;

	(void)state;
	enroll_uuid(text);
	enroll_uuid(again);
	assert_int_equal(strlen(text), ENROLL_UUID_LEN);
	assert_string_not_equal(text, again);
	assert_int_equal(text[14], '4');
	assert_int_equal(enroll_keys(&a, text), 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(enroll_keys(&a, bad[i]), ERR_USAGE);
	/* Either case is the same invitation. */
	assert_int_equal(enroll_keys(&a, uuid), 0);
	assert_int_equal(
	    enroll_keys(&b, "9D739FF3-C218-4A52-A6C3-22FB669C74DF"), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_memory_not_equal(a.client_seed, a.server, 32);
}

static void
test_round_trip(void **state)
{
	uint8_t join_public[32];
	struct enroll_request rq, got;
	struct enroll_keys keys;
	struct buf b = BUF_INIT;

	(void)state;
	sign_public(join_public, join_seed);
	assert_int_equal(enroll_keys(&keys, uuid), 0);
	make_request(&rq, &keys);
	assert_int_equal(enroll_request_encode(&b, &rq), 0);
	assert_int_equal(enroll_request_decode(&got, b.data, b.len), 0);
	assert_int_equal(enroll_request_check(&got, &keys, join_public), 0);
	assert_string_equal(got.label, rq.label);
	assert_true(header_equal(&got.header, &rq.header));
	/* Without an invitation. */
	make_request(&rq, NULL);
	buf_reset(&b);
	assert_int_equal(enroll_request_encode(&b, &rq), 0);
	assert_int_equal(enroll_request_decode(&got, b.data, b.len), 0);
	assert_int_equal(got.has_invitation, 0);
	assert_int_equal(enroll_request_check(&got, NULL, join_public), 0);
	buf_release(&b);
}

/* Any changed byte of what is sent breaks the decoding or the proof. */
static void
test_every_change_of_the_request(void **state)
{
	uint8_t join_public[32];
	struct enroll_request rq, got;
	struct enroll_keys keys;
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	sign_public(join_public, join_seed);
	assert_int_equal(enroll_keys(&keys, uuid), 0);
	make_request(&rq, &keys);
	assert_int_equal(enroll_request_encode(&b, &rq), 0);
	for (i = 0; i < b.len; i++) {
		b.data[i] ^= 1;
		if (enroll_request_decode(&got, b.data, b.len) == 0) {
			int r = enroll_request_check(&got, &keys, join_public);

			assert_true(r == ERR_REFUSED ||
				    memcmp(&got, &rq, sizeof(rq)) == 0);
		}
		b.data[i] ^= 1;
	}
	/* Another invitation, another join key, no mount signature. */
	keys.client[0] ^= 1;
	assert_int_equal(
	    enroll_request_check(&rq, &keys, join_public), ERR_REFUSED);
	keys.client[0] ^= 1;
	join_public[0] ^= 1;
	assert_int_equal(
	    enroll_request_check(&rq, &keys, join_public), ERR_REFUSED);
	join_public[0] ^= 1;
	rq.mount_signature[5] ^= 1;
	assert_int_equal(
	    enroll_request_check(&rq, NULL, join_public), ERR_REFUSED);
	buf_release(&b);
}

static void
test_every_change_of_the_answer(void **state)
{
	struct enroll_request rq, other;
	struct enroll_answer a, got;
	struct enroll_keys keys, wrong;
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	assert_int_equal(enroll_keys(&keys, uuid), 0);
	make_request(&rq, &keys);
	memset(&a, 0, sizeof(a));
	enroll_mount_id(a.mount, rq.mount_public);
	a.created = 1;
	a.header = rq.header;
	assert_int_equal(enroll_answer_make(&a, &rq, store_seed, &keys), 0);
	assert_int_equal(enroll_answer_check(&a, &rq, &keys), 0);
	assert_int_equal(enroll_answer_encode(&b, &a), 0);
	for (i = 0; i < b.len; i++) {
		b.data[i] ^= 1;
		if (enroll_answer_decode(&got, b.data, b.len) == 0)
			assert_true(enroll_answer_check(&got, &rq, &keys) ==
					ERR_REFUSED ||
				    memcmp(&got, &a, sizeof(a)) == 0);
		b.data[i] ^= 1;
	}
	/* A server without the invitation, an answer to another request. */
	wrong = keys;
	wrong.server[0] ^= 1;
	assert_int_equal(enroll_answer_check(&a, &rq, &wrong), ERR_REFUSED);
	make_request(&other, &keys);
	assert_int_equal(enroll_answer_check(&a, &other, &keys), ERR_REFUSED);
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
	    cmocka_unit_test(test_uuid),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_every_change_of_the_request),
	    cmocka_unit_test(test_every_change_of_the_answer),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
