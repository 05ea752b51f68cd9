#ifndef HS_ENGINE_FOLDER_H
#define HS_ENGINE_FOLDER_H

/*
 * A directory while its entries are being added, in order: its address, and
 * in a backup its tree and its records in the stat cache.
 *
 * Entries that are as they were come as a place in an old leaf.  While they
 * come as they lie in it nothing is done but to count them: a leaf that comes
 * whole, where the new tree has a cut, is taken over as it is, and so is a
 * directory that comes whole.  When something else comes in between, those
 * that were counted are added one by one.
 *
 * Thread use: the assembler's.
 */

#include "engine/cache.h"
#include "engine/past.h"
#include "engine/run.h"
#include "object/entry.h"
#include "object/tree.h"

struct folder;

/* What all folders of a run share. */
struct folder_all {
	struct run *run;
	struct cache *cache; /* to write; NULL: none, or it failed */
	struct buf payload, refs_copy; /* of the leaf being emitted */
	struct refs refs; /* scratch */
};
void folder_all_init(struct folder_all *fs, struct run *run);
/* The last writing of the assembler's thread, also after a failure. */
void folder_all_flush(struct folder_all *fs);
void folder_all_release(struct folder_all *fs);

/* A place in an old leaf. */
struct folder_old {
	struct past_leaf leaf;
	uint32_t index;
	const uint8_t *p; /* NULL: there was no such entry */
};

int folder_new(struct folder **out, struct folder_all *fs); /* ERR_NOMEM */
void folder_free(struct folder *f); /* NULL is fine */

/* Begin the directory of an ENTER slot. */
void folder_begin(struct folder *f, const struct dir *dir);
/*
 * Add an entry, and what will tell next time that it is as it was.  `old`
 * (may be NULL) is what it was: when it is the same it is not stored again.
 */
int folder_add(struct folder *f, const struct entry *e,
    const struct cache_stat *stat, const struct folder_old *old);
/* Add an entry that is as it was. */
int folder_add_old(struct folder *f, const struct folder_old *old);
/* Set address, size and tree in the directory's own entry. */
int folder_finish(struct entry *e, struct folder *f);

#endif
