#include "store/state.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/random.h"
#include "hash/hash.h"
#include "store/backend.h"

#include <stdio.h>
#include <string.h>

#define GENERATION_PREFIX "state/generation."
#define DAMAGE_PREFIX "state/damage."
#define FILE_BYTES (STATE_GENERATION_BYTES + HASH_BYTES)
/* 10 decimal digits. */
#define NUMBER_MAX 9999999999u

/* "state/damage." + 64 digits + "." + 8 digits */
#define DAMAGE_NAME_LEN (sizeof(DAMAGE_PREFIX) - 1 + 64 + 1 + 8)

struct numbers {
	uint64_t newest[STATE_GENERATIONS_KEPT + 1]; /* descending */
};

static void
generation_name(char out[BACKEND_NAME_MAX], uint64_t number)
{
	(void)snprintf(out, BACKEND_NAME_MAX, GENERATION_PREFIX "%010llu",
	    (unsigned long long)number); /* it fits */
}

/* The number in a generation's name, or 0. */
static uint64_t
generation_number(const char *name)
{
	size_t skip = sizeof(GENERATION_PREFIX) - 1, i;
	uint64_t number = 0;

	if (strncmp(name, GENERATION_PREFIX, skip) != 0 ||
	    strlen(name) != skip + 10)
		return 0;
	for (i = skip; name[i] != '\0'; i++) {
		if (name[i] < '0' || name[i] > '9')
			return 0;
		number = number * 10 + (uint64_t)(name[i] - '0');
	}
	return number;
}

static int
collect_number(void *arg, const char *name, uint64_t size)
{
	struct numbers *n = arg;
	uint64_t number = generation_number(name), swap;
	size_t i;

	(void)size; /* a wrong one is found when it is read */
	for (i = 0; i < STATE_GENERATIONS_KEPT + 1; i++) {
		if (number > n->newest[i]) {
			swap = n->newest[i];
			n->newest[i] = number;
			number = swap;
		}
	}
	return 0;
}

int
state_load(struct state_generation *out, struct backend *b)
{
	struct numbers n = {0};
	uint8_t file[FILE_BYTES], sum[HASH_BYTES];
	char name[BACKEND_NAME_MAX];
	uint64_t size;
	int ret;

	ret = b->ops->list(b, "state", collect_number, &n);
	if (ret < 0)
		return ret;
	memset(out, 0, sizeof(*out));
	out->number = n.newest[0];
	if (out->number == 0)
		return 1;
	generation_name(name, out->number);
	ret = b->ops->size(&size, b, name);
	if (ret < 0)
		return ret;
	if (size != sizeof(file))
		return 1;
	ret = b->ops->get(b, name, file, sizeof(file), 0);
	if (ret < 0)
		return ret;
	hash_bytes(sum, file, STATE_GENERATION_BYTES);
	if (memcmp(sum, file + STATE_GENERATION_BYTES, HASH_BYTES) != 0)
		return 1;
	memcpy(out->bytes, file, STATE_GENERATION_BYTES);
	return 0;
}

/* A small object, durable. */
static int
put_small(struct backend *b, const char *name, const void *p, size_t len)
{
	struct backend_put *put;
	int ret = b->ops->put_begin(&put, b, len + 1);

	if (ret < 0)
		return ret;
	if (len > 0)
		ret = b->ops->put_write(put, p, len);
	if (ret < 0) {
		b->ops->put_abort(put);
		return ret;
	}
	return b->ops->put_commit(put, name);
}

int
state_renew(struct state_generation *g, struct backend *b)
{
	struct numbers n = {0};
	uint8_t file[FILE_BYTES];
	char name[BACKEND_NAME_MAX];
	int ret;

	if (g->number >= NUMBER_MAX)
		return err_set(ERR_LIMIT, "no further generation");
	random_bytes(file, STATE_GENERATION_BYTES);
	hash_bytes(file + STATE_GENERATION_BYTES, file, STATE_GENERATION_BYTES);
	generation_name(name, g->number + 1);
	ret = put_small(b, name, file, sizeof(file));
	if (ret < 0)
		return ret;
	g->number++;
	memcpy(g->bytes, file, STATE_GENERATION_BYTES);

	ret = b->ops->list(b, "state", collect_number, &n);
	if (ret < 0)
		return ret;
	/* One per renewal keeps them few; an older one harms nobody. */
	if (n.newest[STATE_GENERATIONS_KEPT] == 0)
		return 0;
	generation_name(name, n.newest[STATE_GENERATIONS_KEPT]);
	ret = b->ops->remove(b, name);
	return ret == ERR_NOENT ? 0 : ret;
}

int
state_mark(struct backend *b, const uint8_t pack[32], uint32_t offset)
{
	char name[BACKEND_NAME_MAX], hex[2 * 32 + 1];
	int ret;

	hex_encode(hex, pack, 32);
	(void)snprintf(name, sizeof(name), DAMAGE_PREFIX "%s.%08x", hex,
	    offset); /* it fits */
	ret = put_small(b, name, NULL, 0);
	return ret == ERR_EXIST ? 0 : ret;
}

struct marks {
	int (*found)(void *arg, const uint8_t pack[32], uint32_t offset);
	void *arg;
};

static int
collect_mark(void *arg, const char *name, uint64_t size)
{
	struct marks *m = arg;
	size_t skip = sizeof(DAMAGE_PREFIX) - 1;
	uint8_t pack[32], at[4];

	(void)size; /* the name says all */
	if (strlen(name) != DAMAGE_NAME_LEN ||
	    strncmp(name, DAMAGE_PREFIX, skip) != 0 ||
	    hex_decode(pack, 32, name + skip, 64) != 0 ||
	    name[skip + 64] != '.' ||
	    hex_decode(at, 4, name + skip + 65, 8) != 0)
		return 0;
	return m->found(m->arg, pack,
	    (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
		(uint32_t)at[2] << 8 | at[3]);
}

int
state_marks(struct backend *b,
    int (*found)(void *arg, const uint8_t pack[32], uint32_t offset), void *arg)
{
	struct marks m = {found, arg};

	return b->ops->list(b, "state", collect_mark, &m);
}
