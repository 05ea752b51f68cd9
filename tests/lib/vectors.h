#ifndef HS_TESTS_VECTORS_H
#define HS_TESTS_VECTORS_H

/*
 * The worked examples of a document: fenced blocks whose info string is
 * `hex NAME` or `text NAME`, so that the document itself is what is tested.
 * In a hex block blanks and line ends mean nothing and `#` begins a remark
 * that ends with its line.  A text block is its lines, the last without its
 * line end.
 */

#include <stddef.h>
#include <stdint.h>

struct vectors;

/* Reads all of `path`; a malformed document fails the test. */
struct vectors *vectors_open(const char *path);
void vectors_close(struct vectors *v);

/* The bytes of one example, owned by `v`; an absent one fails the test. */
const uint8_t *vectors_get(
    size_t *len, const struct vectors *v, const char *name);

/*
 * Fails the test unless the example is exactly these bytes, and then prints
 * the block as it should be.
 */
void vectors_check(
    const struct vectors *v, const char *name, const void *p, size_t len);

/* The name of the example `index`; NULL behind the last. */
const char *vectors_name(const struct vectors *v, unsigned index);

#endif
