#ifndef HS_TESTS_SWEEP_WORLD_H
#define HS_TESTS_SWEEP_WORLD_H

/*
 * A vault over the in-memory backend with two mounts whose trees share
 * objects, a client that backs up states of such a tree, snapshots that are
 * deleted as a prune does, and an oracle: every snapshot that was acknowledged
 * and not deleted is there, and all that it needs comes back.
 */

#include "lib/store_fixture.h"
#include "store/backend.h"
#include "store/sweep.h"

#include <stdint.h>

struct account;
struct scrub_counts;
struct session;
struct storeclock;
struct vault;

#define SW_MOUNTS 2
#define SW_STATES 10 /* of a tree */
#define SW_SNAPSHOTS_MAX 64 /* of a mount */

struct sw_snapshot {
	uint64_t state;
	int acked, gone;
};

struct sw_mount {
	struct fixture_mount m;
	/* By server sequence, from 1 on. */
	struct sw_snapshot snapshots[SW_SNAPSHOTS_MAX + 1];
	uint64_t newest; /* acknowledged sequence */
};

struct sweep_world {
	char *folder, *index_dir;
	struct backend *b;
	uint8_t id[16]; /* of the vault */
	struct vault *v; /* NULL: closed */
	struct sw_mount mounts[SW_MOUNTS];
	uint64_t seed;
	/* Called before each request of a client; NULL: nobody cares. */
	void (*pause)(void *arg);
	void *pause_arg;
	uint64_t copy_bytes_max; /* for its sweeps */
	/* Records are damaged: some may be missed, and verify tells of
	 * others that nobody needs. */
	int hurt;
#define SW_HURT 1
#define SW_HURT_QUIET 2 /* and that is expected just now */
	int torn; /* packs may have damaged frames, sw_frame() */
	/* What sw_prune() needs, made by the first one. */
	struct account *account;
	struct storeclock *clock;
};

/* Call first in main(): temporary folders in memory where there is such a
 * place, for the index syncs a lot.  Returns 0, or what main() returns. */
int sw_start(void);
/* The next number of a seed, below `below`. */
unsigned sw_random(uint64_t *seed, unsigned below);

void sw_make(struct sweep_world *w, uint64_t seed);
void sw_end(struct sweep_world *w);
int sw_open(struct sweep_world *w);
void sw_close(struct sweep_world *w);
/* A number below `below`, by the world's seed. */
unsigned sw_draw(struct sweep_world *w, unsigned below);

/* How a client goes about a backup. */
enum sw_way {
	SW_ASK, /* asks for everything */
	SW_TRUST, /* trusts what its parent snapshot had, unasked */
	SW_LEAVE /* asks, uploads, and is interrupted before its commit */
};
/* Back up `state`; a refusal for what is missing, and a session that ended,
 * are met as a client meets them.  Returns 0; the store's errors. */
int sw_backup(
    struct sweep_world *w, unsigned mount, uint64_t state, enum sw_way way);
/* A commit of a state that nothing is asked or uploaded for. */
int sw_commit(struct sweep_world *w, unsigned mount, uint64_t state);
/* Objects of a state that `get` does not give, counted as often as the tree
 * has them. */
unsigned sw_count_lost(struct sweep_world *w, uint64_t state);
/* Retire and remove the snapshot `seq`: a tombstone, then no file. */
int sw_delete(struct sweep_world *w, unsigned mount, uint64_t seq);
/*
 * A prune by a random policy (server/prune.h), of a store time that was moved
 * on by some days; with `now` nothing waits.  What it deletes is gone for the
 * oracle as soon as the prune says so.  Returns 0; its errors.
 */
int sw_prune(struct sweep_world *w, int now);
/* Bring back what waits.  Returns 0; its errors. */
int sw_unprune(struct sweep_world *w);
/* Read packs for damage: `packs` of them, 0: to the end of a round. */
int sw_scrub(struct sweep_world *w, struct scrub_counts *n, unsigned packs);
/*
 * All damage is found, and a client that still has these states (bits) puts
 * what is missing again.  Returns 0; the store's errors.
 */
int sw_heal(struct sweep_world *w, uint64_t states);
/* Take a copy of the index aside, or bring it back. */
void sw_copy_index(struct sweep_world *w, int back);
/* A sweep to its end, or until it waits. */
int sw_sweep(struct sweep_world *w, struct sweep_counts *out);
int sw_sweep_begin(struct sweep **out, struct sweep_world *w);
/* Damage the record of an object on the disk. */
void sw_flip(struct sweep_world *w, uint64_t number);
/* The same, and let the store see it. */
void sw_damage(struct sweep_world *w, uint64_t number);
/*
 * A byte of a pack's frame, at random: of the header, the footer or the
 * trailer.  Whoever changes it on the disk damages the frame, and no record.
 * Returns 0; 1 when there is no pack.
 */
int sw_frame(
    char name[BACKEND_NAME_MAX], uint64_t *offset, struct sweep_world *w);
/* An object of a state, at random. */
uint64_t sw_pick(struct sweep_world *w, uint64_t state);

/* What is wrong with the vault, which is open; tells it on stderr. */
unsigned sw_wrong(struct sweep_world *w);
/* The same once more after all kinds of work. */
unsigned sw_wrong_later(struct sweep_world *w);
/* Bytes of all packs. */
uint64_t sw_bytes(struct sweep_world *w);
/* Nonzero when `have` tells of the root of a state. */
int sw_has(struct sweep_world *w, uint64_t state);

#endif
