#include "engine/snap.h"

#include "base/err.h"
#include "object/object.h"
#include "seal/keys.h"
#include "seal/seal.h"
#include "sign/sign.h"

#include <string.h>

/* Read the sealed payload as a restore would. */
static int
check(const struct snap *s, const struct seal_bind *bind,
    const struct buf *sealed, const struct object *o)
{
	struct buf plain = BUF_INIT;
	struct snapshot_info info;
	uint8_t id[OBJECT_ID_BYTES];
	int r;

	r = seal_unwrap(&plain, s->seal, bind, sealed->data, sealed->len);
	if (r == 0) {
		object_id(id, s->keys->id, OBJECT_SNAPSHOT, o->refs.data,
		    object_nrefs(o), plain.data, plain.len);
		r = snapshot_info_decode(&info, o->refs.data, object_nrefs(o),
		    plain.data, plain.len);
	}
	if (r == 0 && memcmp(id, o->id, sizeof(id)) != 0)
		r = err_set(ERR_FAIL, "it is not what it was");
	buf_release(&plain);
	return r == 0
		   ? 0
		   : err_prefix(ERR_FAIL, "the snapshot cannot be read back");
}

/* Append the client part, signed. */
static int
encode(struct buf *out, const struct snap *s, const struct seal_bind *bind,
    const struct buf *sealed)
{
	const struct snapshot_info *info = s->info;
	struct snapshot_envelope e = {0};
	uint8_t signature[SIGN_BYTES];
	int r;

	e.epoch = s->keys->epoch;
	memcpy(e.vault, s->keys->vault, sizeof(e.vault));
	memcpy(e.mount, info->mount, sizeof(e.mount));
	e.client_seq = info->client_seq;
	memcpy(e.previous, info->previous, sizeof(e.previous));
	e.files = info->files;
	e.bytes = info->bytes;
	memcpy(e.id, bind->id, sizeof(e.id));
	e.refs = bind->refs;
	e.nrefs = bind->nrefs;
	e.sealed = sealed->data;
	e.sealed_len = (uint32_t)sealed->len;
	r = snapshot_encode(out, &e);
	if (r != 0)
		return r;
	sign_make(signature, s->seed, SNAPSHOT_CONTEXT, out->data, out->len);
	return buf_append(out, signature, sizeof(signature));
}

int
snap_commit(struct store_receipt *receipt, uint8_t hash[HASH_BYTES],
    struct buf *missing, const struct snap *s)
{
	const struct store_info *at = &s->store->info;
	struct buf sealed = BUF_INIT, file = BUF_INIT;
	struct seal_bind bind = {0};
	struct object o;
	int r;

	memcpy(s->info->mount, at->mount, sizeof(s->info->mount));
	s->info->client_seq = at->has_parent ? at->parent_client_seq + 1 : 1;
	memset(s->info->previous, 0, sizeof(s->info->previous));
	if (at->has_parent)
		memcpy(s->info->previous, at->parent_hash, HASH_BYTES);
	object_init(&o, OBJECT_SNAPSHOT);
	r = snapshot_info_encode(&o, s->info);
	if (r != 0)
		goto out;
	object_name(&o, s->keys->id);
	bind.epoch = s->keys->epoch;
	bind.type = OBJECT_SNAPSHOT;
	bind.id = o.id;
	bind.refs = o.refs.data;
	bind.nrefs = object_nrefs(&o);
	r = seal_wrap(&sealed, s->seal, &bind, o.payload.data, o.payload.len);
	if (r == 0)
		r = check(s, &bind, &sealed, &o);
	if (r == 0)
		r = encode(&file, s, &bind, &sealed);
	if (r == 0)
		r = s->store->ops->commit(
		    s->store, receipt, missing, file.data, file.len);
	if (r == 0)
		r = snapshot_hash(hash, file.data, file.len);
out:
	object_release(&o);
	buf_release(&sealed);
	buf_release(&file);
	return r;
}
