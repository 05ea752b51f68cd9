/* The control socket, and the gate for those who need a vault alone. */

#include "base/err.h"
#include "base/fs.h"
#include "lib/server_fixture.h"
#include "lib/tempdir.h"
#include "server/control.h"
#include "server/inspect.h"
#include "store/store.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static atomic_int stops;
/* How many of the next calls fail; the program's own come here. */
static atomic_int polls_fail, accepts_fail;

int poll(struct pollfd *fds, nfds_t n, int ms);
int
poll(struct pollfd *fds, nfds_t n, int ms)
{
	struct timespec ts = {
	    .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};

	if (atomic_load(&polls_fail) > 0) {
		atomic_fetch_sub(&polls_fail, 1);
		errno = ENOMEM;
		return -1;
	}
	return ppoll(fds, n, ms < 0 ? NULL : &ts, NULL);
}

int
accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	if (atomic_load(&accepts_fail) > 0) {
		atomic_fetch_sub(&accepts_fail, 1);
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_accept4, fd, sa, len, flags);
}

static void
on_stop(void *arg)
{
	assert_string_equal(arg, "arg");
	atomic_fetch_add(&stops, 1);
}

static int
on_command(void *arg, struct control_peer *peer, const char *command)
{
	int i;

	assert_string_equal(arg, "arg");
	if (strcmp(command, "many") == 0) {
		for (i = 0; i < 1000; i++)
			control_say(peer, "line %d of %0*d", i, i, 0);
		return 0;
	}
	if (strcmp(command, "verify") == 0) {
		control_say(peer, "finding\tpacks/x\tit is damaged");
		control_say(peer, "vault\t1\t2\t3\t4\t1");
		control_say(peer, "vault\t10\t20\t30\t40\t0");
		control_say(peer, "done");
		return 0;
	}
	if (strcmp(command, "reindex") == 0) {
		control_say(peer, "failed\t%d\tno room here", ERR_NOSPACE);
		return 0;
	}
	return 1;
}

static int
count_line(void *arg, const char *line)
{
	unsigned *n = arg;

	assert_int_equal(strtoul(line + 5, NULL, 10), *n);
	++*n;
	return 0;
}

static void
found(void *arg, const char *where, const char *what)
{
	assert_string_equal(where, "packs/x");
	assert_string_equal(what, "it is damaged");
	++*(unsigned *)arg;
}

/* A store folder whose path is too long for a socket's name. */
static char *
deep_folder(const char *dir)
{
	char *deep = fs_printf("%s/%0100d/%0100d", dir, 1, 2);

	assert_non_null(deep);
	assert_int_equal(fs_make_dirs(deep, 0700), 0);
	return deep;
}

static void
test_commands(void **state)
{
	char *dir = tempdir_new(), *deep = deep_folder(dir), out[64];
	struct inspect_counts counts;
	struct control *c;
	unsigned n = 0;
	int i;

	(void)state;
	assert_int_equal(control_ask(out, 64, deep, "status", 5), 1);
	assert_int_equal(control_ask(out, 64, "/nowhere", "status", 5), 1);
	assert_int_equal(
	    control_start(&c, deep, 1234, on_stop, on_command, "arg"), 0);
	for (i = 0; i < 50; i++) {
		assert_int_equal(control_ask(out, 64, deep, "status", 5), 0);
		assert_string_equal(out, "running 1234\n");
	}
	assert_int_equal(control_ask(out, 64, deep, "dance", 5), 0);
	assert_string_equal(out, "error\n");
	assert_int_equal(control_lines(deep, "many", 5, count_line, &n), 0);
	assert_int_equal(n, 1000);
	assert_int_equal(control_ask(out, 8, deep, "status", 5), 0);
	assert_string_equal(out, "running");

	n = 0;
	assert_int_equal(
	    inspect_ask(&counts, deep, "verify", found, NULL, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(counts.vaults, 2);
	assert_int_equal(counts.packs, 11);
	assert_int_equal(counts.snapshots, 44);
	assert_int_equal(counts.findings, 1);
	assert_int_equal(
	    inspect_ask(&counts, deep, "reindex", NULL, NULL, NULL),
	    ERR_NOSPACE);
	assert_string_equal(err_text(), "no room here");
	assert_int_equal(inspect_ask(&counts, deep, "many", NULL, NULL, NULL),
	    ERR_UNREACHABLE);
	control_close(c);
	assert_int_equal(control_ask(out, 64, deep, "status", 5), 1);
	control_finish(c);
	free(deep);
	tempdir_free(dir);
}

struct wait {
	const char *dir;
	atomic_int over;
};

static void
ask_stop(void *arg)
{
	struct wait *w = arg;
	char out[64];

	assert_int_equal(control_ask(out, 64, w->dir, "stop", 30), 0);
	assert_string_equal(out, "stopping\n");
	atomic_store(&w->over, 1);
}

static void
test_stop_waits_for_the_end(void **state)
{
	struct pool_thread *threads[3];
	struct wait w = {.dir = tempdir_new()};
	struct control *c;
	int i;

	(void)state;
	assert_int_equal(control_start(&c, w.dir, 1, on_stop, NULL, "arg"), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(
		    pool_thread_start(&threads[i], ask_stop, &w), 0);
	while (atomic_load(&stops) < 3)
		usleep(1000);
	control_close(c);
	usleep(20000);
	assert_int_equal(atomic_load(&w.over), 0);
	control_finish(c);
	for (i = 0; i < 3; i++)
		pool_thread_join(threads[i]);
	assert_int_equal(atomic_load(&w.over), 1);
	tempdir_free((char *)w.dir);
}

/* Commands are answered when memory and descriptors are there again. */
static void
test_calls_that_fail(void **state)
{
	struct control *c;
	char out[64], *dir = tempdir_new();
	int i;

	(void)state;
	atomic_store(&polls_fail, 3);
	assert_int_equal(control_start(&c, dir, 7, on_stop, NULL, "arg"), 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(control_ask(out, 64, dir, "status", 30), 0);
		assert_string_equal(out, "running 7\n");
		while (atomic_load(&polls_fail) + atomic_load(&accepts_fail))
			usleep(1000);
		if (i < 2)
			atomic_store(i == 0 ? &accepts_fail : &polls_fail, 2);
	}
	/* It ends, too, while they fail. */
	atomic_store(&polls_fail, 1000000);
	/* Each question wakes it. */
	for (i = 0; i < 60 && atomic_load(&polls_fail) == 1000000; i++)
		(void)control_ask(out, 64, dir, "status", 1);
	control_close(c);
	control_finish(c);
	assert_in_range(atomic_exchange(&polls_fail, 0), 1, 999999);
	tempdir_free(dir);
}

static void
test_gate(void **state)
{
	uint8_t vault[16], other[16] = {9}, bitmap[1], id[32] = {0};
	struct server_fixture f;
	struct remote_options o;
	struct store *s, *t;

	(void)state;
	server_fixture_start(&f, 0);
	server_fixture_mount(&o, &f, 1);
	memset(vault, 1, sizeof(vault));
	assert_int_equal(remote_open(&s, &o), 0);
	/* Somebody is in. */
	assert_int_equal(dispatch_close_vault(&f.dispatch, vault), ERR_BUSY);
	assert_int_equal(remote_open(&t, &o), 0);
	t->ops->close(t);
	/* Another vault does not matter. */
	assert_int_equal(dispatch_close_vault(&f.dispatch, other), 0);
	assert_int_equal(dispatch_close_vault(&f.dispatch, other), ERR_BUSY);
	assert_int_equal(s->ops->have(s, bitmap, id, 1), 0);
	dispatch_open_vault(&f.dispatch);
	s->ops->close(s);
	/* Nobody is in, and nobody gets in. */
	assert_int_equal(dispatch_close_vault(&f.dispatch, vault), 0);
	assert_int_equal(remote_open(&s, &o), ERR_BUSY);
	assert_non_null(strstr(err_text(), "being checked"));
	dispatch_open_vault(&f.dispatch);
	assert_int_equal(remote_open(&s, &o), 0);
	s->ops->close(s);
	server_fixture_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_commands),
	    cmocka_unit_test(test_stop_waits_for_the_end),
	    cmocka_unit_test(test_calls_that_fail),
	    cmocka_unit_test(test_gate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
