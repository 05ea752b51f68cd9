#ifndef HS_TESTS_COMMAND_H
#define HS_TESTS_COMMAND_H

/*
 * Commands of shash in this process, in a folder of the test's own, with a
 * keyring there.  What they print goes to files of the folder, so that only
 * the test itself talks.  Failures of its own fail the test.
 */

#include "cli/cli.h"

#include <stddef.h>

#define COMMAND_WORDS_MAX 16

void command_begin(void);
void command_end(void);

/* The path of something in the folder, good for some more calls. */
const char *command_at(const char *name);

/*
 * Run a command with its words (NULL behind the last), of which % is the
 * folder.  `before` and `after` (NULL: nothing) are called right around it.
 */
int command_run(cli_run *cmd, const char *const *words, void (*before)(void),
    void (*after)(void));

/* What the last one printed, as text, to "out" or "err". */
void command_read(char *out, size_t cap, const char *name);

#endif
