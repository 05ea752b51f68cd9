#ifndef HS_CLI_CHOOSE_H
#define HS_CLI_CHOOSE_H

/*
 * The options with which backup and scan choose what is in the directory:
 * the same words, so that both come to the same key.
 */

#include "cli/args.h"
#include "engine/walk.h"

struct chooser;

struct choose {
	struct args_list exclude, exclude_from;
	int one_file_system, exclude_caches;
};

/* The rows of an option table, for a struct choose. */
#define CHOOSE_OPTIONS(c) \
	{"exclude", ARGS_LIST, &(c)->exclude, "P", \
	    "leave out what matches P, as in gitignore", 0, 0}, \
	    {"exclude_from", ARGS_LIST, &(c)->exclude_from, "F", \
		"the same for each line of the file F", 0, 0}, \
	    {"one_file_system", ARGS_FLAG, &(c)->one_file_system, NULL, \
		"leave directories on other ones empty", 0, 0}, \
	{ \
		"exclude_caches", ARGS_FLAG, &(c)->exclude_caches, NULL, \
		    "leave out what a CACHEDIR.TAG marks", 0, 0 \
	}

/* Say what was left out, or is read; for struct walk_options. */
walk_tell choose_tell;

/* ERR_USAGE: a pattern or file that cannot be used. */
int choose_new(struct chooser **out, const struct choose *c);

#endif
