/*
 * Whole commands where the system or a file system lacks something, or says no
 * to one kind of call all the time: what can be done without is, and the rest
 * is said, ends as documented, and keeps nothing else from being done.
 */

#include "base/err.h"
#include "base/fs.h"
#include "fault/failing.h"
#include "lib/command.h"
#include "lib/source_tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

/* A call that never succeeds, what the command comes to, and a word of what it
 * says (NULL: nothing). */
struct lack {
	const char *call;
	int error;
	int rc;
	const char *says;
};

static const struct lack *lacking;
static char key[128];

static void
arm(void)
{
	failing_start_forever(FAILING_FILES | FAILING_NETWORK | FAILING_SYSTEM);
	failing_only(lacking->call);
	failing_errno(lacking->error);
	failing_arm();
}

static void
disarm(void)
{
	(void)failing_disarm(); /* failing_name() says it, too */
}

#define RUN(lack, cmd, ...) \
	run(lack, cmd, (const char *const[]){#cmd, __VA_ARGS__, NULL})

static int
run(const struct lack *l, cli_run *cmd, const char *const *words)
{
	lacking = l;
	return l == NULL ? command_run(cmd, words, NULL, NULL)
			 : command_run(cmd, words, arm, disarm);
}

#define WELL(cmd, ...) assert_int_equal(RUN(NULL, cmd, __VA_ARGS__), 0)

static void
drop(const char *name)
{
	assert_int_equal(fs_remove_tree(command_at(name)), 0);
}

static void
key_of(char out[128], const char *dir)
{
	WELL(cmd_scan, "--dir", dir);
	command_read(out, 128, "out");
	assert_int_equal(out[0], 'X');
}

/* What came of a command: the code, the word on stderr or in the error. */
static void
check(const struct lack *l, int rc)
{
	char said[8192];

	command_read(said, sizeof(said), "err");
	if (failing_name() == NULL)
		failing_fail("%s was never called", l->call);
	if (rc != l->rc)
		failing_fail("%s, %d: %d, not %d: %s: %s", l->call, l->error,
		    rc, l->rc, rc < 0 ? err_text() : "", said);
	if (l->says == NULL
		? strstr(said, "cannot") != NULL
		: strstr(said, l->says) == NULL &&
		      (rc == 0 || strstr(err_text(), l->says) == NULL))
		failing_fail("%s, %d: it says: %s (%s)", l->call, l->error,
		    said, rc < 0 ? err_text() : "");
}

static void
keyring(const char *name)
{
	assert_int_equal(setenv("XDG_CONFIG_HOME", command_at(name), 1), 0);
}

static void
give(const char *name)
{
	assert_int_equal(lchown(command_at(name), 1234, 1234), 0);
}

static void
set_up(void)
{
	command_begin();
	assert_int_equal(mkdir(command_at("work"), 0755), 0);
	assert_int_equal(mkdir(command_at("work/sub"), 0750), 0);
	source_tree_file(command_at("work"), "small", 3000, 1);
	source_tree_file(command_at("work"), "large", 400000, 2);
	source_tree_file(command_at("work"), "holes", 5000, 3);
	assert_int_equal(truncate(command_at("work/holes"), 3u << 20), 0);
	assert_int_equal(symlink("small", command_at("work/link")), 0);
	assert_int_equal(
	    link(command_at("work/small"), command_at("work/sub/again")), 0);
	assert_int_equal(mkfifo(command_at("work/fifo"), 0640), 0);
	assert_int_equal(
	    setxattr(command_at("work/large"), "user.one", "1", 1, 0), 0);
	if (geteuid() == 0) {
		assert_int_equal(lsetxattr(command_at("work/link"),
				     "trusted.one", "1", 1, 0),
		    0);
		give("work/large");
		give("work/link");
		give("work/fifo");
	}
	WELL(cmd_register, "--dir", "%/work", "--url", "file://%/store");
	WELL(cmd_backup, "--dir", "%/work");
	key_of(key, "%/work");
}

static int
begin(void **state)
{
	(void)state;
	set_up();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	command_end();
	return 0;
}

static void
test_register(void **state)
{
	static const struct lack lacks[] = {
	    {"linkat", EPERM, 0, NULL},
	    {"linkat", EOPNOTSUPP, 0, NULL},
	    {"linkat", EMLINK, 0, NULL},
	    {"linkat", EROFS, ERR_IO, "link"},
	    {"fallocate", EOPNOTSUPP, 0, NULL},
	    {"fallocate", ENOSYS, 0, NULL},
	    {"gethostname", EFAULT, 0, NULL},
	};
	size_t i;
	int rc;

	(void)state;
	keyring("fresh-config");
	for (i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
		drop("fresh-config");
		drop("fresh");
		drop("fresh-store");
		assert_int_equal(mkdir(command_at("fresh"), 0700), 0);
		source_tree_file(command_at("fresh"), "one", 1000, 1);
		rc = RUN(&lacks[i], cmd_register, "--dir", "%/fresh", "--url",
		    "file://%/fresh-store");
		check(&lacks[i], rc);
		if (rc != 0)
			WELL(cmd_register, "--dir", "%/fresh", "--url",
			    "file://%/fresh-store");
		WELL(cmd_backup, "--dir", "%/fresh");
	}
	keyring("config");
}

static void
test_backup(void **state)
{
	static const struct lack lacks[] = {
	    {"renameat2", EINVAL, 0, NULL},
	    {"renameat2", ENOSYS, 0, NULL},
	    {"fallocate", EOPNOTSUPP, 0, NULL},
	    {"ioctl", ENOTTY, 0, NULL},
	    {"statx", ENOSYS, 0, NULL},
	    {"fstatfs", ENOSYS, 0, NULL},
	    {"lseek", EINVAL, 0, NULL},
	    {"flistxattr", EOPNOTSUPP, 0, NULL},
	    {"llistxattr", ENOSYS, 0, NULL},
	    {"fgetxattr", ENODATA, 0, NULL},
	    {"gethostname", EFAULT, 0, NULL},
	    {"getpwuid_r", EIO, 0, NULL},
	    {"getgrgid_r", EIO, 0, NULL},
	    {"getrlimit", EINVAL, 0, NULL},
	    {"flistxattr", EACCES, ERR_SOURCE, "large"},
	    {"fgetxattr", EACCES, ERR_SOURCE, "user.one"},
	    {"readlinkat", EACCES, ERR_SOURCE, "link"},
	};
	char got[128];
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
		/* All of it anew, into a store of its own. */
		drop("store");
		drop("config");
		drop("work/.shamo");
		WELL(
		    cmd_register, "--dir", "%/work", "--url", "file://%/store");
		rc = RUN(&lacks[i], cmd_backup, "--dir", "%/work");
		check(&lacks[i], rc);
		/* Attributes are no part of the key; a link is. */
		command_read(got, sizeof(got), "out");
		assert_int_equal(strcmp(got, key) != 0,
		    strcmp(lacks[i].call, "readlinkat") == 0);
		WELL(cmd_verify, "--store_dir", "%/store");
		WELL(cmd_backup, "--dir", "%/work");
		drop("copy");
		WELL(cmd_restore, "--dir", "%/work", "--dest", "%/copy");
		key_of(got, "%/copy");
		assert_string_equal(got, key);
	}
}

static void
test_restore(void **state)
{
	static const struct lack lacks[] = {
	    {"fchown", EPERM, 0, "owner"},
	    {"lchown", EINVAL, 0, "owner"},
	    {"fchown", ENXIO, ERR_FAIL, "set the owner"},
	    {"lchown", EROFS, ERR_IO, "set the owner"},
	    {"fsetxattr", ENOTSUP, 0, "attribute"},
	    {"lsetxattr", EPERM, 0, "attribute"},
	    {"fsetxattr", ENOSPC, ERR_FAIL, "set an attribute"},
	    {"fsetxattr", EIO, ERR_IO, "set an attribute"},
	    {"fchmod", EPERM, ERR_FAIL, "set the mode"},
	    {"chmod", EPERM, ERR_FAIL, "set the mode"},
	    {"futimens", EPERM, ERR_FAIL, "set the time"},
	    {"utimensat", EPERM, ERR_FAIL, "set the time"},
	    {"mknodat", EPERM, ERR_FAIL, "fifo"},
	    {"symlinkat", EACCES, ERR_FAIL, "link"},
	    {"mknodat", EDQUOT, ERR_NOSPACE, "fifo"},
	    {"linkat", EPERM, ERR_FAIL, "it is a copy"},
	    {"getrlimit", EINVAL, 0, NULL},
	    {"fallocate", EOPNOTSUPP, 0, NULL},
	};
	struct stat st;
	char got[128];
	size_t i;
	int rc;

	(void)state;
	if (geteuid() != 0)
		skip(); /* all is one's own, and nothing has to be given */
	for (i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
		drop("copy");
		rc = RUN(&lacks[i], cmd_restore, "--dir", "%/work", "--dest",
		    "%/copy");
		check(&lacks[i], rc);
		if (rc == 0) {
			key_of(got, "%/copy");
			assert_string_equal(got, key);
		} else if (rc == ERR_FAIL) {
			/* What could be done was. */
			assert_int_equal(
			    stat(command_at("copy/large"), &st), 0);
			assert_int_equal(st.st_size, 400000);
		}
		drop("copy");
		WELL(cmd_restore, "--dir", "%/work", "--dest", "%/copy");
		key_of(got, "%/copy");
		assert_string_equal(got, key);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_restore),
	    cmocka_unit_test(test_register),
	    cmocka_unit_test(test_backup),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
