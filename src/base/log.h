#ifndef HS_BASE_LOG_H
#define HS_BASE_LOG_H

/*
 * The one way to print talk (stderr).  Bytes that could act on a terminal
 * (C0, DEL, C1, invalid UTF-8, direction overrides, and the backslash itself)
 * come out as \xNN, so a hostile file name cannot do anything.
 */

#include <stddef.h>

#define LOG_NAME_MAX 4096 /* bytes of one escaped name, NUL included */

/* "shash: " + text + newline, escaped as a whole, in one write(). */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* As log_warn() without the prefix: summaries and notices. */
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* As log_info(), only after log_set_verbose(1). */
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Keep `text` (harmless ASCII, shorter than the terminal is wide) at the foot
 * of a terminal that is stderr: it is written over the one before, and cleared
 * before any line of the log.  NULL clears it; who prints to stdout does that
 * first, for both may be one terminal.
 */
void log_foot(const char *text);

/* -1 quiet (log_info says nothing), 0 normal, 1 verbose. */
void log_set_verbose(int level);

/* With a time stamp (UTC) in front of every line: the server's log. */
void log_set_timestamps(int on);

/*
 * Escape the `len` bytes at `name` into `out` (`cap` bytes, NUL included;
 * too long: cut with "...").  Returns `out`.
 */
const char *log_escape(char *out, size_t cap, const char *name, size_t len);

#endif
