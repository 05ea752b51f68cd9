#ifndef HS_PROTO_HEADER_H
#define HS_PROTO_HEADER_H

/*
 * A vault's header as it travels and as `vault.json` holds it: which chunker,
 * the public key that proves membership, and a MAC by the vault's master key
 * that only its clients can check; docs/format.md 9.
 */

#include "base/buf.h"
#include "base/bytes.h"
#include "base/json.h"
#include "proto/ident.h"
#include "sign/sign.h"

#include <stdint.h>

/*
 * Version 1 of the format: one epoch, no links, reserved bytes that are zero.
 * These are constant, so the struct does not hold them.
 */
#define HEADER_FORMAT 1
#define HEADER_RESERVED 32

struct header {
	uint8_t vault[IDENT_BYTES];
	uint32_t chunker_id;
	uint32_t chunk_average; /* bytes, as the next two */
	uint32_t chunk_min;
	uint32_t chunk_max;
	uint8_t join_public[SIGN_PUBLIC_BYTES];
	uint8_t mac[SIGN_MAC_BYTES];
};

/* Append the canonical bytes: all members in order. */
int header_append(struct buf *out, const struct header *h);

/* The members as JSON in `j`. */
int header_to_json(struct json *j, const struct header *h);
/* Returns 0; ERR_DAMAGED; ERR_NOSTORE: of a newer format, or with a key epoch
 * that this version does not know. */
int header_from_json(struct header *out, const struct json *j);

/* Nonzero when all members are equal. */
int header_equal(const struct header *a, const struct header *b);

#endif
