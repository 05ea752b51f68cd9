#ifndef HS_ENGINE_GLOB_H
#define HS_ENGINE_GLOB_H

/*
 * Patterns of paths, with the meaning that gitignore(5) gives them:
 *
 *	?	one byte, not '/'
 *	*	any bytes, not '/'
 *	[a-z]	one byte of a set, not '/'; [!a-z] and [^a-z] of the others;
 *		[[:alpha:]] and the other POSIX classes, ASCII only
 *	\x	x itself
 *	**	any bytes, between slashes or at an end of the pattern; before
 *		a slash also nothing, together with that slash
 *
 * Matching is by a set of states, never by trial: its time is at most
 * pattern times text, whatever they are.  Pure.
 */

#include <stddef.h>

struct glob;

/*
 * Compile `len` (at most LIMIT_PATTERN_BYTES) bytes.  Returns 0; 1: such a
 * pattern matches nothing (a set without an end or of an unknown class, a
 * backslash at the end); ERR_LIMIT; ERR_NOMEM.
 */
int glob_new(struct glob **out, const char *pattern, size_t len);
void glob_free(struct glob *g); /* NULL is fine */

/* Nonzero when the pattern matches the whole text. */
int glob_match(const struct glob *g, const char *text, size_t len);

/* The literal bytes that the pattern begins with, not NUL-terminated. */
const char *glob_prefix(size_t *len, const struct glob *g);

/* Nonzero when a byte of the text means more than itself. */
int glob_is_special(const char *text, size_t len);

#endif
