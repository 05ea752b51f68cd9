/* Both ends of HTTP against each other. */

#include "base/clock.h"
#include "base/err.h"
#include "base/pool.h"
#include "net/http_client.h"
#include "net/http_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define BIG (1u << 20)
#define PIECE 100000u
#define CONNECTIONS 32u

struct site {
	struct http_server *s;
	char url[64];
	atomic_uint handling; /* bodies above BIG that are being handled */
	atomic_uint most; /* of them at once */
	atomic_uint done; /* streams freed */
	atomic_uint pieces; /* pushed */
};

static void
sleep_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000l};

	(void)nanosleep(&ts, NULL); /* about that long */
}

static int
on_accept(size_t *body_max, void *arg, struct http_server_request *rq)
{
	(void)arg;
	*body_max = 4 * BIG;
	return strcmp(http_server_path(rq), "/drop") == 0;
}

struct flow {
	struct site *x;
	unsigned pieces; /* 0: for ever */
	int end;
};

static int
produce(void *arg, struct http_server_stream *st)
{
	struct flow *f = arg;
	struct buf b = BUF_INIT;
	unsigned i;
	int r = 0;

	for (i = 0; (f->pieces == 0 || i < f->pieces) && r == 0; i++) {
		uint8_t *p;

		assert_int_equal(buf_extend(&p, &b, PIECE), 0);
		memset(p, (int)i, PIECE);
		r = http_server_push(st, &b);
		atomic_fetch_add(&f->x->pieces, 1);
	}
	buf_release(&b);
	return r != 0 ? r : f->end;
}

static void
done(void *arg)
{
	struct flow *f = arg;

	atomic_fetch_add(&f->x->done, 1);
	free(f);
}

static void
stream(struct site *x, struct http_server_request *rq, unsigned pieces, int end)
{
	struct flow *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->x = x;
	f->pieces = pieces;
	f->end = end;
	http_server_stream(rq, 200, "text/plain", produce, done, f);
}

static void
on_handle(void *arg, struct http_server_request *rq)
{
	const char *path = http_server_path(rq);
	struct site *x = arg;
	struct buf b = BUF_INIT;
	const uint8_t *body;
	unsigned now, most;
	size_t len = 0;

	body = http_server_body(&len, rq);
	if (strcmp(path, "/stream") == 0) {
		stream(x, rq, 50, 0);
		return;
	}
	if (strcmp(path, "/endless") == 0) {
		stream(x, rq, 0, 0);
		return;
	}
	if (strcmp(path, "/broken") == 0) {
		stream(x, rq, 3, 1);
		return;
	}
	if (strcmp(path, "/nothing") == 0)
		return;
	if (strcmp(path, "/slow") == 0)
		sleep_ms(3500); /* longer than any timer */
	if (strcmp(path, "/big") == 0) {
		now = atomic_fetch_add(&x->handling, 1) + 1;
		most = atomic_load(&x->most);
		while (now > most &&
		       !atomic_compare_exchange_weak(&x->most, &most, now))
			;
		sleep_ms(50);
		atomic_fetch_sub(&x->handling, 1);
	}
	assert_int_equal(buf_printf(&b, "%s %s %zu %s",
			     http_server_is_post(rq) ? "POST" : "GET", path,
			     len, body == NULL ? "none" : "kept"),
	    0);
	http_server_answer(rq, http_server_too_long(rq) ? 413 : 200,
	    "text/plain", "X-Mark", "  here", &b);
}

static void
open_patient(struct site *x, const char *listen, unsigned seconds)
{
	struct http_server_options o = {
	    .listen = listen,
	    .connections_max = CONNECTIONS,
	    .connections_per_address_max = CONNECTIONS,
	    .stall_seconds = 2 * seconds,
	    .head_seconds = seconds,
	    .big_bytes = BIG,
	    .big_total = 5 * BIG,
	    .streams_max = 2,
	    .accept = on_accept,
	    .handle = on_handle,
	    .arg = x,
	};

	memset(x, 0, sizeof(*x));
	assert_int_equal(http_server_start(&x->s, &o), 0);
	(void)snprintf(x->url, sizeof(x->url), "http://%s:%u//",
	    listen != NULL && strchr(listen, ':') != NULL ? "[::1]"
							  : "127.0.0.1",
	    http_server_port(x->s)); /* it fits */
}

/* One that waits longer than any machine stands still. */
static void
open_site(struct site *x, const char *listen)
{
	open_patient(x, listen, 60);
}

struct taken {
	struct buf all;
	size_t stop_at; /* 0: never */
};

static int
on_data(void *arg, const struct http_client_call *call, const uint8_t *p,
    size_t len)
{
	struct taken *t = arg;

	assert_int_not_equal(call->status, 0);
	if (t->stop_at != 0 && t->all.len + len >= t->stop_at)
		return 77;
	return buf_append(&t->all, p, len);
}

/* One call; the answer as text in `t`. */
static int
call(struct taken *t, struct http_client_call *c, struct http_client *h,
    const char *path, const uint8_t *body, size_t len)
{
	memset(c, 0, sizeof(*c));
	buf_reset(&t->all);
	c->path = path;
	c->post = body != NULL;
	/* In two parts, cut at an odd place. */
	c->part[0] = body;
	c->part_len[0] = len / 3;
	c->part[1] = body == NULL ? NULL : body + len / 3;
	c->part_len[1] = len - len / 3;
	c->connect_ms = 60000;
	c->stall_seconds = 60;
	c->data = on_data;
	c->arg = t;
	c->want = "x-mark";
	return http_client_do(h, c);
}

static void
assert_text(struct taken *t, const char *text)
{
	assert_int_equal(t->all.len, strlen(text));
	assert_memory_equal(t->all.data, text, t->all.len);
}

static void
test_calls(void **state)
{
	static uint8_t body[4 * BIG + 1];
	struct http_client_call c;
	struct taken t = {BUF_INIT, 0};
	struct http_client *h;
	struct site x;

	(void)state;
	open_site(&x, "127.0.0.1");
	assert_int_equal(http_client_open(&h, x.url), 0);
	assert_int_equal(call(&t, &c, h, "/a", NULL, 0), 0);
	assert_int_equal(c.status, 200);
	assert_string_equal(c.value, "here");
	assert_text(&t, "GET /a 0 kept");
	assert_int_equal(call(&t, &c, h, "/a%20?b=/../c", body, 0), 0);
	assert_text(&t, "POST /a%20?b=/../c 0 kept");
	assert_int_equal(call(&t, &c, h, "/b", body, 4 * BIG), 0);
	assert_text(&t, "POST /b 4194304 kept");
	assert_int_equal(call(&t, &c, h, "/drop", body, BIG), 0);
	assert_text(&t, "POST /drop 0 none");
	/* The server answers without reading it all; the rest may break. */
	if (call(&t, &c, h, "/b", body, sizeof(body)) == 0)
		assert_int_equal(c.status, 413);
	assert_int_equal(call(&t, &c, h, "/nothing", NULL, 0), ERR_UNREACHABLE);
	assert_int_equal(call(&t, &c, h, "/a", NULL, 0), 0);
	http_client_close(h);
	http_server_stop(x.s);
	buf_release(&t.all);
}

static void
test_streams(void **state)
{
	struct http_client_call c;
	struct taken t = {BUF_INIT, 0};
	struct http_client *h;
	struct site x;
	size_t i;

	(void)state;
	open_site(&x, "127.0.0.1");
	assert_int_equal(http_client_open(&h, x.url), 0);
	assert_int_equal(call(&t, &c, h, "/stream", NULL, 0), 0);
	assert_int_equal(t.all.len, 50 * PIECE);
	for (i = 0; i < t.all.len; i++)
		if (t.all.data[i] != (uint8_t)(i / PIECE))
			fail();
	/* One that breaks off is no whole answer. */
	assert_int_equal(call(&t, &c, h, "/broken", NULL, 0), ERR_UNREACHABLE);
	/* The client stops: so does the server's work. */
	t.stop_at = 3000000;
	assert_int_equal(call(&t, &c, h, "/endless", NULL, 0), 77);
	t.stop_at = 0;
	assert_int_equal(call(&t, &c, h, "/a", NULL, 0), 0);
	for (i = 0; i < 6000 && atomic_load(&x.done) < 3; i++)
		sleep_ms(10);
	assert_int_equal(atomic_load(&x.done), 3);
	/* ... and it did not run far ahead. */
	assert_true(atomic_load(&x.pieces) < 50 + 3 + 200);
	http_client_close(h);
	http_server_stop(x.s);
	buf_release(&t.all);
}

static void
post_big(void *arg)
{
	static uint8_t body[2 * BIG];
	struct http_client_call c;
	struct taken t = {BUF_INIT, 0};
	struct http_client *h;
	struct site *x = arg;
	int i;

	assert_int_equal(http_client_open(&h, x->url), 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(
		    call(&t, &c, h, "/big", body, sizeof(body)), 0);
		assert_int_equal(c.status, 200);
	}
	http_client_close(h);
	buf_release(&t.all);
}

static void
test_memory_is_bounded(void **state)
{
	struct pool_thread *threads[8];
	struct site x;
	int i;

	(void)state;
	open_site(&x, "127.0.0.1");
	for (i = 0; i < 8; i++)
		assert_int_equal(
		    pool_thread_start(&threads[i], post_big, &x), 0);
	for (i = 0; i < 8; i++)
		pool_thread_join(threads[i]);
	assert_true(atomic_load(&x.most) <= 2);
	http_server_stop(x.s);
}

static int
drop_data(
    void *arg, const struct http_client_call *c, const uint8_t *p, size_t len)
{
	(void)c;
	(void)p;
	atomic_fetch_add((atomic_ullong *)arg, len);
	return 0;
}

struct endless {
	struct site *x;
	atomic_ullong got;
	int result;
};

static void
get_endless(void *arg)
{
	struct endless *e = arg;
	struct http_client_call c = {.path = "/endless",
	    .connect_ms = 60000,
	    .stall_seconds = 60,
	    .data = drop_data,
	    .arg = &e->got};
	struct http_client *h;

	assert_int_equal(http_client_open(&h, e->x->url), 0);
	e->result = http_client_do(h, &c);
	http_client_close(h);
}

static void
get_stream(void *arg)
{
	struct http_client_call c;
	struct taken t = {BUF_INIT, 0};
	struct http_client *h;
	struct site *x = arg;
	int i;

	assert_int_equal(http_client_open(&h, x->url), 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(call(&t, &c, h, "/stream", NULL, 0), 0);
		assert_int_equal(t.all.len, 50 * PIECE);
	}
	http_client_close(h);
	buf_release(&t.all);
}

/* More streams than the server makes at once. */
static void
test_many_streams(void **state)
{
	struct pool_thread *threads[6];
	struct site x;
	int i;

	(void)state;
	open_site(&x, "127.0.0.1");
	for (i = 0; i < 6; i++)
		assert_int_equal(
		    pool_thread_start(&threads[i], get_stream, &x), 0);
	for (i = 0; i < 6; i++)
		pool_thread_join(threads[i]);
	http_server_stop(x.s);
	assert_int_equal(atomic_load(&x.done), 18);
}

/* A connection to the site. */
static int
connect_to(const struct site *x)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(http_server_port(x->s)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* One request on the connection: does the answer end it? */
static int
ends(int fd)
{
	static const char request[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
	char answer[4096];
	size_t len = 0;
	ssize_t n;

	assert_int_equal(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL),
	    sizeof(request) - 1);
	do {
		assert_true(len < sizeof(answer) - 1);
		n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);
		assert_true(n > 0);
		len += (size_t)n;
		answer[len] = '\0';
	} while (strstr(answer, "GET /a 0 kept") == NULL);
	if (strstr(answer, "Connection: close\r\n") == NULL)
		return 0;
	assert_int_equal(recv(fd, answer, sizeof(answer), 0), 0);
	return 1;
}

/* When half of the connections are in use nobody keeps one more, so that all
 * others are there for whoever comes. */
static void
test_crowd(void **state)
{
	int kept[CONNECTIONS / 2], fd;
	struct site x;
	size_t i, n = sizeof(kept) / sizeof(kept[0]);

	(void)state;
	open_patient(&x, "127.0.0.1", 60);
	for (i = 0; i < n; i++) {
		kept[i] = connect_to(&x);
		assert_int_equal(ends(kept[i]), 0);
	}
	for (i = 0; i < 2 * CONNECTIONS; i++) {
		fd = connect_to(&x);
		assert_int_equal(ends(fd), 1);
		close(fd);
	}
	/* One more that says nothing: once the server has seen it, one that was
	 * kept makes room. */
	fd = connect_to(&x);
	for (i = 0; i < 6000 && !ends(kept[0]); i++)
		sleep_ms(10);
	assert_true(i < 6000);
	close(fd);
	/* Then there is a place again, once it has seen that. */
	for (i = 0; i < 6000; i++) {
		fd = connect_to(&x);
		if (!ends(fd))
			break;
		close(fd);
		sleep_ms(10);
	}
	assert_true(i < 6000);
	assert_int_equal(ends(fd), 0);
	close(fd);
	for (i = 0; i < n; i++)
		close(kept[i]);
	http_server_stop(x.s);
}

/*
 * Send `begin`, then one byte of `c` every 200 ms, which is no silence.
 * Returns the milliseconds until the server has closed; 20 s at most.
 */
static int64_t
trickle(const struct site *x, const char *begin, char c)
{
	int64_t start_ns = clock_mono_ns();
	int fd = connect_to(x);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char answer[4096];
	ssize_t n = 1;

	assert_true(send(fd, begin, strlen(begin), MSG_NOSIGNAL) > 0);
	while (clock_mono_ns() - start_ns < 20000000000ll) {
		if (poll(&p, 1, 200) > 0)
			n = recv(fd, answer, sizeof(answer), 0);
		if (n <= 0 || send(fd, &c, 1, MSG_NOSIGNAL) < 0)
			break;
	}
	close(fd);
	return (clock_mono_ns() - start_ns) / 1000000;
}

/* Whether calls succeed that have pauses longer than a head may take between
 * them, and in them: our own work is no silence of the peer. */
static int
calls_with_pauses(const struct site *x)
{
	struct http_client_call c;
	struct taken t = {BUF_INIT, 0};
	struct http_client *h;
	int i, r = 0;

	assert_int_equal(http_client_open(&h, x->url), 0);
	for (i = 0; i < 3 && r == 0; i++) {
		r = call(&t, &c, h, "/a", NULL, 0);
		if (r == 0)
			r = call(&t, &c, h, "/slow", NULL, 0);
		if (r == 0)
			assert_text(&t, "GET /slow 0 kept");
		sleep_ms(1500); /* longer than a head */
	}
	http_client_close(h);
	buf_release(&t.all);
	return r == 0;
}

/* Whoever sends bytes now and then is not silent, and is ended all the same:
 * in the first head, in the next one, in a chunked body. */
static void
test_slow_heads(void **state)
{
#define GET "GET /a HTTP/1.1\r\nHost: x\r\n"
	static const char *const begins[] = {"G", GET "X", GET "\r\n" GET "X",
	    GET "Transfer-Encoding: chunked\r\n\r\n1;"};
#undef GET
	struct site x;
	size_t i;

	(void)state;
	open_patient(&x, "127.0.0.1", 1);
	for (i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		int64_t ms = trickle(&x, begins[i], 'x');

		assert_in_range(ms, 900, 19000);
	}
	/* Who is quick is not ended; but a machine that stood still for the
	 * second of a head is no fault of the server. */
	for (i = 0; i < 5 && !calls_with_pauses(&x); i++)
		;
	assert_true(i < 5);
	http_server_stop(x.s);
}

/* The end of the server ends a stream that would go on for ever. */
static void
test_stop_while_busy(void **state)
{
	struct endless e = {.result = 0};
	struct pool_thread *thread;
	struct site x;

	(void)state;
	open_site(&x, "127.0.0.1");
	e.x = &x;
	assert_int_equal(pool_thread_start(&thread, get_endless, &e), 0);
	while (atomic_load(&e.got) < 1000000)
		sleep_ms(5);
	http_server_stop(x.s);
	pool_thread_join(thread);
	assert_int_equal(e.result, ERR_UNREACHABLE);
	assert_int_equal(atomic_load(&x.done), 1);
}

static void
set_soon(void *arg)
{
	sleep_ms(200);
	atomic_store((atomic_int *)arg, 1);
}

static void
test_cancel(void **state)
{
	struct http_client_call c = {.path = "/slow",
	    .connect_ms = 2000,
	    .stall_seconds = 30,
	    .data = on_data};
	struct taken t = {BUF_INIT, 0};
	struct pool_thread *thread;
	struct http_client *h;
	atomic_int cancel;
	struct site x;

	(void)state;
	open_site(&x, "127.0.0.1");
	assert_int_equal(http_client_open(&h, x.url), 0);
	atomic_init(&cancel, 0);
	c.arg = &t;
	c.cancel = &cancel;
	assert_int_equal(http_client_do(h, &c), 0);
	assert_int_equal(pool_thread_start(&thread, set_soon, &cancel), 0);
	assert_int_equal(http_client_do(h, &c), ERR_UNREACHABLE);
	pool_thread_join(thread);
	http_client_close(h);
	http_server_stop(x.s);
	buf_release(&t.all);
}

static void
test_addresses(void **state)
{
	struct http_server_options o = {
	    .listen = "nowhere", .accept = on_accept, .handle = on_handle};
	struct http_client_call c;
	struct taken t = {BUF_INIT, 0};
	struct http_server *s;
	struct http_client *h;
	struct site x;
	char url[64];

	(void)state;
	assert_int_equal(http_server_start(&s, &o), ERR_USAGE);
	o.listen = "192.0.2.1"; /* of nobody */
	assert_int_equal(http_server_start(&s, &o), ERR_FAIL);
	assert_int_equal(http_client_open(&h, "ftp://x"), ERR_USAGE);
	assert_int_equal(http_client_open(&h, "http://x/?a"), ERR_USAGE);
	assert_int_equal(http_client_open(&h, "file:///x"), ERR_USAGE);
	/* All addresses: IPv4 reaches it, whatever IPv6 is here. */
	open_site(&x, NULL);
	assert_int_equal(http_client_open(&h, x.url), 0);
	assert_int_equal(call(&t, &c, h, "/a", NULL, 0), 0);
	http_client_close(h);
	/* Taken. */
	o.listen = NULL;
	o.port = http_server_port(x.s);
	assert_int_equal(http_server_start(&s, &o), ERR_FAIL);
	http_server_stop(x.s);
	/* Nobody listens any more. */
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", o.port);
	assert_int_equal(http_client_open(&h, url), 0);
	assert_int_equal(call(&t, &c, h, "/a", NULL, 0), ERR_UNREACHABLE);
	assert_non_null(strstr(err_text(), url));
	http_client_close(h);
	buf_release(&t.all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_calls),
	    cmocka_unit_test(test_streams),
	    cmocka_unit_test(test_memory_is_bounded),
	    cmocka_unit_test(test_many_streams),
	    cmocka_unit_test(test_crowd),
	    cmocka_unit_test(test_slow_heads),
	    cmocka_unit_test(test_stop_while_busy),
	    cmocka_unit_test(test_cancel),
	    cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
