#ifndef HS_TESTS_FAILING_H
#define HS_TESTS_FAILING_H

/*
 * Lets calls fail inside a unit test, one place after the other.
 *
 * Unit tests are linked such that what src/ calls of the functions in
 * calls.inc (memory, files, network, libraries, growing a buf) comes by here;
 * what a foreign library calls by itself does not, and calls of the test and
 * of tests/lib never fail, nor does what lies in lib/unharmed.h.  A place is
 * the function called and the innermost return addresses, so a loop fails
 * every call that an operation makes once, however often it makes it:
 *
 *	failing_start_ways(FAILING_MEMORY | FAILING_FILES);
 *	while (failing_more()) {
 *		world = ...;                    bring about what it needs
 *		failing_arm();
 *		rc = operation(world);
 *		failing_disarm();
 *		failing_check(rc, 0);           said, or true
 *		...                             what must hold now; do it again
 *		assert_int_equal(failing_blocks(), 0);  all memory is back
 *	}
 *	failing_check_count(10);                they did fire
 *
 * From failing_arm() on, the first call at a place that has not failed yet
 * does; the loop ends after a pass in which none was left.  Passes must do the
 * same; threads may take turns as they like.  A pass that takes two minutes
 * hangs, and ends the program.
 *
 * At its end the program prints how many faults fired.  In the environment,
 * of loops that failing_start_ways() begins:
 *
 *   FAILING_WAYS=N     try one in N of all ways but the first (32); 1: each
 *   FAILING_SEED=S     which those are (1)
 *   FAILING_PART=I/N   the Ith of N parts of all that
 *   FAILING_PLACE=HEX  one place alone, in each way, of every loop
 *   FAILING_SHOW=1     print what failed: the function, the way, the place,
 *                      and offsets for `addr2line -f -e PROGRAM`
 */

enum {
	FAILING_MEMORY = 1, /* allocations, and buf_append() and its like */
	FAILING_FILES = 2,
	FAILING_NETWORK = 4,
	FAILING_SYSTEM = 8, /* users, limits, signals, threads */
	FAILING_LIBRARIES = 16, /* LMDB, OpenSSL, zstd, libsodium, ... */
	FAILING_ALL = 31
};

/* Begin a loop over calls of these kinds, each failing once. */
void failing_start(unsigned kinds);
/*
 * Begin a loop over calls of these kinds, each failing in each way: with its
 * own error, what sets errno also with EIO, ENOSPC, EMFILE and ENOMEM, reads
 * and writes by doing half, all of them once and for ever; and what a signal
 * can interrupt with EINTR, once.  The first way at all places, the others at
 * some: see FAILING_WAYS above.
 */
void failing_start_ways(unsigned kinds);
/* Whether each place is to fail in each way. */
int failing_full(void);
/* As failing_start(), and what fails goes on to: every call of the function,
 * from wherever, until failing_disarm(). */
void failing_start_forever(unsigned kinds);
/* Begin a loop in which reads and writes do half of what they should. */
void failing_start_short(void);
/* In this loop, functions that set errno set this one. */
void failing_errno(int error);
/* In this loop, only calls of this function fail (NULL: all). */
void failing_only(const char *name);
/* In this loop, calls that the test makes itself fail as well. */
void failing_tests_too(void);

/* In this loop, a place is told by so few return addresses (6): fewer places,
 * for what calls everything. */
void failing_depth(int frames);
/* In this loop, only one place in so many fails (1), always the same ones. */
void failing_one_in(unsigned n);

/* Whether to make another pass. */
int failing_more(void);
void failing_arm(void);
/* Returns whether a call failed. */
int failing_disarm(void);
/* While armed: let all succeed for a while (0: no longer), for what the test
 * itself does between two things that belong together. */
void failing_pause(int on);

/* Whether one failed in this pass; its function, or NULL. */
const char *failing_name(void);
/* The kind of what failed in this pass; 0: none did. */
unsigned failing_kind(void);
/* Whether it went on to. */
int failing_lasted(void);
/* How many calls have failed since failing_start(), one in a pass. */
unsigned failing_count(void);

/*
 * Fail the test unless `rc` is `expected`, or a call failed, `rc` is an error
 * (negative), it is worded, and it is ERR_NOMEM when memory was wanting.
 */
void failing_check(int rc, int expected);
/* Fail the test with a message (printf) that names the place. */
void failing_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* How many blocks of memory src/ has taken while armed in this pass, and not
 * given back since. */
int failing_blocks(void);
/* How many descriptors this process has open. */
int failing_descriptors(void);
/* Fail the test when blocks leak, or not so many descriptors are open. */
void failing_check_leaks(int descriptors);
/* Fail the test when fewer than this have failed; not when this is only a part
 * of all. */
void failing_check_count(unsigned least);

#endif
