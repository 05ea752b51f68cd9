#ifndef HS_STORE_PACK_H
#define HS_STORE_PACK_H

/*
 * A pack is an immutable file of records of one class with a footer that
 * lists them; docs/format.md 3.2.  This module knows bytes and ids; it never
 * sees plaintext.
 *
 * Thread use: a pack_writer belongs to one thread at a time; a pack that was
 * read is constant and may be used from many.
 */

#include "base/buf.h"
#include "hash/hash.h"
#include "store/record.h"

#include <stddef.h>
#include <stdint.h>

#define PACK_HEADER_BYTES 48
#define PACK_TRAILER_BYTES 16
#define PACK_ENTRY_BYTES 88
#define PACK_VAULT_BYTES 16
/* "packs/ab/" + 64 digits + ".pack" + NUL */
#define PACK_PATH_BYTES 79

struct backend;

/* Where a pack of this name lies in the backend. */
void pack_path(char out[PACK_PATH_BYTES], const uint8_t name[HASH_BYTES]);
/* The name of the pack at `path`.  Returns 0, or 1 when it is no pack's. */
int pack_path_name(uint8_t name[HASH_BYTES], const char *path);

/* One line of the footer. */
struct pack_entry {
	const uint8_t *id; /* into the footer */
	const uint8_t *checksum; /* into the footer */
	uint32_t offset; /* of the record in the pack */
	uint32_t length;
	uint32_t epoch;
	uint32_t nrefs;
	uint32_t nmembers;
	enum record_class class;
};

struct pack_writer;

/*
 * Start a pack of one class in `backend`, which must outlive the writer.
 * Nothing is visible before pack_writer_commit().
 * Returns 0; ERR_NOMEM; the backend's errors.
 */
int pack_writer_open(struct pack_writer **out, struct backend *backend,
    enum record_class class, const uint8_t vault[PACK_VAULT_BYTES]);
/* Nonzero when a record of `len` bytes still fits. */
int pack_writer_fits(const struct pack_writer *w, size_t len);
/*
 * Append a parsed record of the pack's class that fits; its offset goes to
 * `*offset`.  Returns 0, or the backend's error: then only abort is left.
 */
int pack_writer_add(
    uint32_t *offset, struct pack_writer *w, const struct record *r);
/* Read back what was added.  Returns 0; ERR_IO. */
int pack_writer_read(
    struct pack_writer *w, void *out, size_t len, uint32_t offset);
/*
 * Say in the footer for whom the pack is written, and after which of its
 * snapshots (server sequence, 0: none yet): until that mount's next one, a
 * sweep leaves the pack alone.  Before any record is added.
 */
void pack_writer_origin(
    struct pack_writer *w, const uint8_t mount[16], uint64_t after);
/* Records so far, and bytes of the file if it were closed now. */
uint32_t pack_writer_count(const struct pack_writer *w);
uint64_t pack_writer_size(const struct pack_writer *w);
/*
 * Write the footer and make the pack durable and visible under its name.
 * Frees `w` in every case.  Returns 0; the backend's errors: then nothing of
 * it is acknowledged.
 */
int pack_writer_commit(uint8_t name[HASH_BYTES], struct pack_writer *w);
/* Forget it; NULL is fine. */
void pack_writer_abort(struct pack_writer *w);

/* A closed pack's footer. */
struct pack {
	uint8_t name[HASH_BYTES];
	uint8_t vault[PACK_VAULT_BYTES];
	enum record_class class;
	uint64_t size; /* of the file */
	uint32_t count; /* of records */
	uint32_t end; /* where the records end */
	struct buf footer;
	const uint8_t *entries; /* in the footer */
	const uint8_t *origin; /* in the footer: mount [16]; NULL: none */
	uint64_t after; /* with an origin: see pack_writer_origin() */
};

#define PACK_INIT \
	{ \
		.footer = BUF_INIT \
	}

/*
 * Load and check header, footer and trailer of the pack `name`, which has
 * `size` bytes (0: ask the backend) and must belong to `vault`.
 * Returns 0; ERR_DAMAGED; ERR_NOENT; ERR_IO; ERR_NOMEM.
 */
int pack_load(struct pack *out, struct backend *backend,
    const uint8_t name[HASH_BYTES], uint64_t size,
    const uint8_t vault[PACK_VAULT_BYTES]);
/*
 * The same from a whole pack in memory, where the zero bytes are checked too:
 * a decoder of outside bytes.  Does not check the records.  ERR_DAMAGED.
 */
int pack_decode(struct pack *out, const uint8_t name[HASH_BYTES],
    const uint8_t *p, size_t len, const uint8_t vault[PACK_VAULT_BYTES]);
void pack_release(struct pack *p);
/*
 * For one that has no footer of its own, begun as PACK_INIT: list the parsed
 * record that was found at `offset` as the next entry.  ERR_NOMEM.
 */
int pack_note(struct pack *p, const struct record *r, uint32_t offset);
/* Entry `i` of `p->count`. */
void pack_entry(struct pack_entry *out, const struct pack *p, uint32_t i);

/*
 * Compare a record's bytes with its entry and checksum; `out` (may be NULL)
 * gets the view.  Returns 0; ERR_DAMAGED.
 */
int pack_check_record(struct record *out, const struct pack_entry *e,
    const uint8_t *bytes, size_t len);

#endif
