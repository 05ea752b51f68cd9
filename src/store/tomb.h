#ifndef HS_STORE_TOMB_H
#define HS_STORE_TOMB_H

/*
 * A tombstone: the store's signed word that its owner's policy retired a
 * snapshot; docs/format.md 8.3.  It names the snapshot by the hash of its
 * client part, so who knew the snapshot can tell "pruned" from "lost".
 */

#include "base/buf.h"
#include "hash/hash.h"
#include "sign/sign.h"

#include <stddef.h>
#include <stdint.h>

#define TOMB_BYTES 216
#define TOMB_CONTEXT "hashstore tombstone v1"

/* Why; a reader takes other values as "for another reason". */
enum tomb_reason { TOMB_POLICY = 1 };

struct tomb {
	uint32_t reason;
	uint8_t vault[16];
	uint8_t mount[16];
	uint64_t server_seq;
	uint64_t client_seq;
	uint8_t hash[HASH_BYTES]; /* envelope_hash() of the snapshot */
	int64_t receive_ns; /* the snapshot's own, by the wall clock */
	int64_t stamp_ns; /* store time when it had arrived (store/stamps.h) */
	int64_t retired_ns; /* store time when it was retired */
	int64_t wall_ns; /* the same by the wall clock: a label */
};

/* Encode, signed by the store's key. */
void tomb_encode(uint8_t out[TOMB_BYTES], const struct tomb *t,
    const uint8_t seed[SIGN_SEED_BYTES]);
/* Decode and check the checksum.  Returns 0, or ERR_DAMAGED. */
int tomb_decode(struct tomb *out, const uint8_t *p, size_t len);
/* Of bytes that tomb_decode() took: returns 0, or ERR_REFUSED when the store
 * of this key did not sign them. */
int tomb_check_signature(
    const uint8_t p[TOMB_BYTES], const uint8_t store_public[SIGN_PUBLIC_BYTES]);

#endif
