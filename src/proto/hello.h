#ifndef HS_PROTO_HELLO_H
#define HS_PROTO_HELLO_H

/*
 * The answer to GET /v1/hello: that this is a hashstore server, which
 * protocol it speaks and which store it is.  Not authenticated: whoever needs
 * the key for more than showing it proves it by registering or logging in.
 */

#include "base/buf.h"
#include "sign/sign.h"

#include <stddef.h>
#include <stdint.h>

struct hello {
	uint8_t store[SIGN_PUBLIC_BYTES];
	int insecure; /* registers without an invitation */
};

int hello_encode(struct buf *out, const struct hello *h);
/*
 * Returns 0; ERR_UNREACHABLE when these bytes are not of a hashstore server
 * or of one of another protocol.
 */
int hello_decode(struct hello *out, const uint8_t *p, size_t len);

#endif
