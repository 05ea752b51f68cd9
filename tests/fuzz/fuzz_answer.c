/*
 * What answers from where a server should be: which u8 (0 HTTP; 1 to 5 the
 * control socket, asked for a prune, a sweep, verify, reindex, the status),
 * bytes.
 */

#include "base/err.h"
#include "base/pool.h"
#include "fuzz/fuzz.h"
#include "lib/planted.h"
#include "net/http_client.h"
#include "proto/route.h"
#include "server/control.h"
#include "server/inspect.h"
#include "server/retention.h"
#include "server/sweeper.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_BYTES_MAX 4096

#define ANSWER_BYTES_MAX ((size_t)1 << 16)

/* The answer to whoever comes next: set before he does. */
static struct pool_lock lock;
static uint8_t answer[ANSWER_BYTES_MAX];
static size_t answer_len;

static char url[64];

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* Hear what ends with `last`, then answer, for ever. */
static void
serve(int listening, const char *last)
{
	char request[REQUEST_BYTES_MAX + 1];
	uint8_t *now = malloc(ANSWER_BYTES_MAX);
	size_t n;
	ssize_t got;
	int fd;

	check(now != NULL);

	for (;;) {
		fd = accept(listening, NULL, NULL);
		check(fd >= 0);
		for (n = 0; n < REQUEST_BYTES_MAX; n += (size_t)got) {
			got = recv(fd, request + n, REQUEST_BYTES_MAX - n, 0);
			if (got <= 0)
				break;
			request[n + (size_t)got] = '\0';
			if (strstr(request, last) != NULL)
				break;
		}
		pool_lock_enter(&lock);
		memcpy(now, answer, answer_len);
		n = answer_len;
		pool_lock_leave(&lock);
		/* Who has heard enough may be gone before the end. */
		(void)!send(fd, now, n, MSG_NOSIGNAL);
		(void)close(fd); /* what was sent is */
	}
}

static void
serve_http(void *arg)
{
	serve(*(int *)arg, "\r\n\r\n");
}

static void
serve_control(void *arg)
{
	serve(*(int *)arg, "\n");
}

/* One of each kind for all inputs. */
static void
start(void)
{
	static int http, control;
	static struct pool_thread *threads[2];
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(in);
	char *path = planted_path("control");

	if (threads[0] != NULL) {
		free(path);
		return;
	}
	pool_lock_init(&lock);
	http = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(http >= 0 && control >= 0);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(bind(http, (struct sockaddr *)&in, sizeof(in)) == 0);
	check(getsockname(http, (struct sockaddr *)&in, &len) == 0);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/",
	    ntohs(in.sin_port)); /* it fits */
	check(strlen(path) < sizeof(un.sun_path));
	memcpy(un.sun_path, path, strlen(path) + 1);
	free(path);
	check(bind(control, (struct sockaddr *)&un, sizeof(un)) == 0);
	check(listen(http, 4) == 0 && listen(control, 4) == 0);
	check(pool_thread_start(&threads[0], serve_http, &http) == 0);
	check(pool_thread_start(&threads[1], serve_control, &control) == 0);
}

struct heard {
	size_t bytes;
	unsigned status;
};

static int
on_data(void *arg, const struct http_client_call *call, const uint8_t *p,
    size_t len)
{
	struct heard *h = arg;

	check(len == 0 || p != NULL);
	check(h->bytes == 0 || h->status == call->status);
	h->status = call->status;
	h->bytes += len;
	check(h->bytes <= answer_len);
	/* Some want no more. */
	return h->bytes > 1000 ? ERR_LIMIT : 0;
}

static void
http(void)
{
	static struct http_client *client;
	struct heard heard = {0};
	struct http_client_call call = {
	    .path = "/v1/hello",
	    .connect_ms = 5000,
	    .stall_seconds = 5,
	    .data = on_data,
	    .arg = &heard,
	    .want = ROUTE_HEADER_PROOF,
	};
	int r;

	if (client == NULL)
		check(http_client_open(&client, url) == 0);
	r = http_client_do(client, &call);
	check(r == 0 || r == ERR_UNREACHABLE ||
	      (r == ERR_LIMIT && heard.bytes > 1000));
	check(memchr(call.value, '\0', sizeof(call.value)) != NULL);
	/* The status may be any: libcurl takes a line that only begins like
	 * one of HTTP for one with 200.  What counts is in signed bodies. */
}

static int
on_item(void *arg, const struct prune_item *item)
{
	(void)arg;
	check((unsigned)item->fate <= PRUNE_BACK);
	return 0;
}

static void
on_found(void *arg, const char *where, const char *what)
{
	(void)arg;
	check(strlen(where) + strlen(what) < answer_len);
}

static void
on_progress(void *arg, uint64_t packs, uint64_t bytes)
{
	(void)arg;
	(void)packs; /* whatever it says */
	(void)bytes;
}

static void
control(unsigned which)
{
	struct inspect_counts in;
	struct sweeper_counts sum;
	const char *dir = planted_dir();
	char out[64];
	int r;

	if (which == 1)
		r = retention_ask(dir, "prune", on_item, NULL);
	else if (which == 2)
		r = sweeper_ask(&sum, dir, 0);
	else if (which == 3)
		r = inspect_ask(
		    &in, dir, "verify", on_found, on_progress, NULL);
	else if (which == 4)
		r = inspect_ask(&in, dir, "reindex", NULL, NULL, NULL);
	else
		r = control_ask(out, sizeof(out), dir, "status", 5);
	check(r <= 0); /* somebody is there */
	if (r == 0 && which == 5)
		check(strlen(out) < sizeof(out) && strlen(out) <= answer_len);
	if (r < 0)
		(void)err_text();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	start();
	if (len < 1 || len > ANSWER_BYTES_MAX || p[0] > 5)
		return 0;
	pool_lock_enter(&lock);
	memcpy(answer, p + 1, len - 1);
	answer_len = len - 1;
	pool_lock_leave(&lock);
	if (p[0] == 0)
		http();
	else
		control(p[0]);
	return 0;
}
