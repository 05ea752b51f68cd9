#ifndef HS_CLI_MODE_H
#define HS_CLI_MODE_H

/*
 * How the command of this process talks: the options that every command takes
 * beside its own.
 */

#include "cli/args.h"

struct mode {
	int json; /* one JSON object per line on stdout; docs/json.md */
	int quiet; /* only data, warnings and errors */
	int verbose; /* wins over quiet */
};

/* Set by args_parse(), before any thread is started. */
extern struct mode mode;

/* --json, --quiet, --verbose; ends with a NULL name. */
extern const struct args_option mode_options[];

/* Let the log follow `mode`. */
void mode_apply(void);

#endif
