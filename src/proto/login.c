#include "proto/login.h"

#include "base/err.h"
#include "base/json.h"
#include "base/random.h"
#include "hash/hash.h"

#include <string.h>

#define MOUNT_CONTEXT "hashstore login mount v1"
#define STORE_CONTEXT "hashstore login store v1"
#define SESSION_CONTEXT "hashstore 2026 session v1"

/* What the mount signs. */
#define REQUEST_BYTES \
	(SIGN_PUBLIC_BYTES + IDENT_BYTES + SIGN_DH_BYTES + IDENT_NONCE_BYTES)

static void
request_bytes(uint8_t out[REQUEST_BYTES], const struct login_request *rq)
{
	memcpy(out, rq->store, SIGN_PUBLIC_BYTES);
	out += SIGN_PUBLIC_BYTES;
	memcpy(out, rq->mount, IDENT_BYTES);
	out += IDENT_BYTES;
	memcpy(out, rq->dh, SIGN_DH_BYTES);
	out += SIGN_DH_BYTES;
	memcpy(out, rq->nonce, IDENT_NONCE_BYTES);
}

void
login_request_make(
    struct login_request *rq, const uint8_t mount_seed[SIGN_SEED_BYTES])
{
	uint8_t m[REQUEST_BYTES];

	random_bytes(rq->nonce, sizeof(rq->nonce));
	request_bytes(m, rq);
	sign_make(rq->signature, mount_seed, MOUNT_CONTEXT, m, sizeof(m));
}

int
login_request_check(const struct login_request *rq,
    const uint8_t mount_public[SIGN_PUBLIC_BYTES])
{
	uint8_t m[REQUEST_BYTES];

	request_bytes(m, rq);
	return sign_check(
	    rq->signature, mount_public, MOUNT_CONTEXT, m, sizeof(m));
}

/* What the store signs: the request, its signature and the answer. */
static int
append_transcript(struct buf *out, const struct login_request *rq,
    const struct login_answer *a)
{
	uint8_t m[REQUEST_BYTES];
	int r;

	request_bytes(m, rq);
	r = buf_append(out, m, sizeof(m));
	if (r == 0)
		r = buf_append(out, rq->signature, sizeof(rq->signature));
	if (r == 0)
		r = buf_append(out, a->session, sizeof(a->session));
	if (r == 0)
		r = buf_append(out, a->dh, sizeof(a->dh));
	if (r == 0)
		r = buf_append(out, a->generation, sizeof(a->generation));
	if (r == 0)
		r = buf_append8(out, a->has_parent != 0);
	if (r == 0)
		r = buf_append64(out, a->parent_client_seq);
	if (r == 0)
		r = buf_append64(out, a->parent_server_seq);
	if (r == 0)
		r = buf_append(out, a->parent_hash, sizeof(a->parent_hash));
	if (r == 0)
		r = buf_append32(out, a->protocol_max);
	if (r == 0)
		r = header_append(out, &a->header);
	return r;
}

int
login_answer_make(struct login_answer *a, const struct login_request *rq,
    const uint8_t store_seed[SIGN_SEED_BYTES])
{
	struct buf t = BUF_INIT;
	int r;

	a->protocol_max = IDENT_PROTOCOL;
	r = append_transcript(&t, rq, a);
	if (r == 0)
		sign_make(
		    a->signature, store_seed, STORE_CONTEXT, t.data, t.len);
	buf_release(&t);
	return r;
}

int
login_answer_check(const struct login_answer *a, const struct login_request *rq,
    const uint8_t store_public[SIGN_PUBLIC_BYTES])
{
	struct buf t = BUF_INIT;
	int r = append_transcript(&t, rq, a);

	if (r == 0)
		r = sign_check(
		    a->signature, store_public, STORE_CONTEXT, t.data, t.len);
	buf_release(&t);
	return r;
}

int
login_session(struct mac_session *out, const struct login_request *rq,
    const struct login_answer *a, const uint8_t secret[SIGN_DH_BYTES],
    const uint8_t peer[SIGN_DH_BYTES])
{
	uint8_t shared[SIGN_DH_BYTES], keys[2 * SIGN_MAC_BYTES];
	uint8_t input[SIGN_DH_BYTES + HASH_BYTES];
	struct buf t = BUF_INIT;
	int r;

	r = sign_dh(shared, secret, peer);
	if (r == 0)
		r = append_transcript(&t, rq, a);
	if (r == 0)
		r = buf_append(&t, a->signature, sizeof(a->signature));
	if (r < 0)
		goto out;
	memcpy(input, shared, SIGN_DH_BYTES);
	hash_bytes(input + SIGN_DH_BYTES, t.data, t.len);
	hash_derive(keys, sizeof(keys), SESSION_CONTEXT, input, sizeof(input));
	memcpy(out->session, a->session, IDENT_BYTES);
	memcpy(out->request_key, keys, SIGN_MAC_BYTES);
	memcpy(out->answer_key, keys + SIGN_MAC_BYTES, SIGN_MAC_BYTES);
out:
	hash_wipe(shared, sizeof(shared));
	hash_wipe(input, sizeof(input));
	hash_wipe(keys, sizeof(keys));
	buf_release(&t);
	return r;
}

int
login_request_encode(struct buf *out, const struct login_request *rq)
{
	struct json *j = json_new_object();
	int r;

	if (j == NULL)
		return ERR_NOMEM;
	r = json_set_hex(j, "store", rq->store, sizeof(rq->store));
	if (r == 0)
		r = json_set_hex(j, "mount", rq->mount, sizeof(rq->mount));
	if (r == 0)
		r = json_set_hex(j, "dh", rq->dh, sizeof(rq->dh));
	if (r == 0)
		r = json_set_hex(j, "nonce", rq->nonce, sizeof(rq->nonce));
	if (r == 0)
		r = json_set_hex(
		    j, "signature", rq->signature, sizeof(rq->signature));
	if (r == 0)
		r = json_encode(out, j);
	json_free(j);
	return r;
}

int
login_request_decode(struct login_request *out, const uint8_t *p, size_t len)
{
	struct login_request rq;
	struct json *j;
	int r = json_decode(&j, (const char *)p, len);

	if (r < 0)
		return r;
	r = json_get_hex(rq.store, sizeof(rq.store), j, "store");
	if (r == 0)
		r = json_get_hex(rq.mount, sizeof(rq.mount), j, "mount");
	if (r == 0)
		r = json_get_hex(rq.dh, sizeof(rq.dh), j, "dh");
	if (r == 0)
		r = json_get_hex(rq.nonce, sizeof(rq.nonce), j, "nonce");
	if (r == 0)
		r = json_get_hex(
		    rq.signature, sizeof(rq.signature), j, "signature");
	if (r == 0)
		*out = rq;
	json_free(j);
	return r;
}

static int
parent_to_json(struct json *j, const struct login_answer *a)
{
	struct json *parent;
	int r;

	if (!a->has_parent)
		return 0;
	parent = json_new_object();
	if (parent == NULL)
		return ERR_NOMEM;
	r = json_set_int(parent, "client_seq", (int64_t)a->parent_client_seq);
	if (r == 0)
		r = json_set_int(
		    parent, "server_seq", (int64_t)a->parent_server_seq);
	if (r == 0)
		r = json_set_hex(
		    parent, "hash", a->parent_hash, sizeof(a->parent_hash));
	if (r < 0) {
		json_free(parent);
		return r;
	}
	return json_set(j, "parent", parent);
}

static int
parent_from_json(struct login_answer *a, const struct json *j)
{
	const struct json *parent = json_get(j, "parent");
	int64_t client, server;
	int r;

	a->has_parent = 0;
	a->parent_client_seq = a->parent_server_seq = 0;
	memset(a->parent_hash, 0, sizeof(a->parent_hash));
	if (parent == NULL)
		return json_has(j, "parent")
			   ? err_set(ERR_DAMAGED, "parent is no object")
			   : 0;
	r = json_get_int(&client, parent, "client_seq", 0, INT64_MAX);
	if (r == 0)
		r = json_get_int(&server, parent, "server_seq", 0, INT64_MAX);
	if (r == 0)
		r = json_get_hex(
		    a->parent_hash, sizeof(a->parent_hash), parent, "hash");
	if (r < 0)
		return r;
	a->has_parent = 1;
	a->parent_client_seq = (uint64_t)client;
	a->parent_server_seq = (uint64_t)server;
	return 0;
}

int
login_answer_encode(struct buf *out, const struct login_answer *a)
{
	struct json *j = json_new_object();
	int r;

	if (j == NULL)
		return ERR_NOMEM;
	r = json_set_hex(j, "session", a->session, sizeof(a->session));
	if (r == 0)
		r = json_set_hex(j, "dh", a->dh, sizeof(a->dh));
	if (r == 0)
		r = json_set_hex(
		    j, "generation", a->generation, sizeof(a->generation));
	if (r == 0)
		r = parent_to_json(j, a);
	if (r == 0)
		r = json_set_int(j, "protocol_max", a->protocol_max);
	if (r == 0)
		r = header_to_json(j, &a->header);
	if (r == 0)
		r = json_set_hex(
		    j, "signature", a->signature, sizeof(a->signature));
	if (r == 0)
		r = json_encode(out, j);
	json_free(j);
	return r;
}

int
login_answer_decode(struct login_answer *out, const uint8_t *p, size_t len)
{
	struct login_answer a;
	int64_t protocol;
	struct json *j;
	int r = json_decode(&j, (const char *)p, len);

	if (r < 0)
		return r;
	memset(&a, 0, sizeof(a));
	r = json_get_hex(a.session, sizeof(a.session), j, "session");
	if (r == 0)
		r = json_get_hex(a.dh, sizeof(a.dh), j, "dh");
	if (r == 0)
		r = json_get_hex(
		    a.generation, sizeof(a.generation), j, "generation");
	if (r == 0)
		r = parent_from_json(&a, j);
	if (r == 0)
		r = json_get_int(&protocol, j, "protocol_max", 0, UINT32_MAX);
	if (r == 0)
		r = header_from_json(&a.header, j);
	if (r == 0)
		r = json_get_hex(
		    a.signature, sizeof(a.signature), j, "signature");
	if (r == 0) {
		a.protocol_max = (uint32_t)protocol;
		*out = a;
	}
	json_free(j);
	return r;
}
