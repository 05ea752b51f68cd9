#include "seal/seal.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "hash/hash.h"
#include "seal/cipher.h"
#include "seal/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ID_BYTES 32
/* The fixed part of the AAD, format.md 5.2. */
#define AAD_HEAD_BYTES (4 + 4 + 4 + 16 + 16 + ID_BYTES + 4 + 4)
#define AAD_PARTS 3

_Static_assert(SEAL_NONCE_BYTES == CIPHER_NONCE_BYTES &&
		   SEAL_TAG_BYTES == CIPHER_TAG_BYTES &&
		   KEYS_BYTES == CIPHER_KEY_BYTES,
    "seal.h and cipher.h agree");

const struct seal_options seal_default = {.level = 0, .pad = 1};

struct seal {
	const struct keys *keys;
	struct frame *frame;
	struct cipher *cipher;
	struct buf plain; /* a decrypted frame, before it is unpacked */
	struct buf unpacked; /* for seal_view() */
};

int
seal_new(struct seal **out, const struct keys *keys,
    const struct seal_options *options)
{
	struct seal *s = calloc(1, sizeof(*s));
	int err;

	if (s == NULL)
		return err_nomem(sizeof(*s));
	buf_init(&s->plain);
	buf_init(&s->unpacked);
	s->keys = keys;
	err = frame_new(&s->frame, options->level, options->pad);
	if (err)
		goto out;
	err = cipher_new(&s->cipher);
	if (err)
		goto out;
	*out = s;
	s = NULL;
out:
	seal_free(s);
	return err;
}

void
seal_free(struct seal *s)
{
	if (s == NULL)
		return;
	frame_free(s->frame);
	cipher_free(s->cipher);
	buf_release(&s->plain);
	buf_release(&s->unpacked);
	hash_wipe(s, sizeof(*s));
	free(s);
}

/* The AAD, without copying refs and members. */
struct aad {
	uint8_t head[AAD_HEAD_BYTES];
	struct cipher_part parts[AAD_PARTS];
};

static void
aad_make(struct aad *a, const struct keys *keys, const struct seal_bind *bind)
{
	uint8_t *p = a->head;

	memcpy(p, "HSA1", 4);
	p[4] = SEAL_SUITE;
	p[5] = bind->type;
	bytes_put16(p + 6, 0);
	bytes_put32(p + 8, bind->epoch);
	memcpy(p + 12, keys->vault, KEYS_VAULT_BYTES);
	memcpy(p + 28, bind->key_id, 16);
	memcpy(p + 44, bind->id, ID_BYTES);
	bytes_put32(p + 76, bind->nrefs);
	bytes_put32(p + 80, bind->nmembers);
	a->parts[0] = (struct cipher_part){a->head, AAD_HEAD_BYTES};
	a->parts[1] =
	    (struct cipher_part){bind->refs, (size_t)bind->nrefs * ID_BYTES};
	a->parts[2] = (struct cipher_part){
	    bind->members, (size_t)bind->nmembers * ID_BYTES};
}

/*
 * From AAD and frame, never from the id alone: another compression level
 * gives another frame under the same id, and one nonce for two messages would
 * give both away.
 */
static void
make_nonce(uint8_t nonce[SEAL_NONCE_BYTES], const uint8_t key[KEYS_BYTES],
    const struct aad *aad, const uint8_t *frame, size_t len)
{
	struct hash h;
	unsigned i;

	hash_init_keyed(&h, key);
	for (i = 0; i < AAD_PARTS; i++)
		hash_update(&h, aad->parts[i].p, aad->parts[i].len);
	hash_update(&h, frame, len);
	hash_final_len(&h, nonce, SEAL_NONCE_BYTES);
	hash_wipe(&h, sizeof(h)); /* holds the key */
}

/* By the type of object, format.md 2.2: that layer is above this one. */
static enum frame_kind
kind_of(uint8_t type)
{
	switch (type) {
	case 1:
		return FRAME_CHUNK;
	case 2:
		return FRAME_BUNDLE;
	default:
		return FRAME_META;
	}
}

int
seal_wrap(struct buf *out, struct seal *s, const struct seal_bind *bind,
    const uint8_t *payload, size_t len)
{
	struct cipher_message message;
	struct aad aad;
	size_t before = out->len, frame_len;
	uint8_t *nonce, *frame;
	int err;

	assert(bind->nrefs <= LIMIT_REFS && bind->nmembers <= LIMIT_MEMBERS);
	assert(bytes_are_zero(bind->key_id, sizeof(bind->key_id)));
	assert(bind->epoch == s->keys->epoch);
	if (len > LIMIT_PAYLOAD_BYTES)
		return err_set(ERR_LIMIT,
		    "a payload of %zu bytes exceeds the limit of %u", len,
		    LIMIT_PAYLOAD_BYTES);
	/* All room at once, so that nothing below moves the bytes. */
	err = buf_reserve(
	    out, SEAL_NONCE_BYTES + frame_bound(len) + SEAL_TAG_BYTES);
	if (err)
		return err;
	out->len += SEAL_NONCE_BYTES;
	err = frame_pack(out, s->frame, kind_of(bind->type), payload, len);
	if (err)
		goto out;
	nonce = out->data + before;
	frame = nonce + SEAL_NONCE_BYTES;
	frame_len = out->len - before - SEAL_NONCE_BYTES;
	aad_make(&aad, s->keys, bind);
	make_nonce(nonce, s->keys->nonce, &aad, frame, frame_len);
	message =
	    (struct cipher_message){s->keys->seal, nonce, aad.parts, AAD_PARTS};
	err = cipher_encrypt(
	    s->cipher, &message, frame, frame_len, frame + frame_len);
	if (err)
		goto out;
	out->len += SEAL_TAG_BYTES;
out:
	if (err)
		out->len = before;
	return err;
}

/* Decrypt to `s->plain`. */
static int
open_frame(struct seal *s, const struct seal_bind *bind, const uint8_t *sealed,
    size_t len)
{
	struct cipher_message message;
	struct aad aad;
	size_t frame_len;
	int err;

	if (len < SEAL_NONCE_BYTES + SEAL_FRAME_HEADER_BYTES + SEAL_TAG_BYTES ||
	    len > LIMIT_SEALED_BYTES)
		return err_set(
		    ERR_DAMAGED, "a sealed payload cannot have %zu bytes", len);
	if (bind->nrefs > LIMIT_REFS || bind->nmembers > LIMIT_MEMBERS)
		return err_set(
		    ERR_DAMAGED, "an object has too many refs or members");
	if (!bytes_are_zero(bind->key_id, sizeof(bind->key_id)) ||
	    bind->epoch != s->keys->epoch)
		return err_set(ERR_DAMAGED,
		    "an object is sealed with a key that is not known here");
	frame_len = len - SEAL_NONCE_BYTES - SEAL_TAG_BYTES;
	buf_reset(&s->plain);
	err = buf_reserve(&s->plain, frame_len);
	if (err)
		return err;
	aad_make(&aad, s->keys, bind);
	message = (struct cipher_message){
	    s->keys->seal, sealed, aad.parts, AAD_PARTS};
	err = cipher_decrypt(s->plain.data, s->cipher, &message,
	    sealed + SEAL_NONCE_BYTES, frame_len,
	    sealed + SEAL_NONCE_BYTES + frame_len);
	if (err)
		return err;
	s->plain.len = frame_len;
	return 0;
}

int
seal_unwrap(struct buf *out, struct seal *s, const struct seal_bind *bind,
    const uint8_t *sealed, size_t len)
{
	int err = open_frame(s, bind, sealed, len);

	return err ? err
		   : frame_unpack(out, s->frame, s->plain.data, s->plain.len);
}

int
seal_view(const uint8_t **payload, size_t *payload_len, struct seal *s,
    const struct seal_bind *bind, const uint8_t *sealed, size_t len)
{
	int err = open_frame(s, bind, sealed, len);

	return err ? err
		   : frame_view(payload, payload_len, &s->unpacked, s->frame,
			 s->plain.data, s->plain.len);
}
