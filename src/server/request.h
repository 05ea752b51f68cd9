#ifndef HS_SERVER_REQUEST_H
#define HS_SERVER_REQUEST_H

/*
 * What each request of a session does, once it is proved; docs/protocol.md 5.
 */

#include "proto/route.h"
#include "server/account.h"
#include "server/sessions.h"

#include <stddef.h>
#include <stdint.h>

struct http_server_request;

/*
 * Do it and answer.  The use of `s` is taken over: it is given back when the
 * answer has been made.  `mac` is the request's own; `body` stays while the
 * request does.
 */
void request_do(struct http_server_request *rq, struct account *a,
    struct sessions *ss, struct session *s, enum route route, uint64_t number,
    const uint8_t mac[SIGN_MAC_BYTES], const uint8_t *body, size_t len);

#endif
