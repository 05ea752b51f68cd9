#ifndef HS_PROTO_ROUTE_H
#define HS_PROTO_ROUTE_H

/*
 * The fixed routes of the protocol; docs/protocol.md 2.  A path is compared
 * byte for byte: no percent decoding, no query, no trailing slash.
 */

#include <stddef.h>

enum route {
	ROUTE_NONE = -1,
	ROUTE_HELLO = 0,
	ROUTE_REGISTER = 1,
	ROUTE_LOGIN = 2,
	ROUTE_HAVE = 3,
	ROUTE_PUT = 4,
	ROUTE_GET = 5,
	ROUTE_COMMIT = 6,
	ROUTE_SNAPSHOTS = 7,
	ROUTE_MOUNTS = 8,
	ROUTE_REPORT = 9,
	ROUTE_LOGOUT = 10,
	ROUTE_OTHER = 11
};

#define ROUTE_COUNT 12

/* Headers of requests in a session, and of answers to what is in none. */
#define ROUTE_HEADER_SESSION "X-Hashstore-Session"
#define ROUTE_HEADER_NUMBER "X-Hashstore-Number"
#define ROUTE_HEADER_PROOF "X-Hashstore-Proof"
#define ROUTE_PROOF_SIGNATURE "signature"

struct route_info {
	const char *path;
	int post; /* 0: GET without a body */
	int session; /* 1: after log-in, with a MAC behind the body */
	size_t body_max; /* bytes, the MAC not counted */
};

/* `r` must be a route. */
const struct route_info *route_info(enum route r);

/* The route with exactly this path, or ROUTE_NONE. */
enum route route_find(const char *path);

#endif
