/*
 * Whole commands in this process, on a store in a folder, while each call that
 * they make fails once: a success is one, a failure is worded, nothing that was
 * acknowledged is lost, and the same command then succeeds.
 *
 * Commands share most of what they call, so a place is tried in the first
 * command that comes to it.  FAILING_ONE_IN=1 in the environment tries all
 * places, as `make cover` does, else some of them.
 */

#include "backend/dir.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/pool.h"
#include "fault/failing.h"
#include "lib/command.h"
#include "lib/source_tree.h"
#include "server/server.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Innermost return addresses that tell a place. */
#define FRAMES 2
/* After so many failures all is looked at; then begun anew, for a store of
 * hundreds of snapshots is slow. */
#define LOOK_EVERY 16u
#define RENEW_EVERY 48u
#define ONE_IN 8u

static unsigned faults, changes;

static void
arm(void)
{
	failing_arm();
}

static void
disarm(void)
{
	(void)failing_disarm(); /* failing_name() says it, too */
}

static void
go_on(void)
{
	failing_pause(0);
}

static void
hold_on(void)
{
	failing_pause(1);
}

#define RUN(cmd, ...) \
	command_run( \
	    cmd, (const char *const[]){#cmd, __VA_ARGS__, NULL}, NULL, NULL)

/* One that must succeed. */
#define WELL(cmd, ...) \
	do { \
		int well_rc = RUN(cmd, __VA_ARGS__); \
\
		if (well_rc != 0) \
			failing_fail("afterwards " #cmd ": %d: %s", well_rc, \
			    err_text()); \
	} while (0)

static void
key_of(char key[128], const char *dir)
{
	WELL(cmd_scan, "--dir", dir);
	command_read(key, 128, "out");
	assert_int_equal(key[0], 'X');
}

/* A little of each kind is another one, and so is the key. */
static char work_key[128];

static void
change(void)
{
	changes++;
	source_tree_file(
	    command_at("work"), "small", 3000 + changes % 7, changes);
	source_tree_file(command_at("work/sub"), "large",
	    300000 + changes % 1000, 2 * changes + 1);
	key_of(work_key, "%/work");
}

static void
drop(const char *name)
{
	assert_int_equal(fs_remove_tree(command_at(name)), 0);
}

/* The newest snapshot comes back as it is now, and the store is whole. */
static void
look(void)
{
	char got[128];

	WELL(cmd_backup, "--dir", "%/work");
	drop("copy");
	WELL(cmd_restore, "--dir", "%/work", "--dest", "%/copy");
	key_of(got, "%/copy");
	if (strcmp(work_key, got) != 0)
		failing_fail("restored %s, not %s", got, work_key);
	WELL(cmd_verify, "--store_dir", "%/store");
}

static void
renew(void)
{
	drop("store");
	drop("config");
	drop("work/.shamo");
	WELL(cmd_register, "--dir", "%/work", "--url", "file://%/store");
	WELL(cmd_backup, "--dir", "%/work");
}

struct operation {
	const char *name;
	cli_run *cmd;
	const char *words[COMMAND_WORDS_MAX];
	void (*before)(void);
	void (*after)(int rc); /* what must hold */
};

static void
after_backup(int rc)
{
	char got[256];

	command_read(got, sizeof(got), "out");
	if (rc == 0 && strcmp(got, work_key) != 0)
		failing_fail("success with %s, not %s", got, work_key);
	WELL(cmd_backup, "--dir", "%/work");
	command_read(got, sizeof(got), "out");
	if (strcmp(got, work_key) != 0)
		failing_fail("the next backup: %s, not %s", got, work_key);
}

static void
after_change(int rc)
{
	(void)rc; /* nothing was stored */
	WELL(cmd_backup, "--dir", "%/work");
}

static void
before_restore(void)
{
	drop("out-dir");
}

static void
after_restore(int rc)
{
	char got[128], said[4096];

	command_read(said, sizeof(said), "err");
	/* What could not be set (a time, an attribute) was said. */
	if (rc == 0 && strstr(said, "cannot") == NULL) {
		key_of(got, "%/out-dir");
		if (strcmp(work_key, got) != 0)
			failing_fail("success, and %s, not %s", got, work_key);
	}
	drop("out-dir");
	WELL(cmd_restore, "--dir", "%/work", "--dest", "%/out-dir");
	key_of(got, "%/out-dir");
	if (strcmp(work_key, got) != 0)
		failing_fail("the next restore: %s, not %s", got, work_key);
}

static void
before_force(void)
{
	WELL(cmd_backup, "--dir", "%/work");
	source_tree_file(command_at("work"), "small", 10, 1);
	source_tree_file(command_at("work/sub"), "large", 100, 1);
}

static void
after_force(int rc)
{
	struct stat st;

	(void)rc; /* whatever came of it, the next one mends it */
	WELL(cmd_restore, "--dir", "%/work", "--force");
	assert_int_equal(stat(command_at("work/sub/large"), &st), 0);
	assert_true(st.st_size >= 300000);
}

static void
before_register(void)
{
	drop("fresh");
	drop("fresh-store");
	drop("fresh-config");
	assert_int_equal(mkdir(command_at("fresh"), 0700), 0);
	(void)unlink(command_at("fresh-key"));
	source_tree_file(command_at("fresh"), "one", 1000, 1);
	assert_int_equal(
	    setenv("XDG_CONFIG_HOME", command_at("fresh-config"), 1), 0);
}

static void
after_register(int rc)
{
	int again = RUN(cmd_register, "--dir", "%/fresh", "--url",
	    "file://%/fresh-store", "--recovery_file", "%/fresh-key");

	/* A half-made recovery file would be in the way: none is left. */
	if (again != 0 && strstr(err_text(), "registered already") == NULL)
		failing_fail("registering again after %d: %d: %s", rc, again,
		    err_text());
	WELL(cmd_backup, "--dir", "%/fresh");
	assert_int_equal(setenv("XDG_CONFIG_HOME", command_at("config"), 1), 0);
}

static const struct operation operations[] = {
    {"scan", cmd_scan, {"scan", "--dir", "%/work"}, NULL, NULL},
    {"backup", cmd_backup, {"backup", "--dir", "%/work", "--tag", "t"}, change,
	after_backup},
    {"backup of what has not changed", cmd_backup,
	{"backup", "--dir", "%/work"}, NULL, after_backup},
    {"dry run of a backup", cmd_backup,
	{"backup", "--dir", "%/work", "--dry_run", "--json"}, change,
	after_change},
    {"restore", cmd_restore,
	{"restore", "--dir", "%/work", "--dest", "%/out-dir"}, before_restore,
	after_restore},
    {"restore of a part", cmd_restore,
	{"restore", "--dir", "%/work", "--dest", "%/out-dir", "--json",
	    "sub/**", "small"},
	before_restore, NULL},
    {"restore over what is there", cmd_restore,
	{"restore", "--dir", "%/work", "--force"}, before_force, after_force},
    {"register", cmd_register,
	{"register", "--dir", "%/fresh", "--url", "file://%/fresh-store",
	    "--recovery_file", "%/fresh-key"},
	before_register, after_register},
    {"snapshots", cmd_snapshots,
	{"snapshots", "--dir", "%/work", "--all", "--json"}, NULL, NULL},
    {"status", cmd_status, {"status", "--dir", "%/work"}, NULL, NULL},
    {"status of a store", cmd_status, {"status", "--store_dir", "%/store"},
	NULL, NULL},
    {"key", cmd_key, {"key", "--dir", "%/work"}, NULL, NULL},
    {"invite", cmd_invite, {"invite", "--store_dir", "%/store"}, NULL, NULL},
    {"keep", cmd_keep, {"keep", "--store_dir", "%/store", "--last", "2"}, NULL,
	NULL},
    {"prune", cmd_prune, {"prune", "--store_dir", "%/store"}, change,
	after_change},
    {"unprune", cmd_unprune, {"unprune", "--store_dir", "%/store"}, NULL, NULL},
    {"sweep", cmd_sweep, {"sweep", "--store_dir", "%/store"}, NULL, NULL},
    {"verify", cmd_verify, {"verify", "--store_dir", "%/store"}, NULL, NULL},
    {"reindex", cmd_reindex, {"reindex", "--store_dir", "%/store"}, NULL, NULL},
};

/* A command with each place failing that none before it has come to. */
static void
try_all(const struct operation *op)
{
	unsigned before = failing_count(), passes = 0;
	int files, rc, fired;

	do {
		if (op->before != NULL)
			op->before();
		files = failing_descriptors();
		rc = command_run(op->cmd, op->words, arm, disarm);
		fired = failing_name() != NULL;
		if (!fired && rc < 0)
			failing_fail("%s: %d: %s", op->name, rc, err_text());
		if (rc < 0 && err_text()[0] == '\0')
			failing_fail("%s: %d without a word", op->name, rc);
		if (failing_kind() == FAILING_MEMORY && rc == ERR_DAMAGED)
			failing_fail("%s took want of memory for damage: %s",
			    op->name, err_text());
		if (failing_blocks() != 0)
			failing_fail("%s: %d blocks of memory are lost",
			    op->name, failing_blocks());
		if (failing_descriptors() != files)
			failing_fail("%s: %d descriptors, not %d", op->name,
			    failing_descriptors(), files);
		if (op->after != NULL)
			op->after(rc);
		else if (fired && op->before != NULL)
			op->before();
		if (op->after == NULL && fired &&
		    (rc = command_run(op->cmd, op->words, NULL, NULL)) < 0)
			failing_fail(
			    "%s afterwards: %d: %s", op->name, rc, err_text());
		faults += (unsigned)fired;
		if (fired && faults % LOOK_EVERY == 0)
			look();
		if (fired && faults % RENEW_EVERY == 0)
			renew();
		passes++;
	} while (fired);
	print_message("%s: %u places, %u passes\n", op->name,
	    failing_count() - before, passes);
}

/* A server on a thread of this process, at an address of its own. */
struct serving {
	struct server_options o;
	char listen[32];
	struct pool_thread *thread;
	struct pool_lock lock;
	struct pool_cond change;
	int up, ended, rc;
};

static struct serving serving;

static void
on_ready(void *arg, uint16_t port)
{
	struct serving *s = arg;

	pool_lock_enter(&s->lock);
	s->o.port = port; /* it stays, for the next ones */
	s->up = 1;
	pool_cond_wake_all(&s->change);
	pool_lock_leave(&s->lock);
}

static void
serve(void *arg)
{
	struct serving *s = arg;
	int rc = server_run(&s->o);

	pool_lock_enter(&s->lock);
	s->rc = rc;
	s->ended = 1;
	pool_cond_wake_all(&s->change);
	pool_lock_leave(&s->lock);
}

/* Whether it came up. */
static int
serve_begin(struct serving *s)
{
	int up;

	s->up = s->ended = s->rc = 0;
	if (pool_thread_start(&s->thread, serve, s) < 0)
		return 0;
	pool_lock_enter(&s->lock);
	while (!s->up && !s->ended)
		pool_cond_wait(&s->change, &s->lock);
	up = s->up;
	pool_lock_leave(&s->lock);
	return up;
}

static void
serve_end(struct serving *s)
{
	const struct timespec now = {0, 0};
	sigset_t set;

	if (s->thread == NULL)
		return;
	/* Nobody else takes it: it is blocked. */
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	pool_thread_join(s->thread);
	s->thread = NULL;
	/* Nor does the next one, when this one had been told to end before. */
	(void)sigemptyset(&set); /* cannot fail, as the next */
	(void)sigaddset(&set, SIGTERM);
	(void)sigtimedwait(&set, NULL, &now); /* there may be none */
}

static void
set_up_server(void)
{
	struct serving *s = &serving;
	char url[280];

	(void)snprintf(s->listen, sizeof(s->listen), "127.%u.%u.7",
	    (unsigned)getpid() >> 8 & 127, (unsigned)getpid() & 255);
	s->o.store_dir = command_at("served");
	s->o.listen = s->listen;
	s->o.insecure = 1;
	s->o.scrub_days = 30;
	s->o.open_backend = backend_dir_open;
	s->o.ready = on_ready;
	s->o.arg = s;
	pool_lock_init(&s->lock);
	pool_cond_init(&s->change);
	assert_int_equal(mkdir(command_at("far"), 0755), 0);
	source_tree_file(command_at("far"), "one", 5000, 1);
	source_tree_file(command_at("far"), "large", 600000, 2);
	s->o.store_dir = strdup(s->o.store_dir);
	assert_true(serve_begin(s));
	(void)snprintf(url, sizeof(url), "http://%s:%u", s->listen, s->o.port);
	WELL(cmd_register, "--dir", "%/far", "--url", url);
	WELL(cmd_backup, "--dir", "%/far");
	serve_end(s);
	assert_int_equal(s->rc, 0);
}

static const char *const far_backup[] = {"backup", "--dir", "%/far", NULL};

/* A server, what a client does with it, and what others ask it meanwhile.
 * What the backup came to. */
static int
use_server(void)
{
	static const char *const restore[] = {
	    "restore", "--dir", "%/far", "--dest", "%/far-out", NULL};
	static const char *const snapshots[] = {
	    "snapshots", "--dir", "%/far", "--all", NULL};
	static const char *const status[] = {
	    "status", "--store_dir", "%/served", NULL};
	static const char *const verify[] = {
	    "verify", "--store_dir", "%/served", NULL};
	static const char *const keep[] = {
	    "keep", "--store_dir", "%/served", "--last", "3", NULL};
	static const char *const prune[] = {
	    "prune", "--store_dir", "%/served", NULL};
	static const char *const sweep[] = {
	    "sweep", "--store_dir", "%/served", NULL};
	static const char *const stop[] = {
	    "stop", "--store_dir", "%/served", NULL};
	static const struct {
		cli_run *cmd;
		const char *const *words;
	} others[] = {{cmd_restore, restore}, {cmd_snapshots, snapshots},
	    {cmd_status, status}, {cmd_verify, verify}, {cmd_keep, keep},
	    {cmd_prune, prune}, {cmd_sweep, sweep}, {cmd_stop, stop}};
	char want[128], got[256];
	size_t i;
	int rc, other;

	failing_arm();
	if (!serve_begin(&serving)) {
		failing_disarm();
		serve_end(&serving);
		if (serving.rc >= 0 && failing_name() == NULL)
			failing_fail("no server, and no error");
		return serving.rc < 0 ? serving.rc : ERR_FAIL;
	}
	rc = command_run(cmd_backup, far_backup, go_on, hold_on);
	command_read(got, sizeof(got), "out");
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		other =
		    command_run(others[i].cmd, others[i].words, go_on, hold_on);
		if (other < 0 && err_text()[0] == '\0')
			failing_fail(
			    "%s: %d without a word", others[i].words[0], other);
		if (other < 0 && failing_name() == NULL)
			failing_fail("%s: %d: %s", others[i].words[0], other,
			    err_text());
	}
	failing_pause(0);
	serve_end(&serving);
	failing_disarm();
	if (rc == 0) {
		key_of(want, "%/far");
		if (strcmp(got, want) != 0)
			failing_fail("success with %s, not %s", got, want);
	}
	return rc;
}

/* Without a fault all is there, and goes on. */
static void
look_at_server(void)
{
	char want[128], got[128];

	if (!serve_begin(&serving))
		failing_fail("no server afterwards: %d", serving.rc);
	WELL(cmd_backup, "--dir", "%/far");
	key_of(want, "%/far");
	drop("far-out");
	WELL(cmd_restore, "--dir", "%/far", "--dest", "%/far-out");
	key_of(got, "%/far-out");
	if (strcmp(want, got) != 0)
		failing_fail("restored %s, not %s", got, want);
	serve_end(&serving);
	if (serving.rc != 0)
		failing_fail("the server ends with %d", serving.rc);
}

static void
test_server(void **state)
{
	unsigned before = failing_count(), passes = 0;
	int files, rc, fired;

	(void)state;
	set_up_server();
	do {
		source_tree_file(command_at("far"), "one", 5000, ++changes);
		drop("far-out");
		files = failing_descriptors();
		rc = use_server();
		fired = failing_name() != NULL;
		if (!fired && rc < 0)
			failing_fail("backup: %d: %s", rc, err_text());
		if (failing_kind() == FAILING_MEMORY && rc == ERR_DAMAGED)
			failing_fail(
			    "took want of memory for damage: %s", err_text());
		if (failing_descriptors() != files)
			failing_fail("%d descriptors, not %d",
			    failing_descriptors(), files);
		faults += (unsigned)fired;
		look_at_server();
		passes++;
	} while (fired);
	print_message(
	    "server: %u places, %u passes\n", failing_count() - before, passes);
	free((char *)(uintptr_t)serving.o.store_dir);
}

static void
set_up(void)
{
	sigset_t set;

	(void)sigemptyset(&set); /* cannot fail */
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	command_begin();
	assert_int_equal(mkdir(command_at("work"), 0755), 0);
	assert_int_equal(mkdir(command_at("work/sub"), 0755), 0);
	assert_int_equal(mkdir(command_at("work/sub/empty"), 0755), 0);
	source_tree_file(command_at("work"), "tiny", 10, 2);
	source_tree_file(command_at("work"), "bundled", 20000, 3);
	source_tree_file(command_at("work"), "excluded", 10, 3);
	assert_int_equal(symlink("tiny", command_at("work/link")), 0);
	assert_int_equal(
	    link(command_at("work/bundled"), command_at("work/sub/again")), 0);
	assert_int_equal(mkfifo(command_at("work/fifo"), 0600), 0);
	assert_int_equal(truncate(command_at("work/tiny"), 3u << 20), 0);
	change();
	renew();
}

static void
test_commands(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		try_all(&operations[i]);
	look();
}

static int
begin(void **state)
{
	const char *one_in = getenv("FAILING_ONE_IN");

	(void)state;
	set_up();
	failing_start(FAILING_ALL);
	failing_depth(FRAMES);
	failing_one_in(
	    one_in != NULL ? (unsigned)strtoul(one_in, NULL, 10) : ONE_IN);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	assert_true(faults > 100);
	command_end();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_commands),
	    cmocka_unit_test(test_server),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
