#ifndef HS_BASE_ERR_H
#define HS_BASE_ERR_H

/*
 * Errors.  A function that can fail returns 0, or one of the negative codes
 * below; positive values are expected outcomes that a header names.  Who
 * detects an error words it once with err_set(); callers may put context in
 * front with err_prefix().  Only the command line and the server print.
 *
 * Thread use: the message belongs to the calling thread.
 */

enum err {
	ERR_FAIL = -1, /* anything without a code of its own */
	ERR_NOMEM = -2,
	ERR_IO = -3, /* a store or state file failed: fatal */
	ERR_USAGE = -4,
	ERR_NOSTORE = -5, /* not a store, not registered */
	ERR_UNREACHABLE = -6, /* the server did not answer */
	ERR_REFUSED = -7, /* the server answered no */
	ERR_DAMAGED = -8, /* bytes that fail a check */
	ERR_NOENT = -9, /* no such snapshot, path, object */
	ERR_NOSPACE = -10, /* the store's disk is full */
	ERR_LIMIT = -11, /* input exceeds a named limit */
	ERR_EXIST = -12,
	ERR_STALE = -13, /* session ended or fenced: ask everything again */
	ERR_MISSING = -14, /* a commit reaches objects that are not there */
	ERR_BUSY = -15, /* somebody else holds the lock */
	ERR_INTR = -16, /* interrupted by the user */
	ERR_SOURCE = -17, /* a source file could not be read: a warning */
	ERR_READONLY = -18 /* the store takes nothing: a sync failed before */
};

#define ERR_TEXT_MAX 1024 /* bytes of a message, NUL included */

/* Set this thread's message (printf) and return `code`. */
int err_set(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* As err_set(), and append ": " and the text of errno. */
int err_errno(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Put "text: " in front of this thread's message; returns `code`. */
int err_prefix(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Shorthand of err_set() for a failed allocation of `bytes`. */
int err_nomem(unsigned long long bytes);

/* This thread's last message; never NULL, valid until the next err_*(). */
const char *err_text(void);

/* Exit code of a command that ends with `code` (design, section 1). */
int err_exit_code(int code);

#endif
