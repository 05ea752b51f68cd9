#include "fault/failing.h"

#include "base/err.h"
#include "lib/unharmed.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

#define DEPTH 6
#define PLACES_MAX 16384u
#define BLOCKS_MAX 262144u /* a power of two; as many are not alive at once */

enum how { ONCE, FOREVER, SHORT };

/* Where the program's code lies. */
extern const char __executable_start[], etext[];

/* All of it belongs to who holds the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum how how;
static unsigned kinds;
static int errno_wanted;
static const char *only;
static int tests_too;
static int depth;
static unsigned one_in;
static uint64_t places[PLACES_MAX];
static unsigned nplaces;
static int first_pass;
static uintptr_t blocks[BLOCKS_MAX]; /* open addressing; 0: free, 1: gone */
static int nused;
static atomic_int nblocks; /* looked at without the lock */

/* What has failed in this pass. */
static const char *fired_name;
static unsigned fired_kind;
static uintptr_t fired_frames[DEPTH];

/* Read without the lock: nothing is done while it is 0. */
static _Atomic int armed;
/* Threads that a program starts allocate before they are its own. */
static _Thread_local int busy;

/*
 * Whether a call from there counts: from src/, unless the test wants its own
 * to count.  This file is linked behind the tests and before the library.
 */
static int
counts(const void *caller)
{
	return !unharmed() &&
	       (tests_too || (uintptr_t)caller > (uintptr_t)failing_start);
}

/* The innermost return addresses inside the program, `caller` first. */
static void
find_frames(uintptr_t frames[DEPTH], const void *caller)
{
	void *all[40];
	int i = 0, n = backtrace(all, 40), count = 0;

	memset(frames, 0, DEPTH * sizeof(frames[0]));
	while (i < n && all[i] != caller)
		i++;
	if (i == n)
		frames[count++] = (uintptr_t)caller;
	for (; i < n && count < depth; i++) {
		if ((char *)all[i] >= __executable_start &&
		    (char *)all[i] < etext)
			frames[count++] = (uintptr_t)all[i];
	}
	for (i = 0; i < count; i++)
		frames[i] -= (uintptr_t)__executable_start;
}

static uint64_t
place_of(const char *name, const uintptr_t frames[DEPTH])
{
	uint64_t id = 14695981039346656037u;
	int i;

	for (i = 0; i < DEPTH; i++)
		id = (id ^ frames[i]) * 1099511628211u;
	for (; *name != '\0'; name++)
		id = (id ^ (unsigned char)*name) * 1099511628211u;
	return id + (id == 0);
}

/* Remember a place; whether it is new. */
static int
is_new_place(uint64_t id)
{
	unsigned slot = (unsigned)(id % PLACES_MAX);

	while (places[slot] != 0) {
		if (places[slot] == id)
			return 0;
		slot = (slot + 1) % PLACES_MAX;
	}
	if (nplaces == PLACES_MAX / 2)
		abort();
	places[slot] = id;
	nplaces++;
	return 1;
}

static void
show(void)
{
	int i;

	fprintf(stderr, "failed: %s", fired_name);
	for (i = 0; i < DEPTH && fired_frames[i] != 0; i++)
		fprintf(stderr, " 0x%lx", (unsigned long)fired_frames[i] - 1);
	fprintf(stderr, "\n");
}

/* Whether this call of `name`, by code at `caller`, fails. */
static int
hit(unsigned kind, const char *name, const void *caller, int moves)
{
	uintptr_t frames[DEPTH];
	int saved = errno, fails = 0;
	uint64_t id;

	if (!armed || busy || !counts(caller) || !(kinds & kind) ||
	    (how == SHORT && !moves) ||
	    (only != NULL && strcmp(only, name) != 0))
		return 0;
	busy = 1;
	pthread_mutex_lock(&lock);
	if (fired_name != NULL) {
		fails = how == FOREVER && strcmp(fired_name, name) == 0;
	} else {
		find_frames(frames, caller);
		id = place_of(name, frames);
		if (id / PLACES_MAX % one_in == 0 && is_new_place(id)) {
			fails = 1;
			fired_name = name;
			fired_kind = kind;
			memcpy(fired_frames, frames, sizeof(frames));
			if (getenv("FAILING_SHOW") != NULL)
				show();
		}
	}
	pthread_mutex_unlock(&lock);
	busy = 0;
	errno = saved;
	return fails;
}

/* Note that a block was given out. */
static void
block_taken(long block)
{
	size_t slot;

	if (!armed || block == 0)
		return;
	pthread_mutex_lock(&lock);
	slot = ((uintptr_t)block >> 4) * 2654435761u % BLOCKS_MAX;
	while (blocks[slot] > 1)
		slot = (slot + 1) % BLOCKS_MAX;
	nused += blocks[slot] == 0;
	blocks[slot] = (uintptr_t)block;
	nblocks++;
	if (nused > (int)BLOCKS_MAX / 2)
		abort();
	pthread_mutex_unlock(&lock);
}

/* Note that it was given back, if it is one of them. */
static int
block_given(long block)
{
	size_t slot;
	int known = 0;

	if (nblocks == 0 || block == 0)
		return 0;
	pthread_mutex_lock(&lock);
	slot = ((uintptr_t)block >> 4) * 2654435761u % BLOCKS_MAX;
	while (blocks[slot] != 0 && blocks[slot] != (uintptr_t)block)
		slot = (slot + 1) % BLOCKS_MAX;
	if (blocks[slot] != 0) {
		blocks[slot] = 1;
		nblocks--;
		known = 1;
	}
	pthread_mutex_unlock(&lock);
	return known;
}

#define CALLER __builtin_return_address(0)
#define WORDS long a, long b, long c, long d, long e, long f
/* The linker turns calls of `name` into ones of __wrap_name. */
#define HEAD(name) \
	long real_##name(WORDS) __asm__("__real_" #name); \
	long failing_##name(WORDS) __asm__("__wrap_" #name); \
	long failing_##name(WORDS)
#define REAL(name) real_##name(a, b, c, d, e, f)
#define SET_ERRNO(error) (errno = errno_wanted != 0 ? errno_wanted : (error))

#define ALLOCATES(kind, name) \
	HEAD(name) \
	{ \
		long block; \
		int known, again = strcmp(#name, "realloc") == 0; \
\
		if (hit(FAILING_##kind, #name, CALLER, 0)) { \
			errno = ENOMEM; \
			return 0; \
		} \
		known = again && block_given(a); \
		block = REAL(name); \
		/* What realloc() moves belongs to who had it before. */ \
		if (known || ((!again || a == 0) && counts(CALLER))) \
			block_taken(block); \
		return block; \
	}
#define FAILS(kind, name, value, error) \
	HEAD(name) \
	{ \
		if (hit(FAILING_##kind, #name, CALLER, 0)) { \
			if ((error) != 0) \
				SET_ERRNO(error); \
			return (long)(value); \
		} \
		return REAL(name); \
	}
#define GIVES(kind, name, value) FAILS(kind, name, value, 0)
#define MOVES(kind, name, error) \
	HEAD(name) \
	{ \
		if (hit(FAILING_##kind, #name, CALLER, c > 1)) { \
			if (how == SHORT) { \
				c /= 2; \
				return REAL(name); \
			} \
			SET_ERRNO(error); \
			return -1; \
		} \
		return REAL(name); \
	}
#define LOSES(kind, name, value, error) \
	HEAD(name) \
	{ \
		if (hit(FAILING_##kind, #name, CALLER, 0)) { \
			(void)REAL(name); \
			if ((error) != 0) \
				SET_ERRNO(error); \
			return (long)(value); \
		} \
		return REAL(name); \
	}
#define GROWS(name) \
	HEAD(name) \
	{ \
		if (hit(FAILING_MEMORY, #name, CALLER, 0)) \
			return err_nomem(0); \
		return REAL(name); \
	}

#include "fault/calls.inc"

/* A failed commit has ended its transaction. */
long real_abort(WORDS) __asm__("mdb_txn_abort");
HEAD(mdb_txn_commit)
{
	if (hit(FAILING_LIBRARIES, "mdb_txn_commit", CALLER, 0)) {
		(void)real_abort(a, b, c, d, e, f);
		return EIO;
	}
	return REAL(mdb_txn_commit);
}

/* It takes any number of words, none of them a fraction. */
#define EIGHT_WORDS(type, x) \
	type x##0, type x##1, type x##2, type x##3, type x##4, type x##5, \
	    type x##6, type x##7
#define MANY_WORDS(type) \
	EIGHT_WORDS(type, a), EIGHT_WORDS(type, b), EIGHT_WORDS(type, c)
long real_buf_printf(long, long, ...) __asm__("__real_buf_printf");
long failing_buf_printf(MANY_WORDS(long)) __asm__("__wrap_buf_printf");
long
failing_buf_printf(MANY_WORDS(long))
{
	if (hit(FAILING_MEMORY, "buf_printf", CALLER, 0))
		return err_nomem(0);
	return real_buf_printf(MANY_WORDS());
}

HEAD(free)
{
	(void)block_given(a);
	return REAL(free);
}

static void
start(unsigned kinds_wanted, enum how how_wanted)
{
	void *frames[2];

	armed = 0; /* a test may have ended in the middle */
	/* Its first call loads a library. */
	backtrace(frames, 2);
	how = how_wanted;
	kinds = kinds_wanted;
	errno_wanted = 0;
	only = NULL;
	tests_too = 0;
	depth = DEPTH;
	one_in = 1;
	memset(places, 0, sizeof(places));
	nplaces = 0;
	first_pass = 1;
	fired_name = NULL;
	fired_kind = 0;
}

void
failing_start(unsigned kinds_wanted)
{
	start(kinds_wanted, ONCE);
}

void
failing_start_forever(unsigned kinds_wanted)
{
	start(kinds_wanted, FOREVER);
}

void
failing_start_short(void)
{
	start(FAILING_FILES | FAILING_NETWORK, SHORT);
}

void
failing_errno(int error)
{
	errno_wanted = error;
}

void
failing_only(const char *name)
{
	only = name;
}

void
failing_tests_too(void)
{
	tests_too = 1;
}

void
failing_depth(int frames)
{
	depth = frames < DEPTH ? frames : DEPTH;
}

void
failing_one_in(unsigned n)
{
	one_in = n;
}

int
failing_more(void)
{
	int more = first_pass || fired_name != NULL;

	first_pass = 0;
	return more;
}

void
failing_arm(void)
{
	memset(blocks, 0, sizeof(blocks));
	nblocks = 0;
	nused = 0;
	fired_name = NULL;
	fired_kind = 0;
	err_set(0, "%s", "");
	armed = 1;
}

int
failing_disarm(void)
{
	armed = 0;
	return fired_name != NULL;
}

void
failing_pause(int on)
{
	armed = !on;
}

const char *
failing_name(void)
{
	return fired_name;
}

unsigned
failing_kind(void)
{
	return fired_kind;
}

unsigned
failing_count(void)
{
	return nplaces;
}

void
failing_fail(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	armed = 0;
	if (fired_name != NULL)
		show();
	fail_msg("%s (%s)", text,
	    fired_name != NULL ? fired_name : "nothing failed");
}

void
failing_check(int rc, int expected)
{
	if (rc == expected)
		return;
	if (fired_name == NULL)
		failing_fail("%d, not %d: %s", rc, expected, err_text());
	if (rc >= 0)
		failing_fail("%d, not %d", rc, expected);
	if (err_text()[0] == '\0')
		failing_fail("error %d is not worded", rc);
	if (fired_kind == FAILING_MEMORY && rc != ERR_NOMEM)
		failing_fail("memory, but %d: %s", rc, err_text());
}

int
failing_blocks(void)
{
	return nblocks;
}

int
failing_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = -1; /* this one */

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 2;
}

void
failing_check_leaks(int descriptors)
{
	if (failing_blocks() != 0)
		failing_fail("%d blocks leak", failing_blocks());
	if (failing_descriptors() != descriptors)
		failing_fail("descriptors leak");
}

void
failing_check_count(unsigned least)
{
	if (failing_count() < least)
		fail_msg("only %u places failed", failing_count());
}
