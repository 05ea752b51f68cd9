/*
 * Every member of every state file, the client's and the store's, taken out or
 * of another kind, with a checksum that is right: the command that needs it
 * says what is wrong or does the same as ever, and with the file as it was all
 * goes on.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "lib/bad_json.h"
#include "lib/command.h"
#include "lib/source_tree.h"
#include "server/statefile.h"

#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define RUN(cmd, ...) \
	command_run( \
	    cmd, (const char *const[]){#cmd, __VA_ARGS__, NULL}, NULL, NULL)

static char key[128];

struct file {
	const char *pattern; /* of its name, in the folder of the test */
	unsigned forms_min;
	cli_run *cmd;
	const char *words[COMMAND_WORDS_MAX];
	int prints_key; /* on success */
};

static const struct file files[] = {
    {"work/.shamo/config.json", 80, cmd_backup,
	{"backup", "--dir", "%/work", "--dry_run"}, 1},
    {"work/.shamo/head.json", 80, cmd_status, {"status", "--dir", "%/work"}, 0},
    {"config/hashstore/vault-*.json", 40, cmd_backup,
	{"backup", "--dir", "%/work", "--dry_run"}, 1},
    {"store/store.json", 40, cmd_backup,
	{"backup", "--dir", "%/work", "--dry_run"}, 1},
    {"store/mounts/*.json", 80, cmd_backup,
	{"backup", "--dir", "%/work", "--dry_run"}, 1},
    {"store/vaults/*/vault.json", 80, cmd_backup,
	{"backup", "--dir", "%/work", "--dry_run"}, 1},
    {"store/vaults/*/mounts/*.json", 80, cmd_verify,
	{"verify", "--store_dir", "%/store"}, 0},
    {"store/keep/default.json", 80, cmd_prune,
	{"prune", "--store_dir", "%/store", "--dry_run"}, 0},
    {"store/clock.json", 30, cmd_prune,
	{"prune", "--store_dir", "%/store", "--dry_run"}, 0},
    {"store/mounts/*.json", 80, cmd_snapshots,
	{"snapshots", "--dir", "%/work", "--all", "--json"}, 0},
    {"store/mounts/*.json", 80, cmd_status,
	{"status", "--store_dir", "%/store"}, 0},
};

struct trial {
	const struct file *file;
	char path[512];
	struct buf was;
	unsigned good, bad;
};

/* As the file would be written: with its checksum, if it has one. */
static void
write_form(const struct trial *t, const char *text, size_t len)
{
	struct json *j;
	int has_sum;

	if (json_decode(&j, text, len) != 0) {
		/* A text that our own reader would never write. */
		assert_int_equal(
		    fs_write_file(AT_FDCWD, t->path, text, len, 0600, 0), 0);
		return;
	}
	has_sum = json_has(j, "checksum");
	if (!has_sum || statefile_write(t->path, j, 0) != 0)
		assert_int_equal(
		    fs_write_file(AT_FDCWD, t->path, text, len, 0600, 0), 0);
	json_free(j);
}

static void
put_back(const struct trial *t)
{
	assert_int_equal(
	    fs_write_file(AT_FDCWD, t->path, t->was.data, t->was.len, 0600, 0),
	    0);
}

static void
try_form(void *arg, const char *what, const char *text, size_t len)
{
	struct trial *t = arg;
	char out[256];
	int rc;

	if (strncmp(what, "checksum", 8) == 0)
		return; /* it is made right */
	write_form(t, text, len);
	err_set(0, "%s", "");
	rc = command_run(t->file->cmd, t->file->words, NULL, NULL);
	if (rc == 0 && t->file->prints_key) {
		command_read(out, sizeof(out), "out");
		if (strcmp(out, key) != 0)
			fail_msg("%s, %s: success with %s", t->file->pattern,
			    what, out);
	}
	if (rc < 0 && err_text()[0] == '\0')
		fail_msg(
		    "%s, %s: %d without a word", t->file->pattern, what, rc);
	if (rc != 0 && rc != ERR_NOSTORE && rc != ERR_DAMAGED &&
	    rc != ERR_REFUSED && rc != ERR_UNREACHABLE && rc != ERR_USAGE)
		fail_msg(
		    "%s, %s: %d, %s", t->file->pattern, what, rc, err_text());
	t->good += rc == 0;
	t->bad += rc != 0;
	put_back(t);
}

static void
try_file(const struct file *f)
{
	struct trial t = {.file = f, .was = BUF_INIT};
	unsigned forms;
	glob_t g;

	assert_int_equal(glob(command_at(f->pattern), 0, NULL, &g), 0);
	(void)snprintf(t.path, sizeof(t.path), "%s", g.gl_pathv[0]);
	globfree(&g);
	assert_int_equal(fs_read_file(&t.was, AT_FDCWD, t.path, 1u << 20), 0);
	forms =
	    bad_json_each((const char *)t.was.data, t.was.len, try_form, &t);
	if (forms < f->forms_min)
		fail_msg("%s: %u forms", f->pattern, forms);
	print_message("%s: %u wrong forms, %u did no harm\n", f->pattern,
	    t.good + t.bad, t.good);
	assert_int_equal(command_run(f->cmd, f->words, NULL, NULL), 0);
	assert_int_equal(RUN(cmd_backup, "--dir", "%/work"), 0);
	buf_release(&t.was);
}

static void
test_members(void **state)
{
	size_t i;

	(void)state;
	command_begin();
	assert_int_equal(mkdir(command_at("work"), 0755), 0);
	source_tree_file(command_at("work"), "one", 5000, 1);
	assert_int_equal(RUN(cmd_register, "--dir", "%/work", "--url",
			     "file://%/store", "--label", "desk"),
	    0);
	assert_int_equal(RUN(cmd_backup, "--dir", "%/work"), 0);
	command_read(key, sizeof(key), "out");
	assert_int_equal(
	    RUN(cmd_keep, "--store_dir", "%/store", "--last", "3"), 0);
	assert_int_equal(RUN(cmd_prune, "--store_dir", "%/store"), 0);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		try_file(&files[i]);
	assert_int_equal(RUN(cmd_verify, "--store_dir", "%/store"), 0);
	command_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
