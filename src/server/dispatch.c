#include "server/dispatch.h"

#include "base/err.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/random.h"
#include "hash/hash.h"
#include "net/http_server.h"
#include "proto/fault.h"
#include "proto/hello.h"
#include "proto/login.h"
#include "proto/mac.h"
#include "proto/route.h"
#include "server/request.h"
#include "store/record.h"
#include "store/store.h"

#include <string.h>

/* Bytes of a request that has no place here, read and dropped. */
#define STRAY_BYTES_MAX (64u << 10)

void
dispatch_init(struct dispatch *d, struct account *a, struct sessions *ss,
    int insecure, dispatch_open_fn *open, void *arg)
{
	memset(d, 0, sizeof(*d));
	d->account = a;
	d->sessions = ss;
	registration_init(&d->registration, a, insecure);
	d->open = open;
	d->arg = arg;
	pool_lock_init(&d->gate);
	pool_cond_init(&d->passed);
}

void
dispatch_release(struct dispatch *d)
{
	pool_cond_release(&d->passed);
	pool_lock_release(&d->gate);
	registration_release(&d->registration);
}

int
dispatch_close_vault(struct dispatch *d, const uint8_t vault[IDENT_BYTES])
{
	unsigned n;
	int r = 0;

	pool_lock_enter(&d->gate);
	if (d->closed) {
		r = err_set(ERR_BUSY, "another check is running");
	} else {
		d->closed = 1;
		memcpy(d->closed_vault, vault, IDENT_BYTES);
		while (d->passing > 0)
			pool_cond_wait(&d->passed, &d->gate);
	}
	pool_lock_leave(&d->gate);
	if (r < 0)
		return r;
	n = sessions_count(d->sessions, vault);
	if (n > 0) {
		dispatch_open_vault(d);
		return err_set(ERR_BUSY,
		    "%u session%s on this vault; a session ends with its "
		    "command, or 10 minutes after a client was lost",
		    n, n == 1 ? "" : "s");
	}
	return 0;
}

void
dispatch_open_vault(struct dispatch *d)
{
	pool_lock_enter(&d->gate);
	d->closed = 0;
	pool_lock_leave(&d->gate);
}

/* A log-in passes the gate, or is told to come again. */
static int
pass_gate(struct dispatch *d, const uint8_t vault[IDENT_BYTES])
{
	int r = 0;

	pool_lock_enter(&d->gate);
	if (d->closed && memcmp(d->closed_vault, vault, IDENT_BYTES) == 0)
		r = err_set(ERR_BUSY, "the vault is being checked");
	else
		d->passing++;
	pool_lock_leave(&d->gate);
	return r;
}

static void
leave_gate(struct dispatch *d)
{
	pool_lock_enter(&d->gate);
	d->passing--;
	pool_cond_wake_all(&d->passed);
	pool_lock_leave(&d->gate);
}

/* Session and number from the headers.  0; 1 when they are not there. */
static int
read_headers(uint8_t session[IDENT_BYTES], uint64_t *number,
    struct http_server_request *rq)
{
	const char *s = http_server_header(rq, ROUTE_HEADER_SESSION);
	const char *n = http_server_header(rq, ROUTE_HEADER_NUMBER);
	uint64_t v = 0;

	if (s == NULL || n == NULL || *n == '\0' || strlen(n) > 19 ||
	    hex_decode(session, IDENT_BYTES, s, strlen(s)) < 0)
		return 1;
	for (; *n != '\0'; n++) {
		if (*n < '0' || *n > '9')
			return 1;
		v = 10 * v + (uint64_t)(*n - '0');
	}
	*number = v;
	return 0;
}

int
dispatch_accept(size_t *body_max, void *arg, struct http_server_request *rq)
{
	enum route route = route_find(http_server_path(rq));
	uint8_t session[IDENT_BYTES];
	struct dispatch *d = arg;
	uint64_t number;

	*body_max = STRAY_BYTES_MAX;
	if (route == ROUTE_NONE || !route_info(route)->post)
		return 1;
	*body_max = route_info(route)->body_max;
	if (!route_info(route)->session)
		return 0;
	*body_max += SIGN_MAC_BYTES;
	/* Memory only for those who have a session. */
	if (read_headers(session, &number, rq) != 0 ||
	    !sessions_known(d->sessions, session))
		return 1;
	return 0;
}

/* An error answer that nothing vouches for: outside of sessions. */
static void
answer_fault(struct http_server_request *rq, int code)
{
	struct buf b = BUF_INIT;

	if (fault_encode(&b, code, err_text()) == 0)
		http_server_answer(
		    rq, fault_status(code), "application/json", NULL, NULL, &b);
	buf_release(&b);
}

/* An error answer signed by the store: no session can vouch for it. */
static void
answer_refusal(struct dispatch *d, struct http_server_request *rq,
    const uint8_t session[IDENT_BYTES], uint64_t number, int code,
    const char *text)
{
	uint8_t sig[SIGN_BYTES];
	struct buf b = BUF_INIT;
	int r = fault_encode(&b, code, text);

	if (r == 0) {
		mac_refusal_make(sig, account_seed(d->account), session, number,
		    fault_status(code), b.data, b.len);
		r = buf_append(&b, sig, sizeof(sig));
	}
	if (r == 0)
		http_server_answer(rq, fault_status(code),
		    "application/octet-stream", ROUTE_HEADER_PROOF,
		    ROUTE_PROOF_SIGNATURE, &b);
	buf_release(&b);
}

/* Answer with the JSON in `b`, or with the error `r`. */
static void
answer_json(struct http_server_request *rq, int r, struct buf *b)
{
	if (r < 0)
		answer_fault(rq, r);
	else
		http_server_answer(rq, 200, "application/json", NULL, NULL, b);
	buf_release(b);
}

static void
do_hello(struct dispatch *d, struct http_server_request *rq)
{
	struct buf b = BUF_INIT;
	struct hello h;

	memcpy(h.store, account_public(d->account), sizeof(h.store));
	h.insecure = d->registration.insecure;
	answer_json(rq, hello_encode(&b, &h), &b);
}

static void
do_register(struct dispatch *d, struct http_server_request *rq,
    const uint8_t *body, size_t len)
{
	struct enroll_request request;
	struct enroll_answer answer;
	struct buf b = BUF_INIT;
	int r = enroll_request_decode(&request, body, len);

	if (r == ERR_DAMAGED) {
		r = FAULT_MALFORMED;
	} else if (r == 0) {
		r = registration_do(&answer, &d->registration, &request);
		if (r < 0)
			log_warn("registration refused: %s", err_text());
	}
	if (r == 0)
		r = enroll_answer_encode(&b, &answer);
	answer_json(rq, r, &b);
}

/* Who asks, and is it true? */
static int
check_login(
    struct account_mount *m, struct dispatch *d, const struct login_request *rq)
{
	int r;

	if (memcmp(rq->store, account_public(d->account), SIGN_PUBLIC_BYTES) !=
	    0)
		return err_set(ERR_REFUSED,
		    "this is another store than the directory is "
		    "registered with; is the disk of that one mounted?");
	r = account_mount(m, d->account, rq->mount);
	if (r == 1)
		r = err_set(
		    ERR_REFUSED, "this directory is not registered here");
	if (r == ERR_DAMAGED)
		r = err_set(ERR_REFUSED,
		    "the store's record of this mount is damaged; register "
		    "the directory again with a new invitation");
	if (r == 0)
		r = login_request_check(rq, m->public_key);
	return r;
}

/* Fill the answer from the new store session. */
static int
fill_login(struct login_answer *a, struct dispatch *d,
    const struct account_mount *m, const struct store *store)
{
	int r = account_vault(&a->header, d->account, m->vault);

	if (r == 1)
		r = err_set(ERR_DAMAGED, "the vault's header is missing");
	random_bytes(a->session, sizeof(a->session));
	memcpy(a->generation, store->info.generation, sizeof(a->generation));
	a->has_parent = store->info.has_parent;
	if (a->has_parent) {
		a->parent_client_seq = store->info.parent_client_seq;
		a->parent_server_seq = store->info.parent_server_seq;
		memcpy(a->parent_hash, store->info.parent_hash,
		    sizeof(a->parent_hash));
	}
	return r;
}

/* Open a store session and add it to the table. */
static int
open_session(struct login_answer *a, struct dispatch *d,
    const struct login_request *rq, const struct account_mount *m)
{
	uint8_t secret[SIGN_DH_BYTES];
	struct mac_session keys;
	struct store *store = NULL;
	int r;

	memset(a, 0, sizeof(*a));
	sign_dh_pair(secret, a->dh);
	r = d->open(&store, d->arg, m);
	if (r == 0)
		r = fill_login(a, d, m, store);
	if (r == 0)
		r = login_answer_make(a, rq, account_seed(d->account));
	if (r == 0)
		r = login_session(&keys, rq, a, secret, rq->dh);
	if (r == 0) {
		r = sessions_add(d->sessions, &keys, m->mount, m->vault, store);
		store = NULL;
	}
	if (store != NULL)
		store->ops->close(store);
	hash_wipe(secret, sizeof(secret));
	mac_wipe(&keys);
	return r;
}

static int
login(
    struct login_answer *a, struct dispatch *d, const struct login_request *rq)
{
	struct account_mount m;
	int r = check_login(&m, d, rq);

	if (r == 0)
		r = pass_gate(d, m.vault);
	if (r < 0)
		return r;
	r = open_session(a, d, rq, &m);
	leave_gate(d);
	if (r == 0)
		log_debug("log-in of %s", m.label);
	return r;
}

static void
do_login(struct dispatch *d, struct http_server_request *rq,
    const uint8_t *body, size_t len)
{
	struct login_request request;
	struct login_answer answer;
	struct buf b = BUF_INIT;
	int r = login_request_decode(&request, body, len);

	if (r == ERR_DAMAGED) {
		r = FAULT_MALFORMED;
	} else if (r == 0) {
		r = login(&answer, d, &request);
		if (r < 0)
			log_warn("log-in failed: %s", err_text());
	}
	if (r == 0)
		r = login_answer_encode(&b, &answer);
	answer_json(rq, r, &b);
}

/*
 * Is a request in session `s` (NULL: there is none) proved, and is it new?
 * Sets `mac` to its MAC.  Returns 0, or a code with its message.
 */
static int
check_request(uint8_t mac[SIGN_MAC_BYTES], struct dispatch *d,
    struct session *s, enum route route, uint64_t number, const uint8_t *body,
    size_t len)
{
	int r = 0;

	if (s == NULL)
		return err_set(ERR_STALE, "the session has ended");
	if (len < SIGN_MAC_BYTES)
		return err_set(FAULT_MALFORMED, "the request has no check");
	len -= SIGN_MAC_BYTES;
	if (route == ROUTE_PUT)
		r = mac_put(mac, &s->keys, number, body, len, record_feed_sums);
	else
		mac_request(mac, &s->keys, number, route, body, len);
	if (r < 0 || !hash_equal(mac, body + len, SIGN_MAC_BYTES))
		return err_set(
		    FAULT_UNAUTHENTICATED, "the request fails its check");
	r = sessions_accept(d->sessions, s, number);
	if (r == SESSIONS_SEEN)
		return err_set(
		    FAULT_UNAUTHENTICATED, "the request was there before");
	if (r == SESSIONS_FIRST)
		sessions_settle(d->sessions, s->mount);
	return 0;
}

static void
do_session(struct dispatch *d, struct http_server_request *rq, enum route route,
    const uint8_t *body, size_t len)
{
	uint8_t session[IDENT_BYTES], mac[SIGN_MAC_BYTES];
	struct session *s = NULL;
	uint64_t number;
	int r;

	if (read_headers(session, &number, rq) != 0) {
		answer_fault(
		    rq, err_set(FAULT_MALFORMED, "no session is named"));
		return;
	}
	if (http_server_too_long(rq)) {
		r = err_set(ERR_LIMIT, "the request is too long");
	} else {
		if (body != NULL)
			s = sessions_take(d->sessions, session);
		r = check_request(mac, d, s, route, number, body, len);
	}
	if (r == 0) {
		/* Gives the session back when it is answered. */
		request_do(rq, d->account, d->sessions, s, route, number, mac,
		    body, len - SIGN_MAC_BYTES);
		return;
	}
	answer_refusal(d, rq, session, number, r, err_text());
	if (s != NULL)
		sessions_give(d->sessions, s);
}

void
dispatch_handle(void *arg, struct http_server_request *rq)
{
	enum route route = route_find(http_server_path(rq));
	struct dispatch *d = arg;
	const uint8_t *body;
	size_t len = 0;

	if (route == ROUTE_NONE ||
	    (route_info(route)->post ? !http_server_is_post(rq)
				     : !http_server_is_get(rq))) {
		answer_fault(rq, err_set(ERR_NOENT, "there is no such route"));
		return;
	}
	body = http_server_body(&len, rq);
	if (route_info(route)->session) {
		do_session(d, rq, route, body, len);
		return;
	}
	if (route_info(route)->post && body == NULL) {
		answer_fault(rq, err_set(ERR_LIMIT, "the request is too long"));
		return;
	}
	if (route == ROUTE_HELLO)
		do_hello(d, rq);
	else if (route == ROUTE_REGISTER)
		do_register(d, rq, body, len);
	else
		do_login(d, rq, body, len);
}
