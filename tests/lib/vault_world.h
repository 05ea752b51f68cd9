#ifndef HS_TESTS_VAULT_WORLD_H
#define HS_TESTS_VAULT_WORLD_H

/*
 * A vault in a folder, and what its sessions are asked in tests of src/store:
 * objects are told by numbers (lib/store_fixture.h).
 */

#include "base/buf.h"
#include "lib/store_fixture.h"
#include "store/store.h"

#include <stdint.h>

struct backend;
struct session;
struct vault;

extern const uint8_t world_vault[16]; /* its id */

struct world {
	char *folder, *vault_dir, *incoming, *index_dir;
	struct backend *b;
	struct vault *v;
	struct fixture_mount m;
};

/* For cmocka: `*state` is the world, with its vault open. */
int world_set_up(void **state);
int world_tear_down(void **state);

void world_open(struct world *w);
void world_close(struct world *w);
/* A session of the world's mount, to be closed by the caller. */
struct session *world_log_in(struct world *w);

int world_have(struct session *s, uint64_t number);
/* Put a data object without members. */
void world_put_data(struct session *s, uint64_t number);
/* Put a meta object that refers to `n` others, numbered from `first` on. */
void world_put_meta(
    struct session *s, uint64_t number, uint64_t first, uint32_t n);
/* As session_commit(), of a snapshot with the one ref `root`. */
int world_commit(
    struct world *w, struct session *s, uint64_t root, struct buf *missing);
/* For session_get(): count what came in the three counts at `arg`, and check
 * that a record is whole and of that id. */
int world_got(void *arg, enum store_got got, const uint8_t *id,
    const uint8_t *record, size_t len);
/* How many of the objects first .. first + n - 1 come as what. */
void world_get(
    unsigned counts[3], struct session *s, uint64_t first, uint32_t n);

/*
 * For a listing of the world's backend, or for one of its files: change it
 * under us, in the first record's payload; remove it; copy its name to the
 * BACKEND_NAME_MAX bytes at `arg`.  `arg` is else the world.
 */
int world_spoil(void *arg, const char *name, uint64_t size);
int world_erase(void *arg, const char *name, uint64_t size);
int world_copy_name(void *arg, const char *name, uint64_t size);

#endif
