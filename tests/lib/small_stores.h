#ifndef HS_TESTS_SMALL_STORES_H
#define HS_TESTS_SMALL_STORES_H

/*
 * Small stores of file:// URLs with their clients, as the commands make them,
 * for tests that damage a store's files.  A command is run by a child process
 * of this program, so that what kills it kills no test.
 */

#include "cli/cli.h"

#include <stddef.h>
#include <stdint.h>

#define SMALL_SNAPSHOTS_MAX 8
#define SMALL_FILES_MAX 128
#define SMALL_OUTPUT_MAX 65536
#define SMALL_ARGS_MAX 16

enum small_kind {
	SMALL_TREE, /* one directory, one snapshot */
	SMALL_TWO, /* two directories of a vault, retired snapshots */
	SMALL_LARGE, /* private chunker, chunk map, holes, links, xattrs */
	SMALL_KINDS
};

struct small_snapshot {
	unsigned mount; /* 0 or 1 */
	unsigned seq; /* as @N */
	unsigned version; /* of the tree */
};

struct small_file {
	char *path; /* below the store */
	uint8_t *data; /* NULL: a folder */
	size_t len;
	uint8_t *old; /* the same before the last backup, or NULL */
	size_t old_len;
	int fresh; /* it was not there then */
	uint64_t stamp[3]; /* when it was known to be like that */
};

struct small_store {
	enum small_kind kind;
	char *top; /* everything of it; the current folder of commands */
	unsigned nmounts, nsnapshots, nfiles;
	struct small_snapshot snapshots[SMALL_SNAPSHOTS_MAX];
	struct small_file files[SMALL_FILES_MAX];
	char output[SMALL_OUTPUT_MAX]; /* of the last command, terminated */
	int output_fd;
	int backed_up; /* since it was made */
};

/* Failures fail the test. */
void small_store_make(struct small_store *s, enum small_kind kind);
void small_store_remove(struct small_store *s);

/* Be where its commands are run, with its keyring. */
void small_store_enter(const struct small_store *s);

/*
 * Run a command with words up to NULL; `words[0]` is its name.  Returns its
 * exit code; -N when signal N ended it, SIGALRM: it took a minute.
 */
int small_store_run(
    struct small_store *s, cli_run *run, const char *const *words);
/* shash verify; shash backup of a mount. */
int small_store_verify(struct small_store *s);
int small_store_backup(struct small_store *s, unsigned mount);
/*
 * Restore a snapshot, and compare what came with what was backed up.  Returns
 * the exit code; `*wrong` says what is wrong, NULL when all that is there is
 * right and, with code 0, nothing is missing.
 */
int small_store_restore(const char **wrong, struct small_store *s,
    const struct small_snapshot *snapshot);

/* The store and its clients as they were made. */
void small_store_reset(struct small_store *s);
/* The file system's path of a file, until the next call. */
const char *small_store_path(const struct small_store *s, unsigned file);

#endif
