#include "client/register.h"

#include "base/err.h"
#include "hash/hash.h"
#include "proto/hello.h"

#include <string.h>

static int
ask_hello(struct hello *out, const char *url, const struct channel_policy *p)
{
	struct buf b = BUF_INIT;
	int r = channel_plain(&b, NULL, url, ROUTE_HELLO, NULL, p);

	if (r == 0 && hello_decode(out, b.data, b.len) != 0)
		r = err_prefix(ERR_UNREACHABLE, "%s", url);
	buf_release(&b);
	return r;
}

int
register_hello(uint8_t store_public[SIGN_PUBLIC_BYTES], int *insecure,
    const char *url, const struct channel_policy *policy)
{
	struct hello h;
	int r = ask_hello(
	    &h, url, policy != NULL ? policy : &channel_policy_default);

	if (r != 0)
		return r;
	memcpy(store_public, h.store, SIGN_PUBLIC_BYTES);
	*insecure = h.insecure;
	return 0;
}

static int
fill_request(struct enroll_request *rq, const struct register_options *o,
    const struct hello *h, const struct enroll_keys *keys)
{
	memset(rq, 0, sizeof(*rq));
	if (keys != NULL) {
		rq->has_invitation = 1;
		memcpy(rq->invitation, keys->id, sizeof(rq->invitation));
	}
	memcpy(rq->store, h->store, sizeof(rq->store));
	sign_public(rq->mount_public, o->mount_seed);
	rq->mode = o->mode;
	memcpy(rq->label, o->label, strlen(o->label));
	rq->header = o->header;
	return enroll_request_make(rq, o->mount_seed, o->join_seed, keys);
}

/* The round trip, checked. */
static int
enroll(struct enroll_answer *a, const struct enroll_request *rq,
    const struct register_options *o, const struct channel_policy *p,
    const struct enroll_keys *keys)
{
	struct buf body = BUF_INIT, answer = BUF_INIT;
	uint8_t mount[IDENT_BYTES];
	int r = enroll_request_encode(&body, rq);

	if (r == ERR_FAIL)
		r = err_set(ERR_USAGE, "the label is not UTF-8 text");
	if (r == 0)
		r = channel_plain(
		    &answer, NULL, o->url, ROUTE_REGISTER, &body, p);
	if (r == 0)
		r = enroll_answer_decode(a, answer.data, answer.len);
	if (r == ERR_DAMAGED)
		r = err_set(
		    ERR_UNREACHABLE, "%s is not a hashstore server", o->url);
	if (r == 0)
		r = enroll_answer_check(a, rq, keys);
	enroll_mount_id(mount, rq->mount_public);
	if (r == 0 &&
	    (memcmp(mount, a->mount, sizeof(mount)) != 0 ||
		memcmp(a->header.vault, o->header.vault, IDENT_BYTES) != 0))
		r = err_set(
		    ERR_REFUSED, "the server answers for another mount");
	buf_release(&body);
	buf_release(&answer);
	return r;
}

int
register_mount(struct register_result *out, const struct register_options *o)
{
	const struct channel_policy *p =
	    o->policy != NULL ? o->policy : &channel_policy_default;
	struct enroll_keys own, *keys = NULL;
	struct enroll_request rq;
	struct enroll_answer a;
	struct hello h;
	size_t label_len = strlen(o->label);
	int r;

	if (label_len == 0 || label_len > LIMIT_LABEL_BYTES)
		return err_set(
		    ERR_USAGE, "a label has 1 to %u bytes", LIMIT_LABEL_BYTES);
	memset(&own, 0, sizeof(own));
	if (o->invitation != NULL) {
		r = enroll_keys(&own, o->invitation);
		if (r < 0)
			return r;
		keys = &own;
	}
	r = ask_hello(&h, o->url, p);
	if (r == 0 && keys == NULL && !h.insecure)
		r = err_set(ERR_REFUSED,
		    "this server needs an invitation (--invitation)");
	if (r == 0)
		r = fill_request(&rq, o, &h, keys);
	if (r == 0)
		r = enroll(&a, &rq, o, p, keys);
	if (r == 0) {
		memcpy(out->mount, a.mount, sizeof(out->mount));
		memcpy(out->store_public, h.store, sizeof(h.store));
		out->header = a.header;
		out->created = a.created;
	}
	hash_wipe(&own, sizeof(own));
	return r;
}
