#include "engine/mounts.h"

#include "base/err.h"
#include "base/os.h"
#include "engine/fsclock.h"
#include "engine/source.h"

#include <stdlib.h>

/* Odd, and spread over all bits: keys of further mounts hit nobody's. */
#define FURTHER UINT64_C(0x9e3779b97f4a7c15)

void
mounts_init(struct mounts *m, const char *clock_dir)
{
	m->clock_dir = clock_dir;
	m->first = NULL;
}

void
mounts_release(struct mounts *m)
{
	struct mount *next;

	for (; m->first != NULL; m->first = next) {
		next = m->first->next;
		free(m->first);
	}
}

static int
add(struct mount **out, struct mounts *m, int fd, dev_t dev, uint64_t id)
{
	struct mount *at, *mount = calloc(1, sizeof(*mount));
	uint64_t others = 0;

	if (mount == NULL)
		return err_nomem(sizeof(*mount));
	for (at = m->first; at != NULL; at = at->next)
		others += at->dev == dev;
	mount->dev = dev;
	mount->mount_id = id;
	mount->fsid = source_fsid(fd, dev);
	mount->key = mount->fsid + others * FURTHER;
	fsclock_young(&mount->young, dev, fd, m->clock_dir);
	*out = mount;
	return 0;
}

int
mounts_find(const struct mount **out, struct mounts *m, int fd, dev_t dev)
{
	uint64_t id = os_mount_id(fd);
	struct mount **at, *mount;
	int r;

	for (at = &m->first; *at != NULL; at = &(*at)->next)
		if ((*at)->dev == dev && (*at)->mount_id == id)
			break;
	mount = *at;
	if (mount != NULL) {
		*at = mount->next;
	} else {
		r = add(&mount, m, fd, dev, id);
		if (r != 0)
			return r;
	}
	mount->next = m->first;
	m->first = mount;
	*out = mount;
	return 0;
}
