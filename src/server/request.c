#include "server/request.h"

#include "base/err.h"
#include "base/log.h"
#include "net/http_server.h"
#include "proto/body.h"
#include "proto/fault.h"
#include "proto/segment.h"
#include "store/record.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(STORE_ID_BYTES == BODY_ID_BYTES, "ids");
_Static_assert(STORE_NAME_BYTES == IDENT_BYTES, "names");
_Static_assert(STORE_GENERATION_BYTES == IDENT_GENERATION_BYTES, "generation");

#define TYPE "application/octet-stream"

/* A request under way; freed when its answer was made. */
struct request {
	struct account *account;
	struct sessions *sessions;
	struct session *session;
	struct store *store; /* the session's */
	enum route route;
	struct segment_key key;
	const uint8_t *body;
	size_t len;
	/* Of a streamed answer: */
	struct http_server_stream *stream;
	struct buf out; /* the segment being filled */
};

/* Errors that are the server's own matter go to its log. */
static void
log_error(int code)
{
	if (code == ERR_IO || code == ERR_NOSPACE || code == ERR_DAMAGED ||
	    code == ERR_NOMEM || code == ERR_READONLY || code == ERR_FAIL)
		log_warn("%s", err_text());
}

/* A decoder's ERR_DAMAGED is the client's fault, not damage. */
static int
bad_request(int r)
{
	return r == ERR_DAMAGED ? FAULT_MALFORMED : r;
}

static int
do_have(struct buf *out, struct request *q)
{
	uint8_t bitmap[LIMIT_HAVE_IDS / 8];
	struct body_member *members = NULL;
	struct store_member *found = NULL;
	struct body_have h;
	uint32_t i;
	int r = bad_request(body_have_decode(&h, q->body, q->len));

	if (r < 0)
		return r;
	if (h.kind == BODY_OBJECTS) {
		memset(bitmap, 0, sizeof(bitmap));
		r = q->store->ops->have(q->store, bitmap, h.ids, h.count);
		if (r == 0)
			r = body_have_answer_encode(out, bitmap, h.count);
		return r;
	}
	members = calloc(h.count + 1u, sizeof(*members));
	found = calloc(h.count + 1u, sizeof(*found));
	if (members == NULL || found == NULL) {
		r = err_nomem(h.count * sizeof(*members));
		goto out;
	}
	r = q->store->ops->have_files(q->store, found, h.ids, h.count);
	if (r < 0)
		goto out;
	for (i = 0; i < h.count; i++) {
		members[i].found = found[i].found;
		members[i].member = found[i].member;
		memcpy(members[i].bundle, found[i].bundle, BODY_ID_BYTES);
	}
	r = body_files_answer_encode(out, members, h.count);
out:
	free(members);
	free(found);
	return r;
}

/* Nonzero when a record of the put is not the one whose checksum it has. */
static int
is_spoilt(const struct request *q)
{
	struct record r;
	size_t at;

	for (at = 0; at < q->len; at += r.len)
		if (record_parse(&r, q->body + at, q->len - at) != 0 ||
		    record_check(&r) != 0)
			return 1;
	return 0;
}

/*
 * The request's MAC covers the records' checksums, and the store compares them
 * before it uses anything: what fails there was spoilt on its way, as if the
 * MAC itself had failed.
 */
static int
do_put(struct request *q)
{
	int r = q->store->ops->put(q->store, q->body, q->len);

	if (r == ERR_DAMAGED && is_spoilt(q))
		r = err_set(
		    FAULT_UNAUTHENTICATED, "the request fails its check");
	return r;
}

static int
do_commit(struct buf *out, struct request *q)
{
	struct store_receipt receipt;
	struct body_commit c;
	struct buf missing = BUF_INIT;
	int r;

	memset(&c, 0, sizeof(c));
	r = q->store->ops->commit(
	    q->store, &receipt, &missing, q->body, q->len);
	if (r == ERR_MISSING) {
		c.missing = 1;
		c.count = (uint32_t)(missing.len / BODY_ID_BYTES);
		if (c.count > LIMIT_MISSING_IDS)
			c.count = LIMIT_MISSING_IDS;
		c.ids = missing.data;
		r = body_commit_encode(out, &c);
	} else if (r == 0) {
		c.server_seq = receipt.server_seq;
		c.receive_ns = receipt.receive_ns;
		r = body_commit_encode(out, &c);
	}
	buf_release(&missing);
	return r;
}

static int
do_report(struct request *q)
{
	if (q->len != BODY_ID_BYTES)
		return err_set(FAULT_MALFORMED, "malformed report");
	return q->store->ops->report(q->store, q->body);
}

/* Routes with one short answer. */
static int
do_short(struct buf *out, struct request *q)
{
	int r;

	if (q->route == ROUTE_HAVE)
		return do_have(out, q);
	if (q->route == ROUTE_PUT)
		return do_put(q);
	if (q->len != 0 && q->route == ROUTE_LOGOUT)
		return err_set(FAULT_MALFORMED, "malformed log-out");
	pool_lock_enter(&q->session->serial);
	if (q->route == ROUTE_COMMIT)
		r = do_commit(out, q);
	else if (q->route == ROUTE_REPORT)
		r = do_report(q);
	else
		r = 0; /* log-out: ended when it is given back */
	pool_lock_leave(&q->session->serial);
	return r;
}

static void
free_request(void *arg)
{
	struct request *q = arg;

	sessions_give(q->sessions, q->session);
	buf_release(&q->out);
	free(q);
}

/* Send the segment that was filled. */
static int
flush(struct request *q, uint32_t flags)
{
	int r = segment_end(&q->out, 0, &q->key, flags);

	if (r == 0)
		r = http_server_push(q->stream, &q->out);
	if (r == 0 && (flags & SEGMENT_LAST) == 0)
		r = segment_begin(&q->out);
	return r;
}

/* Make room for an item of `len` bytes. */
static int
make_room(struct request *q, size_t len)
{
	size_t filled = q->out.len - SEGMENT_HEAD_BYTES;

	if (filled >= SEGMENT_FLUSH_BYTES ||
	    (filled > 0 && len > SEGMENT_PAYLOAD_MAX - filled))
		return flush(q, 0);
	return 0;
}

static int
on_record(void *arg, enum store_got got, const uint8_t *id,
    const uint8_t *record, size_t len)
{
	struct request *q = arg;
	uint8_t status = got == STORE_GOT_RECORD   ? BODY_ITEM_RECORD
			 : got == STORE_GOT_ABSENT ? BODY_ITEM_ABSENT
						   : BODY_ITEM_DAMAGED;
	int r;

	if (got != STORE_GOT_RECORD)
		len = 0;
	r = make_room(q, BODY_ITEM_BYTES + len);
	if (r == 0)
		r = body_item_encode(&q->out, status, id, record, len);
	return r;
}

static int
on_snapshot(void *arg, const struct store_snapshot *s)
{
	struct body_file f = {.seq = s->seq, .file = s->file, .len = s->len};
	struct request *q = arg;
	int r = make_room(q, BODY_FILE_BYTES + s->len);

	memcpy(f.mount, s->mount, sizeof(f.mount));
	if (r == 0)
		r = body_file_encode(&q->out, &f);
	return r;
}

static int
on_mount(void *arg, const struct account_mount *m)
{
	struct request *q = arg;
	struct body_mount b;
	int r;

	memcpy(b.mount, m->mount, sizeof(b.mount));
	memcpy(b.public_key, m->public_key, sizeof(b.public_key));
	memcpy(b.label, m->label, sizeof(b.label));
	r = make_room(q, sizeof(b));
	if (r == 0)
		r = body_mount_encode(&q->out, &b);
	return r;
}

static int
run_stream(struct request *q)
{
	const uint8_t *id, *ids, *mount;
	int tombs, r;
	uint32_t n;

	if (q->route == ROUTE_GET) {
		r = bad_request(body_get_decode(&ids, &n, q->body, q->len));
		return r < 0
			   ? r
			   : q->store->ops->get(q->store, ids, n, on_record, q);
	}
	if (q->route == ROUTE_OTHER) {
		r = bad_request(
		    body_other_decode(&id, &ids, &n, q->body, q->len));
		return r < 0 ? r
			     : q->store->ops->get_other(
				   q->store, id, ids, n, on_record, q);
	}
	if (q->route == ROUTE_MOUNTS)
		return q->len != 0
			   ? err_set(FAULT_MALFORMED, "malformed mounts")
			   : account_mounts(
				 q->account, q->session->vault, on_mount, q);
	r = bad_request(body_snapshots_decode(&mount, &tombs, q->body, q->len));
	if (r < 0)
		return r;
	pool_lock_enter(&q->session->serial);
	if (!tombs)
		r = q->store->ops->snapshots(q->store, mount, on_snapshot, q);
	else if (q->store->ops->tombs != NULL)
		r = q->store->ops->tombs(q->store, mount, on_snapshot, q);
	pool_lock_leave(&q->session->serial);
	return r;
}

/* In a thread of its own. */
static int
produce(void *arg, struct http_server_stream *st)
{
	struct request *q = arg;
	int r;

	q->stream = st;
	r = segment_begin(&q->out);
	if (r < 0)
		return r;
	r = run_stream(q);
	if (r < 0) {
		struct buf fault = BUF_INIT;

		log_error(r);
		r = fault_encode(&fault, r, err_text());
		if (r == 0 && q->out.len > SEGMENT_HEAD_BYTES)
			r = flush(q, 0);
		if (r == 0)
			r = buf_append(&q->out, fault.data, fault.len);
		if (r == 0)
			r = flush(q, SEGMENT_LAST | SEGMENT_ERROR);
		buf_release(&fault);
		return r;
	}
	return r != 0 ? r : flush(q, SEGMENT_LAST);
}

/* Do it, answer with one segment. */
static void
answer_short(struct http_server_request *rq, struct request *q)
{
	struct buf payload = BUF_INIT, b = BUF_INIT;
	uint32_t flags = SEGMENT_LAST;
	int r = do_short(&payload, q);

	if (r < 0) {
		log_error(r);
		q->key.status = fault_status(r);
		flags |= SEGMENT_ERROR;
		buf_reset(&payload);
		r = fault_encode(&payload, r, err_text());
	}
	if (r == 0)
		r = segment_append(
		    &b, &q->key, flags, payload.data, payload.len);
	if (r == 0)
		http_server_answer(rq, q->key.status, TYPE, NULL, NULL, &b);
	buf_release(&payload);
	buf_release(&b);
}

void
request_do(struct http_server_request *rq, struct account *a,
    struct sessions *ss, struct session *s, enum route route, uint64_t number,
    const uint8_t mac[SIGN_MAC_BYTES], const uint8_t *body, size_t len)
{
	struct request *q = calloc(1, sizeof(*q));

	if (q == NULL) {
		sessions_give(ss, s);
		return;
	}
	q->account = a;
	q->sessions = ss;
	q->session = s;
	q->store = s->store;
	q->route = route;
	q->key.session = &s->keys;
	q->key.number = number;
	memcpy(q->key.request_mac, mac, SIGN_MAC_BYTES);
	q->key.status = 200;
	q->key.records = route == ROUTE_GET || route == ROUTE_OTHER;
	q->body = body;
	q->len = len;
	if (route == ROUTE_GET || route == ROUTE_OTHER ||
	    route == ROUTE_SNAPSHOTS || route == ROUTE_MOUNTS) {
		http_server_stream(rq, 200, TYPE, produce, free_request, q);
		return;
	}
	answer_short(rq, q);
	if (route == ROUTE_LOGOUT)
		sessions_end(ss, s);
	free_request(q);
}
