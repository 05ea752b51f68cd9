/*
 * What a server says on the control socket when it is another version, broken,
 * or gone in the middle: each asker tells the work's own error, or that the
 * answer is none, and its result stays untouched.  And the socket itself: odd
 * peers do not keep others from being served.
 */

#include "base/err.h"
#include "base/fs.h"
#include "fault/failing.h"
#include "lib/tempdir.h"
#include "server/control.h"
#include "server/inspect.h"
#include "server/keep.h"
#include "server/prune.h"
#include "server/retention.h"
#include "server/sweeper.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What the server of these tests answers to anything but `status`. */
static const char *answer;

static int
on_command(void *arg, struct control_peer *peer, const char *command)
{
	(void)arg;
	(void)command;
	control_say(peer, "%s", answer);
	return 0;
}

static void
on_stop(void *arg)
{
	(void)arg;
}

#define M "00112233445566778899aabbccddeeff"
#define MALFORMED "malformed"
#define ENDED "ended meanwhile"
#define OLDER "older"

struct row {
	const char *answer;
	int rc;
	const char *text; /* of the error */
};

static const struct row prune_rows[] = {
    {"done", 0, NULL},
    {"snapshot\t" M "\t7\t5\t100\t0\t1\t0\ndone", 0, NULL},
    {"snapshot\t" M "\t7\t5\t100\t0\t1\t0", ERR_UNREACHABLE, ENDED},
    {"snapshot\t" M "\t7\t5\t100\t0\t1\ndone", ERR_UNREACHABLE, MALFORMED},
    {"snapshot\t" M "\t7\t5\t100\t99\t1\t0\ndone", ERR_UNREACHABLE, MALFORMED},
    {"snapshot\t0011\t7\t5\t100\t0\t1\t0\ndone", ERR_UNREACHABLE, MALFORMED},
    {"snapshot\tx\ndone", ERR_UNREACHABLE, MALFORMED},
    {"error", ERR_UNREACHABLE, OLDER},
    {"", ERR_UNREACHABLE, OLDER},
    {"failed\t-9\tno luck", -9, "no luck"},
    {"failed\t9\tno luck", ERR_UNREACHABLE, OLDER},
    {"failed\tx", ERR_UNREACHABLE, OLDER},
};

static const struct row sweep_rows[] = {
    {"done", 0, NULL},
    {"swept\t1\t2\t3\t4\t5\t6\t7\t8\t9\t10\t11\t12\ndone", 0, NULL},
    {"swept\t1\t2\t3\t4\t5\t6\t7\t8\t9\t10\t11\t12", ERR_UNREACHABLE, ENDED},
    {"swept\t1\t2\ndone", ERR_UNREACHABLE, MALFORMED},
    {"swept\ndone", ERR_UNREACHABLE, MALFORMED},
    {"swe", ERR_UNREACHABLE, MALFORMED},
    {"error", ERR_UNREACHABLE, MALFORMED},
    {"failed\t-9\tno\tluck", -9, "no\tluck"},
    {"failed\t-9", -9, ""},
    {"failed\t0\tno luck", ERR_UNREACHABLE, MALFORMED},
};

static const struct row inspect_rows[] = {
    {"vault\t1\t2\t3\t4\t5\ndone", 0, NULL},
    {"progress\t1\t2\naccount\t3\nfinding\tx\ndone", 0, NULL},
    {"vault\t1\t2\t3\t4\ndone", ERR_UNREACHABLE, MALFORMED},
    {"progress\t1\ndone", ERR_UNREACHABLE, MALFORMED},
    {"account\tx\ndone", ERR_UNREACHABLE, MALFORMED},
    {"vault\t1\t2\t3\t4\t5", ERR_UNREACHABLE, ENDED},
    {"error", ERR_UNREACHABLE, MALFORMED},
    {"failed\t-9\tno luck", -9, "no luck"},
    {"failed\tx", ERR_UNREACHABLE, MALFORMED},
    {"failed\t3", ERR_UNREACHABLE, MALFORMED},
};

static void
expect(int rc, const struct row *row)
{
	if (rc != row->rc)
		fail_msg("'%s': %d, not %d", row->answer, rc, row->rc);
	if (row->text != NULL && strstr(err_text(), row->text) == NULL)
		fail_msg("'%s': %s", row->answer, err_text());
}

static int
on_item(void *arg, const struct prune_item *item)
{
	assert_int_equal(item->seq, 7);
	assert_int_equal(item->receive_ns, 5);
	assert_int_equal(item->bytes, 100);
	assert_int_equal(item->fate, PRUNE_KEEP);
	assert_int_equal(item->mount[0], 0);
	assert_int_equal(item->mount[15], 0xff);
	++*(unsigned *)arg;
	return 0;
}

static void
on_found(void *arg, const char *where, const char *what)
{
	assert_string_equal(where, "x");
	assert_string_equal(what, ""); /* it was cut */
	++*(unsigned *)arg;
}

static void
on_progress(void *arg, uint64_t packs, uint64_t bytes)
{
	assert_int_equal(packs, 1);
	assert_int_equal(bytes, 2);
	++*(unsigned *)arg;
}

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static void
test_answers(void **state)
{
	char *dir = tempdir_new();
	struct inspect_counts in;
	struct sweeper_counts sum;
	struct control *c;
	unsigned n = 0;
	size_t i;

	(void)state;
	assert_int_equal(
	    control_start(&c, dir, 1, on_stop, on_command, NULL), 0);
	for (i = 0; i < ROWS(prune_rows); i++) {
		answer = prune_rows[i].answer;
		expect(
		    retention_ask(dir, "prune", on_item, &n), &prune_rows[i]);
	}
	assert_int_equal(n, 2);
	for (i = 0; i < ROWS(sweep_rows); i++) {
		memset(&sum, 1, sizeof(sum));
		answer = sweep_rows[i].answer;
		expect(sweeper_ask(&sum, dir, 0), &sweep_rows[i]);
		if (sweep_rows[i].rc != 0)
			assert_int_equal(
			    sum.vaults, UINT64_C(0x0101010101010101));
		else
			assert_int_equal(sum.vaults, i);
	}
	n = 0;
	for (i = 0; i < ROWS(inspect_rows); i++) {
		memset(&in, 1, sizeof(in));
		answer = inspect_rows[i].answer;
		expect(
		    inspect_ask(&in, dir, "verify", on_found, on_progress, &n),
		    &inspect_rows[i]);
		if (inspect_rows[i].rc != 0)
			assert_int_equal(
			    in.vaults, UINT64_C(0x0101010101010101));
		else
			assert_int_equal(in.findings, i == 0 ? 5 : 3);
	}
	assert_int_equal(n, 2);
	/* A reindex wants neither findings nor progress. */
	answer = "progress\t1\t2\ndone";
	assert_int_equal(inspect_ask(&in, dir, "reindex", NULL, NULL, NULL), 0);
	answer = "finding\tx\ty\ndone";
	assert_int_equal(inspect_ask(&in, dir, "reindex", NULL, NULL, NULL),
	    ERR_UNREACHABLE);
	control_close(c);
	control_finish(c);
	tempdir_free(dir);
}

/* A socket of our own where a server's would be: -1 for want of one. */
static int
listen_at(const char *dir)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control", dir);

	assert_true(fd >= 0 && n > 0 && (size_t)n < sizeof(sa.sun_path));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* Answers that control_say() would not give: no line's end for ever. */
static void
test_no_line(void **state)
{
	char *dir = tempdir_new(), out[64], *much = malloc(8192), c;
	pid_t child;
	int fd, peer, i;

	(void)state;
	assert_non_null(much);
	memset(much, 'x', 8192);
	fd = listen_at(dir);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		for (i = 0; i < 2; i++) {
			peer = accept(fd, NULL, NULL);
			/* Who closes with something unread is not heard. */
			while (recv(peer, &c, 1, 0) == 1 && c != '\n')
				;
			/* The first is told too much, the second nothing. */
			if (i == 0)
				(void)!send(peer, much, 8192, MSG_NOSIGNAL);
			else
				sleep(600);
			close(peer);
		}
		_exit(0);
	}
	assert_int_equal(
	    control_ask(out, 64, dir, "status", 60), ERR_UNREACHABLE);
	assert_non_null(strstr(err_text(), "malformed"));
	assert_int_equal(
	    control_ask(out, 64, dir, "status", 1), ERR_UNREACHABLE);
	assert_non_null(strstr(err_text(), "does not answer"));
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(fd);
	/* A socket that nobody listens on any more is no server. */
	assert_int_equal(control_ask(out, 64, dir, "status", 60), 1);
	free(much);
	tempdir_free(dir);
}

static int
connect_to(const char *dir)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control", dir);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* Peers that say nothing, too much, or leave; more of them than places. */
static void
test_odd_peers(void **state)
{
	char *dir = tempdir_new(), out[64], much[100];
	struct control *c;
	int fds[24], i, rc;

	(void)state;
	memset(much, 'x', sizeof(much));
	assert_int_equal(control_start(&c, dir, 5, on_stop, NULL, NULL), 0);
	for (i = 0; i < 24; i++)
		fds[i] = connect_to(dir);
	for (i = 0; i < 24; i++) {
		if (i % 3 == 0)
			(void)!send(fds[i], much, sizeof(much), MSG_NOSIGNAL);
		close(fds[i]);
	}
	/* They had their places for a moment. */
	for (i = 0; i < 200; i++) {
		rc = control_ask(out, 64, dir, "status", 60);
		if (rc == 0 && out[0] != '\0')
			break;
		usleep(10000);
	}
	assert_int_equal(rc, 0);
	assert_string_equal(out, "running 5\n");
	/* Nobody who knows commands: that is an error, too. */
	assert_int_equal(control_ask(out, 64, dir, "dance", 60), 0);
	assert_string_equal(out, "error\n");
	control_close(c);
	control_finish(c);
	tempdir_free(dir);
}

/* Each call of a start and of a question fails once. */
/* Whose poll() fails for ever looks from time to time, and serves. */
static void
test_blind(void **state)
{
	char *dir = tempdir_new(), out[64];
	struct control *c = NULL;

	(void)state;
	failing_start_forever(FAILING_ALL);
	failing_only("poll");
	while (failing_more()) {
		failing_arm();
		assert_int_equal(
		    control_start(&c, dir, 5, on_stop, NULL, NULL), 0);
		assert_int_equal(control_ask(out, 64, dir, "status", 60), 0);
		assert_string_equal(out, "running 5\n");
		control_close(c);
		control_finish(c);
		failing_disarm();
	}
	failing_check_count(1);
	tempdir_free(dir);
}

static void
test_failing(void **state)
{
	char *dir = tempdir_new(), out[64];
	struct control *c = NULL;
	int files = failing_descriptors(), rc;

	(void)state;
	failing_start_ways(FAILING_ALL);
	while (failing_more()) {
		failing_arm();
		rc = control_start(&c, dir, 5, on_stop, NULL, NULL);
		failing_disarm();
		failing_check(rc, 0);
		if (rc == 0) {
			control_close(c);
			control_finish(c);
		}
		assert_int_equal(failing_descriptors(), files);
		assert_int_equal(failing_blocks(), 0);
	}
	failing_check_count(7);
	assert_int_equal(control_start(&c, dir, 5, on_stop, NULL, NULL), 0);
	files = failing_descriptors();
	failing_start_ways(FAILING_FILES | FAILING_NETWORK);
	while (failing_more()) {
		failing_arm();
		rc = control_ask(out, 64, dir, "status", 60);
		failing_disarm();
		/* What fails at the server is a peer that is dropped. */
		if (rc != 0 || out[0] == '\0')
			assert_non_null(failing_name());
		if (rc < 0)
			assert_string_not_equal(err_text(), "");
		assert_true(rc <= 0);
		/* The next one is served. */
		assert_int_equal(control_ask(out, 64, dir, "status", 60), 0);
		assert_string_equal(out, "running 5\n");
	}
	failing_check_count(5);
	control_close(c);
	control_finish(c);
	tempdir_free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_no_line),
	    cmocka_unit_test(test_odd_peers),
	    cmocka_unit_test(test_blind),
	    cmocka_unit_test(test_failing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
