#ifndef HS_CLIENT_CHANNEL_H
#define HS_CLIENT_CHANNEL_H

/*
 * The client's end of the protocol below its messages: a few connections, the
 * session's MACs, and the rule for trying again; docs/protocol.md 2 to 4.
 * Every request may be repeated, so a lost answer is no problem.
 *
 * Thread use: channel_call() may run at once from any thread.
 */

#include "base/buf.h"
#include "client/retry.h"
#include "proto/mac.h"
#include "proto/route.h"

#include <stddef.h>
#include <stdint.h>

struct http_client;

/* How long to wait and how often to try. */
struct channel_policy {
	struct retry_policy retry;
	unsigned connect_ms;
	unsigned stall_seconds; /* without a byte in either direction */
	unsigned commit_stall_seconds; /* the server may have much to sync */
	/* A session that is silent for so long says that it lives on (0:
	 * never); the server forgets one after 10 minutes, or after one when
	 * it never said anything. */
	unsigned heartbeat_ms;
};

extern const struct channel_policy channel_policy_default;

/*
 * One request outside of sessions, tried as the policy says: GET without
 * `body`, else POST.  Returns 0 and appends the body of a 200 answer (at most
 * LIMIT_JSON_BYTES) to `out`; ERR_UNREACHABLE; what an error answer says.  What
 * is no server of ours is not asked again.  On success `*kept` (unless NULL)
 * is the connection, for channel_open().
 */
int channel_plain(struct buf *out, struct http_client **kept, const char *url,
    enum route route, const struct buf *body, const struct channel_policy *p);

struct channel;

/* Takes a copy of everything.  Nothing is sent yet.  `kept`, a connection to
 * that URL, becomes the channel's also on error; NULL is fine. */
int channel_open(struct channel **out, struct http_client *kept,
    const char *url, const struct channel_policy *p,
    const struct mac_session *keys,
    const uint8_t store_public[SIGN_PUBLIC_BYTES]);
void channel_close(struct channel *ch); /* NULL is fine */

const struct channel_policy *channel_policy(const struct channel *ch);

/* The keys of another session of the same mount, for calls that begin now. */
void channel_rekey(struct channel *ch, const struct mac_session *keys);

/* With `on` nonzero calls end soon as ERR_UNREACHABLE; with 0 no more. */
void channel_cancel(struct channel *ch, int on);
/* When the last request began, in ns of the monotonic clock. */
int64_t channel_used_ns(struct channel *ch);

/* The payload of one checked segment; nonzero ends the call with it. */
typedef int channel_data_fn(void *arg, const uint8_t *p, size_t len);

/*
 * One try of one request.  `data` is called for each segment of the answer;
 * nothing unchecked reaches it.  Returns 0 when the whole answer was good;
 * ERR_UNREACHABLE; what an error answer says; what `data` returned.
 */
int channel_try(struct channel *ch, enum route route, const uint8_t *body,
    size_t len, channel_data_fn *data, void *arg);

/*
 * A request with an answer of one segment of at most `out_max` bytes, tried
 * as the policy says.
 */
int channel_call(struct buf *out, struct channel *ch, enum route route,
    const uint8_t *body, size_t len, size_t out_max);

#endif
