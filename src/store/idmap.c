#include "store/idmap.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/random.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN 64

void
idmap_init(struct idmap *m)
{
	memset(m, 0, sizeof(*m));
	random_bytes((uint8_t *)m->key, sizeof(m->key));
}

void
idmap_release(struct idmap *m)
{
	free(m->slots);
	m->slots = NULL;
	m->cap = m->len = 0;
}

void
idmap_reset(struct idmap *m)
{
	idmap_release(m);
}

uint64_t
idmap_hash(const uint64_t key[4], const uint8_t id[32])
{
	uint64_t h = 0;
	size_t i;

	for (i = 0; i < 4; i++) {
		uint64_t w = bytes_get64(id + 8 * i) ^ key[i];

		/* Mix downwards between the words: a product moves up only. */
		h = (h ^ w) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
	}
	return h;
}

/* Where the id is, or the free slot where it would be. */
static struct idmap_slot *
find(const struct idmap *m, const uint8_t id[32])
{
	size_t i = idmap_hash(m->key, id) & (m->cap - 1);

	for (;; i = (i + 1) & (m->cap - 1)) {
		struct idmap_slot *s = m->slots + i;

		if (s->value == IDMAP_NONE || memcmp(s->id, id, 32) == 0)
			return s;
	}
}

static int
grow(struct idmap *m)
{
	struct idmap bigger = *m;
	size_t i;

	bigger.cap = m->cap == 0 ? CAP_MIN : 2 * m->cap;
	bigger.slots = malloc(bigger.cap * sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return err_nomem(bigger.cap * sizeof(*bigger.slots));
	for (i = 0; i < bigger.cap; i++)
		bigger.slots[i].value = IDMAP_NONE;
	for (i = 0; i < m->cap; i++) {
		if (m->slots[i].value != IDMAP_NONE)
			*find(&bigger, m->slots[i].id) = m->slots[i];
	}
	free(m->slots);
	*m = bigger;
	return 0;
}

int
idmap_put(struct idmap *m, const uint8_t id[32], uint64_t value)
{
	struct idmap_slot *s;
	int ret;

	assert(value != IDMAP_NONE);
	/* At most three quarters full, so that searches stay short. */
	if (4 * (m->len + 1) > 3 * m->cap) {
		ret = grow(m);
		if (ret < 0)
			return ret;
	}
	s = find(m, id);
	if (s->value == IDMAP_NONE) {
		memcpy(s->id, id, 32);
		m->len++;
	}
	s->value = value;
	return 0;
}

int
idmap_get(uint64_t *out, const struct idmap *m, const uint8_t id[32])
{
	const struct idmap_slot *s;

	if (m->len == 0)
		return 1;
	s = find(m, id);
	if (s->value == IDMAP_NONE)
		return 1;
	if (out != NULL)
		*out = s->value;
	return 0;
}

const struct idmap_slot *
idmap_next(const struct idmap *m, size_t *pos)
{
	while (*pos < m->cap) {
		const struct idmap_slot *s = m->slots + (*pos)++;

		if (s->value != IDMAP_NONE)
			return s;
	}
	return NULL;
}
