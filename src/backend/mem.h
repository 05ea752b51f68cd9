#ifndef HS_BACKEND_MEM_H
#define HS_BACKEND_MEM_H

/*
 * The in-memory twin of backend/dir.h, for tests: the same steps, each of
 * which can be made to fail or to be the last one before the power goes.
 *
 * Steps: put_begin, put_write, put_read, get, size and list are one each;
 * put_commit is three (sync of the data, rename, sync of the directory);
 * remove is two (unlink, sync of the directory).  A put that is not
 * committed is lost in every crash.  An object between rename and directory
 * sync, or unlinked and not synced, may be there or not after a power cut, as
 * the seed says, and is complete when it is there.  Data that was not synced
 * (sabotage) has any of its sectors, one perhaps torn, and any length up to
 * its own, as the seed says.
 *
 * Thread use: as store/backend.h; the functions below belong to the test.
 */

#include <stdint.h>

struct backend;

/* What a step is, to find one in a history. */
enum backend_mem_step {
	BACKEND_MEM_BEGIN,
	BACKEND_MEM_WRITE,
	BACKEND_MEM_READ,
	BACKEND_MEM_SYNC,
	BACKEND_MEM_RENAME,
	BACKEND_MEM_SYNC_DIR,
	BACKEND_MEM_GET,
	BACKEND_MEM_LIST,
	BACKEND_MEM_UNLINK,
	BACKEND_MEM_STEPS
};

/* Sabotage, to show that a test notices: bits of backend_mem_sabotage(). */
#define BACKEND_MEM_NO_SYNC 1u /* data is not synced, so it may be torn */
#define BACKEND_MEM_NO_SYNC_DIR 2u /* names are not synced */
#define BACKEND_MEM_LIST_EMPTY 4u /* a failing list looks empty */
#define BACKEND_MEM_SURE 8u /* what a failed sync left is believed */

int backend_mem_open(struct backend **out, uint64_t seed);
void backend_mem_sabotage(struct backend *b, unsigned flags);

/* Steps so far, of all kinds. */
uint64_t backend_mem_count(struct backend *b);
/*
 * The step with number `at` (from 1 on) fails with `code` and has no effect;
 * with `times` > 1 so do the following ones.  A failed sync is fail-stop, as
 * in the directory: nothing is written until backend_mem_restart().
 */
void backend_mem_fail(struct backend *b, uint64_t at, uint64_t times, int code);
/*
 * Until the restart: what a failed sync of the directory leaves cannot be
 * taken back.  The object is still there for a cache that says all is well;
 * the device has a part of it, as the seed says.
 */
void backend_mem_lie(struct backend *b);
/* At step `at` the power goes: it and all later ones give ERR_IO. */
void backend_mem_cut(struct backend *b, uint64_t at);
/* How many of these faults have happened; the last one's kind to `*kind`
 * (may be NULL). */
uint64_t backend_mem_fired(enum backend_mem_step *kind, struct backend *b);

/*
 * The machine is back, all puts are gone, no fault is planned.  After a power
 * cut what was not durable is decided by the seed; else (the process died)
 * all that was visible stays.
 */
void backend_mem_restart(struct backend *b, int power_cut);

/*
 * From now on reads of `name` that touch the byte at `offset` fail as those of
 * a bad sector do; NULL heals it.
 */
void backend_mem_bad(struct backend *b, const char *name, uint64_t offset);

/* From now on list() passes over `name` as if it were not there; NULL ends
 * that. */
void backend_mem_hide(struct backend *b, const char *name);
/* Call `hook` before the next get, once; what it does comes in between. */
void backend_mem_before_get(
    struct backend *b, void (*hook)(void *arg), void *arg);
/* Objects that were begun or removed so far. */
uint64_t backend_mem_changes(struct backend *b);

/* Change one byte of an object.  Returns 0; 1 when it is not there. */
int backend_mem_flip(
    struct backend *b, const char *name, uint64_t offset, uint8_t mask);

#endif
