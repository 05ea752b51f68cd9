#ifndef HS_OBJECT_EXTENT_H
#define HS_OBJECT_EXTENT_H

/*
 * Extents of a large file and chunk maps over them; docs/format.md 6.3.
 */

#include "object/object.h"

struct buf;
struct bytes_reader;
struct refs;
struct refs_check;

/* Where a map ends; format.md 6.3. */
#define EXTENT_MAP_MIN 64u
#define EXTENT_MAP_MAX 4096u

struct extent {
	int hole; /* nonzero: `id` is void */
	uint8_t id[OBJECT_ID_BYTES];
	uint64_t length; /* bytes, at least 1 */
};

/* Append one extent to a payload; its id goes to `refs`. */
int extent_encode(
    struct buf *payload, struct refs *refs, const struct extent *e);
/*
 * Read `n` extents, which must cover exactly `length` bytes; with `no_holes`
 * none may be a hole.  ERR_DAMAGED.
 */
int extent_decode(struct extent *out, uint32_t n, uint64_t length, int no_holes,
    struct bytes_reader *r, struct refs_check *check, const uint8_t *refs);

/* What a writer of maps or trees does with a finished object: name it, seal
 * it, put it.  It must set o->id and may take the content out of `o`. */
typedef int extent_emit(void *arg, struct object *o);

/*
 * Writes the extents of one file, in order, as maps of any level.  While they
 * are few (LIMIT_LIST_ITEMS) nothing is emitted and the list is the result.
 */
struct extent_writer;
int extent_writer_new(struct extent_writer **out, extent_emit *emit, void *arg);
void extent_writer_free(struct extent_writer *w);
/* Forget everything, for the next file. */
void extent_writer_reset(struct extent_writer *w);
/* A hole behind a hole is merged.  ERR_LIMIT (more than 2^64 - 1 bytes);
 * ERR_FAIL (an empty extent); what `emit` returned: then only reset or free
 * may follow. */
int extent_writer_add(struct extent_writer *w, const struct extent *e);

struct extent_result {
	uint32_t count; /* extents of the list; 0: a map */
	const struct extent *list; /* owned by the writer until reset */
	uint8_t map[OBJECT_ID_BYTES];
	uint8_t level; /* of the map */
};
/* Emits what is open.  At least one extent must have been added (ERR_FAIL);
 * afterwards only reset or free may follow. */
int extent_writer_finish(struct extent_result *out, struct extent_writer *w);

/*
 * Decode a map object's payload.  `out` gets an array of struct extent
 * (count = out->len / sizeof(struct extent)); it is empty after a failure.
 * `level` is the one expected, `length` what the map must cover.
 * ERR_DAMAGED; ERR_NOMEM.
 */
int extent_map_decode(struct buf *out, unsigned level, uint64_t length,
    const uint8_t *refs, uint32_t nrefs, const uint8_t *payload, size_t len);

#endif
