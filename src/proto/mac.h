#ifndef HS_PROTO_MAC_H
#define HS_PROTO_MAC_H

/*
 * What makes the requests of a session safe over plain http: keyed BLAKE3
 * over everything that matters of a request, and the store's signature under
 * the few answers that no session can vouch for; docs/protocol.md 4.
 * Answers of a session are proto/segment.h.
 */

#include "hash/hash.h"
#include "proto/ident.h"
#include "proto/route.h"
#include "sign/sign.h"

#include <stddef.h>
#include <stdint.h>

/* A session's name and secrets; wipe it with mac_wipe(). */
struct mac_session {
	uint8_t session[IDENT_BYTES];
	uint8_t request_key[SIGN_MAC_BYTES]; /* client to server */
	uint8_t answer_key[SIGN_MAC_BYTES]; /* server to client */
};

void mac_wipe(struct mac_session *s);

/*
 * The MAC behind the `len` bytes at `body` of request `number` to `route`,
 * which is not ROUTE_PUT.
 */
void mac_request(uint8_t out[SIGN_MAC_BYTES], const struct mac_session *s,
    uint64_t number, enum route route, const uint8_t *body, size_t len);

/*
 * The same of a put.  Its records have checksums, which the store compares
 * before it uses a byte of them, so the MAC covers these instead of hashing
 * everything again: `feed` (record_feed_sums() of the layer that knows
 * records) tells them, or fails with the code that is then returned.
 */
typedef int mac_feed_fn(struct hash *h, const uint8_t *p, size_t len);
int mac_put(uint8_t out[SIGN_MAC_BYTES], const struct mac_session *s,
    uint64_t number, const uint8_t *body, size_t len, mac_feed_fn *feed);

/*
 * The signature behind an error answer to a request that no session can
 * vouch for: unknown session, bad MAC, too long a body.
 */
void mac_refusal_make(uint8_t out[SIGN_BYTES],
    const uint8_t store_seed[SIGN_SEED_BYTES],
    const uint8_t session[IDENT_BYTES], uint64_t number, unsigned status,
    const uint8_t *body, size_t len);
/* Returns 0, or ERR_REFUSED. */
int mac_refusal_check(const uint8_t sig[SIGN_BYTES],
    const uint8_t store_public[SIGN_PUBLIC_BYTES],
    const uint8_t session[IDENT_BYTES], uint64_t number, unsigned status,
    const uint8_t *body, size_t len);

#endif
