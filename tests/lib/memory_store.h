#ifndef HS_TESTS_MEMORY_STORE_H
#define HS_TESTS_MEMORY_STORE_H

/*
 * A store in memory for tests of the engine: one vault, one mount, sealed
 * records by id.  It answers gets in a scrambled order, and can lose, damage
 * or exchange what it holds.  Failures of the store's own fail the test.
 */

#include "object/object.h"
#include "object/snapshot.h"
#include "seal/keys.h"
#include "store/store.h"

struct memory_store {
	struct store store; /* the first member */
	struct keys keys;
	uint8_t mount_seed[32];
	uint8_t mount_public[32];
	struct buf records; /* of struct memory_record */
	struct buf snapshots; /* of struct buf, by age */
	uint8_t last_hash[32]; /* what the next one follows */
	uint64_t passed_over; /* and so many before it does not count */
	_Atomic unsigned gets; /* requests, of any thread */
	unsigned reports;
	uint8_t reported[32];
	/* A further record of one object: what get_other() finds. */
	struct buf other;
	uint8_t other_id[32];
	unsigned others; /* requests for such */
	/* Fail the get of this number (from 1) with that error. */
	unsigned fail_get;
	int fail_code;
	/* Flip a bit on the way of every record of get_sealed(), at this
	 * place of it, counted from its end; 0: none. */
	size_t flip;
	/* Called with every get, before it is answered. */
	void (*on_get)(void *arg);
	void *arg;
};

struct memory_store *memory_store_new(void);
void memory_store_free(struct memory_store *m);

/* Name, seal and keep an object. */
void memory_store_put(struct memory_store *m, struct object *o);
/* Replace the record of `id` by one of this content, which has another: what
 * somebody with the vault's keys could store. */
void memory_store_forge(
    struct memory_store *m, struct object *o, const uint8_t id[32]);
/* The record of an id, to be looked at or damaged in place; NULL: none. */
struct buf *memory_store_record(struct memory_store *m, const uint8_t id[32]);
void memory_store_lose(struct memory_store *m, const uint8_t id[32]);
/* How many records there are, and the id of one. */
size_t memory_store_count(const struct memory_store *m);
const uint8_t *memory_store_id(const struct memory_store *m, size_t i);

/* Sign and keep a snapshot; mount, sequence and previous are filled in.
 * The file can be changed afterwards through memory_store_snapshot(). */
void memory_store_commit(struct memory_store *m, struct snapshot_info *info);
struct buf *memory_store_snapshot(struct memory_store *m, size_t i);

#endif
