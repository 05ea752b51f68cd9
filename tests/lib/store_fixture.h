#ifndef HS_TESTS_STORE_FIXTURE_H
#define HS_TESTS_STORE_FIXTURE_H

/*
 * What the tests of src/store share: made-up objects, temporary folders.
 * Sealed payloads are made up too, for the store never opens one.
 */

#include "base/buf.h"
#include "store/record.h"

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

/* A new empty folder below the system's; the text is the caller's. */
char *fixture_folder(void);
/* Remove a folder and free its name. */
void fixture_remove(char *folder);

#endif
