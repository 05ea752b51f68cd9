#include "fault/failing.h"

#include "base/err.h"
#include "fault/callers.h"
#include "lib/unharmed.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

#include <cmocka.h>

#define PLACES_MAX 65536u /* a power of two; half of them are used */
#define TRAILS_MAX 65536u
#define BLOCKS_MAX 262144u /* a power of two; as many are not alive at once */

/* A pass that lasts as long hangs. */
#define PASS_SECONDS_MAX 120
/* Of the ways that are not asked for, one in so many is tried. */
#define WAYS_ONE_IN 32u

/* One way to fail: with the error that calls.inc gives (0) or another one, or
 * by doing half; and from then on or not. */
struct way {
	int error, half, forever;
	const char *words;
};

static const struct way ways[] = {
    {0, 0, 0, "its own error"},
    {0, 0, 1, "its own error for ever"},
    {0, 1, 0, "half"},
    {0, 1, 1, "half for ever"},
    {EIO, 0, 0, "EIO"},
    {EIO, 0, 1, "EIO for ever"},
    {ENOSPC, 0, 0, "ENOSPC"},
    {ENOSPC, 0, 1, "ENOSPC for ever"},
    {EINTR, 0, 0, "EINTR"},
    {EMFILE, 0, 0, "EMFILE"},
    {EMFILE, 0, 1, "EMFILE for ever"},
    {ENOMEM, 0, 0, "ENOMEM"},
    {ENOMEM, 0, 1, "ENOMEM for ever"},
};

#define NWAYS (sizeof(ways) / sizeof(ways[0]))
/* Sets of them, as bits. */
#define ONCE 1u
#define FOREVER 2u
#define HALF 4u
#define ALL_WAYS ((1u << NWAYS) - 1)

/* What a signal may interrupt. */
static const char *const interruptible[] = {"accept4", "close", "connect",
    "fcntl", "fdatasync", "flock", "fsync", "ftruncate", "open", "openat",
    "poll", "pread", "pwrite", "pwrite64", "read", "recv", "send", "write"};

struct place {
	uint64_t id; /* 0: free */
	unsigned todo; /* ways that it is still to fail in */
};

/* Where calls came from, as far as that is known without backtrace(), which
 * takes ten times as long. */
struct trail {
	uint64_t sum; /* 0: free */
	struct place *place;
};

/* All of it belongs to who holds the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned wanted_ways;
static unsigned kinds;
static int errno_wanted;
static const char *only;
static int tests_too;
static int depth;
static unsigned one_in;
static struct place places[PLACES_MAX];
static unsigned nplaces, nfailed;
static struct trail trails[TRAILS_MAX];
static unsigned ntrails;
static int first_pass;
static uintptr_t blocks[BLOCKS_MAX]; /* open addressing; 0: free, 1: gone */
static int nused;
static atomic_int nblocks; /* looked at without the lock */

/* What the environment wants of all loops. */
static unsigned ways_one_in = WAYS_ONE_IN, part, parts = 1;
static uint64_t seed = 1, only_place;
static int shows;
static pid_t own_pid;

/* What has failed in this pass. */
static const char *fired_name;
static unsigned fired_kind;
static const struct way *fired_way;
static uint64_t fired_id;
static uintptr_t fired_frames[CALLERS_MAX];

/* What has failed in this program. */
static unsigned all_places, all_failed, by_kind[5], by_way[NWAYS];

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

/* splitmix64's mixing */
static uint64_t
mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static int
is_interruptible(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(interruptible) / sizeof(interruptible[0]); i++)
		if (strcmp(interruptible[i], name) == 0)
			return 1;
	return 0;
}

/*
 * Whether a function can fail in a way: with errors of the file system, what
 * sets errno; its own one (`error`; 0: it has none) is a way by itself.  What
 * is interrupted for ever may wait for ever.
 */
static int
fits(const struct way *w, unsigned kind, const char *name, int error)
{
	if (w->half || w->error == 0)
		return 1;
	if (error == 0 || error == w->error)
		return 0;
	if (w->error == EINTR && !is_interruptible(name))
		return 0;
	return kind == FAILING_FILES ||
	       (kind == FAILING_NETWORK &&
		   (w->error == EINTR || w->error == ENOMEM));
}

/* The ways of a place that this loop and this run try. */
static unsigned
choose(uint64_t id, unsigned kind, const char *name, int error)
{
	unsigned todo = 0, i, n;
	uint64_t drawn;

	if (only_place != 0 && id != only_place)
		return 0;
	for (i = 0; i < NWAYS; i++) {
		if (!(wanted_ways >> i & 1) ||
		    !fits(&ways[i], kind, name, error))
			continue;
		n = one_in;
		if (i != 0 && wanted_ways == ALL_WAYS)
			n *= ways_one_in;
		drawn = mix(id ^ mix(seed + i));
		if (only_place != 0 ||
		    (n != 0 && drawn % n == 0 &&
			(wanted_ways != ALL_WAYS || drawn / n % parts == part)))
			todo |= 1u << i;
	}
	return todo;
}

/* Find a place, or make it. */
static struct place *
find_place(uint64_t id, unsigned kind, const char *name, int error)
{
	unsigned slot = (unsigned)(id % PLACES_MAX);

	for (; places[slot].id != 0; slot = (slot + 1) % PLACES_MAX)
		if (places[slot].id == id)
			return &places[slot];
	if (nplaces == PLACES_MAX / 2)
		abort();
	places[slot].id = id;
	places[slot].todo = choose(id, kind, name, error);
	nplaces++;
	all_places += part == 0 || wanted_ways == ALL_WAYS;
	return &places[slot];
}

/* The place of a call. */
static struct place *
locate(unsigned kind, const char *name, const void *caller, int error)
{
	uint64_t sum = callers_trail(name, caller);
	unsigned slot = (unsigned)(mix(sum) % TRAILS_MAX);
	uintptr_t frames[CALLERS_MAX];

	for (; trails[slot].sum != 0; slot = (slot + 1) % TRAILS_MAX)
		if (trails[slot].sum == sum)
			return trails[slot].place;
	if (++ntrails == TRAILS_MAX / 2) {
		memset(trails, 0, sizeof(trails));
		ntrails = 1;
	}
	callers_find(frames, caller, depth);
	trails[slot].sum = sum;
	trails[slot].place =
	    find_place(callers_id(name, frames), kind, name, error);
	return trails[slot].place;
}

static void
show(void)
{
	int i;

	fprintf(stderr, "failed: %s, %s, place %016llx", fired_name,
	    fired_way->words, (unsigned long long)fired_id);
	for (i = 0; i < CALLERS_MAX && fired_frames[i] != 0; i++)
		fprintf(stderr, " 0x%lx", (unsigned long)fired_frames[i] - 1);
	fprintf(stderr, "\n");
}

/* Let this call be the one of the pass. */
static void
fire(struct place *p, unsigned way, unsigned kind, const char *name,
    const void *caller)
{
	unsigned i;

	p->todo &= ~(1u << way);
	fired_name = name;
	fired_kind = kind;
	fired_way = &ways[way];
	fired_id = p->id;
	callers_find(fired_frames, caller, depth);
	nfailed++;
	if (shows)
		show();
	/* The other loops are the same in each part. */
	if (part != 0 && wanted_ways != ALL_WAYS)
		return;
	all_failed++;
	by_way[way]++;
	for (i = 0; i < sizeof(by_kind) / sizeof(by_kind[0]); i++)
		by_kind[i] += kind >> i & 1;
}

/*
 * Whether this call of `name`, by code at `caller`, fails; with which error,
 * when it is not `error`, and whether it does half, says `fired_way`.  `moves`:
 * how many bytes it can do half of.
 */
static int
hit(unsigned kind, const char *name, const void *caller, int error, long moves)
{
	int saved = errno, fails = 0;
	unsigned todo, way = 0;
	struct place *p;

	if (!armed || busy || !counts(caller) || !(kinds & kind) ||
	    (only != NULL && strcmp(only, name) != 0))
		return 0;
	busy = 1;
	pthread_mutex_lock(&lock);
	/* A thread may have been about to fail since before it was over. */
	if (!armed) {
		fails = 0;
	} else if (fired_name != NULL) {
		fails = fired_way->forever && strcmp(fired_name, name) == 0 &&
			(!fired_way->half || moves > 1);
	} else {
		p = locate(kind, name, caller, error);
		todo = p->todo;
		while (todo != 0 && !fails) {
			way = (unsigned)__builtin_ctz(todo);
			todo &= todo - 1;
			fails = !ways[way].half || moves > 1;
		}
		if (fails)
			fire(p, way, kind, name, caller);
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
#define SET_ERRNO(value) \
	(errno = errno_wanted != 0       ? errno_wanted \
		 : fired_way->error != 0 ? fired_way->error \
					 : (value))

#define ALLOCATES(kind, name) \
	HEAD(name) \
	{ \
		long block; \
		int known, again = strcmp(#name, "realloc") == 0; \
\
		if (hit(FAILING_##kind, #name, CALLER, 0, 0)) { \
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
		if (hit(FAILING_##kind, #name, CALLER, error, 0)) { \
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
		if (hit(FAILING_##kind, #name, CALLER, error, c)) { \
			if (fired_way->half) { \
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
		if (hit(FAILING_##kind, #name, CALLER, error, 0)) { \
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
		if (hit(FAILING_MEMORY, #name, CALLER, 0, 0)) \
			return err_nomem(0); \
		return REAL(name); \
	}

#include "fault/calls.inc"

/* A failed commit has ended its transaction. */
long real_abort(WORDS) __asm__("mdb_txn_abort");
HEAD(mdb_txn_commit)
{
	if (hit(FAILING_LIBRARIES, "mdb_txn_commit", CALLER, 0, 0)) {
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
	if (hit(FAILING_MEMORY, "buf_printf", CALLER, 0, 0))
		return err_nomem(0);
	return real_buf_printf(MANY_WORDS());
}

HEAD(free)
{
	(void)block_given(a);
	return REAL(free);
}

/* At the end of the program: what a full run is quoted by. */
static void
report(void)
{
	static const char *const names[] = {
	    "memory", "files", "network", "system", "libraries"};
	unsigned i;

	if (getpid() != own_pid)
		return; /* a child of the test */
	if (armed && fired_name != NULL)
		show();
	printf("# %s: %u places, %u faults fired",
	    program_invocation_short_name, all_places, all_failed);
	for (i = 0; i < sizeof(by_kind) / sizeof(by_kind[0]); i++)
		if (by_kind[i] > 0)
			printf(", %s %u", names[i], by_kind[i]);
	for (i = 0; i < NWAYS; i++)
		if (by_way[i] > 0)
			printf("%s %s %u", i == 0 ? ";" : ",", ways[i].words,
			    by_way[i]);
	printf("; seed %llu, part %u/%u\n", (unsigned long long)seed, part + 1,
	    parts);
}

static unsigned long long
number(const char *name, unsigned long long otherwise, int base)
{
	const char *text = getenv(name);

	return text == NULL || *text == '\0' ? otherwise
					     : strtoull(text, NULL, base);
}

/* It ends here, so that it may print. */
static void
on_alarm(int sig)
{
	(void)sig;
	if (fired_name != NULL)
		show();
	fprintf(stderr, "it hangs\n");
	abort();
}

static void
begin(void)
{
	static int begun;
	const char *text = getenv("FAILING_PART");

	if (begun)
		return;
	begun = 1;
	own_pid = getpid();
	callers_begin();
	shows = getenv("FAILING_SHOW") != NULL;
	ways_one_in = (unsigned)number("FAILING_WAYS", WAYS_ONE_IN, 10);
	seed = number("FAILING_SEED", 1, 10);
	only_place = number("FAILING_PLACE", 0, 16);
	if (text != NULL && (sscanf(text, "%u/%u", &part, &parts) != 2 ||
				part-- == 0 || part >= parts))
		fail_msg("FAILING_PART=%s is no part", text);
	assert_true(signal(SIGALRM, on_alarm) != SIG_ERR);
	assert_int_equal(atexit(report), 0);
}

static void
start(unsigned kinds_wanted, unsigned ways_wanted)
{
	/* A test may have ended in the middle. */
	if (armed && fired_name != NULL)
		show();
	armed = 0;
	begin();
	wanted_ways = ways_wanted;
	kinds = kinds_wanted;
	errno_wanted = 0;
	only = NULL;
	tests_too = 0;
	depth = CALLERS_MAX;
	one_in = 1;
	memset(places, 0, sizeof(places));
	memset(trails, 0, sizeof(trails));
	nplaces = ntrails = 0;
	nfailed = 0;
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
failing_start_ways(unsigned kinds_wanted)
{
	start(kinds_wanted, ALL_WAYS);
}

void
failing_start_forever(unsigned kinds_wanted)
{
	start(kinds_wanted, FOREVER);
}

void
failing_start_short(void)
{
	start(FAILING_FILES | FAILING_NETWORK, HALF);
}

int
failing_full(void)
{
	return ways_one_in == 1;
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
	depth = frames < CALLERS_MAX ? frames : CALLERS_MAX;
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
	err_set(0, "%s", "");
	(void)alarm(PASS_SECONDS_MAX);
	pthread_mutex_lock(&lock);
	memset(blocks, 0, sizeof(blocks));
	nblocks = 0;
	nused = 0;
	fired_name = NULL;
	fired_kind = 0;
	armed = 1;
	pthread_mutex_unlock(&lock);
}

/* From here on nothing fires: what fired stands still. */
static void
disarm(void)
{
	pthread_mutex_lock(&lock);
	armed = 0;
	pthread_mutex_unlock(&lock);
}

int
failing_disarm(void)
{
	disarm();
	(void)alarm(0);
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

int
failing_lasted(void)
{
	return fired_name != NULL && fired_way->forever;
}

unsigned
failing_count(void)
{
	return nfailed;
}

void
failing_fail(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	disarm();
	if (fired_name != NULL)
		show();
	fail_msg("%s (%s, %s)", text,
	    fired_name != NULL ? fired_name : "nothing failed",
	    fired_name != NULL ? fired_way->words : "");
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
	/* A part has fewer, of which nobody knows how many. */
	if (parts == 1 && only_place == 0 && failing_count() < least)
		fail_msg("only %u places failed", failing_count());
}
