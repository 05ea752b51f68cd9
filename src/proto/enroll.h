#ifndef HS_PROTO_ENROLL_H
#define HS_PROTO_ENROLL_H

/*
 * Registration of a mount, one round trip; docs/protocol.md 3.2.  The
 * invitation is a secret that is never sent: the client proves it by a
 * signature, so that what the store keeps of it is not enough to use it, and
 * the store by a MAC, both over the whole exchange.  Besides, the mount and
 * the vault prove their keys by signatures, and so does the store.
 */

#include "base/buf.h"
#include "base/limits.h"
#include "proto/header.h"
#include "proto/ident.h"
#include "sign/sign.h"

#include <stddef.h>
#include <stdint.h>

#define ENROLL_UUID_LEN 36

/* What an invitation becomes: its public name, a key pair and a secret. */
struct enroll_keys {
	uint8_t id[IDENT_BYTES];
	uint8_t client_seed[SIGN_SEED_BYTES]; /* not in a store: zero there */
	uint8_t client[SIGN_PUBLIC_BYTES]; /* checks the client's proof */
	uint8_t server[SIGN_MAC_BYTES]; /* the server's MAC */
};

enum enroll_mode {
	ENROLL_NEW = 1, /* the vault must not be there yet */
	ENROLL_JOIN = 2, /* the vault must be there */
	ENROLL_EITHER = 3
};

struct enroll_request {
	int has_invitation; /* 0 only at an insecure server */
	uint8_t invitation[IDENT_BYTES]; /* zero without one */
	uint8_t nonce[IDENT_NONCE_BYTES];
	uint8_t store[SIGN_PUBLIC_BYTES]; /* as `hello` named it */
	uint8_t mount_public[SIGN_PUBLIC_BYTES];
	enum enroll_mode mode;
	char label[LIMIT_LABEL_BYTES + 1]; /* UTF-8 */
	struct header header; /* of the vault, as the client knows it */
	uint8_t mount_signature[SIGN_BYTES];
	uint8_t join_signature[SIGN_BYTES]; /* by the vault's join key */
	uint8_t proof[SIGN_BYTES]; /* zero without an invitation */
};

struct enroll_answer {
	uint8_t mount[IDENT_BYTES];
	int created; /* the vault is new */
	uint32_t protocol_max; /* the highest that the store speaks */
	struct header header; /* as the store has it */
	uint8_t signature[SIGN_BYTES]; /* by the store's key */
	uint8_t mac[SIGN_MAC_BYTES]; /* zero without an invitation */
};

/* A new invitation: a random UUID (version 4) in lower case. */
void enroll_uuid(char out[ENROLL_UUID_LEN + 1]);
/* Returns 0; ERR_USAGE when `uuid` is none. */
int enroll_keys(struct enroll_keys *out, const char *uuid);

/* The mount's id, which its public key decides. */
void enroll_mount_id(
    uint8_t out[IDENT_BYTES], const uint8_t mount_public[SIGN_PUBLIC_BYTES]);

/*
 * Fill nonce, signatures and proof; the other members are set.  `keys` is NULL
 * without an invitation.  Returns 0 or ERR_NOMEM.
 */
int enroll_request_make(struct enroll_request *rq,
    const uint8_t mount_seed[SIGN_SEED_BYTES],
    const uint8_t join_seed[SIGN_SEED_BYTES], const struct enroll_keys *keys);
/*
 * Check the proof (unless `keys` is NULL), the mount's signature and the one by
 * `join_public`.  Returns 0, ERR_REFUSED or ERR_NOMEM.
 */
int enroll_request_check(const struct enroll_request *rq,
    const struct enroll_keys *keys,
    const uint8_t join_public[SIGN_PUBLIC_BYTES]);

/* Fill `protocol_max`, signature and MAC of the answer to `rq`. */
int enroll_answer_make(struct enroll_answer *a, const struct enroll_request *rq,
    const uint8_t store_seed[SIGN_SEED_BYTES], const struct enroll_keys *keys);
/* Check both, the signature by rq->store.  0, ERR_REFUSED, ERR_NOMEM. */
int enroll_answer_check(const struct enroll_answer *a,
    const struct enroll_request *rq, const struct enroll_keys *keys);

/* JSON.  The decoders return 0 or ERR_DAMAGED with a message. */
int enroll_request_encode(struct buf *out, const struct enroll_request *rq);
int enroll_request_decode(
    struct enroll_request *out, const uint8_t *p, size_t len);
int enroll_answer_encode(struct buf *out, const struct enroll_answer *a);
int enroll_answer_decode(
    struct enroll_answer *out, const uint8_t *p, size_t len);

#endif
