#ifndef HS_TESTS_SOURCE_TREE_H
#define HS_TESTS_SOURCE_TREE_H

/*
 * A directory with a bit of everything that a backup meets, and the key that
 * it must come to, computed the plain way: paths, whole files, recursion.
 */

#include "hash/address.h"
#include "hash/hash.h"

#include <stddef.h>
#include <stdint.h>

/* Write a file of `len` bytes that depend on `seed`; makes a failing test. */
void source_tree_file(
    const char *dir, const char *name, size_t len, uint64_t seed);
/* Small, large and sparse files, links, a FIFO, a socket, `.shamo`... */
void source_tree_make(const char *dir);
/* The address of the directory; docs/format.md 4. */
void source_tree_address(uint8_t out[HASH_BYTES], const char *dir);

/* The directory's key, as users see it. */
void source_tree_key(char text[ADDRESS_TEXT_BYTES], const char *dir);

#endif
