#include "store/idpos.h"

#include "base/err.h"
#include "base/random.h"
#include "store/idmap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN 256

void
idpos_init(struct idpos *m)
{
	memset(m, 0, sizeof(*m));
	random_bytes((uint8_t *)m->key, sizeof(m->key));
}

void
idpos_release(struct idpos *m)
{
	free(m->slots);
	m->slots = NULL;
	m->cap = m->len = 0;
}

/* Where the id is, or the free slot where it would be. */
static uint32_t *
find(const struct idpos *m, const uint8_t *ids, const uint8_t id[32])
{
	size_t i = idmap_hash(m->key, id) & (m->cap - 1);

	for (;; i = (i + 1) & (m->cap - 1)) {
		uint32_t *s = m->slots + i;

		if (*s == 0 || memcmp(ids + (size_t)(*s - 1) * 32, id, 32) == 0)
			return s;
	}
}

static int
grow(struct idpos *m, const uint8_t *ids)
{
	struct idpos bigger = *m;
	size_t i;

	bigger.cap = m->cap == 0 ? CAP_MIN : 2 * m->cap;
	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return err_nomem(bigger.cap * sizeof(*bigger.slots));
	for (i = 0; i < m->cap; i++) {
		if (m->slots[i] != 0)
			*find(&bigger, ids,
			    ids + (size_t)(m->slots[i] - 1) * 32) = m->slots[i];
	}
	free(m->slots);
	*m = bigger;
	return 0;
}

int
idpos_put(struct idpos *m, const uint8_t *ids, uint32_t pos)
{
	uint32_t *s;
	int ret;

	assert(pos < UINT32_MAX);
	/* At most three quarters full, so that searches stay short. */
	if (4 * (m->len + 1) > 3 * m->cap) {
		ret = grow(m, ids);
		if (ret < 0)
			return ret;
	}
	s = find(m, ids, ids + (size_t)pos * 32);
	if (*s == 0) {
		*s = pos + 1;
		m->len++;
	}
	return 0;
}

int
idpos_get(uint32_t *pos, const struct idpos *m, const uint8_t *ids,
    const uint8_t id[32])
{
	const uint32_t *s;

	if (m->len == 0)
		return 1;
	s = find(m, ids, id);
	if (*s == 0)
		return 1;
	*pos = *s - 1;
	return 0;
}
