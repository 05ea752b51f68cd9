#ifndef HS_PROTO_LOGIN_H
#define HS_PROTO_LOGIN_H

/*
 * Log-in: one round trip in which both sides prove their Ed25519 key and
 * agree on a session by X25519; docs/protocol.md 3.3.
 */

#include "base/buf.h"
#include "proto/header.h"
#include "proto/ident.h"
#include "proto/mac.h"
#include "sign/sign.h"

#include <stddef.h>
#include <stdint.h>

struct login_request {
	uint8_t store[SIGN_PUBLIC_BYTES]; /* whom the client means */
	uint8_t mount[IDENT_BYTES];
	uint8_t dh[SIGN_DH_BYTES]; /* ephemeral public key */
	uint8_t nonce[IDENT_NONCE_BYTES];
	uint8_t signature[SIGN_BYTES]; /* by the mount's key */
};

struct login_answer {
	uint8_t session[IDENT_BYTES];
	uint8_t dh[SIGN_DH_BYTES];
	uint8_t generation[IDENT_GENERATION_BYTES];
	int has_parent;
	uint64_t parent_client_seq; /* zero without a parent, as the next */
	uint64_t parent_server_seq;
	uint8_t parent_hash[32];
	uint32_t protocol_max; /* the highest that the store speaks */
	struct header header; /* of the mount's vault */
	uint8_t signature[SIGN_BYTES]; /* by the store's key */
};

/* Fill nonce and signature; the other members are set. */
void login_request_make(
    struct login_request *rq, const uint8_t mount_seed[SIGN_SEED_BYTES]);
/* Returns 0 or ERR_REFUSED. */
int login_request_check(const struct login_request *rq,
    const uint8_t mount_public[SIGN_PUBLIC_BYTES]);

/* Set `protocol_max` and sign the answer to `rq`.  Returns 0 or ERR_NOMEM. */
int login_answer_make(struct login_answer *a, const struct login_request *rq,
    const uint8_t store_seed[SIGN_SEED_BYTES]);
/* Returns 0, ERR_REFUSED or ERR_NOMEM. */
int login_answer_check(const struct login_answer *a,
    const struct login_request *rq,
    const uint8_t store_public[SIGN_PUBLIC_BYTES]);

/*
 * The session's keys, the same on both sides.  `secret` belongs to one of the
 * two `dh`, `peer` is the other.  Returns 0, ERR_REFUSED (a degenerate key)
 * or ERR_NOMEM.
 */
int login_session(struct mac_session *out, const struct login_request *rq,
    const struct login_answer *a, const uint8_t secret[SIGN_DH_BYTES],
    const uint8_t peer[SIGN_DH_BYTES]);

/* JSON.  The decoders return 0 or ERR_DAMAGED with a message. */
int login_request_encode(struct buf *out, const struct login_request *rq);
int login_request_decode(
    struct login_request *out, const uint8_t *p, size_t len);
int login_answer_encode(struct buf *out, const struct login_answer *a);
int login_answer_decode(struct login_answer *out, const uint8_t *p, size_t len);

#endif
