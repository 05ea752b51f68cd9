#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char err_message[ERR_TEXT_MAX];

/*
 * Append to a message of `len` bytes; what does not fit is cut.  Returns the
 * new length.
 */
static size_t
append(char *text, size_t len, const char *more)
{
	size_t n = strlen(more);

	if (n > ERR_TEXT_MAX - 1 - len)
		n = ERR_TEXT_MAX - 1 - len;
	memcpy(text + len, more, n);
	text[len + n] = '\0';
	return len + n;
}

/*
 * The arguments may point into the old message (err_text()), so the new one is
 * made aside.
 */
static size_t
format(char *text, const char *fmt, va_list ap)
{
	int n = vsnprintf(text, ERR_TEXT_MAX, fmt, ap);

	if (n < 0) {
		text[0] = '\0';
		return 0;
	}
	return (size_t)n < ERR_TEXT_MAX ? (size_t)n : ERR_TEXT_MAX - 1;
}

int
err_set(int code, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	len = format(text, fmt, ap);
	va_end(ap);
	memcpy(err_message, text, len + 1);
	return code;
}

int
err_errno(int code, const char *fmt, ...)
{
	int saved = errno;
	char text[ERR_TEXT_MAX], reason[128];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	len = format(text, fmt, ap);
	va_end(ap);
	len = append(text, len, ": ");
	len = append(text, len, strerror_r(saved, reason, sizeof(reason)));
	memcpy(err_message, text, len + 1);
	errno = saved;
	return code;
}

int
err_prefix(int code, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	len = format(text, fmt, ap);
	va_end(ap);
	len = append(text, len, ": ");
	len = append(text, len, err_message);
	memcpy(err_message, text, len + 1);
	return code;
}

int
err_nomem(unsigned long long bytes)
{
	return err_set(ERR_NOMEM, "out of memory (%llu bytes)", bytes);
}

const char *
err_text(void)
{
	return err_message;
}

int
err_exit_code(int code)
{
	if (code >= 0)
		return code == 0 ? 0 : 1;
	switch ((enum err)code) {
	case ERR_USAGE:
		return 2;
	case ERR_SOURCE:
		return 3;
	case ERR_NOSTORE:
		return 10;
	case ERR_UNREACHABLE:
		return 11;
	case ERR_REFUSED:
		return 12;
	case ERR_DAMAGED:
		return 13;
	case ERR_NOENT:
		return 14;
	case ERR_INTR:
		return 130;
	case ERR_FAIL:
	case ERR_NOMEM:
	case ERR_IO:
	case ERR_NOSPACE:
	case ERR_LIMIT:
	case ERR_EXIST:
	case ERR_STALE:
	case ERR_MISSING:
	case ERR_BUSY:
	case ERR_READONLY:
		break;
	}
	return 1;
}
