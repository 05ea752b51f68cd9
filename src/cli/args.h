#ifndef HS_CLI_ARGS_H
#define HS_CLI_ARGS_H

/*
 * Command-line options, declared as a table per command, from which both the
 * parser and `--help` come.  Long options, where `_` and `-` are alike, and
 * `--name VALUE` and `--name=VALUE` too; besides -h, -q and -v.  `--` ends the
 * options.
 *
 * Every command also takes the options of cli/mode.h.
 */

#include <stddef.h>

enum args_kind {
	ARGS_FLAG, /* int: set to 1 */
	ARGS_TEXT, /* const char *: the value */
	ARGS_STORE, /* the same: a store, as whose owner root goes on */
	ARGS_LIST, /* struct args_list: every value, in order */
	ARGS_NUMBER, /* long: decimal within min .. max */
	ARGS_DURATION /* int64_t: seconds; base/duration.h */
};

#define ARGS_LIST_MAX 64

struct args_list {
	const char *items[ARGS_LIST_MAX];
	size_t count;
};

struct args_option {
	const char *name; /* without dashes, words joined by '_' */
	enum args_kind kind;
	void *value; /* of the kind's type; keeps its default when absent */
	const char *metavar; /* for help; NULL for flags */
	const char *help; /* one line */
	long min, max; /* ARGS_NUMBER */
};

struct args_command {
	const char *name;
	const char *synopsis; /* what follows the name in the usage line */
	const char *summary; /* one line */
	const char *details; /* paragraphs for --help, or NULL */
	const struct args_option *options; /* ends with a NULL name */
	size_t operands_max;
};

/*
 * Parse argv[1..]; operands are moved to the front of argv (from argv[1]) and
 * `*operands` is their number.  At last root becomes the owner of an ARGS_STORE
 * that is not NULL (cli/asowner.h).  Returns 0; 1 when help was asked for and
 * printed; ERR_USAGE; ERR_IO.
 */
int args_parse(
    size_t *operands, const struct args_command *c, int argc, char **argv);

/* Print the help text of a command to stdout; 0 or ERR_IO. */
int args_help(const struct args_command *c);

/* The name among `n` that `word` begins, or else is closest to; NULL when none
 * is near. */
const char *args_nearest(const char *word, const char *const *names, size_t n);

#endif
