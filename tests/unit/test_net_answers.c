/*
 * net/http_client against a peer that answers with given bytes: connections
 * are kept from call to call, and nothing else is.
 */

#include "base/err.h"
#include "base/pool.h"
#include "net/http_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#define REQUEST_BYTES_MAX 4096

/* Answers one request after the other, for as long as there are answers. */
struct peer {
	int fd;
	const char *const *answers;
	size_t count;
	unsigned connections;
	struct pool_thread *thread;
	char url[64];
};

/* Nonzero when a whole head came. */
static int
hear(int fd)
{
	char head[REQUEST_BYTES_MAX + 1];
	size_t n = 0;
	ssize_t got;

	while (n < REQUEST_BYTES_MAX) {
		got = recv(fd, head + n, REQUEST_BYTES_MAX - n, 0);
		if (got <= 0)
			return 0;
		n += (size_t)got;
		head[n] = '\0';
		if (strstr(head, "\r\n\r\n") != NULL)
			return 1;
	}
	return 0;
}

static void
serve(void *arg)
{
	struct peer *p = arg;
	size_t i = 0;
	int fd;

	while (i < p->count) {
		fd = accept(p->fd, NULL, NULL);
		if (fd < 0)
			return;
		p->connections++;
		for (; i < p->count && hear(fd); i++) {
			const char *a = p->answers[i];

			(void)!send(fd, a, strlen(a), MSG_NOSIGNAL);
			/* Without a length it ends with the connection. */
			if (strstr(a, "Content-Length") == NULL) {
				i++;
				break;
			}
		}
		close(fd);
	}
}

static void
begin(struct peer *p, const char *const *answers, size_t count)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof(sa);

	memset(p, 0, sizeof(*p));
	p->answers = answers;
	p->count = count;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(p->fd >= 0);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(p->fd, 4), 0);
	assert_int_equal(getsockname(p->fd, (struct sockaddr *)&sa, &len), 0);
	(void)snprintf(p->url, sizeof(p->url), "http://127.0.0.1:%u/",
	    ntohs(sa.sin_port)); /* it fits */
	assert_int_equal(pool_thread_start(&p->thread, serve, p), 0);
}

static void
end(struct peer *p)
{
	pool_thread_join(p->thread);
	close(p->fd);
}

static int
on_data(void *arg, const struct http_client_call *call, const uint8_t *p,
    size_t len)
{
	(void)call;
	(void)p;
	*(size_t *)arg += len;
	return 0;
}

/* Ask once; the status, or an error. */
static int
ask(struct http_client *c, size_t *bytes, char *value)
{
	struct http_client_call call = {.path = "/x",
	    .connect_ms = 60000,
	    .stall_seconds = 60,
	    .data = on_data,
	    .arg = bytes,
	    .want = "X-Word"};
	int r;

	*bytes = 0;
	r = http_client_do(c, &call);
	if (value != NULL)
		memcpy(value, call.value, sizeof(call.value));
	return r == 0 ? (int)call.status : r;
}

#define PLAIN "HTTP/1.1 200 OK\r\nX-Word: one\r\nContent-Length: 2\r\n\r\nab"

static void
test_connection_is_kept(void **state)
{
	static const char *const answers[] = {PLAIN, PLAIN, PLAIN, PLAIN};
	char value[HTTP_CLIENT_VALUE_MAX];
	struct http_client *c;
	struct peer p;
	size_t bytes;
	int i;

	(void)state;
	begin(&p, answers, 4);
	assert_int_equal(http_client_open(&c, p.url), 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(ask(c, &bytes, value), 200);
		assert_int_equal(bytes, 2);
		assert_string_equal(value, "one");
	}
	http_client_close(c);
	end(&p);
	assert_int_equal(p.connections, 1);
}

/*
 * A first line that is folded goes on with the last line of the answer before,
 * which is freed by now: libcurl 7.88.1 wrote there.
 */
static void
test_folded(void **state)
{
	static const char *const answers[] = {PLAIN,
	    "HTTP/1.1 200 OK\r\n\tand what is far longer than the line before "
	    "that it goes on with: 0123456789012345678901234567890123456789\r\n"
	    "Content-Length: 1\r\n\r\nc",
	    PLAIN, "HTTP/1.1 404 No\r\n x\r\n\r\n", PLAIN};
	char value[HTTP_CLIENT_VALUE_MAX];
	struct http_client *c;
	struct peer p;
	size_t bytes;
	int i, r;

	(void)state;
	begin(&p, answers, 5);
	assert_int_equal(http_client_open(&c, p.url), 0);
	for (i = 0; i < 5; i++) {
		r = ask(c, &bytes, value);
		/* It may be taken for an answer or for none. */
		if (i % 2 == 0)
			assert_int_equal(r, 200);
		else if (r != ERR_UNREACHABLE)
			assert_int_equal(r, i == 1 ? 200 : 404);
		/* Nothing is left of the one before. */
		assert_string_equal(value, i % 2 == 0 ? "one" : "");
	}
	http_client_close(c);
	end(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_connection_is_kept),
	    cmocka_unit_test(test_folded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
