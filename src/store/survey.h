#ifndef HS_STORE_SURVEY_H
#define HS_STORE_SURVEY_H

/*
 * A closed pack as admission wants it: one item per record, with refs and
 * members.  From the footer where it is good; else from the records that can
 * still be found, so that a flipped bit in a footer loses nothing but itself.
 */

#include "base/buf.h"
#include "store/index.h"

#include <stdint.h>

struct admit_item;
struct backend;
struct idmap;

/* Memory: as an open pack (store/session.h) for packs that a session made; for
 * any other at most the size of the pack. */
struct survey {
	struct index_pack pack; /* number not set */
	struct admit_item *items;
	uint32_t n;
	struct buf ids; /* refs and members */
	int salvaged; /* the footer is damaged */
};

void survey_init(struct survey *s);
void survey_release(struct survey *s);

/*
 * Load the pack `name` of `size` bytes.  Records of class meta are read whole
 * and checked, of bundles the members are read, of other data nothing.  Those
 * among `marks` (survey_mark_key()) are damaged.
 * Returns 0; ERR_DAMAGED: nothing in it can be used; ERR_NOENT; ERR_*.
 */
int survey_pack(struct survey *s, struct backend *b, const uint8_t name[32],
    uint64_t size, const uint8_t vault[16], const struct idmap *marks);

/* The key of a damage mark in a table. */
void survey_mark_key(uint8_t key[32], const uint8_t pack[32], uint32_t offset);

#endif
