#include "object/snapshot.h"

#include "base/err.h"
#include "base/limits.h"
#include "object/extra.h"

#include <assert.h>
#include <string.h>

static const uint8_t magic[4] = {'H', 'S', 'S', '1'};

/* Nonce, tag and the head of an empty frame; format.md 3.1 and 5. */
#define SEALED_MIN 52u
#define RESERVED_BYTES 32
#define VERSION 1
#define INFO_FIXED_BYTES 108u /* from version to the counts */

/* Where fields of the envelope begin. */
enum {
	AT_EPOCH = 4,
	AT_VAULT = 8,
	AT_MOUNT = 24,
	AT_CLIENT_SEQ = 40,
	AT_PREVIOUS = 48,
	AT_FILES = 80,
	AT_BYTES = 88,
	AT_RESERVED = 96,
	AT_ID = 128,
	AT_KEY_ID = 160,
	AT_NREFS = 176,
	AT_SEALED_LEN = 180,
	AT_REFS = 184
};
static_assert(AT_REFS == SNAPSHOT_ENVELOPE_BYTES, "format.md 8");
static_assert(AT_ID - AT_RESERVED == RESERVED_BYTES, "format.md 8");
static_assert(SNAPSHOT_SERVER_BYTES == 8 + 8 + HASH_BYTES, "format.md 8");

static int
damaged(const char *problem)
{
	return err_set(ERR_DAMAGED, "snapshot: %s", problem);
}

/* Length of the client part with its signature. */
static size_t
client_bytes(uint32_t nrefs, uint32_t sealed_len)
{
	return SNAPSHOT_ENVELOPE_BYTES + (size_t)nrefs * OBJECT_ID_BYTES +
	       sealed_len + SNAPSHOT_SIGNATURE_BYTES;
}

/* What is wrong with the fields of an envelope; NULL: nothing. */
static const char *
envelope_problem(const struct snapshot_envelope *e)
{
	if (e->client_seq == 0)
		return "its number is zero";
	if (!bytes_are_zero(e->key_id, sizeof(e->key_id)))
		return "unknown key id";
	if (e->nrefs == 0 || e->nrefs > LIMIT_REFS)
		return "bad number of references";
	if (e->sealed_len < SEALED_MIN ||
	    e->sealed_len > LIMIT_SNAPSHOT_BYTES ||
	    client_bytes(e->nrefs, e->sealed_len) + SNAPSHOT_SERVER_BYTES >
		LIMIT_SNAPSHOT_BYTES)
		return "bad length";
	return refs_are_sorted(e->refs, e->nrefs) ? NULL : "bad references";
}

int
snapshot_encode(struct buf *out, const struct snapshot_envelope *e)
{
	const char *problem = envelope_problem(e);
	size_t len;
	uint8_t *p;
	int r;

	if (problem != NULL)
		return err_set(ERR_LIMIT, "snapshot: %s", problem);
	len = client_bytes(e->nrefs, e->sealed_len) - SNAPSHOT_SIGNATURE_BYTES;
	r = buf_extend(&p, out, len);
	if (r < 0)
		return r;
	memset(p, 0, SNAPSHOT_ENVELOPE_BYTES);
	memcpy(p, magic, sizeof(magic));
	bytes_put32(p + AT_EPOCH, e->epoch);
	memcpy(p + AT_VAULT, e->vault, sizeof(e->vault));
	memcpy(p + AT_MOUNT, e->mount, sizeof(e->mount));
	bytes_put64(p + AT_CLIENT_SEQ, e->client_seq);
	memcpy(p + AT_PREVIOUS, e->previous, sizeof(e->previous));
	bytes_put64(p + AT_FILES, e->files);
	bytes_put64(p + AT_BYTES, e->bytes);
	memcpy(p + AT_ID, e->id, sizeof(e->id));
	memcpy(p + AT_KEY_ID, e->key_id, sizeof(e->key_id));
	bytes_put32(p + AT_NREFS, e->nrefs);
	bytes_put32(p + AT_SEALED_LEN, e->sealed_len);
	p += AT_REFS;
	memcpy(p, e->refs, (size_t)e->nrefs * OBJECT_ID_BYTES);
	p += (size_t)e->nrefs * OBJECT_ID_BYTES;
	memcpy(p, e->sealed, e->sealed_len);
	return 0;
}

int
snapshot_decode_client(
    struct snapshot_envelope *out, const uint8_t *p, size_t len)
{
	struct snapshot_envelope e;
	const char *problem;

	memset(&e, 0, sizeof(e));
	if (len < client_bytes(0, SEALED_MIN) || len > LIMIT_SNAPSHOT_BYTES)
		return damaged("bad length");
	if (memcmp(p, magic, sizeof(magic)) != 0)
		return damaged("it does not begin as one");
	if (!bytes_are_zero(p + AT_RESERVED, RESERVED_BYTES))
		return damaged("a reserved field is not zero");
	e.epoch = bytes_get32(p + AT_EPOCH);
	memcpy(e.vault, p + AT_VAULT, sizeof(e.vault));
	memcpy(e.mount, p + AT_MOUNT, sizeof(e.mount));
	e.client_seq = bytes_get64(p + AT_CLIENT_SEQ);
	memcpy(e.previous, p + AT_PREVIOUS, sizeof(e.previous));
	e.files = bytes_get64(p + AT_FILES);
	e.bytes = bytes_get64(p + AT_BYTES);
	memcpy(e.id, p + AT_ID, sizeof(e.id));
	memcpy(e.key_id, p + AT_KEY_ID, sizeof(e.key_id));
	e.nrefs = bytes_get32(p + AT_NREFS);
	e.sealed_len = bytes_get32(p + AT_SEALED_LEN);
	/* Before any of them is looked at. */
	if (client_bytes(e.nrefs, e.sealed_len) != len)
		return damaged("bad length");
	e.refs = p + AT_REFS;
	e.sealed = e.refs + (size_t)e.nrefs * OBJECT_ID_BYTES;
	e.signature = e.sealed + e.sealed_len;
	problem = envelope_problem(&e);
	if (problem != NULL)
		return damaged(problem);
	*out = e;
	return 0;
}

int
snapshot_seal_file(struct buf *file, int64_t receive_ns, uint64_t server_seq)
{
	struct snapshot_envelope e;
	uint8_t *p;
	int r;

	r = snapshot_decode_client(&e, file->data, file->len);
	if (r < 0)
		return r;
	if (server_seq == 0)
		return err_set(ERR_LIMIT, "snapshot: its number is zero");
	r = buf_extend(&p, file, SNAPSHOT_SERVER_BYTES);
	if (r < 0)
		return r;
	bytes_put64(p, (uint64_t)receive_ns);
	bytes_put64(p + 8, server_seq);
	hash_bytes(p + 16, file->data, file->len - HASH_BYTES);
	return 0;
}

int
snapshot_decode_file(
    struct snapshot_envelope *out, const uint8_t *p, size_t len)
{
	struct snapshot_envelope e;
	uint8_t sum[HASH_BYTES];
	const uint8_t *end;
	int r;

	if (len < SNAPSHOT_SERVER_BYTES || len > LIMIT_SNAPSHOT_BYTES)
		return damaged("bad length");
	hash_bytes(sum, p, len - HASH_BYTES);
	if (!hash_equal(sum, p + len - HASH_BYTES, HASH_BYTES))
		return damaged("wrong checksum");
	end = p + len - SNAPSHOT_SERVER_BYTES;
	r = snapshot_decode_client(&e, p, (size_t)(end - p));
	if (r < 0)
		return r;
	e.receive_ns = (int64_t)bytes_get64(end);
	e.server_seq = bytes_get64(end + 8);
	if (e.server_seq == 0)
		return damaged("its number is zero");
	*out = e;
	return 0;
}

int
snapshot_hash(uint8_t out[HASH_BYTES], const uint8_t *file, size_t len)
{
	size_t client;

	if (len < SNAPSHOT_ENVELOPE_BYTES)
		return damaged("bad length");
	client = client_bytes(
	    bytes_get32(file + AT_NREFS), bytes_get32(file + AT_SEALED_LEN));
	if (len != client && len != client + SNAPSHOT_SERVER_BYTES)
		return damaged("bad length");
	hash_bytes(out, file, client);
	return 0;
}

static int
has_nul(const char *p, size_t len)
{
	return len > 0 && memchr(p, 0, len) != NULL;
}

/* What is wrong with the texts and the root of a payload; NULL: nothing. */
static const char *
info_problem(const struct snapshot_info *s)
{
	struct extra x;
	size_t pos = 0;
	unsigned i;

	if (s->client_seq == 0)
		return "its number is zero";
	if (s->host_len > LIMIT_LABEL_BYTES || has_nul(s->host, s->host_len))
		return "bad host name";
	if (s->dir_len > LIMIT_TARGET_BYTES || has_nul(s->dir, s->dir_len))
		return "bad directory name";
	if (s->ntags > LIMIT_TAGS)
		return "too many tags";
	for (i = 0; i < s->ntags; i++) {
		if (has_nul(s->tags[i], s->tag_len[i]))
			return "bad tag";
	}
	if (extra_next(&x, &pos, s->extra, s->extra_len) < 0)
		return "bad extra items";
	if (s->root.kind != ADDRESS_DIR || s->root.name_len != 0)
		return "the root is no directory";
	return NULL;
}

static int
encode_texts(struct buf *p, const struct snapshot_info *s)
{
	unsigned i;
	int r;

	r = buf_append8(p, (uint8_t)s->host_len);
	if (r == 0)
		r = buf_append(p, s->host, s->host_len);
	if (r == 0)
		r = buf_append16(p, (uint16_t)s->dir_len);
	if (r == 0)
		r = buf_append(p, s->dir, s->dir_len);
	if (r == 0)
		r = buf_append8(p, (uint8_t)s->ntags);
	for (i = 0; r == 0 && i < s->ntags; i++) {
		r = buf_append8(p, s->tag_len[i]);
		if (r == 0)
			r = buf_append(p, s->tags[i], s->tag_len[i]);
	}
	if (r == 0)
		r = buf_append16(p, (uint16_t)s->extra_len);
	if (r == 0)
		r = buf_append(p, s->extra, s->extra_len);
	return r;
}

int
snapshot_info_encode(struct object *out, const struct snapshot_info *s)
{
	static_assert(sizeof(s->tag_len) == LIMIT_TAGS, "room for all tags");
	const char *problem = info_problem(s);
	struct refs refs;
	uint8_t *p;
	int r;

	if (problem != NULL)
		return err_set(ERR_LIMIT, "snapshot: %s", problem);
	refs_init(&refs);
	object_reset(out, OBJECT_SNAPSHOT);
	r = buf_extend(&p, &out->payload, INFO_FIXED_BYTES);
	if (r < 0)
		goto out;
	memset(p, 0, 4);
	p[0] = VERSION;
	memcpy(p + 4, s->mount, sizeof(s->mount));
	bytes_put64(p + 20, s->client_seq);
	memcpy(p + 28, s->previous, sizeof(s->previous));
	bytes_put64(p + 60, (uint64_t)s->start_ns);
	bytes_put64(p + 68, (uint64_t)s->end_ns);
	bytes_put64(p + 76, s->files);
	bytes_put64(p + 84, s->dirs);
	bytes_put64(p + 92, s->bytes);
	bytes_put64(p + 100, s->unreadable);
	r = encode_texts(&out->payload, s);
	if (r == 0)
		r = entry_encode(&out->payload, &refs, &s->root);
	if (r == 0)
		r = refs_finish(&out->refs, &refs, &out->payload);
out:
	refs_release(&refs);
	return r;
}

static int
decode_texts(struct snapshot_info *s, struct bytes_reader *r)
{
	unsigned i;

	s->host_len = bytes_read8(r);
	s->host = (const char *)bytes_read(r, s->host_len);
	s->dir_len = bytes_read16(r);
	s->dir = (const char *)bytes_read(r, s->dir_len);
	s->ntags = bytes_read8(r);
	if (s->ntags > LIMIT_TAGS)
		return damaged("too many tags");
	for (i = 0; i < s->ntags; i++) {
		s->tag_len[i] = bytes_read8(r);
		s->tags[i] = (const char *)bytes_read(r, s->tag_len[i]);
	}
	s->extra_len = bytes_read16(r);
	s->extra = bytes_read(r, s->extra_len);
	return r->failed ? damaged("it ends too early") : 0;
}

int
snapshot_info_decode(struct snapshot_info *out, const uint8_t *refs,
    uint32_t nrefs, const uint8_t *payload, size_t len)
{
	struct snapshot_info s;
	struct refs_check check;
	struct bytes_reader r;
	const char *problem;
	const uint8_t *p;
	int rc;

	memset(&s, 0, sizeof(s));
	rc = refs_check_init(&check, refs, nrefs);
	if (rc < 0)
		goto out;
	bytes_reader_init(&r, payload, len);
	p = bytes_read(&r, INFO_FIXED_BYTES);
	if (p == NULL || p[0] != VERSION || !bytes_are_zero(p + 1, 3)) {
		rc = damaged("unknown version of the payload");
		goto out;
	}
	memcpy(s.mount, p + 4, sizeof(s.mount));
	s.client_seq = bytes_get64(p + 20);
	memcpy(s.previous, p + 28, sizeof(s.previous));
	s.start_ns = (int64_t)bytes_get64(p + 60);
	s.end_ns = (int64_t)bytes_get64(p + 68);
	s.files = bytes_get64(p + 76);
	s.dirs = bytes_get64(p + 84);
	s.bytes = bytes_get64(p + 92);
	s.unreadable = bytes_get64(p + 100);
	rc = decode_texts(&s, &r);
	if (rc == 0)
		rc = entry_decode(&s.root, &r, &check, refs, 1);
	if (rc == 0)
		rc = refs_check_done(&check);
	if (rc < 0)
		goto out;
	problem = info_problem(&s);
	if (problem == NULL && !bytes_reader_done(&r))
		problem = "bytes left over";
	if (problem != NULL)
		rc = damaged(problem);
	else
		*out = s;
out:
	refs_check_release(&check);
	return rc;
}

int
snapshot_info_match(
    const struct snapshot_info *s, const struct snapshot_envelope *e)
{
	if (memcmp(s->mount, e->mount, sizeof(s->mount)) != 0 ||
	    memcmp(s->previous, e->previous, sizeof(s->previous)) != 0 ||
	    s->client_seq != e->client_seq || s->files != e->files ||
	    s->bytes != e->bytes)
		return damaged("envelope and payload disagree");
	return 0;
}
