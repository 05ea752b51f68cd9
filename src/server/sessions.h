#ifndef HS_SERVER_SESSIONS_H
#define HS_SERVER_SESSIONS_H

/*
 * The table of sessions; docs/protocol.md 4.  A session is born by a log-in,
 * is in use while requests of it are handled, and ends by a log-out, by its
 * lease, by eviction or with the server; ending it closes its store session.
 *
 *     log-in --> idle <--take/give--> in use
 *                  |                     |
 *                  +-- end --> closed <--+ (when the last user gives it back)
 *
 * One thread looks for leases that ran out.
 */

#include "base/pool.h"
#include "proto/mac.h"

#include <stdint.h>

struct store;
struct sessions;

/* Numbers may come in another order than they were given, because requests
 * travel on several connections; this far behind the newest is too old. */
#define SESSIONS_WINDOW 8192u

struct sessions_limits {
	unsigned max; /* in all */
	unsigned per_mount_max;
	unsigned lease_ms; /* after the last request */
	unsigned unproven_ms; /* a log-in that no request has followed */
	/* Whose client says nothing for so long it does not live (protocol
	 * 4.4): it makes room when there is none. */
	unsigned silent_ms;
	/* After the log-in, whatever its client does: sweeps wait for it, and
	 * nobody may hold up what others have deleted. */
	unsigned life_ms;
};

/* What the server uses where nothing else is said. */
extern const struct sessions_limits sessions_limits_default;

struct session {
	struct mac_session keys;
	uint8_t mount[IDENT_BYTES];
	uint8_t vault[IDENT_BYTES];
	struct store *store; /* owned */
	/* Of the calls that store.h gives to one thread at a time. */
	struct pool_lock serial;

	/* The rest belongs to the table. */
	struct session *next;
	unsigned users;
	int proven; /* a request with a right MAC came */
	int ended;
	int64_t began_ns; /* monotonic */
	int64_t used_ns;
	uint64_t newest; /* highest number seen, 0: none */
	uint8_t seen[SESSIONS_WINDOW / 8]; /* bit of number % window */
};

int sessions_new(struct sessions **out, const struct sessions_limits *l);
/* Ends all of them; nobody may be using one.  NULL is fine. */
void sessions_free(struct sessions *ss);

/*
 * Add a session and take over `store`, also on failure.  A mount that has
 * too many loses its longest unused one.
 * Returns 0; ERR_BUSY when there are too many in all; ERR_NOMEM.
 */
int sessions_add(struct sessions *ss, const struct mac_session *keys,
    const uint8_t mount[IDENT_BYTES], const uint8_t vault[IDENT_BYTES],
    struct store *store);

/*
 * What the sessions of a mount have put so far becomes visible to the next
 * one: its client may have died, and comes back to go on.  Called when that
 * one has proved itself, since anybody can repeat a log-in; sessions that are
 * live are not disturbed.
 */
void sessions_settle(struct sessions *ss, const uint8_t mount[IDENT_BYTES]);

/* Nonzero while there is such a session. */
int sessions_known(struct sessions *ss, const uint8_t id[IDENT_BYTES]);
/* Use a session; NULL when there is none.  sessions_give() ends the use. */
struct session *sessions_take(
    struct sessions *ss, const uint8_t id[IDENT_BYTES]);
void sessions_give(struct sessions *ss, struct session *s);

/*
 * A request with this number and a right MAC came.  Returns 0;
 * SESSIONS_FIRST when it is the session's first one; SESSIONS_SEEN when the
 * number was seen before or is too old to know.
 */
#define SESSIONS_SEEN 1
#define SESSIONS_FIRST 2
int sessions_accept(struct sessions *ss, struct session *s, uint64_t number);

/* End a session that the caller is using. */
void sessions_end(struct sessions *ss, struct session *s);

/* How many there are; with `vault` not NULL, of that vault alone, those that
 * are ending included. */
unsigned sessions_count(struct sessions *ss, const uint8_t *vault);

#endif
