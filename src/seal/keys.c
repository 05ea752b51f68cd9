#include "seal/keys.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/random.h"
#include "hash/hash.h"

#include <string.h>

void
keys_make_master(uint8_t master[KEYS_BYTES])
{
	random_bytes(master, KEYS_BYTES);
}

static void
derive(uint8_t out[KEYS_BYTES], const struct keys *k, const char *context)
{
	hash_derive(out, KEYS_BYTES, context, k->master, KEYS_BYTES);
}

/* The keys that are of the epoch, not of the vault. */
static void
derive_epoch(struct keys *k)
{
	uint8_t input[KEYS_BYTES + 4];

	memcpy(input, k->master, KEYS_BYTES);
	bytes_put32(input + KEYS_BYTES, k->epoch);
	hash_derive(k->seal, KEYS_BYTES, "hashstore 2026 seal v1", input,
	    sizeof(input));
	hash_derive(k->nonce, KEYS_BYTES, "hashstore 2026 nonce v1", input,
	    sizeof(input));
	hash_wipe(input, sizeof(input));
}

void
keys_derive(struct keys *k, const uint8_t master[KEYS_BYTES], uint32_t epoch)
{
	memcpy(k->master, master, KEYS_BYTES);
	hash_derive(k->vault, KEYS_VAULT_BYTES, "hashstore 2026 vault id v1",
	    master, KEYS_BYTES);
	derive(k->id, k, "hashstore 2026 object id v1");
	derive(k->file, k, "hashstore 2026 file id v1");
	derive(k->chunker, k, "hashstore 2026 chunker v1");
	derive(k->split, k, "hashstore 2026 split v1");
	derive(k->link, k, "hashstore 2026 hard link v1");
	derive(k->header, k, "hashstore 2026 vault header v1");
	derive(k->cache, k, "hashstore 2026 stat cache v1");
	derive(k->join_seed, k, "hashstore 2026 join v1");
	sign_public(k->join_public, k->join_seed);
	k->epoch = epoch;
	derive_epoch(k);
}

void
keys_wipe(struct keys *k)
{
	hash_wipe(k, sizeof(*k));
}

static void
header_mac(
    uint8_t out[KEYS_BYTES], const struct keys_header *h, const struct keys *k)
{
	uint8_t p[4 + KEYS_VAULT_BYTES + 4 * 4 + SIGN_PUBLIC_BYTES + 4 +
		  KEYS_HEADER_RESERVED] = {0};

	bytes_put32(p, KEYS_HEADER_FORMAT);
	memcpy(p + 4, h->vault, KEYS_VAULT_BYTES);
	bytes_put32(p + 20, h->chunker.id);
	bytes_put32(p + 24, h->chunker.sizes.avg_bytes);
	bytes_put32(p + 28, h->chunker.sizes.min_bytes);
	bytes_put32(p + 32, h->chunker.sizes.max_bytes);
	memcpy(p + 36, h->join_public, SIGN_PUBLIC_BYTES);
	/* Epoch 0, so no links, and the reserved bytes. */
	hash_keyed(out, k->header, p, sizeof(p));
}

void
keys_header_make(struct keys_header *h, const struct keys *k,
    const struct chunker_params *chunker)
{
	h->chunker = *chunker;
	memcpy(h->vault, k->vault, KEYS_VAULT_BYTES);
	memcpy(h->join_public, k->join_public, SIGN_PUBLIC_BYTES);
	header_mac(h->mac, h, k);
}

int
keys_header_check(const struct keys_header *h, const struct keys *k)
{
	uint8_t mac[KEYS_BYTES];

	/* Said apart, since a wrong master key is the likeliest reason. */
	if (memcmp(h->vault, k->vault, KEYS_VAULT_BYTES) != 0)
		return err_set(
		    ERR_DAMAGED, "the vault belongs to another master key");
	header_mac(mac, h, k);
	if (!hash_equal(mac, h->mac, KEYS_BYTES) ||
	    !hash_equal(h->join_public, k->join_public, SIGN_PUBLIC_BYTES))
		return err_set(ERR_DAMAGED,
		    "the vault header was not made with the vault's key");
	return 0;
}
