/* The whole server as a process of its own, over a real store. */

#include "backend/dir.h"
#include "base/err.h"
#include "base/fs.h"
#include "client/register.h"
#include "client/remote.h"
#include "lib/counted.h"
#include "lib/server_fixture.h"
#include "lib/store_fixture.h"
#include "lib/tempdir.h"
#include "server/inspect.h"
#include "server/invitation.h"
#include "server/server.h"
#include "store/store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* No threads of ours: this process forks. */
static struct channel_policy policy;

static void
tell_port(void *arg, uint16_t port)
{
	int fd = *(int *)arg;

	if (write(fd, &port, sizeof(port)) != sizeof(port))
		_exit(99);
}

/* Start a server; its process, and the URL. */
static pid_t
start(char url[64], const char *dir)
{
	struct server_options o = {
	    .store_dir = dir,
	    .listen = "127.0.0.1",
	    .open_backend = backend_dir_open,
	    .ready = tell_port,
	};
	uint16_t port;
	int fds[2], r;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		o.arg = &fds[1];
		r = server_run(&o);
		counted_exit(r == 0 ? 0 : r == ERR_BUSY ? 2 : 1);
	}
	close(fds[1]);
	if (read(fds[0], &port, sizeof(port)) == sizeof(port))
		(void)snprintf(url, 64, "http://127.0.0.1:%u", port);
	else
		url[0] = '\0';
	close(fds[0]);
	return pid;
}

static int
wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
login_options(struct remote_options *o, const char *url, const char *dir)
{
	char uuid[ENROLL_UUID_LEN + 1];
	struct server_fixture f = {.dir = (char *)dir};
	struct register_options ro;
	struct register_result rr;

	(void)snprintf(f.url, sizeof(f.url), "%s", url); /* it fits */
	assert_int_equal(invitation_make(uuid, dir, 0), 0);
	server_fixture_register_options(&ro, &f, uuid, 9);
	assert_int_equal(register_mount(&rr, &ro), 0);
	assert_int_equal(rr.created, 1);
	memset(o, 0, sizeof(*o));
	o->url = url;
	o->policy = &policy;
	memcpy(o->mount, rr.mount, sizeof(o->mount));
	memcpy(o->mount_seed, ro.mount_seed, sizeof(o->mount_seed));
	memcpy(o->store_public, rr.store_public, sizeof(o->store_public));
}

static void
as_mount(struct fixture_mount *m, const struct remote_options *o)
{
	memset(m, 0, sizeof(*m));
	memcpy(m->id, o->mount, sizeof(m->id));
	memcpy(m->seed, o->mount_seed, sizeof(m->seed));
	sign_public(m->public_key, m->seed);
}

static int
count_records(void *arg, enum store_got got, const uint8_t *id,
    const uint8_t *record, size_t len)
{
	(void)id;
	(void)record;
	assert_int_equal(got, STORE_GOT_RECORD);
	assert_true(len > 100);
	++*(unsigned *)arg;
	return 0;
}

static int
count_files(void *arg, const struct store_snapshot *s)
{
	assert_true(s->len > 100);
	assert_int_equal(s->seq, ++*(unsigned *)arg);
	return 0;
}

/* Put a chunk and a tree over it, commit, read all of it back. */
static void
back_up(struct store *s, struct fixture_mount *m, unsigned number)
{
	uint8_t ids[64], bitmap[1] = {0};
	struct buf records = BUF_INIT, client = BUF_INIT, missing = BUF_INIT;
	struct store_receipt receipt;
	unsigned n = 0;

	fixture_id(ids, 2 * number);
	fixture_id(ids + 32, 2 * number + 1);
	fixture_meta(&records, ids + 32, ids, 1, 500);
	fixture_snapshot(&client, m, s->info.vault, ids + 32);
	assert_int_equal(s->ops->put(s, records.data, records.len), 0);
	assert_int_equal(
	    s->ops->commit(s, &receipt, &missing, client.data, client.len),
	    ERR_MISSING);
	assert_true(missing.len >= 32);
	buf_reset(&records);
	fixture_data(&records, ids, NULL, 0, 200000);
	assert_int_equal(s->ops->put(s, records.data, records.len), 0);
	assert_int_equal(s->ops->have(s, bitmap, ids, 2), 0);
	assert_int_equal(bitmap[0], 3);
	assert_int_equal(
	    s->ops->commit(s, &receipt, &missing, client.data, client.len), 0);
	assert_int_equal(receipt.server_seq, number);
	fixture_committed(m, &client);
	assert_int_equal(s->ops->get(s, ids, 2, count_records, &n), 0);
	assert_int_equal(n, 2);
	buf_release(&records);
	buf_release(&client);
	buf_release(&missing);
}

static void
note_finding(void *arg, const char *where, const char *what)
{
	(void)arg;
	fail_msg("%s: %s", where, what);
}

/* Work on a whole vault waits for its sessions: gives a new one. */
static struct store *
check_vaults(struct store *s, const struct remote_options *o, const char *store)
{
	struct inspect_counts counts;

	assert_int_equal(
	    inspect_ask(&counts, store, "verify", note_finding, NULL, NULL),
	    ERR_BUSY);
	s->ops->close(s);
	assert_int_equal(
	    inspect_ask(&counts, store, "verify", note_finding, NULL, NULL), 0);
	assert_int_equal(counts.snapshots, 1);
	assert_int_equal(counts.records, 2);
	assert_int_equal(
	    inspect_ask(&counts, store, "reindex", NULL, NULL, NULL), 0);
	assert_int_equal(remote_open(&s, o), 0);
	return s;
}

/* What an interrupted client had sent is there when it comes again. */
static void
check_resume(const struct remote_options *o)
{
	uint8_t ids[64], bitmap[1] = {0};
	struct buf records = BUF_INIT;
	struct store *lost, *s;

	fixture_id(ids, 1000);
	fixture_id(ids + 32, 1001);
	fixture_data(&records, ids, NULL, 0, 5000);
	fixture_meta(&records, ids + 32, ids, 1, 500);
	assert_int_equal(remote_open(&lost, o), 0);
	assert_int_equal(lost->ops->put(lost, records.data, records.len), 0);
	assert_int_equal(remote_open(&s, o), 0);
	assert_int_equal(s->ops->have(s, bitmap, ids, 2), 0);
	assert_int_equal(bitmap[0], 3);
	/* ... and it was not interrupted at all. */
	bitmap[0] = 0;
	assert_int_equal(lost->ops->have(lost, bitmap, ids, 2), 0);
	assert_int_equal(bitmap[0], 3);
	s->ops->close(s);
	lost->ops->close(lost);
	buf_release(&records);
}

static void
test_life_of_a_server(void **state)
{
	char *dir = tempdir_new(), *store = fs_join(dir, "store");
	struct fixture_mount m;
	struct remote_options o;
	struct store *s, *old;
	unsigned n = 0;
	char url[64], none[64];
	struct stat st;
	pid_t pid;

	(void)state;
	assert_int_equal(sign_start(), 0);
	assert_int_equal(server_stop(store), ERR_NOSTORE);
	pid = start(url, store);
	assert_true(url[0] != '\0');
	assert_int_equal(stat(store, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	login_options(&o, url, store);
	as_mount(&m, &o);
	assert_int_equal(remote_open(&s, &o), 0);
	back_up(s, &m, 1);

	s = check_vaults(s, &o, store);

	/* One server per store. */
	assert_int_equal(wait_for(start(none, store)), 2);
	assert_true(none[0] == '\0');

	/* A clean end, with a session open. */
	assert_int_equal(server_stop(store), 0);
	assert_int_equal(wait_for(pid), 0);
	assert_int_equal(server_stop(store), 1);
	old = s;

	pid = start(url, store);
	o.url = url;
	assert_int_equal(remote_open(&s, &o), 0);
	assert_int_equal(s->info.has_parent, 1);
	assert_int_equal(s->info.parent_server_seq, 1);
	assert_memory_equal(s->info.parent_hash, m.previous, 32);
	assert_memory_equal(s->info.generation, old->info.generation, 32);
	back_up(s, &m, 2);

	/* A crash. */
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(wait_for(pid), -SIGKILL);
	assert_int_equal(server_stop(store), 1);
	s->ops->close(s);
	pid = start(url, store);
	assert_int_equal(remote_open(&s, &o), 0);
	assert_int_equal(s->info.parent_server_seq, 2);
	assert_int_equal(s->ops->snapshots(s, o.mount, count_files, &n), 0);
	assert_int_equal(n, 2);
	back_up(s, &m, 3);
	check_resume(&o);
	s->ops->close(s);
	old->ops->close(old);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(wait_for(pid), 0);
	free(store);
	tempdir_free(dir);
}

static void
test_port_taken(void **state)
{
	char *dir = tempdir_new(), *a = fs_join(dir, "a"),
	     *b = fs_join(dir, "b"), *file = fs_join(dir, "x");
	struct server_options o = {
	    .listen = "127.0.0.1",
	    .open_backend = backend_dir_open,
	};
	char url[64];
	pid_t pid;

	(void)state;
	pid = start(url, a);
	assert_true(url[0] != '\0');
	/* server_run() changes this process: once is enough for each. */
	o.store_dir = b;
	o.port = (uint16_t)strtoul(strrchr(url, ':') + 1, NULL, 10);
	assert_int_equal(server_run(&o), ERR_FAIL);
	/* A folder with something else in it does not become a store. */
	assert_int_equal(fs_write_file(AT_FDCWD, file, "x", 1, 0600, 0), 0);
	o.store_dir = dir;
	assert_int_equal(server_run(&o), ERR_NOSTORE);
	assert_int_equal(server_stop(a), 0);
	assert_int_equal(wait_for(pid), 0);
	free(a);
	free(b);
	free(file);
	tempdir_free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_life_of_a_server),
	    cmocka_unit_test(test_port_taken),
	};

	policy = channel_policy_default;
	policy.heartbeat_ms = 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
