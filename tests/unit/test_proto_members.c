/*
 * Every member of every JSON message, taken out or of another kind: it is
 * refused with a word, or what was understood is what was said.  And without
 * memory nothing else than ERR_NOMEM comes out.
 */

#include "base/err.h"
#include "fault/failing.h"
#include "lib/bad_json.h"
#include "proto/enroll.h"
#include "proto/hello.h"
#include "proto/login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t mount_seed[32] = {1};
static const uint8_t join_seed[32] = {2};
static const uint8_t store_seed[32] = {3};

union message {
	struct hello hello;
	struct login_request login_request;
	struct login_answer login_answer;
	struct enroll_request enroll_request;
	struct enroll_answer enroll_answer;
};

static void
make_header(struct header *h)
{
	memset(h, 0, sizeof(*h));
	memset(h->vault, 7, sizeof(h->vault));
	h->chunker_id = 1;
	h->chunk_average = 4096;
	h->chunk_min = 2048;
	h->chunk_max = 16384;
	sign_public(h->join_public, join_seed);
}

static void
make_enroll(struct enroll_request *rq, struct enroll_keys *keys)
{
	char uuid[ENROLL_UUID_LEN + 1];

	enroll_uuid(uuid);
	assert_int_equal(enroll_keys(keys, uuid), 0);
	memset(rq, 0, sizeof(*rq));
	rq->has_invitation = 1;
	memcpy(rq->invitation, keys->id, sizeof(rq->invitation));
	sign_public(rq->store, store_seed);
	sign_public(rq->mount_public, mount_seed);
	rq->mode = ENROLL_JOIN;
	memcpy(rq->label, "label", 6);
	make_header(&rq->header);
	assert_int_equal(
	    enroll_request_make(rq, mount_seed, join_seed, keys), 0);
}

static void
make_hello(union message *m)
{
	memset(m, 0, sizeof(*m));
	sign_public(m->hello.store, store_seed);
	m->hello.insecure = 1;
}

static void
make_login_request(union message *m)
{
	memset(m, 0, sizeof(*m));
	sign_public(m->login_request.store, store_seed);
	login_request_make(&m->login_request, mount_seed);
}

static void
make_login_answer(union message *m)
{
	struct login_answer *a = &m->login_answer;
	union message rq;

	make_login_request(&rq);
	memset(m, 0, sizeof(*m));
	a->has_parent = 1;
	a->parent_client_seq = 3;
	a->parent_server_seq = 4;
	make_header(&a->header);
	assert_int_equal(
	    login_answer_make(a, &rq.login_request, store_seed), 0);
}

static void
make_enroll_request(union message *m)
{
	struct enroll_keys keys;

	make_enroll(&m->enroll_request, &keys);
}

static void
make_enroll_answer(union message *m)
{
	struct enroll_request rq;
	struct enroll_keys keys;

	make_enroll(&rq, &keys);
	memset(m, 0, sizeof(*m));
	m->enroll_answer.header = rq.header;
	enroll_mount_id(m->enroll_answer.mount, rq.mount_public);
	assert_int_equal(
	    enroll_answer_make(&m->enroll_answer, &rq, store_seed, &keys), 0);
}

typedef int encode_fn(struct buf *out, const void *m);
typedef int decode_fn(void *out, const uint8_t *p, size_t len);

#define BOTH(name) \
	static int name##_out(struct buf *out, const void *m) \
	{ \
		return name##_encode(out, m); \
	} \
	static int name##_in(void *out, const uint8_t *p, size_t len) \
	{ \
		return name##_decode(out, p, len); \
	}
BOTH(hello)
BOTH(login_request)
BOTH(login_answer)
BOTH(enroll_request)
BOTH(enroll_answer)

struct kind {
	void (*make)(union message *m);
	encode_fn *encode;
	decode_fn *decode;
	unsigned forms_min; /* of wrong ones */
};

static const struct kind kinds[] = {
    {make_hello, hello_out, hello_in, 60},
    {make_login_request, login_request_out, login_request_in, 60},
    {make_login_answer, login_answer_out, login_answer_in, 200},
    {make_enroll_request, enroll_request_out, enroll_request_in, 200},
    {make_enroll_answer, enroll_answer_out, enroll_answer_in, 150},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void
try_one(void *arg, const char *what, const char *text, size_t len)
{
	const struct kind *k = arg;
	struct buf again = BUF_INIT;
	union message m;
	int r;

	memset(&m, 0, sizeof(m));
	err_set(0, "%s", "");
	r = k->decode(&m, (const uint8_t *)text, len);
	if (r != 0) {
		assert_true(r == ERR_DAMAGED || r == ERR_NOSTORE ||
			    r == ERR_UNREACHABLE);
		assert_string_not_equal(err_text(), "");
		return;
	}
	assert_int_equal(k->encode(&again, &m), 0);
	if (!bad_json_within((const char *)again.data, again.len, text, len))
		fail_msg("%s: taken, and told as %.*s", what, (int)again.len,
		    again.data);
	buf_release(&again);
}

static void
test_wrong_members(void **state)
{
	struct buf b = BUF_INIT;
	union message m;
	size_t i;

	(void)state;
	for (i = 0; i < KINDS; i++) {
		kinds[i].make(&m);
		buf_reset(&b);
		assert_int_equal(kinds[i].encode(&b, &m), 0);
		assert_true(
		    bad_json_each((const char *)b.data, b.len, try_one,
			(void *)(uintptr_t)&kinds[i]) >= kinds[i].forms_min);
	}
	buf_release(&b);
}

static void
test_without_memory(void **state)
{
	struct buf b = BUF_INIT, text = BUF_INIT;
	union message m, got;
	size_t i;
	int r;

	(void)state;
	for (i = 0; i < KINDS; i++) {
		kinds[i].make(&m);
		buf_reset(&text);
		assert_int_equal(kinds[i].encode(&text, &m), 0);
		failing_start_ways(FAILING_MEMORY | FAILING_LIBRARIES);
		while (failing_more()) {
			failing_arm();
			r = kinds[i].encode(&b, &m);
			failing_disarm();
			failing_check(r, 0);
			if (r == 0) {
				assert_int_equal(b.len, text.len);
				assert_memory_equal(b.data, text.data, b.len);
			}
			buf_release(&b);
			assert_int_equal(failing_blocks(), 0);
		}
		failing_check_count(3);
		failing_start_ways(FAILING_MEMORY | FAILING_LIBRARIES);
		while (failing_more()) {
			failing_arm();
			r = kinds[i].decode(&got, text.data, text.len);
			failing_disarm();
			failing_check(r, 0);
			assert_int_equal(failing_blocks(), 0);
		}
	}
	buf_release(&text);
}

/* Signatures and MACs need memory, too. */
static void
test_making_without_memory(void **state)
{
	union message rq, a;
	struct enroll_request erq;
	struct enroll_keys keys;
	uint8_t public_key[32];
	int r;

	(void)state;
	make_login_request(&rq);
	make_login_answer(&a);
	sign_public(public_key, mount_seed);
	failing_start_ways(FAILING_MEMORY);
	while (failing_more()) {
		failing_arm();
		r = login_answer_make(
		    &a.login_answer, &rq.login_request, store_seed);
		if (r == 0)
			r = login_answer_check(&a.login_answer,
			    &rq.login_request, rq.login_request.store);
		failing_disarm();
		failing_check(r, 0);
		assert_int_equal(failing_blocks(), 0);
	}
	failing_check_count(2);
	make_enroll(&erq, &keys);
	memset(&a, 0, sizeof(a));
	a.enroll_answer.header = erq.header;
	enroll_mount_id(a.enroll_answer.mount, erq.mount_public);
	failing_start_ways(FAILING_MEMORY);
	while (failing_more()) {
		failing_arm();
		r = enroll_request_make(&erq, mount_seed, join_seed, &keys);
		if (r == 0)
			r = enroll_request_check(
			    &erq, &keys, erq.header.join_public);
		if (r == 0)
			r = enroll_answer_make(
			    &a.enroll_answer, &erq, store_seed, &keys);
		if (r == 0)
			r = enroll_answer_check(&a.enroll_answer, &erq, &keys);
		failing_disarm();
		failing_check(r, 0);
		assert_int_equal(failing_blocks(), 0);
	}
	failing_check_count(4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wrong_members),
	    cmocka_unit_test(test_without_memory),
	    cmocka_unit_test(test_making_without_memory),
	};

	assert_int_equal(sign_start(), 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
