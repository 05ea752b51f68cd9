/*
 * Whole commands in this process, on a store in a folder, while each call that
 * they make fails: a success is one, a failure is worded, nothing that was
 * acknowledged is lost, and the same command then succeeds.
 *
 * Commands share most of what they call, so a place is tried in the first
 * command that comes to it.  FAILING_ONE_IN=1 in the environment tries all
 * places, as `make cover` does, else some of them.  FAILING_WAYS=1 tries all
 * places of each command for itself, told by all their frames, in each way
 * (those of a server by few); FAILING_COMMAND=NAME one of them alone (its name
 * below, "server" or "registered"), FAILING_COMMAND=-NAME all the others.
 */

#include "backend/dir.h"
#include "base/err.h"
#include "base/fs.h"
#include "fault/failing.h"
#include "lib/command.h"
#include "lib/serving.h"
#include "lib/source_tree.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Innermost return addresses that tell a place, and in full. */
#define FRAMES 2
#define FRAMES_FULL 6
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

static void
fail_afterwards(const char *name, int rc)
{
	char text[ERR_TEXT_MAX], out[512];

	(void)snprintf(text, sizeof(text), "%s", err_text());
	command_read(out, sizeof(out), "out");
	failing_fail("afterwards %s: %d: %s: %s", name, rc, text, out);
}

/* One that must succeed. */
#define WELL(cmd, ...) \
	do { \
		int well_rc = RUN(cmd, __VA_ARGS__); \
\
		if (well_rc != 0) \
			fail_afterwards(#cmd, well_rc); \
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

static void
renew(void)
{
	drop("store");
	drop("config");
	drop("work/.shamo");
	WELL(cmd_register, "--dir", "%/work", "--url", "file://%/store");
	WELL(cmd_backup, "--dir", "%/work");
}

/*
 * What a disk does not give back as often as it is asked is taken for damaged:
 * it is marked, and a history goes on from the snapshot before.
 */
static int
looks_damaged(void)
{
	return failing_lasted() && (strcmp(failing_name(), "pread") == 0 ||
				       strcmp(failing_name(), "read") == 0);
}

static void
verify(void)
{
	int rc = RUN(cmd_verify, "--store_dir", "%/store");

	if (rc == ERR_DAMAGED && looks_damaged())
		renew();
	else if (rc != 0)
		fail_afterwards("verify", rc);
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
	verify();
}

/* Begin with places that are still to fail. */
static void
start_places(void)
{
	const char *one_in = getenv("FAILING_ONE_IN");

	failing_start_ways(FAILING_ALL);
	failing_depth(failing_full() ? FRAMES_FULL : FRAMES);
	if (failing_full())
		failing_one_in(1);
	else
		failing_one_in(one_in != NULL
				   ? (unsigned)strtoul(one_in, NULL, 10)
				   : ONE_IN);
}

/* Whether the environment asks for it. */
static int
is_wanted(const char *name)
{
	const char *wanted = getenv("FAILING_COMMAND");

	if (wanted != NULL && wanted[0] == '-')
		return strcmp(wanted + 1, name) != 0;
	return wanted == NULL || strcmp(wanted, name) == 0;
}

struct operation {
	const char *name;
	cli_run *cmd;
	const char *words[COMMAND_WORDS_MAX];
	void (*before)(void);
	void (*after)(int rc); /* what must hold */
	/* What a success prints is always the same; what is said on stderr,
	 * too, and maybe more. */
	int same_out, same_err;
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

/* The two newest are kept, and there is another one. */
static void
before_prune(void)
{
	WELL(
	    cmd_keep, "--store_dir", "%/store", "--last", "2", "--floor", "0d");
	change();
	WELL(cmd_backup, "--dir", "%/work");
	change();
	WELL(cmd_backup, "--dir", "%/work");
	change();
	WELL(cmd_backup, "--dir", "%/work");
}

/* How many lines the last one printed have the words. */
static unsigned
count_printed(const char *words)
{
	static char text[1u << 16];
	unsigned n = 0;
	char *p;

	command_read(text, sizeof(text), "out");
	for (p = text; (p = strstr(p, words)) != NULL; p++)
		n++;
	return n;
}

/* What the policy keeps is there, and nothing else waits to be retired. */
static void
after_prune(int rc)
{
	WELL(cmd_prune, "--store_dir", "%/store", "--dry_run");
	if (count_printed("  keep  ") != 2)
		failing_fail("%u are kept", count_printed("  keep  "));
	/* A tombstone that is damaged is none. */
	if (rc == 0 && !looks_damaged() && count_printed("  retire") != 0)
		failing_fail("success, and there is something to retire");
	WELL(cmd_prune, "--store_dir", "%/store");
	WELL(cmd_backup, "--dir", "%/work");
}

static void
before_unprune(void)
{
	before_prune();
	WELL(cmd_prune, "--store_dir", "%/store");
}

static void
after_unprune(int rc)
{
	if (rc == 0 && !looks_damaged()) { /* as above */
		WELL(cmd_unprune, "--store_dir", "%/store");
		if (count_printed("  back") != 0)
			failing_fail("success, and some were still retired");
	}
	before_unprune();
	WELL(cmd_unprune, "--store_dir", "%/store");
	if (count_printed("  back") == 0)
		failing_fail("none were brought back");
	WELL(cmd_prune, "--store_dir", "%/store", "--now");
}

static void
before_sweep(void)
{
	before_prune();
	WELL(cmd_prune, "--store_dir", "%/store", "--now");
}

static void
after_sweep(int rc)
{
	(void)rc; /* what it left the next one frees */
	WELL(cmd_sweep, "--store_dir", "%/store");
	WELL(cmd_sweep, "--store_dir", "%/store");
	if (count_printed("freed 0 packs") != 1)
		failing_fail("there was something to free");
	WELL(cmd_backup, "--dir", "%/work");
}

/* What it cannot read it finds damaged, and says so; no longer than that. */
static void
after_verify(int rc)
{
	if (rc == ERR_DAMAGED && looks_damaged())
		renew();
	verify();
}

static const struct operation operations[] = {
    {"scan", cmd_scan, {"scan", "--dir", "%/work"}, NULL, NULL, 1, 0},
    {"backup", cmd_backup, {"backup", "--dir", "%/work", "--tag", "t"}, change,
	after_backup, 0, 0},
    {"backup of what has not changed", cmd_backup,
	{"backup", "--dir", "%/work"}, NULL, after_backup, 0, 0},
    {"dry run of a backup", cmd_backup,
	{"backup", "--dir", "%/work", "--dry_run", "--json"}, change,
	after_change, 0, 0},
    {"restore", cmd_restore,
	{"restore", "--dir", "%/work", "--dest", "%/out-dir"}, before_restore,
	after_restore, 0, 0},
    {"restore of a part", cmd_restore,
	{"restore", "--dir", "%/work", "--dest", "%/out-dir", "--json",
	    "sub/**", "small"},
	before_restore, NULL, 0, 0},
    {"restore over what is there", cmd_restore,
	{"restore", "--dir", "%/work", "--force"}, before_force, after_force, 0,
	0},
    {"register", cmd_register,
	{"register", "--dir", "%/fresh", "--url", "file://%/fresh-store",
	    "--recovery_file", "%/fresh-key"},
	before_register, after_register, 0, 0},
    {"snapshots", cmd_snapshots,
	{"snapshots", "--dir", "%/work", "--all", "--json"}, NULL, NULL, 1, 0},
    {"status", cmd_status, {"status", "--dir", "%/work"}, NULL, NULL, 0, 0},
    {"status of a store", cmd_status, {"status", "--store_dir", "%/store"},
	NULL, NULL, 0, 0},
    {"key", cmd_key, {"key", "--dir", "%/work"}, NULL, NULL, 1, 0},
    {"invite", cmd_invite, {"invite", "--store_dir", "%/store"}, NULL, NULL, 0,
	0},
    {"keep", cmd_keep,
	{"keep", "--store_dir", "%/store", "--last", "2", "--floor", "0d"},
	NULL, NULL, 1, 0},
    {"prune", cmd_prune, {"prune", "--store_dir", "%/store"}, before_prune,
	after_prune, 0, 0},
    {"prune for good", cmd_prune, {"prune", "--store_dir", "%/store", "--now"},
	before_prune, after_prune, 0, 0},
    {"unprune", cmd_unprune, {"unprune", "--store_dir", "%/store"},
	before_unprune, after_unprune, 0, 0},
    {"sweep", cmd_sweep, {"sweep", "--store_dir", "%/store"}, before_sweep,
	after_sweep, 0, 0},
    {"verify", cmd_verify, {"verify", "--store_dir", "%/store"}, NULL,
	after_verify, 1, 1},
    {"reindex", cmd_reindex, {"reindex", "--store_dir", "%/store"}, NULL, NULL,
	0, 0},
};

/* What the last one printed, before the next one does. */
struct printed {
	char out[8192], err[8192];
};

static void
remember(struct printed *p)
{
	command_read(p->out, sizeof(p->out), "out");
	command_read(p->err, sizeof(p->err), "err");
}

/* A success that says less than the last one, which nothing disturbed, is
 * none, unless a warning says why. */
static void
compare(const struct operation *op, const struct printed *disturbed)
{
	struct printed now;

	remember(&now);
	if (op->same_out && strcmp(disturbed->out, now.out) != 0 &&
	    strlen(disturbed->err) <= strlen(now.err))
		failing_fail("%s: success with \"%s\" (%s), not \"%s\"",
		    op->name, disturbed->out, disturbed->err, now.out);
	/* What is said goes through write(). */
	if (op->same_err && strcmp(failing_name(), "write") != 0 &&
	    strstr(disturbed->err, now.err) == NULL)
		failing_fail("%s: success with \"%s\", not \"%s\"", op->name,
		    disturbed->err, now.err);
}

/* A command with each place failing that none before it has come to. */
static void
try_all(const struct operation *op)
{
	unsigned passes = 0, before;
	int files, rc, again, fired;
	struct printed disturbed;

	if (failing_full())
		start_places();
	before = failing_count();
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
		remember(&disturbed);
		if (op->after != NULL)
			op->after(rc);
		else if (fired && op->before != NULL)
			op->before();
		if ((op->after == NULL || op->same_err) && fired) {
			again = command_run(op->cmd, op->words, NULL, NULL);
			if (again < 0)
				failing_fail("%s afterwards: %d: %s", op->name,
				    again, err_text());
			if (rc == 0)
				compare(op, &disturbed);
		}
		faults += (unsigned)fired;
		if (fired && (faults % LOOK_EVERY == 0 || looks_damaged()))
			look();
		if (fired && faults % RENEW_EVERY == 0)
			renew();
		passes++;
	} while (fired);
	print_message("%s: %u faults, %u passes\n", op->name,
	    failing_count() - before, passes);
}

static struct serving serving;

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
	serving_init(s);
	assert_int_equal(mkdir(command_at("far"), 0755), 0);
	source_tree_file(command_at("far"), "one", 5000, 1);
	source_tree_file(command_at("far"), "large", 600000, 2);
	s->o.store_dir = strdup(s->o.store_dir);
	assert_true(serving_begin(s));
	(void)snprintf(url, sizeof(url), "http://%s:%u", s->listen, s->o.port);
	WELL(cmd_register, "--dir", "%/far", "--url", url);
	WELL(cmd_backup, "--dir", "%/far");
	serving_end(s);
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
	if (!serving_begin(&serving)) {
		failing_disarm();
		serving_end(&serving);
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
	serving_end(&serving);
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

	if (!serving_begin(&serving))
		failing_fail("no server afterwards: %d", serving.rc);
	WELL(cmd_backup, "--dir", "%/far");
	key_of(want, "%/far");
	drop("far-out");
	WELL(cmd_restore, "--dir", "%/far", "--dest", "%/far-out");
	key_of(got, "%/far-out");
	if (strcmp(want, got) != 0)
		failing_fail("restored %s, not %s", got, want);
	serving_end(&serving);
	if (serving.rc != 0)
		failing_fail("the server ends with %d", serving.rc);
}

static void
test_server(void **state)
{
	unsigned passes = 0, before;
	int files, rc, fired;

	(void)state;
	if (!is_wanted("server"))
		return;
	set_up_server();
	if (failing_full()) {
		start_places();
		/* Its threads would come to new places without end. */
		failing_depth(FRAMES);
	}
	before = failing_count();
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
	    "server: %u faults, %u passes\n", failing_count() - before, passes);
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
		if (is_wanted(operations[i].name))
			try_all(&operations[i]);
	look();
}

/* What is registered stays so, whatever hides that it is. */
static void
test_registered(void **state)
{
	static const char *const words[] = {
	    "register", "--dir", "%/work", "--url", "file://%/store", NULL};
	char config[4096], now[4096];
	int rc;

	(void)state;
	if (!is_wanted("registered"))
		return;
	command_read(config, sizeof(config), "work/.shamo/config.json");
	failing_start_ways(FAILING_ALL);
	while (failing_more()) {
		rc = command_run(cmd_register, words, arm, disarm);
		if (rc != ERR_REFUSED)
			failing_check(rc, ERR_REFUSED);
		command_read(now, sizeof(now), "work/.shamo/config.json");
		if (rc >= 0 || strcmp(config, now) != 0)
			failing_fail("registered anew: %d", rc);
		faults += failing_name() != NULL;
	}
	failing_check_count(5);
}

static int
begin(void **state)
{
	(void)state;
	set_up();
	start_places();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	assert_true(faults > 100 || getenv("FAILING_COMMAND") != NULL);
	command_end();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_commands),
	    cmocka_unit_test(test_server),
	    cmocka_unit_test(test_registered),
	};

	/* Hundreds of stores are made, and none has to outlive this. */
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 1);
	return cmocka_run_group_tests(tests, begin, end);
}
