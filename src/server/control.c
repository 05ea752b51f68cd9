#include "server/control.h"

#include "base/err.h"
#include "base/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME "control"
#define COMMAND_BYTES_MAX 64
/* Those who asked for the end and wait for it. */
#define WAITERS_MAX 16
/* A command comes at once, or its sender is dropped. */
#define COMMAND_SECONDS 5

struct control {
	int dir_fd; /* of the store folder */
	int listen_fd;
	int wake[2]; /* a pipe: the end */
	uint16_t port;
	void (*stop)(void *arg);
	void *arg;
	struct pool_thread *thread;
	int waiters[WAITERS_MAX];
	unsigned nwaiters; /* of the thread, until it is joined */
};

/*
 * A socket's name is short, a store's path may be long: go through the open
 * folder.
 */
static void
fill_address(struct sockaddr_un *sa, int dir_fd)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	(void)snprintf(sa->sun_path, sizeof(sa->sun_path),
	    "/proc/self/fd/%d/" NAME, dir_fd); /* it fits */
}

static void
set_timeout(int fd, unsigned seconds)
{
	struct timeval tv = {.tv_sec = seconds};

	/* Cannot fail for a socket; without it a read would wait longer. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

/* Nonzero when all was sent. */
static int
send_text(int fd, const char *text)
{
	return send(fd, text, strlen(text), MSG_NOSIGNAL) ==
	       (ssize_t)strlen(text);
}

/* Read one line, without its newline.  0; 1 when none came. */
static int
read_line(char line[COMMAND_BYTES_MAX], int fd)
{
	size_t n = 0;

	while (n < COMMAND_BYTES_MAX && recv(fd, line + n, 1, 0) == 1) {
		if (line[n] == '\n') {
			line[n] = '\0';
			return 0;
		}
		n++;
	}
	return 1;
}

static void
serve(struct control *c, int fd)
{
	char line[COMMAND_BYTES_MAX], answer[COMMAND_BYTES_MAX];

	set_timeout(fd, COMMAND_SECONDS);
	if (read_line(line, fd) != 0) {
		close(fd);
		return;
	}
	if (strcmp(line, "stop") == 0 && c->nwaiters < WAITERS_MAX) {
		(void)send_text(fd, "stopping\n"); /* the end tells it, too */
		c->waiters[c->nwaiters++] = fd;
		c->stop(c->arg);
		return;
	}
	if (strcmp(line, "status") == 0)
		(void)snprintf(answer, sizeof(answer), "running %u\n",
		    c->port); /* it fits */
	else
		(void)snprintf(answer, sizeof(answer), "error\n");
	(void)send_text(fd, answer); /* who left does not want it */
	close(fd);
}

static void
run(void *arg)
{
	struct control *c = arg;
	struct pollfd fds[2] = {
	    {.fd = c->listen_fd, .events = POLLIN},
	    {.fd = c->wake[0], .events = POLLIN},
	};
	int fd;

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents != 0)
			return;
		if (fds[0].revents == 0)
			continue;
		fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			serve(c, fd);
	}
}

int
control_start(struct control **out, const char *dir, uint16_t port,
    void (*stop)(void *arg), void *arg)
{
	struct control *c = calloc(1, sizeof(*c));
	struct sockaddr_un sa;
	int r;

	if (c == NULL)
		return err_nomem(sizeof(*c));
	c->listen_fd = c->wake[0] = c->wake[1] = -1;
	c->port = port;
	c->stop = stop;
	c->arg = arg;
	c->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir_fd < 0 || pipe2(c->wake, O_CLOEXEC) != 0)
		goto fail;
	/* We have the store's lock: a socket that is there is a dead one. */
	if (unlinkat(c->dir_fd, NAME, 0) != 0 && errno != ENOENT)
		goto fail;
	fill_address(&sa, c->dir_fd);
	c->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->listen_fd < 0 ||
	    bind(c->listen_fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
	    listen(c->listen_fd, WAITERS_MAX) != 0)
		goto fail;
	r = pool_thread_start(&c->thread, run, c);
	if (r < 0)
		goto out;
	*out = c;
	return 0;
fail:
	r = err_errno(ERR_IO, "%s/" NAME, dir);
out:
	control_finish(c);
	return r;
}

void
control_close(struct control *c)
{
	if (c == NULL || c->listen_fd < 0)
		return;
	if (c->thread != NULL) {
		(void)!write(c->wake[1], "", 1); /* an empty pipe takes it */
		pool_thread_join(c->thread);
		c->thread = NULL;
	}
	close(c->listen_fd);
	c->listen_fd = -1;
	/* A socket that stays behind is removed by the next server. */
	(void)unlinkat(c->dir_fd, NAME, 0);
}

void
control_finish(struct control *c)
{
	if (c == NULL)
		return;
	control_close(c);
	while (c->nwaiters > 0)
		close(c->waiters[--c->nwaiters]);
	if (c->wake[0] >= 0)
		close(c->wake[0]);
	if (c->wake[1] >= 0)
		close(c->wake[1]);
	if (c->dir_fd >= 0)
		close(c->dir_fd);
	free(c);
}

/* Read to the end of the connection. */
static int
read_answer(char *out, unsigned cap, int fd)
{
	char drop[COMMAND_BYTES_MAX];
	unsigned n = 0;
	ssize_t got;

	for (;;) {
		int full = n == cap - 1;

		got = recv(fd, full ? drop : out + n,
		    full ? sizeof(drop) : cap - 1 - n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(
			    ERR_UNREACHABLE, "the server does not answer");
		if (got == 0)
			break;
		if (!full)
			n += (unsigned)got;
	}
	out[n] = '\0';
	return 0;
}

int
control_ask(char *out, unsigned cap, const char *dir, const char *command,
    unsigned seconds)
{
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char line[COMMAND_BYTES_MAX];
	struct sockaddr_un sa;
	int fd = -1, r;

	if (dir_fd < 0)
		return err_errno(ERR_IO, "%s", dir);
	fill_address(&sa, dir_fd);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		r = err_errno(ERR_IO, "socket");
		goto out;
	}
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		r = errno == ENOENT || errno == ECONNREFUSED
			? 1
			: err_errno(ERR_IO, "%s/" NAME, dir);
		goto out;
	}
	set_timeout(fd, seconds);
	(void)snprintf(line, sizeof(line), "%s\n", command); /* it fits */
	if (!send_text(fd, line)) {
		r = err_errno(ERR_UNREACHABLE, "%s/" NAME, dir);
		goto out;
	}
	r = read_answer(out, cap, fd);
out:
	if (fd >= 0)
		close(fd);
	close(dir_fd);
	return r;
}
