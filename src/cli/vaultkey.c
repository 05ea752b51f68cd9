#include "cli/vaultkey.h"

#include "base/err.h"

#include <string.h>

void
vaultkey_header(struct header *out, const struct keys *k,
    const struct chunker_params *chunker)
{
	struct keys_header kh;

	keys_header_make(&kh, k, chunker);
	memset(out, 0, sizeof(*out));
	memcpy(out->vault, kh.vault, sizeof(out->vault));
	out->chunker_id = kh.chunker.id;
	out->chunk_average = kh.chunker.sizes.avg_bytes;
	out->chunk_min = kh.chunker.sizes.min_bytes;
	out->chunk_max = kh.chunker.sizes.max_bytes;
	memcpy(out->join_public, kh.join_public, sizeof(out->join_public));
	memcpy(out->mac, kh.mac, sizeof(out->mac));
}

int
vaultkey_check(struct chunker_params *chunker, const struct header *h,
    const struct keys *k)
{
	struct keys_header kh;
	int rc;

	memset(&kh, 0, sizeof(kh));
	memcpy(kh.vault, h->vault, sizeof(kh.vault));
	kh.chunker.id = h->chunker_id;
	kh.chunker.sizes.avg_bytes = h->chunk_average;
	kh.chunker.sizes.min_bytes = h->chunk_min;
	kh.chunker.sizes.max_bytes = h->chunk_max;
	memcpy(kh.join_public, h->join_public, sizeof(kh.join_public));
	memcpy(kh.mac, h->mac, sizeof(kh.mac));
	rc = keys_header_check(&kh, k);
	if (rc != 0)
		return err_prefix(rc, "the store's header of your vault");
	*chunker = kh.chunker;
	return 0;
}
