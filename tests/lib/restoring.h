#ifndef HS_TESTS_RESTORING_H
#define HS_TESTS_RESTORING_H

/*
 * What tests of a restore begin with: a store in memory, a planter that puts a
 * tree into it entry by entry, and a place to restore it to.
 */

#include "lib/planter.h"
#include "lib/restored.h"

#include <stdint.h>

#define RESTORING_MEMBER 3000u

struct restoring {
	struct memory_store *m;
	struct planter p;
	struct restored r;
	struct entry root;
	uint8_t data[400000]; /* which no codec can shorten */
};

/* For cmocka; the state is a struct restoring. */
int restoring_setup(void **state);
int restoring_teardown(void **state);

/* A file with these bytes. */
void restoring_file_of(
    struct restoring *f, const char *name, const void *data, size_t len);
/* The same of the first bytes of `data`. */
void restoring_file(struct restoring *f, const char *name, size_t len);
/* Enter a directory; planter_leave() ends it. */
void restoring_dir(struct restoring *f, const char *name);
/* A good file beside the bad thing, which must come back; then the snapshot. */
void restoring_commit(struct restoring *f);
/* Restore: so many entries are damaged, and the good file came back. */
void restoring_damaged(struct restoring *f, unsigned damaged);
/* A bundle of three files dir/one, two and three, of RESTORING_MEMBER bytes and
 * one and two more: the first data object in the store. */
void restoring_bundle(struct restoring *f, uint8_t id[32]);

#endif
