#include "store/envelope.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "sign/sign.h"
#include "store/record.h"

#include <string.h>

static const uint8_t magic[4] = {'H', 'S', 'S', '1'};

/* The fields of the client part that `in` begins with. */
static int
decode_fields(struct envelope *e, struct bytes_reader *in)
{
	const uint8_t *m, *reserved, *key_id;
	uint32_t sealed_len;

	m = bytes_read(in, 4);
	e->epoch = bytes_read32(in);
	e->vault = bytes_read(in, 16);
	e->mount = bytes_read(in, 16);
	e->client_seq = bytes_read64(in);
	e->previous = bytes_read(in, HASH_BYTES);
	e->files = bytes_read64(in);
	e->bytes = bytes_read64(in);
	reserved = bytes_read(in, 32);
	e->id = bytes_read(in, 32);
	key_id = bytes_read(in, 16);
	e->nrefs = bytes_read32(in);
	sealed_len = bytes_read32(in);
	if (in->failed || memcmp(m, magic, sizeof(magic)) != 0)
		return err_set(ERR_DAMAGED, "not a snapshot");
	if (!bytes_are_zero(reserved, 32) || !bytes_are_zero(key_id, 16))
		return err_set(
		    ERR_DAMAGED, "a snapshot of a later version of the format");
	if (e->client_seq == 0 || e->nrefs == 0 || e->nrefs > LIMIT_REFS ||
	    sealed_len < RECORD_SEALED_BYTES_MIN ||
	    sealed_len > LIMIT_SEALED_BYTES)
		return err_set(ERR_DAMAGED, "snapshot beyond limits");
	e->refs = bytes_read(in, (size_t)e->nrefs * 32);
	(void)bytes_read(in, sealed_len); /* `failed` tells */
	(void)bytes_read(in, ENVELOPE_SIGNATURE_BYTES); /* likewise */
	if (in->failed)
		return err_set(ERR_DAMAGED, "snapshot is cut");
	if (!record_ids_sorted(e->refs, e->nrefs))
		return err_set(ERR_DAMAGED, "refs of a snapshot not sorted");
	return 0;
}

int
envelope_decode_client(struct envelope *out, const uint8_t *p, size_t len)
{
	struct envelope e = {0};
	struct bytes_reader in;
	int ret;

	if (len > LIMIT_SNAPSHOT_BYTES - ENVELOPE_SERVER_BYTES)
		return err_set(ERR_DAMAGED, "a snapshot of %zu bytes", len);
	bytes_reader_init(&in, p, len);
	ret = decode_fields(&e, &in);
	if (ret < 0)
		return ret;
	if (!bytes_reader_done(&in))
		return err_set(ERR_DAMAGED, "bytes behind a snapshot");
	e.client = p;
	e.client_len = len;
	*out = e;
	return 0;
}

int
envelope_decode_file(struct envelope *out, const uint8_t *p, size_t len)
{
	uint8_t sum[HASH_BYTES];
	struct envelope e;
	const uint8_t *s;
	int ret;

	if (len < ENVELOPE_SERVER_BYTES || len > LIMIT_SNAPSHOT_BYTES)
		return err_set(ERR_DAMAGED, "a snapshot of %zu bytes", len);
	hash_bytes(sum, p, len - HASH_BYTES);
	if (memcmp(sum, p + len - HASH_BYTES, HASH_BYTES) != 0)
		return err_set(ERR_DAMAGED, "snapshot fails its checksum");
	ret = envelope_decode_client(&e, p, len - ENVELOPE_SERVER_BYTES);
	if (ret < 0)
		return ret;
	s = p + e.client_len;
	e.receive_ns = (int64_t)bytes_get64(s);
	e.server_seq = bytes_get64(s + 8);
	if (e.server_seq == 0)
		return err_set(ERR_DAMAGED, "snapshot without a sequence");
	*out = e;
	return 0;
}

int
envelope_check_signature(const struct envelope *e, const uint8_t public_key[32])
{
	size_t len = e->client_len - ENVELOPE_SIGNATURE_BYTES;
	int ret = sign_check(
	    e->client + len, public_key, ENVELOPE_CONTEXT, e->client, len);

	return ret < 0 ? err_prefix(ret, "snapshot") : 0;
}

void
envelope_hash(uint8_t out[HASH_BYTES], const struct envelope *e)
{
	hash_bytes(out, e->client, e->client_len);
}

int
envelope_finish(struct buf *file, int64_t receive_ns, uint64_t server_seq)
{
	uint8_t sum[HASH_BYTES];
	size_t len = file->len;
	int ret = buf_append64(file, (uint64_t)receive_ns);

	if (ret == 0)
		ret = buf_append64(file, server_seq);
	if (ret == 0) {
		hash_bytes(sum, file->data, file->len);
		ret = buf_append(file, sum, sizeof(sum));
	}
	if (ret < 0)
		file->len = len;
	return ret;
}
