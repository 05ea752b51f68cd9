/* What the server makes of requests that no good client sends. */

#include "base/bytes.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/limits.h"
#include "lib/server_fixture.h"
#include "net/http_client.h"
#include "proto/fault.h"
#include "proto/login.h"
#include "proto/segment.h"
#include "store/record.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

/* Send raw bytes, read to the end of the connection; a minute of
 * silence ends it, too. */
static void
raw(char *out, size_t cap, uint16_t port, const char *text, size_t len)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	struct timeval tv = {.tv_sec = 60};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t n = 0, sent = 0;
	ssize_t got;

	sa.sin_port = htons(port);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	while (sent < len) {
		got = send(fd, text + sent, len - sent, MSG_NOSIGNAL);
		if (got <= 0)
			break; /* the server has seen enough */
		sent += (size_t)got;
	}
	while (n < cap - 1 && (got = recv(fd, out + n, cap - 1 - n, 0)) > 0)
		n += (size_t)got;
	out[n] = '\0';
	close(fd);
}

static int
status_of(uint16_t port, const char *text)
{
	char out[4096];

	raw(out, sizeof(out), port, text, strlen(text));
	return strncmp(out, "HTTP/1.1 ", 9) == 0
		   ? (int)strtol(out + 9, NULL, 10)
		   : 0;
}

#define END " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
#define EMPTY \
	" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" \
	"Content-Length: 0\r\n\r\n"

static void
test_routes(void **state)
{
	static const char *const unknown[] = {"GET /" END, "GET /v1/hello/" END,
	    "GET /v1/hello?" END, "GET /v1/hello?a=b" END,
	    "GET /v1/%68ello" END, "GET //v1/hello" END,
	    "GET /v1/../v1/hello" END, "GET /V1/HELLO" END, "GET /v1/have" END,
	    "GET /v1/register" END, "POST /v1/hello" EMPTY,
	    "POST /v1/nothing" EMPTY, "PUT /v1/put" EMPTY,
	    "DELETE /v1/put" EMPTY, "GET /v1/hello%00" END};
	struct server_fixture f;
	char out[4096], *at;
	size_t i;

	(void)state;
	server_fixture_start(&f, 0);
	assert_int_equal(status_of(f.port, "GET /v1/hello" END), 200);
	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_int_equal(status_of(f.port, unknown[i]), 404);
	raw(out, sizeof(out), f.port, unknown[0], strlen(unknown[0]));
	at = strstr(out, "\r\n\r\n");
	assert_non_null(at);
	assert_int_equal(
	    fault_decode((uint8_t *)at + 4, strlen(at + 4)), ERR_NOENT);
	/* No session; JSON that is none. */
	assert_int_equal(status_of(f.port, "POST /v1/have" EMPTY), 400);
	assert_int_equal(status_of(f.port, "POST /v1/login" EMPTY), 400);
	assert_int_equal(status_of(f.port, "POST /v1/register" EMPTY), 400);
	/* No length. */
	assert_int_equal(status_of(f.port, "POST /v1/login" END), 413);
	server_fixture_stop(&f);
}

static void
test_limits_of_http(void **state)
{
	struct server_fixture f;
	struct buf b = BUF_INIT;
	char out[4096];
	int i;

	(void)state;
	server_fixture_start(&f, 0);
	/* A body above the route's limit is not waited for. */
	assert_int_equal(
	    status_of(f.port, "POST /v1/login HTTP/1.1\r\nHost: x\r\n"
			      "Content-Length: 65537\r\n\r\n"),
	    413);
	assert_int_equal(
	    status_of(f.port,
		"POST /v1/login HTTP/1.1\r\nHost: x\r\n"
		"Content-Length: 99999999999999999999999\r\n\r\n") != 200,
	    1);
	/* Without a session, a long body is dropped as it comes. */
	assert_int_equal(buf_printf(&b,
			     "POST /v1/put HTTP/1.1\r\nHost: x\r\n"
			     "X-Hashstore-Session: %032d\r\n"
			     "X-Hashstore-Number: 1\r\n"
			     "Connection: close\r\n"
			     "Content-Length: %u\r\n\r\n",
			     0, LIMIT_PUT_BYTES),
	    0);
	assert_int_equal(buf_append_zeros(&b, LIMIT_PUT_BYTES), 0);
	raw(out, sizeof(out), f.port, (char *)b.data, b.len);
	assert_non_null(strstr(out, "HTTP/1.1 409"));
	assert_non_null(strstr(out, "X-Hashstore-Proof: signature"));
	/* A body that ends before its length: nobody is asked, nor answered. */
	raw(out, sizeof(out), f.port,
	    "POST /v1/login HTTP/1.1\r\nHost: x\r\n"
	    "Content-Length: 10\r\n\r\n{}",
	    strlen("POST /v1/login HTTP/1.1\r\nHost: x\r\n"
		   "Content-Length: 10\r\n\r\n{}"));
	assert_int_equal(strlen(out), 0);
	/* Too many headers, a path that is too long. */
	buf_reset(&b);
	assert_int_equal(
	    buf_printf(&b, "GET /v1/hello HTTP/1.1\r\nHost: x\r\n"), 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(buf_printf(&b, "X-%d: y\r\n", i), 0);
	assert_int_equal(buf_printf(&b, "\r\n"), 0);
	raw(out, sizeof(out), f.port, (char *)b.data, b.len);
	assert_int_equal(strlen(out), 0);
	buf_reset(&b);
	assert_int_equal(buf_printf(&b, "GET /v1/hello?%02000d" END, 0), 0);
	raw(out, sizeof(out), f.port, (char *)b.data, b.len);
	assert_int_equal(strlen(out), 0);
	/* Not HTTP at all. */
	raw(out, sizeof(out), f.port, "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
	    11);
	assert_null(strstr(out, "200"));
	assert_int_equal(status_of(f.port, "GET /v1/hello" END), 200);
	buf_release(&b);
	server_fixture_stop(&f);
}

/* A client whose every byte the test decides. */
struct bare {
	struct http_client *http;
	struct mac_session keys;
	uint8_t store_public[32];
	unsigned status;
	struct buf answer;
	char proof[HTTP_CLIENT_VALUE_MAX];
	uint8_t mac[32];
};

static int
on_data(void *arg, const struct http_client_call *call, const uint8_t *p,
    size_t len)
{
	(void)call;
	return buf_append(arg, p, len);
}

static void
post(struct bare *c, const char *path, const char *h0, const char *h1,
    const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	struct http_client_call call = {
	    .path = path,
	    .post = 1,
	    .headers = {h0, h1},
	    .part = {a, b},
	    .part_len = {a_len, b_len},
	    .connect_ms = 30000,
	    .stall_seconds = 30,
	    .data = on_data,
	    .arg = &c->answer,
	    .want = ROUTE_HEADER_PROOF,
	};

	buf_reset(&c->answer);
	assert_int_equal(http_client_do(c->http, &call), 0);
	c->status = call.status;
	memcpy(c->proof, call.value, sizeof(c->proof));
}

static void
log_in(struct bare *c, const struct remote_options *o)
{
	uint8_t secret[32];
	struct login_request rq;
	struct login_answer a;
	struct buf b = BUF_INIT;

	memset(c, 0, sizeof(*c));
	memcpy(c->store_public, o->store_public, 32);
	assert_int_equal(http_client_open(&c->http, o->url), 0);
	memset(&rq, 0, sizeof(rq));
	memcpy(rq.store, o->store_public, sizeof(rq.store));
	memcpy(rq.mount, o->mount, sizeof(rq.mount));
	sign_dh_pair(secret, rq.dh);
	login_request_make(&rq, o->mount_seed);
	assert_int_equal(login_request_encode(&b, &rq), 0);
	post(c, "/v1/login", NULL, NULL, b.data, b.len, NULL, 0);
	assert_int_equal(c->status, 200);
	assert_int_equal(
	    login_answer_decode(&a, c->answer.data, c->answer.len), 0);
	assert_int_equal(login_answer_check(&a, &rq, o->store_public), 0);
	assert_int_equal(login_session(&c->keys, &rq, &a, secret, a.dh), 0);
	buf_release(&b);
}

static void
log_out(struct bare *c)
{
	http_client_close(c->http);
	buf_release(&c->answer);
}

/* A request with this number; `spoil` is XORed to the MAC's first byte. */
static void
ask(struct bare *c, enum route route, const char *number, uint64_t n,
    const uint8_t *body, size_t len, uint8_t spoil)
{
	char h0[128], h1[128], hex[33];

	hex_encode(hex, c->keys.session, sizeof(c->keys.session));
	(void)snprintf(h0, sizeof(h0), "X-Hashstore-Session: %s", hex);
	(void)snprintf(h1, sizeof(h1), "X-Hashstore-Number: %s", number);
	if (route == ROUTE_PUT)
		assert_int_equal(
		    mac_put(c->mac, &c->keys, n, body, len, record_feed_sums),
		    0);
	else
		mac_request(c->mac, &c->keys, n, route, body, len);
	c->mac[0] ^= spoil;
	post(c, route_info(route)->path, h0, h1, body, len, c->mac, 32);
}

static int
take(void *arg, const uint8_t *p, size_t len, uint32_t flags)
{
	(void)arg;
	return (flags & SEGMENT_ERROR) != 0 ? fault_decode(p, len) : 0;
}

/* The answer as a good client takes it. */
static int
verdict(struct bare *c, uint64_t number)
{
	struct segment_key k = {
	    .session = &c->keys, .number = number, .status = c->status};
	struct segment_reader r;
	int ret;

	if (strcmp(c->proof, ROUTE_PROOF_SIGNATURE) == 0) {
		size_t len = c->answer.len - SIGN_BYTES;

		assert_true(c->answer.len > SIGN_BYTES);
		assert_int_equal(mac_refusal_check(c->answer.data + len,
				     c->store_public, c->keys.session, number,
				     c->status, c->answer.data, len),
		    0);
		return fault_decode(c->answer.data, len);
	}
	memcpy(k.request_mac, c->mac, 32);
	segment_reader_init(&r, &k, SEGMENT_PAYLOAD_MAX);
	ret =
	    segment_reader_feed(&r, c->answer.data, c->answer.len, take, NULL);
	if (ret == 0)
		ret = segment_reader_end(&r);
	segment_reader_release(&r);
	return ret;
}

static void
test_numbers(void **state)
{
	uint8_t have[40] = {0, 0, 0, 0, 1};
	struct server_fixture f;
	struct remote_options o;
	struct bare c;

	(void)state;
	server_fixture_start(&f, 0);
	server_fixture_mount(&o, &f, 1);
	log_in(&c, &o);
	ask(&c, ROUTE_HAVE, "1", 1, have, 40, 0);
	assert_int_equal(verdict(&c, 1), 0);
	/* The same request once more. */
	ask(&c, ROUTE_HAVE, "1", 1, have, 40, 0);
	assert_int_equal(c.status, 401);
	assert_int_equal(verdict(&c, 1), ERR_UNREACHABLE);
	/* Numbers may overtake each other. */
	ask(&c, ROUTE_HAVE, "5000", 5000, have, 40, 0);
	assert_int_equal(verdict(&c, 5000), 0);
	ask(&c, ROUTE_HAVE, "2", 2, have, 40, 0);
	assert_int_equal(verdict(&c, 2), 0);
	ask(&c, ROUTE_HAVE, "2", 2, have, 40, 0);
	assert_int_equal(c.status, 401);
	ask(&c, ROUTE_HAVE, "13192", 13192, have, 40, 0);
	assert_int_equal(verdict(&c, 13192), 0);
	/* ... but not for ever. */
	ask(&c, ROUTE_HAVE, "4999", 4999, have, 40, 0);
	assert_int_equal(c.status, 401);
	ask(&c, ROUTE_HAVE, "5000", 5000, have, 40, 0);
	assert_int_equal(c.status, 401);
	ask(&c, ROUTE_HAVE, "5001", 5001, have, 40, 0);
	assert_int_equal(verdict(&c, 5001), 0);
	ask(&c, ROUTE_HAVE, "0", 0, have, 40, 0);
	assert_int_equal(c.status, 401);
	ask(&c, ROUTE_HAVE, "1x", 1, have, 40, 0);
	assert_int_equal(c.status, 400);
	ask(&c, ROUTE_HAVE, "99999999999999999999", 1, have, 40, 0);
	assert_int_equal(c.status, 400);
	log_out(&c);
	server_fixture_stop(&f);
}

static void
test_proofs(void **state)
{
	uint8_t have[40] = {0, 0, 0, 0, 1}, long_report[33] = {0};
	struct server_fixture f;
	struct remote_options o, other;
	struct bare c, d, e;

	(void)state;
	server_fixture_start(&f, 0);
	server_fixture_mount(&o, &f, 1);
	server_fixture_mount(&other, &f, 2);
	log_in(&c, &o);
	log_in(&d, &o);
	log_in(&e, &other);
	assert_memory_not_equal(o.mount, other.mount, sizeof(o.mount));
	/* A wrong MAC changes nothing: the number stays good. */
	ask(&c, ROUTE_PUT, "1", 1, NULL, 0, 1);
	assert_int_equal(c.status, 401);
	assert_int_equal(verdict(&c, 1), ERR_UNREACHABLE);
	assert_int_equal(f.world.puts, 0);
	ask(&c, ROUTE_HAVE, "1", 1, have, 40, 0);
	assert_int_equal(verdict(&c, 1), 0);
	/* Another session's request, another route's, another number's. */
	memcpy(d.keys.session, c.keys.session, 16);
	ask(&d, ROUTE_HAVE, "7", 7, have, 40, 0);
	assert_int_equal(d.status, 401);
	ask(&c, ROUTE_HAVE, "8", 9, have, 40, 0);
	assert_int_equal(c.status, 401);
	/* Nor with what another mount, of another vault, knows: its own
	 * session is as good as before. */
	ask(&e, ROUTE_HAVE, "1", 1, have, 40, 0);
	assert_int_equal(verdict(&e, 1), 0);
	memcpy(e.keys.session, c.keys.session, 16);
	ask(&e, ROUTE_PUT, "16", 16, NULL, 0, 0);
	assert_int_equal(e.status, 401);
	ask(&e, ROUTE_LOGOUT, "17", 17, NULL, 0, 0);
	assert_int_equal(e.status, 401);
	assert_int_equal(f.world.puts, 0);
	/* No room for a MAC. */
	post(&c, "/v1/have", "X-Hashstore-Number: 3",
	    "X-Hashstore-Session: 00112233445566778899aabbccddeeff", have, 31,
	    NULL, 0);
	assert_int_equal(c.status, 409);
	/* Bodies that make no sense; one byte more than the limit. */
	ask(&c, ROUTE_HAVE, "10", 10, have, 39, 0);
	assert_int_equal(c.status, 400);
	assert_int_equal(verdict(&c, 10), ERR_FAIL);
	ask(&c, ROUTE_REPORT, "11", 11, have, 31, 0);
	assert_int_equal(c.status, 400);
	ask(&c, ROUTE_GET, "12", 12, have, 40, 0);
	assert_int_equal(verdict(&c, 12), ERR_FAIL);
	ask(&c, ROUTE_SNAPSHOTS, "13", 13, have, 3, 0);
	assert_int_equal(verdict(&c, 13), ERR_FAIL);
	ask(&c, ROUTE_REPORT, "14", 14, long_report, 33, 0);
	assert_int_equal(c.status, 413);
	assert_int_equal(verdict(&c, 14), ERR_LIMIT);
	/* Logged out is logged out. */
	ask(&c, ROUTE_LOGOUT, "15", 15, NULL, 0, 0);
	assert_int_equal(verdict(&c, 15), 0);
	assert_int_equal(f.world.closed, 1);
	ask(&c, ROUTE_HAVE, "16", 16, have, 40, 0);
	assert_int_equal(c.status, 409);
	assert_int_equal(verdict(&c, 16), ERR_STALE);
	log_out(&c);
	log_out(&d);
	log_out(&e);
	server_fixture_stop(&f);
}

/* Post a put with a MAC made for other bytes. */
static void
put_other(struct bare *c, uint64_t n, const struct buf *macked,
    const uint8_t *sent, size_t len)
{
	char h0[128], h1[128], hex[33];

	hex_encode(hex, c->keys.session, sizeof(c->keys.session));
	(void)snprintf(h0, sizeof(h0), "X-Hashstore-Session: %s", hex);
	(void)snprintf(
	    h1, sizeof(h1), "X-Hashstore-Number: %llu", (unsigned long long)n);
	assert_int_equal(mac_put(c->mac, &c->keys, n, macked->data, macked->len,
			     record_feed_sums),
	    0);
	post(c, "/v1/put", h0, h1, sent, len, c->mac, 32);
}

/*
 * The MAC of a put covers checksums only: every byte that differs, wherever it
 * is, is refused all the same, and nothing is stored.
 */
static void
test_spoilt_puts(void **state)
{
	struct buf one = BUF_INIT, two = BUF_INIT, both = BUF_INIT,
		   swapped = BUF_INIT;
	struct server_fixture f;
	struct remote_options o;
	struct bare c;
	uint8_t id[32];
	uint64_t n = 1;
	size_t i;

	(void)state;
	server_fixture_start(&f, 0);
	server_fixture_mount(&o, &f, 1);
	log_in(&c, &o);
	stub_record(&one, id, 1, 60);
	stub_record(&two, id, 2, 60);
	assert_int_equal(buf_append(&both, one.data, one.len), 0);
	assert_int_equal(buf_append(&both, two.data, two.len), 0);
	assert_int_equal(buf_append(&swapped, two.data, two.len), 0);
	assert_int_equal(buf_append(&swapped, one.data, one.len), 0);
	for (i = 0; i < both.len; i++, n++) {
		struct buf sent = BUF_INIT;

		assert_int_equal(buf_append(&sent, both.data, both.len), 0);
		sent.data[i] ^= (uint8_t)(1 << i % 8);
		put_other(&c, n, &both, sent.data, sent.len);
		assert_int_equal(c.status, 401);
		assert_int_equal(verdict(&c, n), ERR_UNREACHABLE);
		buf_release(&sent);
	}
	/* Swapped, one left out, one twice, cut, none. */
	put_other(&c, n, &both, swapped.data, swapped.len);
	assert_int_equal(verdict(&c, n++), ERR_UNREACHABLE);
	put_other(&c, n, &both, one.data, one.len);
	assert_int_equal(verdict(&c, n++), ERR_UNREACHABLE);
	put_other(&c, n, &one, both.data, both.len);
	assert_int_equal(verdict(&c, n++), ERR_UNREACHABLE);
	put_other(&c, n, &both, both.data, both.len - 1);
	assert_int_equal(verdict(&c, n++), ERR_UNREACHABLE);
	put_other(&c, n, &both, NULL, 0);
	assert_int_equal(verdict(&c, n++), ERR_UNREACHABLE);
	assert_int_equal(f.world.n, 0);
	put_other(&c, n, &both, both.data, both.len);
	assert_int_equal(verdict(&c, n), 0);
	assert_int_equal(f.world.n, 2);
	buf_release(&one);
	buf_release(&two);
	buf_release(&both);
	buf_release(&swapped);
	log_out(&c);
	server_fixture_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_routes),
	    cmocka_unit_test(test_limits_of_http),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_proofs),
	    cmocka_unit_test(test_spoilt_puts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
