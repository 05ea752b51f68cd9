#ifndef HS_TESTS_STORE_FIXTURE_H
#define HS_TESTS_STORE_FIXTURE_H

/*
 * What the tests of src/store share: made-up objects, temporary folders.
 * Sealed payloads are made up too, for the store never opens one.
 */

#include "base/buf.h"
#include "store/record.h"
#include "store/session.h"

#include <stddef.h>
#include <stdint.h>

/* An id that tells objects apart: hash of the number. */
void fixture_id(uint8_t id[32], uint64_t number);

/* Append a record of class meta with the `n` refs at `refs` (any order). */
void fixture_meta(struct buf *out, const uint8_t id[32], const uint8_t *refs,
    uint32_t n, size_t sealed_len);
/* Append a record of class data with the `n` members at `members`. */
void fixture_data(struct buf *out, const uint8_t id[32], const uint8_t *members,
    uint32_t n, size_t sealed_len);

/* The key pair of mount `number` and its id. */
struct fixture_mount {
	uint8_t id[16];
	uint8_t seed[32];
	uint8_t public_key[32];
	uint64_t client_seq; /* of the newest snapshot */
	uint8_t previous[32];
};
void fixture_mount(struct fixture_mount *m, unsigned number);
/*
 * Append the signed client part of the mount's next snapshot with the one ref
 * `root`.  fixture_committed() makes it the newest.
 */
void fixture_snapshot(struct buf *out, const struct fixture_mount *m,
    const uint8_t vault[16], const uint8_t root[32]);
void fixture_committed(struct fixture_mount *m, const struct buf *client);

/*
 * Commit the mount's next snapshot of `v`, whose id is `vault`, in a session of
 * its own: a record with the id of `number` is all it has.  The server
 * sequence that it got; 0: a step failed.
 */
uint64_t fixture_commit(struct vault *v, struct fixture_mount *m,
    const uint8_t vault[16], uint64_t number);

/* What session_get() told: records that came, and everything else. */
struct fixture_reading {
	unsigned records, others;
};
/* For session_get(); `arg` is a struct fixture_reading. */
int fixture_read_one(void *arg, enum store_got got, const uint8_t *id,
    const uint8_t *record, size_t len);

/* Let an index that was closed look as if its process had been killed. */
void fixture_unclosed_index(const char *index_dir);

/* A new empty folder below the system's; the text is the caller's. */
char *fixture_folder(void);
/* Remove a folder and free its name. */
void fixture_remove(char *folder);

#endif
