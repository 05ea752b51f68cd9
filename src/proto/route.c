#include "proto/route.h"

#include "base/limits.h"

#include <assert.h>
#include <string.h>

/* kind and count in front of the ids of a `have` */
#define HAVE_BYTES_MAX (8u + 32u * LIMIT_HAVE_IDS)
#define GET_BYTES_MAX (4u + 32u * LIMIT_GET_IDS)
/* an id, then the count of checksums */
#define OTHER_BYTES_MAX (32u + 4u + 32u * LIMIT_OTHER_SUMS)

static const struct route_info routes[ROUTE_COUNT] = {
    [ROUTE_HELLO] = {"/v1/hello", 0, 0, 0},
    [ROUTE_REGISTER] = {"/v1/register", 1, 0, LIMIT_JSON_BYTES},
    [ROUTE_LOGIN] = {"/v1/login", 1, 0, LIMIT_JSON_BYTES},
    [ROUTE_HAVE] = {"/v1/have", 1, 1, HAVE_BYTES_MAX},
    [ROUTE_PUT] = {"/v1/put", 1, 1, LIMIT_PUT_BYTES},
    [ROUTE_GET] = {"/v1/get", 1, 1, GET_BYTES_MAX},
    [ROUTE_COMMIT] = {"/v1/commit", 1, 1, LIMIT_SNAPSHOT_BYTES},
    [ROUTE_SNAPSHOTS] = {"/v1/snapshots", 1, 1, 17},
    [ROUTE_MOUNTS] = {"/v1/mounts", 1, 1, 0},
    [ROUTE_REPORT] = {"/v1/report", 1, 1, 32},
    [ROUTE_LOGOUT] = {"/v1/logout", 1, 1, 0},
    [ROUTE_OTHER] = {"/v1/other", 1, 1, OTHER_BYTES_MAX},
};

const struct route_info *
route_info(enum route r)
{
	assert(r >= 0 && r < ROUTE_COUNT);
	return &routes[r];
}

enum route
route_find(const char *path)
{
	int i;

	for (i = 0; i < ROUTE_COUNT; i++)
		if (strcmp(path, routes[i].path) == 0)
			return (enum route)i;
	return ROUTE_NONE;
}
