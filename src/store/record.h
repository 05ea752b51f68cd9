#ifndef HS_STORE_RECORD_H
#define HS_STORE_RECORD_H

/*
 * A record is an object as stored: header, refs, members, sealed payload and
 * a checksum over all of it; docs/format.md 3.1.  Its checks need no key: the
 * store makes them when a record arrives and whenever it reads one.
 */

#include "base/buf.h"
#include "hash/hash.h"

#include <stddef.h>
#include <stdint.h>

#define RECORD_HEADER_BYTES 72
#define RECORD_ID_BYTES 32
#define RECORD_SUITE 1
/* Nonce, tag and the head of an empty frame: format.md 5. */
#define RECORD_SEALED_BYTES_MIN 52
/* The smallest record. */
#define RECORD_BYTES_MIN \
	(RECORD_HEADER_BYTES + RECORD_SEALED_BYTES_MIN + HASH_BYTES)

enum record_class { RECORD_DATA = 1, RECORD_META = 2 };

/* A view of one record; the pointers go into the bytes it was parsed from. */
struct record {
	enum record_class class;
	uint32_t epoch;
	uint32_t nrefs;
	uint32_t nmembers;
	uint32_t sealed_len;
	const uint8_t *key_id; /* 16 bytes */
	const uint8_t *id; /* RECORD_ID_BYTES */
	const uint8_t *refs; /* nrefs * RECORD_ID_BYTES */
	const uint8_t *members; /* nmembers * RECORD_ID_BYTES */
	const uint8_t *sealed;
	/* The whole record; set by record_parse(), ignored for encoding. */
	const uint8_t *bytes;
	size_t len;
	const uint8_t *checksum; /* its last HASH_BYTES */
};

/*
 * Append the record that `r` describes, with its checksum.  The parts must
 * keep the rules of format.md 3.1 (an assertion says when not).
 * Returns 0, or ERR_NOMEM.
 */
int record_encode(struct buf *out, const struct record *r);
/*
 * The same for a payload that is sealed in its place: record_begin() appends
 * what stands before it (`sealed` and `sealed_len` of `r` are ignored), the
 * caller appends `sealed_len` bytes, record_end() completes the record that
 * began at offset `start` of `out`.
 */
int record_begin(struct buf *out, const struct record *r);
int record_end(struct buf *out, size_t start, size_t sealed_len);

/*
 * Look at the record that begins at `p`; more may follow it, `out->len` says
 * where.  Checks every rule of the format but the checksum.
 * Returns 0, or ERR_DAMAGED.
 */
int record_parse(struct record *out, const uint8_t *p, size_t len);

/*
 * The same for a prefix of a record: `p` holds at least the header, refs and
 * members, `sealed`, `checksum` and `bytes` of `out` are NULL.  `len_max` is
 * the length that the whole record may have.
 */
int record_parse_head(
    struct record *out, const uint8_t *p, size_t len, size_t len_max);

/* Compare the checksum of a parsed record.  Returns 0, or ERR_DAMAGED. */
int record_check(const struct record *r);

/*
 * The same for `len` bytes that nobody has looked at: the last HASH_BYTES are
 * the hash of those before them.
 */
int record_check_bytes(const uint8_t *p, size_t len);

/*
 * Feed to `h` what stands for the records that lie end to end in `p`: of each
 * the length (u32) and the checksum that it says it has, which is not
 * compared; docs/protocol.md 4.1.  Returns 0, or ERR_DAMAGED when these are
 * not whole records.
 */
int record_feed_sums(struct hash *h, const uint8_t *p, size_t len);

/* Parse and check exactly `len` bytes.  Returns 0, or ERR_DAMAGED. */
int record_decode(struct record *out, const uint8_t *p, size_t len);

/* Nonzero when the `n` ids at `ids` are sorted bytewise and unique. */
int record_ids_sorted(const uint8_t *ids, uint32_t n);

#endif
