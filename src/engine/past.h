#ifndef HS_ENGINE_PAST_H
#define HS_ENGINE_PAST_H

/*
 * What the last backup stored of the directory being walked: the walker
 * merges its sorted names with the old entries, and learns of each whether
 * what it refers to is still in the store (cache.h, rule 2):
 *
 *	a directory whose tree the store has needs no more questions: `have`
 *	means closed;
 *	of another one each leaf is asked for when it is come to, together with
 *	everything that its entries refer to.
 *
 * Thread use: the walker's.
 */

#include "base/buf.h"
#include "engine/cache.h"
#include "object/entry.h"

#include <stdint.h>

struct store;

/* For one walk. */
struct past_set {
	struct cache *cache;
	struct store *store;
	int ask_root; /* trust nothing unasked */
	/* Sorted ids that a commit said are missing, whatever `have` says. */
	const uint8_t *missing;
	uint32_t nmissing;
	struct buf ids; /* scratch */
	struct buf bits;
};

void past_set_init(
    struct past_set *set, struct cache *cache, struct store *store);
void past_set_release(struct past_set *set);

/* A leaf as the cache has it, in the cache's memory. */
struct past_leaf {
	struct cache_leaf leaf;
	int had; /* the store has the leaf and all below it */
};

/* The record of a whole directory. */
struct past_dir {
	int had; /* there is one, and the store has that tree */
	struct cache_dir dir;
};

struct past_entry {
	struct past_leaf leaf;
	uint32_t index; /* in the leaf */
	const uint8_t *p; /* encoded */
	struct entry_peek peek;
	struct cache_stat stat;
};

struct past {
	struct past_set *set;
	uint64_t fs, ino;
	struct past_dir dir;
	int done; /* no leaf is left */
	int has_leaf;
	struct past_leaf leaf;
	struct buf bits; /* unless leaf.had: which of its refs are there */
	uint32_t index; /* of the entry at `at` */
	size_t at; /* in the leaf's payload */
};

/* What the directory above says of a directory's tree. */
enum past_word { PAST_UNKNOWN = 0, PAST_HAD, PAST_LOST };

/*
 * Begin with the directory; `set` NULL: there is no past.  `tree` (NULL: not
 * named) is what the directory above named, and `word` what is known of it;
 * the root has neither and `is_root`.  Errors of the store; ERR_NOMEM.
 */
int past_begin(struct past *p, struct past_set *set, uint64_t fs, uint64_t ino,
    int is_root, const uint8_t *tree, enum past_word word);
void past_end(struct past *p);

/*
 * The old entry of that name; names come in order.  What it points to holds
 * until the cache is closed.
 * Returns 0; 1 when there is none; errors of the store; ERR_NOMEM.
 */
int past_find(
    struct past_entry *out, struct past *p, const char *name, size_t name_len);
/* What is known of the objects that the entry refers to. */
enum past_word past_refs(const struct past *p, const struct past_entry *e);
/* The id of a bundle, map or tree that the entry refers to; NULL: none. */
const uint8_t *past_ref(const struct past_entry *e);

#endif
