#ifndef HS_TESTS_OBJECT_AGAIN_H
#define HS_TESTS_OBJECT_AGAIN_H

/*
 * Decode bytes of src/object and encode what came out: that must give the
 * same bytes, since every object has one form only.  Each returns what the
 * decoder returned, and aborts when something else comes out.  Unit tests and
 * fuzz targets share them.
 */

#include <stddef.h>
#include <stdint.h>

struct again_bytes {
	unsigned level; /* of a tree or map */
	uint64_t length; /* of what a map covers */
	const uint8_t *refs;
	uint32_t nrefs;
};
typedef int again_fn(const struct again_bytes *a, const uint8_t *p, size_t len);

again_fn again_tree;
again_fn again_map;
again_fn again_bundle;
again_fn again_xattrs;
again_fn again_client; /* a snapshot's client part */
again_fn again_file; /* a snapshot file */
again_fn again_info; /* a snapshot's payload */

/*
 * Every byte changed in some ways, every shorter length, one byte more: none
 * crashes, and what is too short or too long is an error.
 */
void again_break(
    again_fn *fn, const struct again_bytes *a, const uint8_t *p, size_t len);

#endif
