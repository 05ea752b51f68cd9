#include "base/log.h"

#include "base/clock.h"
#include "base/pool.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A line before escaping: a path of 4096 bytes and some words. */
#define LINE_RAW_MAX 6144
/* The line at the foot of the terminal. */
#define FOOT_MAX 512
/* Each byte may become \xNN; the time stamp, "shash: ", the newline, and what
 * clears the foot. */
#define LINE_MAX_BYTES (4 * LINE_RAW_MAX + 64 + FOOT_MAX + 2)

/* The line at the foot of the terminal, and what is written beside it. */
static struct pool_lock foot_lock = POOL_LOCK_INIT;
static size_t foot_len; /* characters that stand there; 0: none */

static atomic_int log_level;
static atomic_int log_stamps;

void
log_set_verbose(int level)
{
	atomic_store(&log_level, level);
}

void
log_set_timestamps(int on)
{
	atomic_store(&log_stamps, on);
}

/* Nonzero when the character stands for itself on a terminal. */
static int
is_harmless(uint32_t c)
{
	if (c < 0x20 || c == '\\' || (c >= 0x7f && c < 0xa0))
		return 0;
	/* Line and paragraph separators; marks and overrides of direction. */
	if (c == 0x061c || c == 0x200e || c == 0x200f ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return 0;
	return 1;
}

const char *
log_escape(char *out, size_t cap, const char *name, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = (const uint8_t *)name;
	size_t used = 0, cut = 0, n, i;
	uint32_t c;

	if (cap == 0)
		return out;
	while (len > 0) {
		char text[4 * 4];
		size_t text_len = 0;

		n = utf8_decode(&c, p, len);
		if (n > 0 && is_harmless(c)) {
			memcpy(text, p, n);
			text_len = n;
		} else {
			n = n > 0 ? n : 1;
			for (i = 0; i < n; i++) {
				text[text_len++] = '\\';
				text[text_len++] = 'x';
				text[text_len++] = digits[p[i] >> 4];
				text[text_len++] = digits[p[i] & 15];
			}
		}
		if (text_len > cap - 1 - used) {
			/* Back to where the dots still fit. */
			used = cut;
			n = cap - 1 - used < 3 ? cap - 1 - used : 3;
			memcpy(out + used, "...", n);
			used += n;
			break;
		}
		memcpy(out + used, text, text_len);
		used += text_len;
		if (used + 3 <= cap - 1)
			cut = used;
		p += n;
		len -= n;
	}
	out[used] = '\0';
	return out;
}

/* Append the time stamp, if wanted; returns its length. */
static size_t
put_stamp(char *line, size_t cap)
{
	time_t now = (time_t)(clock_wall_ns() / 1000000000);
	struct tm tm;

	if (!atomic_load(&log_stamps) || gmtime_r(&now, &tm) == NULL)
		return 0;
	return strftime(line, cap, "%Y-%m-%dT%H:%M:%SZ ", &tm);
}

/* All of it; the loop is for a short write only. */
static void
put(const char *p, size_t len)
{
	ssize_t w;

	for (; len > 0; p += w, len -= (size_t)w) {
		w = write(STDERR_FILENO, p, len);
		if (w < 0 && errno == EINTR)
			w = 0;
		else if (w <= 0)
			break; /* nobody is left to be told */
	}
}

/* Append what overwrites the foot with blanks; under its lock. */
static size_t
erase_foot(char *out)
{
	size_t n = 0;

	if (foot_len > 0) {
		out[n++] = '\r';
		memset(out + n, ' ', foot_len);
		n += foot_len;
		out[n++] = '\r';
	}
	foot_len = 0;
	return n;
}

void
log_foot(const char *text)
{
	char out[2 * FOOT_MAX + 2];
	size_t len = text == NULL ? 0 : strlen(text), n = 0;

	if (len > FOOT_MAX)
		len = FOOT_MAX;
	pool_lock_enter(&foot_lock);
	if (len == 0) {
		n = erase_foot(out);
	} else {
		out[n++] = '\r';
		memcpy(out + n, text, len);
		n += len;
		if (foot_len > len) {
			memset(out + n, ' ', foot_len - len);
			n += foot_len - len;
		}
		foot_len = len;
	}
	put(out, n);
	pool_lock_leave(&foot_lock);
}

static void
put_line(const char *prefix, const char *fmt, va_list ap)
{
	int saved = errno, n;
	char raw[LINE_RAW_MAX], line[LINE_MAX_BYTES];
	size_t len, start;

	n = vsnprintf(raw, sizeof(raw), fmt, ap);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(raw)) {
		n = (int)sizeof(raw) - 1;
		memcpy(raw + n - 3, "...", 3);
	}
	pool_lock_enter(&foot_lock);
	/* Memory is there for it: FOOT_MAX + 2. */
	start = erase_foot(line);
	len = start + put_stamp(line + start, sizeof(line) - start);
	memcpy(line + len, prefix, strlen(prefix));
	len += strlen(prefix);
	log_escape(line + len, sizeof(line) - len - 1, raw, (size_t)n);
	len += strlen(line + len);
	line[len++] = '\n';

	put(line, len); /* one write() */
	pool_lock_leave(&foot_lock);
	errno = saved;
}

void
log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line("shash: ", fmt, ap);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list ap;

	if (atomic_load(&log_level) < 0)
		return;
	va_start(ap, fmt);
	put_line("", fmt, ap);
	va_end(ap);
}

void
log_debug(const char *fmt, ...)
{
	va_list ap;

	if (atomic_load(&log_level) < 1)
		return;
	va_start(ap, fmt);
	put_line("", fmt, ap);
	va_end(ap);
}
