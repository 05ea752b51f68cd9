/*
 * Bytes that come to a running server: which u8 (0 a connection of HTTP, 1 a
 * line of the control socket), bytes.  However it goes, the next who asks is
 * answered.
 */

#include "backend/dir.h"
#include "base/log.h"
#include "fuzz/fuzz.h"
#include "lib/planted.h"
#include "lib/serving.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define STORE "store"
#define PEER_SECONDS 20
/* A request of a few bytes is answered with a few hundred. */
#define ANSWERS_BYTES_MAX (16u << 20)

static struct serving serving;

static void
check(int ok)
{
	if (!ok)
		abort();
}

static int
open_backend(struct backend **out, const char *vault_dir, const char *incoming)
{
	return backend_dir_open(out, vault_dir, incoming);
}

/* One server for all inputs.  It ends with the process: by a signal, which is
 * how it is told, libFuzzer ends. */
static void
start(void)
{
	sigset_t set;

	(void)sigemptyset(&set); /* cannot fail, as the next */
	(void)sigaddset(&set, SIGTERM);
	check(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	log_set_verbose(-1);
	serving.o.store_dir = planted_path(STORE);
	serving.o.listen = "127.0.0.1";
	serving.o.open_backend = open_backend;
	serving_init(&serving);
	check(serving_begin(&serving));
}

static int
connect_http(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	struct timeval tv = {.tv_sec = PEER_SECONDS};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_port = htons(serving.o.port);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(fd >= 0);
	check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	check(connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	return fd;
}

static int
connect_control(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char *path = planted_path(STORE "/control");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	check(strlen(path) < sizeof(sa.sun_path));
	memcpy(sa.sun_path, path, strlen(path) + 1);
	free(path);
	check(fd >= 0);
	check(connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	return fd;
}

/* Say it all, and hear the answer to its end; how many bytes of it. */
static size_t
converse(char *out, size_t cap, int fd, const void *p, size_t len)
{
	char piece[4096];
	size_t n = 0, all = 0, take;
	ssize_t got;

	/* Who has heard enough may hang up. */
	(void)!send(fd, p, len, MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	while ((got = recv(fd, piece, sizeof(piece), 0)) > 0) {
		take = (size_t)got < cap - n ? (size_t)got : cap - n;
		memcpy(out + n, piece, take);
		n += take;
		all += (size_t)got;
		check(all < ANSWERS_BYTES_MAX);
	}
	check(close(fd) == 0);
	return n;
}

static void
http(const uint8_t *p, size_t len)
{
	static const char hello[] = "GET /v1/hello HTTP/1.1\r\nHost: a\r\n"
				    "Connection: close\r\n\r\n";
	char out[256];
	size_t n = converse(out, sizeof(out), connect_http(), p, len);

	check(n == 0 || (n >= 9 && memcmp(out, "HTTP/1.", 7) == 0));
	n = converse(out, sizeof(out), connect_http(), hello, strlen(hello));
	check(n >= 15 && memcmp(out, "HTTP/1.1 200 OK", 15) == 0);
}

static void
control(const uint8_t *p, size_t len)
{
	char out[64];
	size_t n;

	/* What ends the server ends this program. */
	if (len >= 4 && memcmp(p, "stop", 4) == 0)
		return;
	(void)converse(out, sizeof(out), connect_control(), p, len);
	n = converse(out, sizeof(out), connect_control(), "status\n", 7);
	check(n > 8 && memcmp(out, "running ", 8) == 0 && out[n - 1] == '\n');
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	if (serving.thread == NULL)
		start();
	if (len < 1 || p[0] > 1)
		return 0;
	if (p[0] == 0)
		http(p + 1, len - 1);
	else
		control(p + 1, len - 1);
	return 0;
}
