#include "client/channel.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/pool.h"
#include "net/http_client.h"
#include "proto/fault.h"
#include "proto/segment.h"
#include "store/record.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Calls under way at once; more wait. */
#define CHANNEL_CONNECTIONS 12

const struct channel_policy channel_policy_default = {
    .retry = {.for_ms = 10000, .pause_ms = 250, .pause_ms_max = 10000},
    .connect_ms = 10000,
    .stall_seconds = 120,
    .commit_stall_seconds = 900,
    .heartbeat_ms = 25000,
};

struct channel {
	char *url;
	struct channel_policy policy;
	struct mac_session keys;
	uint8_t store_public[SIGN_PUBLIC_BYTES];
	struct pool_lock lock;
	struct pool_cond given_back;
	atomic_int cancel;
	uint64_t number; /* of the last request */
	int64_t used_ns; /* when it began */
	unsigned in_use;
	/* Idle ones, by what they carried last: TCP learns how much a
	 * connection may carry at once from what it carried, so records do
	 * not go over one that saw questions alone. */
	unsigned idle[2];
	struct http_client *clients[2][CHANNEL_CONNECTIONS];
};

/* Collect an answer outside of sessions. */
static int
on_plain(void *arg, const struct http_client_call *call, const uint8_t *p,
    size_t len)
{
	struct buf *b = arg;

	(void)call; /* the status is looked at when all is there */
	if (len > LIMIT_JSON_BYTES - b->len)
		return err_set(
		    ERR_UNREACHABLE, "the server's answer is too long");
	return buf_append(b, p, len);
}

int
channel_plain(struct buf *out, struct http_client **kept, const char *url,
    enum route route, const struct buf *body, const struct channel_policy *p)
{
	struct http_client_call call;
	struct http_client *c;
	struct retry t;
	struct buf b = BUF_INIT;
	int foreign = 0, r = http_client_open(&c, url);

	if (r < 0)
		return r;
	retry_init(&t, &p->retry);
	do {
		buf_reset(&b);
		memset(&call, 0, sizeof(call));
		call.path = route_info(route)->path;
		if (body != NULL) {
			call.post = 1;
			call.part[0] = body->data;
			call.part_len[0] = body->len;
		}
		call.connect_ms = p->connect_ms;
		call.stall_seconds = p->stall_seconds;
		call.data = on_plain;
		call.arg = &b;
		r = http_client_do(c, &call);
		if (r == 0 && call.status != 200 &&
		    fault_decode(b.data, b.len) == ERR_UNREACHABLE) {
			r = err_set(ERR_UNREACHABLE,
			    "%s is not a hashstore server (HTTP %u)", url,
			    call.status);
			/* A gateway may stand in for ours while it is down. */
			foreign = call.status < 502 || call.status > 504;
		} else if (r == 0 && call.status != 200)
			r = fault_decode(b.data, b.len);
	} while (!foreign && retry_again(&t, &r));
	if (r == 0)
		r = buf_append(out, b.data, b.len);
	buf_release(&b);
	if (r == 0 && kept != NULL)
		*kept = c;
	else
		http_client_close(c);
	return r;
}

int
channel_open(struct channel **out, struct http_client *kept, const char *url,
    const struct channel_policy *p, const struct mac_session *keys,
    const uint8_t store_public[SIGN_PUBLIC_BYTES])
{
	struct channel *ch = calloc(1, sizeof(*ch));

	if (ch == NULL) {
		http_client_close(kept);
		return err_nomem(sizeof(*ch));
	}
	if (kept != NULL)
		ch->clients[0][ch->idle[0]++] = kept;
	ch->policy = *p;
	ch->keys = *keys;
	memcpy(ch->store_public, store_public, SIGN_PUBLIC_BYTES);
	pool_lock_init(&ch->lock);
	pool_cond_init(&ch->given_back);
	atomic_init(&ch->cancel, 0);
	ch->used_ns = clock_mono_ns();
	ch->url = fs_printf("%s", url);
	if (ch->url == NULL) {
		channel_close(ch);
		return err_nomem(strlen(url));
	}
	*out = ch;
	return 0;
}

void
channel_close(struct channel *ch)
{
	unsigned i;

	if (ch == NULL)
		return;
	for (i = 0; i < 2; i++)
		while (ch->idle[i] > 0)
			http_client_close(ch->clients[i][--ch->idle[i]]);
	pool_cond_release(&ch->given_back);
	pool_lock_release(&ch->lock);
	mac_wipe(&ch->keys);
	free(ch->url);
	free(ch);
}

const struct channel_policy *
channel_policy(const struct channel *ch)
{
	return &ch->policy;
}

void
channel_cancel(struct channel *ch, int on)
{
	atomic_store(&ch->cancel, on);
}

int64_t
channel_used_ns(struct channel *ch)
{
	int64_t ns;

	pool_lock_enter(&ch->lock);
	ns = ch->used_ns;
	pool_lock_leave(&ch->lock);
	return ns;
}

void
channel_rekey(struct channel *ch, const struct mac_session *keys)
{
	pool_lock_enter(&ch->lock);
	ch->keys = *keys;
	pool_lock_leave(&ch->lock);
}

/* Nonzero for requests that carry records: they get connections that did. */
static int
is_bulk(enum route route)
{
	return route == ROUTE_PUT || route == ROUTE_GET;
}

/* Nonzero for requests whose answers are items with records. */
static int
carries_records(enum route route)
{
	return route == ROUTE_GET || route == ROUTE_OTHER;
}

/* A connection nobody else uses, the number of the request, and the keys of
 * the session as it is now. */
static int
take_client(struct http_client **out, uint64_t *number,
    struct mac_session *keys, struct channel *ch, int bulk)
{
	struct http_client *c = NULL;
	int r = 0;

	pool_lock_enter(&ch->lock);
	while (ch->in_use == CHANNEL_CONNECTIONS)
		pool_cond_wait(&ch->given_back, &ch->lock);
	ch->in_use++;
	*number = ++ch->number;
	*keys = ch->keys;
	ch->used_ns = clock_mono_ns();
	/* Another one of the other kind only when no new one may be made. */
	if (ch->idle[bulk] == 0 &&
	    ch->in_use + ch->idle[!bulk] > CHANNEL_CONNECTIONS)
		bulk = !bulk;
	if (ch->idle[bulk] > 0)
		c = ch->clients[bulk][--ch->idle[bulk]];
	pool_lock_leave(&ch->lock);
	if (c == NULL)
		r = http_client_open(&c, ch->url);
	if (r < 0) {
		pool_lock_enter(&ch->lock);
		ch->in_use--;
		pool_cond_wake_all(&ch->given_back);
		pool_lock_leave(&ch->lock);
		return r;
	}
	*out = c;
	return 0;
}

static void
give_client(struct channel *ch, struct http_client *c, int bulk)
{
	pool_lock_enter(&ch->lock);
	ch->in_use--;
	ch->clients[bulk][ch->idle[bulk]++] = c;
	pool_cond_wake_all(&ch->given_back);
	pool_lock_leave(&ch->lock);
}

/* One answer as it comes in. */
struct reception {
	struct mac_session keys;
	struct segment_key key;
	struct segment_reader reader;
	struct buf refusal; /* an answer with a signature */
	channel_data_fn *data;
	void *arg;
};

static int
on_segment(void *arg, const uint8_t *p, size_t len, uint32_t flags)
{
	struct reception *rx = arg;

	if ((flags & SEGMENT_ERROR) != 0)
		return fault_decode(p, len);
	if (rx->key.status != 200)
		return err_set(
		    ERR_UNREACHABLE, "the server's answer is malformed");
	return rx->data(rx->arg, p, len);
}

static int
is_refusal(const struct http_client_call *call)
{
	return strcmp(call->value, ROUTE_PROOF_SIGNATURE) == 0;
}

static int
on_body(void *arg, const struct http_client_call *call, const uint8_t *p,
    size_t len)
{
	struct reception *rx = arg;

	if (is_refusal(call)) {
		if (len > LIMIT_JSON_BYTES - rx->refusal.len)
			return err_set(
			    ERR_UNREACHABLE, "the server's answer is too long");
		return buf_append(&rx->refusal, p, len);
	}
	rx->key.status = call->status;
	return segment_reader_feed(&rx->reader, p, len, on_segment, rx);
}

/* An answer that the store has signed because no session vouches for it. */
static int
take_refusal(const struct channel *ch, const struct reception *rx,
    const struct http_client_call *call)
{
	const struct buf *b = &rx->refusal;
	size_t len = b->len - SIGN_BYTES;

	if (b->len < SIGN_BYTES || call->status == 200 ||
	    mac_refusal_check(b->data + len, ch->store_public, rx->keys.session,
		rx->key.number, call->status, b->data, len) < 0)
		return err_set(
		    ERR_UNREACHABLE, "the server's answer fails its check");
	return fault_decode(b->data, len);
}

/* The request's MAC.  ERR_DAMAGED: what is to be put are no records. */
static int
prove(struct reception *rx, enum route route, const uint8_t *body, size_t len)
{
	if (route == ROUTE_PUT)
		return mac_put(rx->key.request_mac, &rx->keys, rx->key.number,
		    body, len, record_feed_sums);
	mac_request(
	    rx->key.request_mac, &rx->keys, rx->key.number, route, body, len);
	return 0;
}

/* Commits and log-outs may have to wait for disks. */
static unsigned
stall_seconds(const struct channel *ch, enum route route)
{
	return route == ROUTE_COMMIT || route == ROUTE_LOGOUT
		   ? ch->policy.commit_stall_seconds
		   : ch->policy.stall_seconds;
}

int
channel_try(struct channel *ch, enum route route, const uint8_t *body,
    size_t len, channel_data_fn *data, void *arg)
{
	char session[64 + 2 * IDENT_BYTES], number[64],
	    hex[2 * IDENT_BYTES + 1];
	struct reception rx = {.data = data, .arg = arg};
	struct http_client_call call;
	struct http_client *c;
	int r = take_client(&c, &rx.key.number, &rx.keys, ch, is_bulk(route));

	if (r < 0)
		return r;
	rx.key.session = &rx.keys;
	rx.key.records = carries_records(route);
	r = prove(&rx, route, body, len);
	if (r < 0)
		goto out;
	segment_reader_init(&rx.reader, &rx.key, SEGMENT_PAYLOAD_MAX);
	hex_encode(hex, rx.keys.session, IDENT_BYTES);
	(void)snprintf(session, sizeof(session), "%s: %s", ROUTE_HEADER_SESSION,
	    hex); /* it fits */
	(void)snprintf(number, sizeof(number), "%s: %llu", ROUTE_HEADER_NUMBER,
	    (unsigned long long)rx.key.number); /* it fits */

	memset(&call, 0, sizeof(call));
	call.path = route_info(route)->path;
	call.post = 1;
	call.headers[0] = session;
	call.headers[1] = number;
	call.part[0] = body;
	call.part_len[0] = len;
	call.part[1] = rx.key.request_mac;
	call.part_len[1] = SIGN_MAC_BYTES;
	call.connect_ms = ch->policy.connect_ms;
	call.stall_seconds = stall_seconds(ch, route);
	call.data = on_body;
	call.arg = &rx;
	call.want = ROUTE_HEADER_PROOF;
	call.cancel = &ch->cancel;
	r = http_client_do(c, &call);
	if (r == 0 && is_refusal(&call))
		r = take_refusal(ch, &rx, &call);
	else if (r == 0)
		r = segment_reader_end(&rx.reader);
	segment_reader_release(&rx.reader);
	buf_release(&rx.refusal);
out:
	mac_wipe(&rx.keys);
	give_client(ch, c, is_bulk(route));
	return r;
}

struct collection {
	struct buf *out;
	size_t max;
};

static int
on_collect(void *arg, const uint8_t *p, size_t len)
{
	struct collection *co = arg;

	if (len > co->max - co->out->len)
		return err_set(
		    ERR_UNREACHABLE, "the server's answer is too long");
	return buf_append(co->out, p, len);
}

int
channel_call(struct buf *out, struct channel *ch, enum route route,
    const uint8_t *body, size_t len, size_t out_max)
{
	struct collection co = {out, out_max};
	struct retry t;
	int r;

	retry_init(&t, &ch->policy.retry);
	do {
		buf_reset(out);
		r = channel_try(ch, route, body, len, on_collect, &co);
	} while (retry_again(&t, &r));
	return r;
}
