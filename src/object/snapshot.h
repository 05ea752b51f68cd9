#ifndef HS_OBJECT_SNAPSHOT_H
#define HS_OBJECT_SNAPSHOT_H

/*
 * Snapshots: the clear envelope that the server checks, and the sealed
 * payload; docs/format.md 8.  The envelope's codec is shared by client and
 * server; it needs no key.
 */

#include "object/entry.h"

#define SNAPSHOT_ENVELOPE_BYTES 184 /* fixed fields before the refs */
#define SNAPSHOT_SIGNATURE_BYTES 64
#define SNAPSHOT_SERVER_BYTES 48 /* time, sequence, checksum */
#define SNAPSHOT_CONTEXT "hashstore snapshot v1"

struct snapshot_envelope {
	uint32_t epoch;
	uint8_t vault[16];
	uint8_t mount[16];
	uint64_t client_seq;
	uint8_t previous[HASH_BYTES];
	uint64_t files, bytes;
	uint8_t id[OBJECT_ID_BYTES];
	uint8_t key_id[16];
	const uint8_t *refs;
	uint32_t nrefs;
	const uint8_t *sealed;
	uint32_t sealed_len;
	const uint8_t *signature; /* 64 bytes; not for encoding */
	/* The server's part: only in whole files. */
	int64_t receive_ns;
	uint64_t server_seq;
};

/* Append the client part up to, but without, the signature.  ERR_LIMIT for
 * what snapshot_decode_client() would reject. */
int snapshot_encode(struct buf *out, const struct snapshot_envelope *e);
/* Append receive time, server sequence and the checksum over all of `file`,
 * which holds a signed client part (else ERR_DAMAGED). */
int snapshot_seal_file(
    struct buf *file, int64_t receive_ns, uint64_t server_seq);
/* Decode a client part (exactly).  ERR_DAMAGED. */
int snapshot_decode_client(
    struct snapshot_envelope *out, const uint8_t *p, size_t len);
/* Decode a whole file and check its checksum.  ERR_DAMAGED. */
int snapshot_decode_file(
    struct snapshot_envelope *out, const uint8_t *p, size_t len);
/* Hash of the client part, given that or a whole file: the next snapshot's
 * `previous`.  ERR_DAMAGED when it is neither. */
int snapshot_hash(uint8_t out[HASH_BYTES], const uint8_t *file, size_t len);

struct snapshot_info {
	uint8_t mount[16];
	uint64_t client_seq;
	uint8_t previous[HASH_BYTES];
	int64_t start_ns, end_ns;
	uint64_t files, dirs, bytes, unreadable;
	const char *host, *dir; /* not terminated */
	size_t host_len, dir_len;
	unsigned ntags;
	const char *tags[64];
	uint8_t tag_len[64];
	const uint8_t *extra; /* items: object/extra.h; NULL: none */
	size_t extra_len;
	struct entry root;
};

/* Make the payload and refs of a snapshot object (type 6). */
int snapshot_info_encode(struct object *out, const struct snapshot_info *s);
/* Pointers go into `payload`.  ERR_DAMAGED. */
int snapshot_info_decode(struct snapshot_info *out, const uint8_t *refs,
    uint32_t nrefs, const uint8_t *payload, size_t len);
/* What stands in both must be equal; ERR_DAMAGED. */
int snapshot_info_match(
    const struct snapshot_info *s, const struct snapshot_envelope *e);

#endif
