#include "chunk/chunker.h"

#include "base/err.h"
#include "base/limits.h"

#include <string.h>

#define AVG_BYTES_MIN (4u << 10)
#define AVG_BYTES_MAX (1u << 20)

_Static_assert(GEAR_WINDOW_BYTES == CHUNKER_WINDOW_BYTES &&
		   PRF_WINDOW_BYTES == CHUNKER_WINDOW_BYTES,
    "what is in front of the minimum must be enough for either");

const struct chunker_params chunker_default = {
    CHUNKER_GEAR, {256u << 10, 128u << 10, 1u << 20}};

static const struct {
	uint32_t id;
	const char *name;
} names[] = {{CHUNKER_GEAR, "gear"}, {CHUNKER_PRIVATE, "private"}};

#define NAMES (sizeof(names) / sizeof(names[0]))

const char *
chunker_name(uint32_t id)
{
	size_t i;

	for (i = 0; i < NAMES; i++)
		if (names[i].id == id)
			return names[i].name;
	return NULL;
}

uint32_t
chunker_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < NAMES; i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].id;
	return 0;
}

static int
sizes_valid(const struct chunker_sizes *s)
{
	return s->avg_bytes >= AVG_BYTES_MIN && s->avg_bytes <= AVG_BYTES_MAX &&
	       s->min_bytes >= CHUNKER_WINDOW_BYTES &&
	       s->min_bytes <= s->avg_bytes - CHUNKER_WINDOW_BYTES &&
	       s->max_bytes >= s->avg_bytes &&
	       s->max_bytes <= LIMIT_PAYLOAD_BYTES;
}

int
chunker_init(struct chunker *c, const uint8_t key[32],
    const struct chunker_params *params)
{
	const struct chunker_sizes *s = &params->sizes;
	uint64_t mean, threshold;

	if (chunker_name(params->id) == NULL)
		return err_set(ERR_DAMAGED,
		    "chunker %u, which this program does not have",
		    (unsigned)params->id);
	if (!sizes_valid(s))
		return err_set(ERR_DAMAGED,
		    "chunker parameters out of range: average %u, minimum %u, "
		    "maximum %u",
		    (unsigned)s->avg_bytes, (unsigned)s->min_bytes,
		    (unsigned)s->max_bytes);
	/*
	 * Beyond the minimum a cut comes with probability 1/mean at each
	 * byte: floor(2^64 / mean) of the 2^64 values are below the threshold.
	 */
	mean = s->avg_bytes - s->min_bytes;
	threshold = (UINT64_MAX - mean + 1) / mean + 1;
	if (params->id == CHUNKER_GEAR)
		gear_init(&c->by.gear, key, threshold);
	else
		prf_init(&c->by.prf, key, threshold);
	c->id = params->id;
	c->min_bytes = s->min_bytes;
	c->max_bytes = s->max_bytes;
	return 0;
}

size_t
chunker_cut(const struct chunker *c, size_t *passed, const uint8_t *p,
    size_t len, int final)
{
	size_t end = len < c->max_bytes ? len : c->max_bytes;
	size_t from = *passed < c->min_bytes ? c->min_bytes : *passed + 1;
	size_t cut = end + 1;

	if (from <= end && c->id == CHUNKER_GEAR)
		cut = gear_scan(&c->by.gear, p, from, end);
	else if (from <= end)
		cut = prf_scan(&c->by.prf, p, from, end);
	*passed = 0;
	if (cut <= end)
		return cut;
	if (end == c->max_bytes || final)
		return end;
	*passed = end;
	return 0;
}
