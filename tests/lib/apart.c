#include "lib/apart.h"

#include "backend/dir.h"
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The server answers: whoever waits for that reads its port. */
static void
on_ready(void *arg, uint16_t port)
{
	int *fd = arg;

	if (write(*fd, &port, sizeof(port)) != (ssize_t)sizeof(port))
		abort(); /* it is gone */
	(void)close(*fd); /* a pipe */
}

/* Does not return. */
static void
serve(const char *dir, const char *log, int ready)
{
	struct server_options o = {
	    .store_dir = dir,
	    .listen = "127.0.0.1",
	    .open_backend = backend_dir_open,
	    .ready = on_ready,
	    .arg = &ready,
	};
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0 ||
	    dup2(fd, STDOUT_FILENO) < 0)
		abort(); /* the log says what else is wrong */
	_exit(server_run(&o) == 0 ? 0 : 1);
}

void
apart_start(struct apart *a, const char *dir, const char *log,
    void (*before)(uint64_t seed), uint64_t seed)
{
	uint16_t port = 0;
	ssize_t n;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	a->pid = fork();
	assert_true(a->pid >= 0);
	if (a->pid == 0) {
		/* Whatever becomes of the test. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail */
		if (before != NULL)
			before(seed);
		serve(dir, log, fds[1]);
	}
	(void)close(fds[1]); /* the server's */
	do
		n = read(fds[0], &port, sizeof(port));
	while (n < 0 && errno == EINTR);
	(void)close(fds[0]); /* only read from */
	assert_int_equal(n, sizeof(port));
	(void)snprintf(a->url, sizeof(a->url), "http://127.0.0.1:%u/",
	    (unsigned)port); /* it fits */
}

void
apart_stop(struct apart *a)
{
	int status = 1;

	if (a->pid == 0)
		return;
	assert_int_equal(kill(a->pid, SIGTERM), 0);
	assert_int_equal(waitpid(a->pid, &status, 0), a->pid);
	assert_int_equal(status, 0);
	a->pid = 0;
}
