/*
 * Every call that the two ends of HTTP make fails once: the client has the
 * whole answer or says what happened, the same server then answers, and nothing
 * is lost.
 */

#include "base/err.h"
#include "fault/failing.h"
#include "lib/unharmed.h"
#include "net/http_client.h"
#include "net/http_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BIG (1u << 20)
#define PIECE 70000u
#define PIECES 3u

struct site {
	struct http_server *s;
	char url[64];
};

static int
on_accept(size_t *body_max, void *arg, struct http_server_request *rq)
{
	(void)arg;
	*body_max = BIG;
	return strcmp(http_server_path(rq), "/drop") == 0;
}

static int
produce(void *arg, struct http_server_stream *st)
{
	struct buf b = BUF_INIT;
	unsigned i;
	int r = 0;

	(void)arg;
	for (i = 0; i < PIECES && r == 0; i++) {
		unharmed_begin();
		r = buf_append_zeros(&b, PIECE);
		unharmed_end();
		if (r == 0)
			r = http_server_push(st, &b);
	}
	buf_release(&b);
	return r;
}

static void
done(void *arg)
{
	(void)arg;
}

static void
on_handle(void *arg, struct http_server_request *rq)
{
	struct buf b = BUF_INIT;
	size_t len = BIG;
	unsigned status = 200;

	if (strcmp(http_server_path(rq), "/stream") == 0) {
		http_server_stream(rq, 200, "text/plain", produce, done, arg);
		return;
	}
	/* No asserting in a thread of the library. */
	(void)http_server_body(&len, rq);
	if (http_server_is_post(rq) && len != BIG)
		status = 500;
	unharmed_begin();
	(void)buf_append(&b, "here", 4); /* else the answer is too short */
	unharmed_end();
	http_server_answer(rq, status, "text/plain", "X-Mark", "here", &b);
}

static int
on_data(void *arg, const struct http_client_call *call, const uint8_t *p,
    size_t len)
{
	int r;

	(void)call;
	unharmed_begin();
	r = buf_append(arg, p, len);
	unharmed_end();
	return r;
}

/* An answer is whole: it has `len` bytes. */
static int
ask(struct http_client *h, const char *path, size_t body_len, size_t len)
{
	static const uint8_t body[BIG];
	struct buf b = BUF_INIT;
	struct http_client_call c = {.path = path,
	    .post = body_len > 0,
	    .headers = {"X-One: 1", "X-Two: 2"},
	    .part = {body},
	    .part_len = {body_len},
	    .connect_ms = 30000,
	    .stall_seconds = 20,
	    .data = on_data,
	    .arg = &b,
	    .want = "x-mark"};
	int r = http_client_do(h, &c);

	/* A caller takes none for a refusal. */
	if (r == 0 && c.status == 0)
		r = err_set(ERR_FAIL, "no status");
	if (r == 0 && (c.status != 200 || b.len != len))
		failing_fail("%s: %u, %zu bytes", path, c.status, b.len);
	buf_release(&b);
	return r;
}

static int
talk(const struct site *x)
{
	struct http_client *h;
	int r = http_client_open(&h, x->url);

	if (r < 0)
		return r;
	r = ask(h, "/a", 0, 4);
	if (r == 0)
		r = ask(h, "/b", BIG, 4);
	if (r == 0)
		r = ask(h, "/drop", BIG, 4);
	if (r == 0)
		r = ask(h, "/stream", 0, (size_t)PIECES * PIECE);
	http_client_close(h);
	return r;
}

static int
serve_and_talk(struct site *x, const char *listen)
{
	struct http_server_options o = {
	    .listen = listen,
	    .connections_max = 8,
	    .connections_per_address_max = 8,
	    .stall_seconds = 20,
	    .head_seconds = 20,
	    .big_bytes = BIG / 2,
	    .big_total = 2 * BIG,
	    .streams_max = 1,
	    .accept = on_accept,
	    .handle = on_handle,
	};
	int r;

	memset(x, 0, sizeof(*x));
	r = http_server_start(&x->s, &o);
	if (r < 0)
		return r;
	(void)snprintf(x->url, sizeof(x->url), "http://127.0.0.1:%u",
	    http_server_port(x->s)); /* it fits */
	return talk(x);
}

static void
each_place(const char *listen)
{
	int descriptors, r;
	struct site x;

	/* The library keeps what the first call of it makes. */
	assert_int_equal(serve_and_talk(&x, listen), 0);
	http_server_stop(x.s);
	descriptors = failing_descriptors();
	while (failing_more()) {
		failing_arm();
		r = serve_and_talk(&x, listen);
		failing_disarm();
		if (r != 0 && failing_name() == NULL)
			failing_fail("%d: %s", r, err_text());
		if (r != 0 && err_text()[0] == '\0')
			failing_fail("%d without a word", r);
		if (x.s != NULL && talk(&x) != 0)
			failing_fail("afterwards: %s", err_text());
		http_server_stop(x.s);
		/* The library frees bodies, so blocks are not counted. */
		if (failing_descriptors() != descriptors)
			failing_fail("descriptors leak");
	}
}

static void
test_once(void **state)
{
	(void)state;
	failing_start(FAILING_ALL);
	each_place("127.0.0.1");
	failing_check_count(30);
	/* Both families. */
	failing_start(FAILING_NETWORK);
	each_place(NULL);
	failing_check_count(5);
}

static void
test_short(void **state)
{
	(void)state;
	failing_start_short();
	each_place("127.0.0.1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_once),
	    cmocka_unit_test(test_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
