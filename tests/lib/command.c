#include "lib/command.h"

#include "base/buf.h"
#include "base/fs.h"
#include "cli/mode.h"
#include "lib/tempdir.h"
#include "sign/sign.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WORD_BYTES 300

static char *top;
static int real_stdout, real_stderr;

const char *
command_at(const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", top, name);
	return path;
}

/* What a command prints goes to a file. */
static void
catch_output(void)
{
	int fd = open(
	    command_at("out"), O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);

	assert_true(fd >= 0);
	(void)fflush(stdout);
	assert_true(dup2(fd, STDOUT_FILENO) >= 0);
	close(fd);
	fd = open(
	    command_at("err"), O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
	assert_true(fd >= 0);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
}

static void
show_output(void)
{
	(void)fflush(stdout);
	clearerr(stdout);
	assert_true(dup2(real_stdout, STDOUT_FILENO) >= 0);
	assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
}

void
command_read(char *out, size_t cap, const char *name)
{
	struct buf b = BUF_INIT;

	assert_int_equal(
	    fs_read_file(&b, AT_FDCWD, command_at(name), 1u << 20), 0);
	(void)snprintf(out, cap, "%.*s", (int)b.len, b.data);
	buf_release(&b);
}

int
command_run(cli_run *cmd, const char *const *words, void (*before)(void),
    void (*after)(void))
{
	char *argv[COMMAND_WORDS_MAX + 1] = {NULL};
	char own[COMMAND_WORDS_MAX][WORD_BYTES];
	int argc = 0, rc;

	for (; words[argc] != NULL; argc++) {
		const char *mark = strchr(words[argc], '%');

		assert_true(argc < COMMAND_WORDS_MAX);
		if (mark == NULL)
			(void)snprintf(
			    own[argc], WORD_BYTES, "%s", words[argc]);
		else
			(void)snprintf(own[argc], WORD_BYTES, "%.*s%s%s",
			    (int)(mark - words[argc]), words[argc], top,
			    mark + 1);
		argv[argc] = own[argc];
	}
	memset(&mode, 0, sizeof(mode));
	catch_output();
	if (before != NULL)
		before();
	rc = cmd(argc, argv);
	if (after != NULL)
		after();
	show_output();
	return rc;
}

void
command_begin(void)
{
	top = tempdir_new();
	real_stdout = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
	real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	assert_true(real_stdout >= 0 && real_stderr >= 0);
	assert_int_equal(setenv("XDG_CONFIG_HOME", command_at("config"), 1), 0);
	assert_int_equal(setenv("SHASH_RETRY", "0", 1), 0);
	assert_int_equal(sign_start(), 0);
}

void
command_end(void)
{
	close(real_stdout);
	close(real_stderr);
	tempdir_free(top);
}
