#ifndef HS_SEAL_SEAL_H
#define HS_SEAL_SEAL_H

/*
 * Payload <-> sealed bytes: compress, pad, encrypt and back;
 * docs/format.md 5.  Zstandard (RFC 8878), XChaCha20-Poly1305
 * (draft-irtf-cfrg-xchacha-03; HChaCha20 by libsodium, the bulk by OpenSSL).
 *
 * Thread use: one seal per thread.
 */

#include "base/buf.h"
#include "seal/keys.h"

#include <stddef.h>
#include <stdint.h>

#define SEAL_SUITE 1u
#define SEAL_NONCE_BYTES 24
#define SEAL_TAG_BYTES 16
#define SEAL_FRAME_HEADER_BYTES 12

struct seal; /* codec contexts */

struct seal_options {
	int level; /* zstd level, -5 .. 19; 0: by the type of object */
	/* Nonzero: pad as format.md 5.1 has it, by Padme (Nikitin et al.,
	 * PURBs, PoPETs 2019). */
	int pad;
};
extern const struct seal_options seal_default;

/* `keys` must outlive the seal. */
int seal_new(struct seal **out, const struct keys *keys,
    const struct seal_options *options);
void seal_free(struct seal *s); /* NULL is fine */

/* What the sealed bytes are bound to. */
struct seal_bind {
	uint32_t epoch;
	uint8_t key_id[16];
	uint8_t type; /* enum object_type */
	const uint8_t *id; /* 32 bytes */
	const uint8_t *refs; /* nrefs * 32 bytes */
	uint32_t nrefs;
	const uint8_t *members; /* nmembers * 32 bytes */
	uint32_t nmembers;
};

/*
 * Append nonce, ciphertext and tag of the payload to `out`.  Incompressible
 * payloads (a sampled test) are stored raw.
 * Returns 0; ERR_NOMEM; ERR_LIMIT (payload above LIMIT_PAYLOAD_BYTES).
 */
int seal_wrap(struct buf *out, struct seal *s, const struct seal_bind *bind,
    const uint8_t *payload, size_t len);

/*
 * Append the plain payload to `out`.  Trusts nothing: lengths are checked
 * before memory is taken, padding must be zero, the frame must hold exactly
 * the promised bytes.  Returns 0; ERR_DAMAGED; ERR_NOMEM.
 */
int seal_unwrap(struct buf *out, struct seal *s, const struct seal_bind *bind,
    const uint8_t *sealed, size_t len);

/*
 * The same, but the payload stays where it was unpacked, in memory of the
 * seal's, until the seal is used again.
 */
int seal_view(const uint8_t **payload, size_t *payload_len, struct seal *s,
    const struct seal_bind *bind, const uint8_t *sealed, size_t len);

#endif
