#ifndef HS_TESTS_STUB_STORE_H
#define HS_TESTS_STUB_STORE_H

/*
 * A store session in memory, whose answers a test can bend: stands behind the
 * server where the wire is the subject, not the store.
 */

#include "base/buf.h"
#include "base/pool.h"
#include "store/store.h"

#include <stdint.h>

#define STUB_OBJECTS_MAX 4096

struct stub_object {
	uint8_t id[STORE_ID_BYTES];
	struct buf record;
	int damaged;
};

/* Shared by all sessions of a test. */
struct stub_world {
	struct pool_lock lock;
	struct stub_object objects[STUB_OBJECTS_MAX];
	uint32_t n;
	struct buf snapshots[16];
	uint32_t nsnapshots;
	uint8_t generation[STORE_GENERATION_BYTES];
	uint8_t reported[STORE_ID_BYTES];
	unsigned puts;
	unsigned opened;
	unsigned closed;
	int fail; /* when set, put and commit return it */
	int fail_get_after; /* when set, get fails after so many objects */
	int missing; /* commit says that the object of id 0101... is missing */
	unsigned delay_ms; /* of put */
};

void stub_world_init(struct stub_world *w);
void stub_world_release(struct stub_world *w);

struct account_mount;
/* A dispatch_open_fn; `arg` is the world. */
int stub_store_open(
    struct store **out, void *arg, const struct account_mount *m);

/* Append a record of `len` sealed bytes (at least 40) whose id is made of
 * `number`. */
void stub_record(
    struct buf *out, uint8_t id[STORE_ID_BYTES], uint64_t number, size_t len);

#endif
