#include "store/chain.h"

#include "base/bytes.h"
#include "hash/hash.h"
#include "store/envelope.h"

#include <string.h>

struct link {
	uint64_t client_seq;
	uint8_t hash[HASH_BYTES];
};

void
chain_release(struct chain *c)
{
	buf_release(&c->links);
}

int
chain_add(struct chain *c, const uint8_t mount[16], uint64_t seq,
    uint64_t client_seq, const uint8_t *hash)
{
	struct link l = {.client_seq = client_seq};

	if (memcmp(c->mount, mount, sizeof(c->mount)) != 0)
		buf_reset(&c->links);
	memcpy(c->mount, mount, sizeof(c->mount));
	c->seq = seq;
	c->known = hash != NULL;
	if (hash == NULL)
		return 0;
	memcpy(l.hash, hash, sizeof(l.hash));
	return buf_append(&c->links, &l, sizeof(l));
}

int
chain_takes(const struct chain *c, const struct envelope *e)
{
	const struct link *l = (const void *)c->links.data;
	size_t i;

	for (i = c->links.len / sizeof(*l); i > 0; i--) {
		if (e->client_seq == l[i - 1].client_seq + 1 &&
		    memcmp(e->previous, l[i - 1].hash, HASH_BYTES) == 0)
			return 1;
	}
	return e->client_seq == 1 && bytes_are_zero(e->previous, HASH_BYTES);
}
