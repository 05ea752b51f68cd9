#ifndef HS_CLI_CLI_H
#define HS_CLI_CLI_H

/*
 * What the commands share: the table's shape, the interrupt flag, output.
 */

#include "cli/args.h"

#include <stdatomic.h>
#include <stdint.h>

/* A command: returns 0 or a negative ERR_*; the message is printed for it. */
typedef int cli_run(int argc, char **argv);

cli_run cmd_start;
cli_run cmd_stop;
cli_run cmd_invite;
cli_run cmd_register;
cli_run cmd_backup;
cli_run cmd_restore;
cli_run cmd_scan;
cli_run cmd_snapshots;
cli_run cmd_verify;
cli_run cmd_sweep;
cli_run cmd_reindex;
cli_run cmd_key;
cli_run cmd_status;
cli_run cmd_keep;
cli_run cmd_prune;
cli_run cmd_unprune;

/* Set by SIGINT, SIGTERM and SIGHUP after cli_catch_interrupts(). */
extern atomic_int cli_interrupted;
void cli_catch_interrupts(void);

/* Print one line to stdout and make sure that it got out; 0 or ERR_IO. */
int cli_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "1.5 GiB": bytes for people, in `out` of at least 16 bytes. */
const char *cli_size(char out[16], unsigned long long bytes);

/* "1 file", "7 files", in `out` of at least 48 bytes; returns it. */
const char *cli_count(
    char out[48], unsigned long long n, const char *one, const char *many);

/* Local time for people, in `out`; returns it. */
const char *cli_time(char out[32], int64_t ns);

/* Seconds from `then` to `now`, both in ns of wall clocks: never negative. */
int64_t cli_age(int64_t now_ns, int64_t then_ns);

/* A name fit for a terminal (log_escape()), in `out`; returns it. */
#define CLI_NAME_BYTES 1024
const char *cli_name(char out[CLI_NAME_BYTES], const char *name);

/* Say one line: for the engine's callbacks. */
void cli_warn_line(void *arg, const char *text);

/* Name a source file that could not be read: for the engine's callbacks. */
void cli_warn_path(void *arg, const char *path, size_t len, const char *text);

#endif
