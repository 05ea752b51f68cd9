#include "proto/enroll.h"

#include "base/err.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/random.h"
#include "hash/hash.h"

#include <stdio.h>
#include <string.h>

#define MOUNT_CONTEXT "hashstore enroll mount v1"
#define JOIN_CONTEXT "hashstore enroll join v1"
#define STORE_CONTEXT "hashstore enroll store v1"
#define INVITATION_CONTEXT "hashstore enroll invitation v1"

void
enroll_uuid(char out[ENROLL_UUID_LEN + 1])
{
	uint8_t b[16];
	char hex[33];

	random_bytes(b, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4 */
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80); /* RFC 4122's variant */
	hex_encode(hex, b, sizeof(b));
	(void)snprintf(out, ENROLL_UUID_LEN + 1, "%.8s-%.4s-%.4s-%.4s-%.12s",
	    hex, hex + 8, hex + 12, hex + 16, hex + 20); /* it fits */
	hash_wipe(b, sizeof(b));
	hash_wipe(hex, sizeof(hex));
}

int
enroll_keys(struct enroll_keys *out, const char *uuid)
{
	char canon[ENROLL_UUID_LEN];
	size_t i;

	if (strlen(uuid) != ENROLL_UUID_LEN)
		goto bad;
	for (i = 0; i < ENROLL_UUID_LEN; i++) {
		char c = uuid[i];

		if (c >= 'A' && c <= 'F')
			c = (char)(c - 'A' + 'a');
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (c != '-')
				goto bad;
		} else if (!((c >= '0' && c <= '9') ||
			       (c >= 'a' && c <= 'f'))) {
			goto bad;
		}
		canon[i] = c;
	}
	hash_derive(out->id, sizeof(out->id), "hashstore 2026 invitation id v1",
	    canon, sizeof(canon));
	hash_derive(out->client_seed, sizeof(out->client_seed),
	    "hashstore 2026 invitation client v1", canon, sizeof(canon));
	sign_public(out->client, out->client_seed);
	hash_derive(out->server, sizeof(out->server),
	    "hashstore 2026 invitation server v1", canon, sizeof(canon));
	hash_wipe(canon, sizeof(canon));
	return 0;
bad:
	return err_set(ERR_USAGE,
	    "'%.40s' is no invitation: it looks like "
	    "9d739ff3-c218-4a52-a6c3-22fb669c74df",
	    uuid);
}

void
enroll_mount_id(
    uint8_t out[IDENT_BYTES], const uint8_t mount_public[SIGN_PUBLIC_BYTES])
{
	hash_derive(out, IDENT_BYTES, "hashstore 2026 mount id v1",
	    mount_public, SIGN_PUBLIC_BYTES);
}

/* What both signatures of the request cover. */
static int
append_request(struct buf *out, const struct enroll_request *rq)
{
	size_t label_len = strlen(rq->label);
	int r = buf_append8(out, rq->has_invitation != 0);

	if (r == 0)
		r = buf_append(out, rq->invitation, sizeof(rq->invitation));
	if (r == 0)
		r = buf_append(out, rq->nonce, sizeof(rq->nonce));
	if (r == 0)
		r = buf_append(out, rq->store, sizeof(rq->store));
	if (r == 0)
		r = buf_append(out, rq->mount_public, sizeof(rq->mount_public));
	if (r == 0)
		r = buf_append8(out, (uint8_t)rq->mode);
	if (r == 0)
		r = buf_append8(out, (uint8_t)label_len);
	if (r == 0)
		r = buf_append(out, rq->label, label_len);
	if (r == 0)
		r = header_append(out, &rq->header);
	return r;
}

/* ... and what the invitation's proof covers. */
static int
append_signed(struct buf *out, const struct enroll_request *rq)
{
	int r = append_request(out, rq);

	if (r == 0)
		r = buf_append(
		    out, rq->mount_signature, sizeof(rq->mount_signature));
	if (r == 0)
		r = buf_append(
		    out, rq->join_signature, sizeof(rq->join_signature));
	return r;
}

/* What the store signs: the whole request and the answer. */
static int
append_answer(struct buf *out, const struct enroll_request *rq,
    const struct enroll_answer *a)
{
	int r = append_signed(out, rq);

	if (r == 0)
		r = buf_append(out, rq->proof, sizeof(rq->proof));
	if (r == 0)
		r = buf_append(out, a->mount, sizeof(a->mount));
	if (r == 0)
		r = buf_append8(out, a->created != 0);
	if (r == 0)
		r = buf_append32(out, a->protocol_max);
	if (r == 0)
		r = header_append(out, &a->header);
	return r;
}

int
enroll_request_make(struct enroll_request *rq,
    const uint8_t mount_seed[SIGN_SEED_BYTES],
    const uint8_t join_seed[SIGN_SEED_BYTES], const struct enroll_keys *keys)
{
	struct buf b = BUF_INIT;
	int r;

	random_bytes(rq->nonce, sizeof(rq->nonce));
	memset(rq->proof, 0, sizeof(rq->proof));
	r = append_request(&b, rq);
	if (r < 0)
		goto out;
	sign_make(
	    rq->mount_signature, mount_seed, MOUNT_CONTEXT, b.data, b.len);
	sign_make(rq->join_signature, join_seed, JOIN_CONTEXT, b.data, b.len);
	buf_reset(&b);
	r = append_signed(&b, rq);
	if (r == 0 && keys != NULL)
		sign_make(rq->proof, keys->client_seed, INVITATION_CONTEXT,
		    b.data, b.len);
out:
	buf_release(&b);
	return r;
}

int
enroll_request_check(const struct enroll_request *rq,
    const struct enroll_keys *keys,
    const uint8_t join_public[SIGN_PUBLIC_BYTES])
{
	struct buf b = BUF_INIT;
	int r = append_signed(&b, rq);

	if (r < 0)
		goto out;
	if (keys != NULL && sign_check(rq->proof, keys->client,
				INVITATION_CONTEXT, b.data, b.len) < 0) {
		r = err_set(ERR_REFUSED, "the invitation does not fit");
		goto out;
	}
	buf_reset(&b);
	r = append_request(&b, rq);
	if (r < 0)
		goto out;
	r = sign_check(rq->mount_signature, rq->mount_public, MOUNT_CONTEXT,
	    b.data, b.len);
	if (r < 0) {
		r = err_set(r, "the mount does not prove its key");
		goto out;
	}
	r = sign_check(
	    rq->join_signature, join_public, JOIN_CONTEXT, b.data, b.len);
	if (r < 0)
		r = err_set(r, "membership of the vault is not proved");
out:
	buf_release(&b);
	return r;
}

int
enroll_answer_make(struct enroll_answer *a, const struct enroll_request *rq,
    const uint8_t store_seed[SIGN_SEED_BYTES], const struct enroll_keys *keys)
{
	struct buf b = BUF_INIT;
	int r;

	memset(a->mac, 0, sizeof(a->mac));
	a->protocol_max = IDENT_PROTOCOL;
	r = append_answer(&b, rq, a);
	if (r < 0)
		goto out;
	sign_make(a->signature, store_seed, STORE_CONTEXT, b.data, b.len);
	r = buf_append(&b, a->signature, sizeof(a->signature));
	if (r == 0 && keys != NULL)
		hash_keyed(a->mac, keys->server, b.data, b.len);
out:
	buf_release(&b);
	return r;
}

int
enroll_answer_check(const struct enroll_answer *a,
    const struct enroll_request *rq, const struct enroll_keys *keys)
{
	uint8_t mac[SIGN_MAC_BYTES];
	struct buf b = BUF_INIT;
	int r = append_answer(&b, rq, a);

	if (r < 0)
		goto out;
	r = sign_check(a->signature, rq->store, STORE_CONTEXT, b.data, b.len);
	if (r < 0) {
		r = err_set(r, "the store does not prove its key");
		goto out;
	}
	r = buf_append(&b, a->signature, sizeof(a->signature));
	if (r < 0 || keys == NULL)
		goto out;
	hash_keyed(mac, keys->server, b.data, b.len);
	if (!hash_equal(mac, a->mac, sizeof(mac)))
		r = err_set(
		    ERR_REFUSED, "the server does not know the invitation");
out:
	buf_release(&b);
	return r;
}

int
enroll_request_encode(struct buf *out, const struct enroll_request *rq)
{
	static const char *const modes[] = {"", "new", "join", "either"};
	struct json *j = json_new_object();
	int r = 0;

	if (j == NULL)
		return ERR_NOMEM;
	if (rq->has_invitation) {
		r = json_set_hex(
		    j, "invitation", rq->invitation, sizeof(rq->invitation));
		if (r == 0)
			r = json_set_hex(j, "invitation_proof", rq->proof,
			    sizeof(rq->proof));
	}
	if (r == 0)
		r = json_set_hex(j, "nonce", rq->nonce, sizeof(rq->nonce));
	if (r == 0)
		r = json_set_hex(j, "store", rq->store, sizeof(rq->store));
	if (r == 0)
		r = json_set_hex(j, "mount_public", rq->mount_public,
		    sizeof(rq->mount_public));
	if (r == 0)
		r = json_set_text(j, "mode", modes[rq->mode]);
	if (r == 0)
		r = json_set_text(j, "label", rq->label);
	if (r == 0)
		r = header_to_json(j, &rq->header);
	if (r == 0)
		r = json_set_hex(j, "mount_signature", rq->mount_signature,
		    sizeof(rq->mount_signature));
	if (r == 0)
		r = json_set_hex(j, "join_signature", rq->join_signature,
		    sizeof(rq->join_signature));
	if (r == 0)
		r = json_encode(out, j);
	json_free(j);
	return r;
}

static int
get_mode(enum enroll_mode *out, const struct json *j)
{
	const char *text;
	int r = json_get_text(&text, j, "mode", 16);

	if (r < 0)
		return r;
	if (strcmp(text, "new") == 0)
		*out = ENROLL_NEW;
	else if (strcmp(text, "join") == 0)
		*out = ENROLL_JOIN;
	else if (strcmp(text, "either") == 0)
		*out = ENROLL_EITHER;
	else
		return err_set(ERR_DAMAGED, "mode is none of the known ones");
	return 0;
}

static int
get_request(struct enroll_request *rq, const struct json *j)
{
	const char *label;
	int r = 0;

	rq->has_invitation = json_has(j, "invitation");
	if (rq->has_invitation) {
		r = json_get_hex(
		    rq->invitation, sizeof(rq->invitation), j, "invitation");
		if (r == 0)
			r = json_get_hex(rq->proof, sizeof(rq->proof), j,
			    "invitation_proof");
	}
	if (r == 0)
		r = json_get_hex(rq->nonce, sizeof(rq->nonce), j, "nonce");
	if (r == 0)
		r = json_get_hex(rq->store, sizeof(rq->store), j, "store");
	if (r == 0)
		r = json_get_hex(rq->mount_public, sizeof(rq->mount_public), j,
		    "mount_public");
	if (r == 0)
		r = get_mode(&rq->mode, j);
	if (r == 0)
		r = json_get_text(&label, j, "label", LIMIT_LABEL_BYTES);
	if (r == 0)
		memcpy(rq->label, label, strlen(label) + 1);
	if (r == 0)
		r = header_from_json(&rq->header, j);
	if (r == 0)
		r = json_get_hex(rq->mount_signature,
		    sizeof(rq->mount_signature), j, "mount_signature");
	if (r == 0)
		r = json_get_hex(rq->join_signature, sizeof(rq->join_signature),
		    j, "join_signature");
	return r;
}

int
enroll_request_decode(struct enroll_request *out, const uint8_t *p, size_t len)
{
	struct enroll_request rq;
	struct json *j;
	int r = json_decode(&j, (const char *)p, len);

	if (r < 0)
		return r;
	memset(&rq, 0, sizeof(rq));
	r = get_request(&rq, j);
	if (r == 0)
		*out = rq;
	json_free(j);
	return r;
}

int
enroll_answer_encode(struct buf *out, const struct enroll_answer *a)
{
	struct json *j = json_new_object();
	int r;

	if (j == NULL)
		return ERR_NOMEM;
	r = json_set_hex(j, "mount", a->mount, sizeof(a->mount));
	if (r == 0)
		r = json_set_bool(j, "created", a->created);
	if (r == 0)
		r = json_set_int(j, "protocol_max", a->protocol_max);
	if (r == 0)
		r = header_to_json(j, &a->header);
	if (r == 0)
		r = json_set_hex(
		    j, "signature", a->signature, sizeof(a->signature));
	if (r == 0)
		r = json_set_hex(j, "invitation_mac", a->mac, sizeof(a->mac));
	if (r == 0)
		r = json_encode(out, j);
	json_free(j);
	return r;
}

int
enroll_answer_decode(struct enroll_answer *out, const uint8_t *p, size_t len)
{
	struct enroll_answer a;
	int64_t protocol;
	struct json *j;
	int r = json_decode(&j, (const char *)p, len);

	if (r < 0)
		return r;
	memset(&a, 0, sizeof(a));
	r = json_get_hex(a.mount, sizeof(a.mount), j, "mount");
	if (r == 0)
		r = json_get_bool(&a.created, j, "created");
	if (r == 0)
		r = json_get_int(&protocol, j, "protocol_max", 0, UINT32_MAX);
	if (r == 0)
		r = header_from_json(&a.header, j);
	if (r == 0)
		r = json_get_hex(
		    a.signature, sizeof(a.signature), j, "signature");
	if (r == 0)
		r = json_get_hex(a.mac, sizeof(a.mac), j, "invitation_mac");
	if (r == 0) {
		a.protocol_max = (uint32_t)protocol;
		*out = a;
	}
	json_free(j);
	return r;
}
