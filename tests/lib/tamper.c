#include "lib/tamper.h"

#include "base/pool.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PAIRS_MAX 16
#define DOWN 0
#define UP 1

const struct tamper_plan tamper_nothing = {
    TAMPER_NEVER, TAMPER_NEVER, TAMPER_NEVER, TAMPER_NEVER};

struct tamper {
	int listen_fd;
	int wake[2];
	uint16_t port, to;
	struct pool_lock lock;
	struct tamper_plan plan;
	int64_t passed[2]; /* DOWN, UP */
	struct pool_thread *thread;
	int client[PAIRS_MAX], server[PAIRS_MAX];
	unsigned n;
};

static void
drop(struct tamper *t, unsigned i)
{
	close(t->client[i]);
	close(t->server[i]);
	t->n--;
	t->client[i] = t->client[t->n];
	t->server[i] = t->server[t->n];
}

static int
connect_to(uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_port = htons(port);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
take_one(struct tamper *t)
{
	int fd = accept4(t->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	int one = 1, to;

	if (fd < 0)
		return;
	to = t->n < PAIRS_MAX ? connect_to(t->to) : -1;
	if (to < 0) {
		close(fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(to, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	t->client[t->n] = fd;
	t->server[t->n++] = to;
}

/* Move what is there.  Nonzero when the connection is over. */
static int
forward(struct tamper *t, int from, int to, int direction)
{
	int64_t flip, cut, at;
	uint8_t b[16384];
	ssize_t n = recv(from, b, sizeof(b), 0);
	int over = 0;

	if (n <= 0)
		return 1;
	pool_lock_enter(&t->lock);
	flip = direction == DOWN ? t->plan.flip_down : t->plan.flip_up;
	cut = direction == DOWN ? t->plan.cut_down : t->plan.cut_up;
	at = t->passed[direction];
	if (flip >= at && flip < at + n)
		b[flip - at] ^= 1;
	if (cut != TAMPER_NEVER && cut < at + n) {
		n = cut > at ? cut - at : 0;
		over = 1;
	}
	t->passed[direction] += n;
	pool_lock_leave(&t->lock);
	if (n > 0 && send(to, b, (size_t)n, MSG_NOSIGNAL) != n)
		over = 1;
	return over;
}

static void
run(void *arg)
{
	struct tamper *t = arg;
	struct pollfd fds[2 + 2 * PAIRS_MAX];
	unsigned i, n;

	for (;;) {
		fds[0] = (struct pollfd){.fd = t->listen_fd, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = t->wake[0], .events = POLLIN};
		n = t->n;
		for (i = 0; i < n; i++) {
			fds[2 + 2 * i] = (struct pollfd){
			    .fd = t->client[i], .events = POLLIN};
			fds[3 + 2 * i] = (struct pollfd){
			    .fd = t->server[i], .events = POLLIN};
		}
		if (poll(fds, 2 + 2 * n, -1) < 0 || fds[1].revents != 0)
			break;
		/* From the last one on, so that dropping moves none ahead. */
		for (i = n; i-- > 0;) {
			if ((fds[2 + 2 * i].revents != 0 &&
				forward(t, t->client[i], t->server[i], UP)) ||
			    (fds[3 + 2 * i].revents != 0 &&
				forward(t, t->server[i], t->client[i], DOWN)))
				drop(t, i);
		}
		if (fds[0].revents != 0)
			take_one(t);
	}
	while (t->n > 0)
		drop(t, 0);
}

struct tamper *
tamper_start(uint16_t to)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	struct tamper *t = calloc(1, sizeof(*t));
	socklen_t len = sizeof(sa);

	assert_non_null(t);
	t->to = to;
	t->plan = tamper_nothing;
	pool_lock_init(&t->lock);
	assert_int_equal(pipe(t->wake), 0);
	t->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(
	    bind(t->listen_fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(t->listen_fd, 16), 0);
	assert_int_equal(
	    getsockname(t->listen_fd, (struct sockaddr *)&sa, &len), 0);
	t->port = ntohs(sa.sin_port);
	assert_int_equal(pool_thread_start(&t->thread, run, t), 0);
	return t;
}

uint16_t
tamper_port(const struct tamper *t)
{
	return t->port;
}

void
tamper_set(struct tamper *t, const struct tamper_plan *p)
{
	pool_lock_enter(&t->lock);
	t->plan = *p;
	t->passed[DOWN] = t->passed[UP] = 0;
	pool_lock_leave(&t->lock);
}

static int64_t
passed(struct tamper *t, int direction)
{
	int64_t n;

	pool_lock_enter(&t->lock);
	n = t->passed[direction];
	pool_lock_leave(&t->lock);
	return n;
}

int64_t
tamper_down(struct tamper *t)
{
	return passed(t, DOWN);
}

int64_t
tamper_up(struct tamper *t)
{
	return passed(t, UP);
}

void
tamper_stop(struct tamper *t)
{
	assert_int_equal(write(t->wake[1], "", 1), 1);
	pool_thread_join(t->thread);
	close(t->wake[0]);
	close(t->wake[1]);
	close(t->listen_fd);
	pool_lock_release(&t->lock);
	free(t);
}
