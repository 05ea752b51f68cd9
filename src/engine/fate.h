#ifndef HS_ENGINE_FATE_H
#define HS_ENGINE_FATE_H

/*
 * What a run of many threads comes to.  The first fatal error wins; every
 * thread asks fate_check() often and winds down by doing nothing more, so
 * all queues drain and all threads end in their ordinary way.
 *
 * Warnings about source files never come here (see notes.h): the two kinds
 * of error cannot be mixed.
 */

#include "base/err.h"
#include "base/pool.h"

#include <stdatomic.h>

struct fate {
	struct pool_lock lock;
	atomic_int code; /* 0 while all is well */
	char text[ERR_TEXT_MAX];
	const atomic_int *interrupt; /* may be NULL */
};

/* `interrupt` becomes nonzero when the user wants to stop. */
void fate_init(struct fate *f, const atomic_int *interrupt);
void fate_release(struct fate *f);
/* Keep this thread's error; returns `code`. */
int fate_fail(struct fate *f, int code);
/* 0 while all is well, else the error. */
int fate_check(struct fate *f);
/* As fate_check(), and the text becomes this thread's message. */
int fate_result(struct fate *f);

#endif
