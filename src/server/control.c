#include "server/control.h"

#include "base/err.h"
#include "base/log.h"
#include "base/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NAME "control"
#define COMMAND_BYTES_MAX 64
#define LINE_BYTES_MAX 4096
/* Connections at once: threads, and those who wait for the end. */
#define PEERS_MAX 16
/* A command comes at once, and a line is taken, or the peer is dropped. */
#define PEER_SECONDS 5
/* Want of memory or descriptors passes; until then look again so often. */
#define AGAIN_MS 100

/*
 * A connection: free (fd -1), then served by its thread, then either free
 * again (the thread is joined when the place is needed) or waiting for the end
 * of the server (fd open).
 */
struct control_peer {
	struct control *c;
	struct pool_thread *thread;
	int fd; /* under the lock */
};

struct control {
	int dir_fd; /* of the store folder */
	int listen_fd;
	int wake[2]; /* a pipe that never blocks; closed: the end */
	uint16_t port;
	void (*stop)(void *arg);
	control_command_fn *command;
	void *arg;
	struct pool_thread *thread;
	struct pool_lock lock;
	struct control_peer peers[PEERS_MAX];
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

void
control_say(struct control_peer *peer, const char *fmt, ...)
{
	char line[LINE_BYTES_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n > sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n] = '\n';
	line[n + 1] = '\0';
	(void)send_text(peer->fd, line); /* who left does not want it */
}

void
control_say_end(struct control_peer *peer, int rc)
{
	char text[ERR_TEXT_MAX];

	if (rc < 0)
		control_say(peer, "failed\t%d\t%s", rc,
		    log_escape(
			text, sizeof(text), err_text(), strlen(err_text())));
	else
		control_say(peer, "done");
}

int
control_read_end(const char *line)
{
	int code, len = 0;

	if (strcmp(line, "done") == 0)
		return 0;
	/* There may be no words. */
	if (sscanf(line, "failed\t%d\t%n", &code, &len) == 1 && code < 0)
		return err_set(code, "%s", line + len);
	return 1;
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

/* Nonzero when the connection stays open until the end of the server. */
static int
answer(struct control_peer *peer)
{
	struct control *c = peer->c;
	char line[COMMAND_BYTES_MAX];

	set_timeout(peer->fd, PEER_SECONDS);
	if (read_line(line, peer->fd) != 0)
		return 0;
	if (strcmp(line, "stop") == 0) {
		control_say(peer, "stopping");
		c->stop(c->arg);
		return 1;
	}
	if (strcmp(line, "status") == 0)
		control_say(peer, "running %u", c->port);
	else if (c->command == NULL || c->command(c->arg, peer, line) != 0)
		control_say(peer, "error");
	return 0;
}

static void
run_peer(void *arg)
{
	struct control_peer *peer = arg;
	int stays = answer(peer);

	pool_lock_enter(&peer->c->lock);
	if (!stays) {
		close(peer->fd);
		peer->fd = -1;
	}
	pool_lock_leave(&peer->c->lock);
}

/* Give a connection a place and a thread; none left: it is closed. */
static void
serve(struct control *c, int fd)
{
	struct control_peer *peer = NULL;
	size_t i;

	pool_lock_enter(&c->lock);
	for (i = 0; i < PEERS_MAX && peer == NULL; i++)
		if (c->peers[i].fd < 0)
			peer = &c->peers[i];
	pool_lock_leave(&c->lock);
	if (peer == NULL) {
		close(fd);
		return;
	}
	pool_thread_join(peer->thread);
	peer->thread = NULL;
	peer->c = c;
	peer->fd = fd;
	if (pool_thread_start(&peer->thread, run_peer, peer) < 0) {
		close(fd);
		peer->fd = -1;
	}
}

static void
pause_ms(unsigned ms)
{
	struct timespec ts = {.tv_nsec = ms * 1000000l};

	(void)nanosleep(&ts, NULL); /* shorter is fine, too */
}

static void
run(void *arg)
{
	struct control *c = arg;
	struct pollfd fds[2] = {
	    {.fd = c->listen_fd, .events = POLLIN},
	    {.fd = c->wake[0], .events = POLLIN},
	};
	char end;
	int fd, blind;

	for (;;) {
		/* Who cannot wait looks from time to time. */
		blind = poll(fds, 2, -1) < 0;
		if (blind)
			pause_ms(AGAIN_MS);
		/* Of two that failed only the pipe tells the end. */
		if (blind ? read(c->wake[0], &end, 1) == 0
			  : fds[1].revents != 0)
			return;
		if (!blind && fds[0].revents == 0)
			continue;
		fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			serve(c, fd);
		else if (!blind)
			pause_ms(AGAIN_MS);
	}
}

int
control_start(struct control **out, const char *dir, uint16_t port,
    void (*stop)(void *arg), control_command_fn *command, void *arg)
{
	struct control *c = calloc(1, sizeof(*c));
	struct sockaddr_un sa;
	size_t i;
	int r;

	if (c == NULL)
		return err_nomem(sizeof(*c));
	c->listen_fd = c->wake[0] = c->wake[1] = -1;
	for (i = 0; i < PEERS_MAX; i++)
		c->peers[i].fd = -1;
	pool_lock_init(&c->lock);
	c->port = port;
	c->stop = stop;
	c->command = command;
	c->arg = arg;
	c->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir_fd < 0 || pipe2(c->wake, O_CLOEXEC | O_NONBLOCK) != 0)
		goto fail;
	/* We have the store's lock: a socket that is there is a dead one. */
	if (unlinkat(c->dir_fd, NAME, 0) != 0 && errno != ENOENT)
		goto fail;
	fill_address(&sa, c->dir_fd);
	c->listen_fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listen_fd < 0 ||
	    bind(c->listen_fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
	    listen(c->listen_fd, PEERS_MAX) != 0)
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
	size_t i;

	if (c == NULL || c->listen_fd < 0)
		return;
	if (c->thread != NULL) {
		close(c->wake[1]); /* which cannot fail to wake it */
		c->wake[1] = -1;
		pool_thread_join(c->thread);
		c->thread = NULL;
	}
	for (i = 0; i < PEERS_MAX; i++) {
		pool_thread_join(c->peers[i].thread);
		c->peers[i].thread = NULL;
	}
	close(c->listen_fd);
	c->listen_fd = -1;
	/* A socket that stays behind is removed by the next server. */
	(void)unlinkat(c->dir_fd, NAME, 0);
}

void
control_finish(struct control *c)
{
	size_t i;

	if (c == NULL)
		return;
	control_close(c);
	for (i = 0; i < PEERS_MAX; i++)
		if (c->peers[i].fd >= 0)
			close(c->peers[i].fd);
	if (c->wake[0] >= 0)
		close(c->wake[0]);
	if (c->wake[1] >= 0)
		close(c->wake[1]);
	if (c->dir_fd >= 0)
		close(c->dir_fd);
	pool_lock_release(&c->lock);
	free(c);
}

/* Hand out the lines that come, to the end of the connection. */
static int
read_lines(int fd, control_line_fn *line, void *arg)
{
	char text[LINE_BYTES_MAX], *end;
	size_t n = 0;
	ssize_t got;
	int r;

	for (;;) {
		got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(
			    ERR_UNREACHABLE, "the server does not answer");
		if (got == 0)
			return 0;
		n += (size_t)got;
		text[n] = '\0';
		while ((end = memchr(text, '\n', n)) != NULL) {
			*end = '\0';
			r = line(arg, text);
			if (r != 0)
				return r;
			n -= (size_t)(end + 1 - text);
			memmove(text, end + 1, n + 1);
		}
		if (n == sizeof(text) - 1)
			return err_set(ERR_UNREACHABLE,
			    "the server's answer is malformed");
	}
}

int
control_lines(const char *dir, const char *command, unsigned seconds,
    control_line_fn *line, void *arg)
{
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char text[COMMAND_BYTES_MAX];
	struct sockaddr_un sa;
	int fd = -1, r;

	if (dir_fd < 0)
		return errno == ENOENT || errno == ENOTDIR
			   ? 1
			   : err_errno(ERR_IO, "%s", dir);
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
	(void)snprintf(text, sizeof(text), "%s\n", command); /* it fits */
	if (!send_text(fd, text)) {
		r = err_errno(ERR_UNREACHABLE, "%s/" NAME, dir);
		goto out;
	}
	r = read_lines(fd, line, arg);
out:
	if (fd >= 0)
		close(fd);
	close(dir_fd);
	return r;
}

struct text {
	char *out;
	size_t left; /* of it, NUL included */
};

static int
append_line(void *arg, const char *line)
{
	struct text *t = arg;
	int n = snprintf(t->out, t->left, "%s\n", line);

	if (n > 0) {
		size_t used = (size_t)n < t->left ? (size_t)n : t->left - 1;

		t->out += used;
		t->left -= used;
	}
	return 0;
}

int
control_ask(char *out, unsigned cap, const char *dir, const char *command,
    unsigned seconds)
{
	struct text t = {out, cap};

	out[0] = '\0';
	return control_lines(dir, command, seconds, append_line, &t);
}
