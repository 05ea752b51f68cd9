/*
 * shash: the command table.  One cmd_*.c per command; everything a command
 * prints on stderr about its end is printed here.
 */

#include "base/err.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/jsonl.h"
#include "cli/mode.h"
#include "cli/version.h"
#include "sign/sign.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct command {
	const char *name;
	cli_run *run;
	const char *summary;
};

static const struct command commands[] = {
    {"start", cmd_start, "run the storage server"},
    {"stop", cmd_stop, "end a running server and wait until it is down"},
    {"invite", cmd_invite, "print a new one-time invitation"},
    {"register", cmd_register, "connect a directory to a store"},
    {"backup", cmd_backup, "back up a registered directory"},
    {"restore", cmd_restore, "bring a snapshot back into a folder"},
    {"scan", cmd_scan, "print a directory's key, without any store"},
    {"snapshots", cmd_snapshots, "list what can be restored"},
    {"status", cmd_status, "show how a directory or a store stands"},
    {"keep", cmd_keep, "set which snapshots of a store are kept"},
    {"prune", cmd_prune, "retire the snapshots that are not kept"},
    {"unprune", cmd_unprune, "bring retired snapshots back"},
    {"verify", cmd_verify, "check every byte of a store, without keys"},
    {"sweep", cmd_sweep, "free the space of what no snapshot needs"},
    {"reindex", cmd_reindex, "rebuild a store's index from its packs"},
    {"key", cmd_key, "print the recovery key of a directory's vault"},
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static void
print_help(void)
{
	size_t i;

	printf("Usage: shash COMMAND [OPTIONS]\n\n"
	       "Backs up directories to a storage server that cannot read "
	       "them.\n\nCommands:\n");
	for (i = 0; i < NCOMMANDS; i++)
		printf("  %-10s  %s\n", commands[i].name, commands[i].summary);
	printf("\n'shash COMMAND --help' describes one; 'shash --version' "
	       "the build.\n\n"
	       "Exit codes: 0 done, 1 failed, 2 usage, 3 some files could not "
	       "be read,\n10 not a store or not registered, 11 server "
	       "unreachable, 12 refused,\n13 damage found, 14 no such "
	       "snapshot or path, 130 interrupted.\n");
}

static int
unknown_command(const char *word)
{
	const char *names[NCOMMANDS], *near;
	size_t i;

	for (i = 0; i < NCOMMANDS; i++)
		names[i] = commands[i].name;
	if (word[0] == '-')
		return err_set(ERR_USAGE,
		    "the command comes first, then options like %s; see: "
		    "shash --help",
		    word);
	near = args_nearest(word, names, NCOMMANDS);
	if (near != NULL)
		return err_set(ERR_USAGE,
		    "unknown command '%s'; did you mean '%s'?", word, near);
	return err_set(
	    ERR_USAGE, "unknown command '%s'; see: shash --help", word);
}

static int
run(int argc, char **argv)
{
	static char help[] = "--help";
	size_t i;
	int rc;

	if (argc < 2)
		return err_set(ERR_USAGE, "which command? see: shash --help");
	if (strcmp(argv[1], "help") == 0 && argc > 2) {
		argv[1] = argv[2]; /* "help backup" is "backup --help" */
		argv[2] = help;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help();
		return 0;
	}
	rc = sign_start();
	if (rc != 0)
		return rc;
	if (strcmp(argv[1], "--version") == 0)
		return version_print();
	for (i = 0; i < NCOMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		rc = commands[i].run(argc - 1, argv + 1);
		return rc > 0 ? 0 : rc; /* positive: it printed its help */
	}
	return unknown_command(argv[1]);
}

/*
 * Whether JSON is wanted.  Where the options were not parsed to their end, for
 * one of them is wrong, the word alone says it.
 */
static int
wants_json(int argc, char **argv)
{
	int i;

	for (i = 2; i < argc && !mode.json; i++)
		if (strcmp(argv[i], "--json") == 0)
			return 1;
	return mode.json;
}

/* The last line of a command that does not end with 0. */
static void
print_error(int rc)
{
	char text[ERR_TEXT_MAX];
	struct jsonl l;

	(void)snprintf(text, sizeof(text), "%s", err_text());
	jsonl_begin(&l, "error");
	jsonl_int(&l, "exit_code", err_exit_code(rc));
	jsonl_text(&l, "message", text);
	(void)jsonl_print(&l); /* the exit code says it, too */
}

int
main(int argc, char **argv)
{
	sigset_t usr1;
	int rc, json;

	/* Everything that a command creates for itself is private; what
	 * restore creates gets its mode explicitly. */
	(void)umask(077);
	/* It asks for a line of progress; what has none takes no harm. */
	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &usr1, NULL); /* cannot fail */
	json = wants_json(argc, argv); /* parsing moves the words */
	rc = run(argc, argv);
	if (fflush(stdout) != 0 && rc == 0)
		rc = err_errno(ERR_IO, "cannot write to stdout");
	if (rc < 0) {
		log_warn("%s", err_text());
		if (json || mode.json)
			print_error(rc);
	}
	return err_exit_code(rc);
}
