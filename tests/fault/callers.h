#ifndef HS_TESTS_CALLERS_H
#define HS_TESTS_CALLERS_H

/*
 * Who called: the return addresses of the program itself, by which failing.c
 * tells places apart.
 */

#include <stdint.h>

#define CALLERS_MAX 6

/* Once, before the others: it may load a library. */
void callers_begin(void);

/* The innermost `depth` of them from `caller` on, as offsets into the program;
 * 0 behind the last. */
void callers_find(uintptr_t frames[CALLERS_MAX], const void *caller, int depth);

/* A number of a function and who called it, never 0. */
uint64_t callers_id(const char *name, const uintptr_t frames[CALLERS_MAX]);

/*
 * A number, never 0, of a function, who called it, and all on this thread's
 * stack that could be a return address in the program: it takes a tenth of the
 * time of callers_find().  What calls have left there that are over may make
 * two numbers of one stack, never one of two.
 */
uint64_t callers_trail(const char *name, const void *caller);

#endif
