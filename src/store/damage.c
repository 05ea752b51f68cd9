#include "store/damage.h"

#include "base/err.h"
#include "base/hex.h"
#include "store/backend.h"

#include <stdio.h>
#include <string.h>

#define PREFIX "state/damage."
/* PREFIX + 64 digits + "." + 8 digits */
#define NAME_LEN (sizeof(PREFIX) - 1 + 64 + 1 + 8)

static void
make_name(char out[BACKEND_NAME_MAX], const uint8_t pack[32], uint32_t offset)
{
	char hex[2 * 32 + 1];

	hex_encode(hex, pack, 32);
	(void)snprintf(
	    out, BACKEND_NAME_MAX, PREFIX "%s.%08x", hex, offset); /* it fits */
}

int
damage_mark(struct backend *b, const uint8_t pack[32], uint32_t offset)
{
	char name[BACKEND_NAME_MAX];
	int ret;

	make_name(name, pack, offset);
	ret = backend_put_all(b, name, NULL, 0);
	return ret == ERR_EXIST ? 0 : ret;
}

int
damage_forget(struct backend *b, const uint8_t pack[32], uint32_t offset)
{
	char name[BACKEND_NAME_MAX];
	int ret;

	make_name(name, pack, offset);
	ret = b->ops->remove(b, name);
	return ret == ERR_NOENT ? 0 : ret;
}

struct marks {
	int (*found)(void *arg, const uint8_t pack[32], uint32_t offset);
	void *arg;
};

static int
collect_mark(void *arg, const char *name, uint64_t size)
{
	struct marks *m = arg;
	size_t skip = sizeof(PREFIX) - 1;
	uint8_t pack[32], at[4];

	(void)size; /* the name says all */
	if (strlen(name) != NAME_LEN || strncmp(name, PREFIX, skip) != 0 ||
	    hex_decode(pack, 32, name + skip, 64) != 0 ||
	    name[skip + 64] != '.' ||
	    hex_decode(at, 4, name + skip + 65, 8) != 0)
		return 0;
	return m->found(m->arg, pack,
	    (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
		(uint32_t)at[2] << 8 | at[3]);
}

int
damage_list(struct backend *b,
    int (*found)(void *arg, const uint8_t pack[32], uint32_t offset), void *arg)
{
	struct marks m = {found, arg};

	return b->ops->list(b, "state", collect_mark, &m);
}
