#ifndef HS_STORE_ENVELOPE_H
#define HS_STORE_ENVELOPE_H

/*
 * A snapshot file as the store sees it: the clear envelope, the mount's
 * signature and the part that the store adds; docs/format.md 8.  What is
 * sealed inside stays closed here (object/snapshot.c is the client's side).
 */

#include "base/buf.h"
#include "hash/hash.h"

#include <stddef.h>
#include <stdint.h>

#define ENVELOPE_FIXED_BYTES 184 /* before the refs */
#define ENVELOPE_SIGNATURE_BYTES 64
#define ENVELOPE_SERVER_BYTES 48 /* time, sequence, checksum */
#define ENVELOPE_CONTEXT "hashstore snapshot v1"

/* A view; the pointers go into the bytes it was decoded from. */
struct envelope {
	uint32_t epoch;
	const uint8_t *vault; /* 16 bytes */
	const uint8_t *mount; /* 16 bytes */
	uint64_t client_seq;
	const uint8_t *previous; /* HASH_BYTES */
	uint64_t files, bytes;
	const uint8_t *id; /* 32 bytes */
	const uint8_t *refs; /* nrefs * 32 bytes */
	uint32_t nrefs;
	const uint8_t *client; /* the client part */
	size_t client_len;
	/* The store's part; zero after envelope_decode_client(). */
	int64_t receive_ns;
	uint64_t server_seq;
};

/* Decode exactly a client part.  Returns 0, or ERR_DAMAGED. */
int envelope_decode_client(struct envelope *out, const uint8_t *p, size_t len);
/* Decode exactly a file and check its checksum.  Returns 0, or ERR_DAMAGED. */
int envelope_decode_file(struct envelope *out, const uint8_t *p, size_t len);
/* Returns 0, or ERR_REFUSED when the mount of this key did not sign it. */
int envelope_check_signature(
    const struct envelope *e, const uint8_t public_key[32]);
/* Hash of the client part: the next snapshot's `previous`. */
void envelope_hash(uint8_t out[HASH_BYTES], const struct envelope *e);
/*
 * Append the store's part to `file`, which holds a client part.
 * Returns 0, or ERR_NOMEM.
 */
int envelope_finish(struct buf *file, int64_t receive_ns, uint64_t server_seq);

#endif
