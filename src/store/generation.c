#include "store/generation.h"

#include "base/err.h"
#include "base/random.h"
#include "hash/hash.h"
#include "store/backend.h"

#include <stdio.h>
#include <string.h>

#define PREFIX "state/generation."
#define FILE_BYTES (GENERATION_BYTES + HASH_BYTES)
/* 10 decimal digits. */
#define NUMBER_MAX 9999999999u
/* Names that are taken by something that is none of ours. */
#define STRANGE_MAX 16

struct numbers {
	uint64_t newest[GENERATIONS_KEPT + 1]; /* descending */
};

static void
make_name(char out[BACKEND_NAME_MAX], uint64_t number)
{
	(void)snprintf(out, BACKEND_NAME_MAX, PREFIX "%010llu",
	    (unsigned long long)number); /* it fits */
}

/* The number in a generation's name, or 0. */
static uint64_t
parse_number(const char *name)
{
	size_t skip = sizeof(PREFIX) - 1, i;
	uint64_t number = 0;

	if (strncmp(name, PREFIX, skip) != 0 || strlen(name) != skip + 10)
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
	uint64_t number = parse_number(name), swap;
	size_t i;

	(void)size; /* a wrong one is found when it is read */
	for (i = 0; i < GENERATIONS_KEPT + 1; i++) {
		if (number > n->newest[i]) {
			swap = n->newest[i];
			n->newest[i] = number;
			number = swap;
		}
	}
	return 0;
}

int
generation_load(struct generation *out, struct backend *b)
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
	make_name(name, out->number);
	ret = b->ops->size(&size, b, name);
	if (ret == 0 && size != sizeof(file))
		return 1;
	if (ret == 0)
		ret = b->ops->get(b, name, file, sizeof(file), 0);
	if (ret < 0)
		return ret == ERR_DAMAGED ? 1 : ret;
	hash_bytes(sum, file, GENERATION_BYTES);
	if (memcmp(sum, file + GENERATION_BYTES, HASH_BYTES) != 0)
		return 1;
	memcpy(out->bytes, file, GENERATION_BYTES);
	return 0;
}

int
generation_renew(struct generation *g, struct backend *b)
{
	struct numbers n = {0};
	uint8_t file[FILE_BYTES];
	char name[BACKEND_NAME_MAX];
	uint64_t number;
	int ret;

	if (g->number >= NUMBER_MAX - STRANGE_MAX)
		return err_set(ERR_LIMIT, "no further generation");
	random_bytes(file, GENERATION_BYTES);
	hash_bytes(file + GENERATION_BYTES, file, GENERATION_BYTES);
	number = g->number;
	do {
		/* What listings pass over, a folder say, may bear the name. */
		make_name(name, ++number);
		ret = backend_put_all(b, name, file, sizeof(file));
	} while (ret == ERR_EXIST && number < g->number + STRANGE_MAX);
	if (ret < 0)
		return ret;
	g->number = number;
	memcpy(g->bytes, file, GENERATION_BYTES);

	ret = b->ops->list(b, "state", collect_number, &n);
	if (ret < 0)
		return ret;
	/* One per renewal keeps them few; an older one harms nobody. */
	if (n.newest[GENERATIONS_KEPT] == 0)
		return 0;
	make_name(name, n.newest[GENERATIONS_KEPT]);
	ret = b->ops->remove(b, name);
	return ret == ERR_NOENT ? 0 : ret;
}
