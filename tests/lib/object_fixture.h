#ifndef HS_TESTS_OBJECT_FIXTURE_H
#define HS_TESTS_OBJECT_FIXTURE_H

/* What the tests of src/object share: made-up ids and entries. */

#include "object/tree.h"

#include <stddef.h>
#include <stdint.h>

/* Sanitizers and counters (make cover) multiply time, and memory that was
 * freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(COUNTED)
#define OBJECT_FIXTURE_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OBJECT_FIXTURE_SLOW 1
#endif
#endif

/* The most memory that this process ever had; 0 where that is slow. */
long object_fixture_peak_kib(void);

/* The vault keys of these tests. */
extern const uint8_t object_fixture_id_key[HASH_BYTES];
extern const uint8_t object_fixture_split_key[HASH_BYTES];

/* 32 bytes that depend on the number. */
void object_fixture_id(uint8_t id[OBJECT_ID_BYTES], uint64_t number);

/* A valid FIFO of that name (which must outlive it): the least entry. */
void object_fixture_plain(struct entry *e, const char *name);

/*
 * One entry of every kind and location with all optional parts somewhere, in
 * order of name.  Pointers go to static memory.
 */
#define OBJECT_FIXTURE_ENTRIES 12
void object_fixture_entries(struct entry out[OBJECT_FIXTURE_ENTRIES]);

#endif
