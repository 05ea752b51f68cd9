#include "engine/restore_link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS_MIN 256u

enum state { PENDING, WRITTEN, FAILED };

/* One group.  Names stand in one string of bytes, directories in one table,
 * since the directories themselves are gone when their content is done. */
struct group {
	uint8_t id[ENTRY_LINK_BYTES];
	uint64_t check; /* of kind, size and address */
	uint64_t ino;
	uint32_t node; /* its directory */
	uint32_t state;
	size_t name; /* offset in `names` */
};

/* A directory that holds a first file or leads to one. */
struct node {
	uint32_t parent; /* 0: the destination */
	size_t name;
};

struct restore_link {
	struct restore_job *job;
	struct restore_dir *root;
	struct pool_lock lock; /* of `groups` and its states */
	struct buf groups, nodes, names;
	uint32_t ngroups, nnodes;
	uint32_t *slots; /* hash table of group numbers, 0: empty */
	size_t nslots; /* a power of 2 */
	int source_fd; /* the directory of the last link's source, or -1 */
	uint32_t source_node;
};

int
restore_link_new(struct restore_link **out, struct restore_job *job,
    struct restore_dir *root)
{
	struct restore_link *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return err_nomem(sizeof(*l));
	l->job = job;
	l->root = root;
	l->source_fd = -1;
	buf_init(&l->groups);
	buf_init(&l->nodes);
	buf_init(&l->names);
	pool_lock_init(&l->lock);
	*out = l;
	return 0;
}

void
restore_link_free(struct restore_link *l)
{
	if (l == NULL)
		return;
	if (l->source_fd >= 0)
		(void)close(l->source_fd); /* O_PATH: nothing to lose */
	buf_release(&l->groups);
	buf_release(&l->nodes);
	buf_release(&l->names);
	free(l->slots);
	pool_lock_release(&l->lock);
	free(l);
}

static struct group *
group_at(const struct restore_link *l, uint32_t number)
{
	return (struct group *)(void *)l->groups.data + number - 1;
}

static const struct node *
node_at(const struct restore_link *l, uint32_t number)
{
	return (const struct node *)(void *)l->nodes.data + number - 1;
}

static const char *
name_at(const struct restore_link *l, size_t offset)
{
	return (const char *)l->names.data + offset;
}

static int
add_name(size_t *out, struct restore_link *l, const char *name)
{
	*out = l->names.len;
	return buf_append(&l->names, name, strlen(name) + 1);
}

/* Give `dir` and all directories above it a node. */
static int
add_nodes(struct restore_link *l, struct restore_dir *dir)
{
	struct restore_dir *at, *top;
	struct node n;
	int rc;

	while (dir->link_node == 0 && dir->parent != NULL) {
		/* The highest one without a node comes first. */
		top = dir;
		for (at = dir; at->parent != NULL && at->link_node == 0;
		     at = at->parent)
			top = at;
		memset(&n, 0, sizeof(n));
		n.parent = top->parent->link_node;
		rc = add_name(&n.name, l, top->name);
		if (rc == 0)
			rc = buf_append(&l->nodes, &n, sizeof(n));
		if (rc != 0)
			return rc;
		top->link_node = ++l->nnodes;
	}
	return 0;
}

static size_t
slot_of(const struct restore_link *l, const uint8_t *id)
{
	return (size_t)bytes_get64(id) & (l->nslots - 1);
}

static int
grow(struct restore_link *l)
{
	size_t n = l->nslots != 0 ? 2 * l->nslots : SLOTS_MIN, s;
	uint32_t *slots, i;

	if (((size_t)l->ngroups + 1) * 3 < l->nslots * 2)
		return 0;
	slots = calloc(n, sizeof(*slots));
	if (slots == NULL)
		return err_nomem(n * sizeof(*slots));
	free(l->slots);
	l->slots = slots;
	l->nslots = n;
	for (i = 1; i <= l->ngroups; i++) {
		s = slot_of(l, group_at(l, i)->id);
		while (slots[s] != 0)
			s = (s + 1) & (n - 1);
		slots[s] = i;
	}
	return 0;
}

static uint64_t
check_of(enum address_kind kind, uint64_t size, const uint8_t *address)
{
	uint8_t text[1 + 8 + HASH_BYTES], hash[HASH_BYTES];

	text[0] = (uint8_t)kind;
	bytes_put64(text + 1, size);
	memcpy(text + 9, address, HASH_BYTES);
	hash_bytes(hash, text, sizeof(text));
	return bytes_get64(hash);
}

/* Make `g` stand for `name` in `dir`, yet to be written. */
static int
point_to(struct restore_link *l, struct group *g, struct restore_dir *dir,
    const char *name)
{
	int rc;

	rc = add_nodes(l, dir);
	if (rc == 0)
		rc = add_name(&g->name, l, name);
	if (rc != 0)
		return rc;
	g->node = dir->link_node;
	g->state = PENDING;
	return 0;
}

int
restore_link_join(uint32_t *out, struct restore_link *l,
    struct restore_dir *dir, const char *name,
    const uint8_t group[ENTRY_LINK_BYTES], enum address_kind kind,
    uint64_t size, const uint8_t address[HASH_BYTES])
{
	struct group g;
	uint64_t check = check_of(kind, size, address);
	size_t s;
	int rc;

	rc = grow(l);
	if (rc != 0)
		return rc;
	for (s = slot_of(l, group); l->slots[s] != 0;
	     s = (s + 1) & (l->nslots - 1)) {
		*out = l->slots[s];
		if (memcmp(group_at(l, *out)->id, group, ENTRY_LINK_BYTES) == 0)
			return group_at(l, *out)->check == check ? 1 : 2;
	}
	memset(&g, 0, sizeof(g));
	memcpy(g.id, group, sizeof(g.id));
	g.check = check;
	rc = point_to(l, &g, dir, name);
	if (rc != 0)
		return rc;
	pool_lock_enter(&l->lock);
	rc = buf_append(&l->groups, &g, sizeof(g));
	pool_lock_leave(&l->lock);
	if (rc != 0)
		return rc;
	l->slots[s] = ++l->ngroups;
	*out = l->ngroups;
	return 0;
}

void
restore_link_result(
    struct restore_link *l, uint32_t number, int ok, dev_t dev, ino_t ino)
{
	struct group *g;

	/* A mount below the destination that appeared meanwhile. */
	if (dev != l->root->dev)
		ok = 0;
	pool_lock_enter(&l->lock);
	g = group_at(l, number);
	g->state = ok ? WRITTEN : FAILED;
	g->ino = ino;
	pool_lock_leave(&l->lock);
}

/* Open the directory `node` from the destination, name by name. */
static int
open_node(struct restore_link *l, uint32_t node)
{
	uint32_t *way = NULL, at;
	size_t n = 0;
	int fd, next;

	if (node == l->source_node && l->source_fd >= 0)
		return l->source_fd;
	for (at = node; at != 0; at = node_at(l, at)->parent)
		n++;
	way = calloc(n + 1, sizeof(*way));
	if (way == NULL)
		return -1;
	at = node;
	for (size_t i = n; i > 0; i--) {
		way[i - 1] = at;
		at = node_at(l, at)->parent;
	}
	fd = openat(l->root->fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < n && fd >= 0; i++) {
		next = openat(fd, name_at(l, node_at(l, way[i])->name),
		    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		(void)close(fd); /* O_PATH: nothing to lose */
		fd = next;
	}
	free(way);
	if (fd < 0)
		return -1;
	if (l->source_fd >= 0)
		(void)close(l->source_fd);
	l->source_fd = fd;
	l->source_node = node;
	return fd;
}

/* Nonzero when `name` in the directory `fd` is the group's file. */
static int
is_file(const struct restore_link *l, const struct group *g, int fd,
    const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_dev == l->root->dev && st.st_ino == g->ino;
}

/* Link the group's file, in the directory `source`, to `name` in `fd`. */
static int
link_new(struct restore_link *l, const struct group *g, int source, int fd,
    const char *name)
{
	if (linkat(source, name_at(l, g->name), fd, name, 0) != 0)
		return -1;
	if (is_file(l, g, fd, name))
		return 0;
	/* Somebody put another file where ours was. */
	(void)unlinkat(fd, name, 0);
	errno = ESTALE;
	return -1;
}

/* The same where something has the name. */
static int
link_over(struct restore_link *l, const struct group *g, int source, int fd,
    const char *name)
{
	char temp[RESTORE_DIR_TEMP_BYTES];
	int error;

	if (is_file(l, g, fd, name))
		return 0;
	restore_dir_temp_name(temp);
	if (link_new(l, g, source, fd, temp) != 0)
		return -1;
	if (renameat(fd, temp, fd, name) == 0)
		return 0;
	error = errno;
	(void)unlinkat(fd, temp, 0);
	errno = error;
	return -1;
}

/* Returns 0, or -1: the group's first file cannot be linked to. */
static int
link_to(struct restore_link *l, const struct group *g, struct restore_dir *dir,
    const char *name)
{
	int source, fd, rc;

	source = open_node(l, g->node);
	if (source < 0)
		return -1;
	fd = restore_dir_pin(dir);
	if (fd < 0)
		return -1;
	rc = link_new(l, g, source, fd, name);
	if (rc != 0 && errno == EEXIST && l->job->o->force)
		rc = link_over(l, g, source, fd, name);
	restore_dir_unpin(dir);
	return rc;
}

int
restore_link_is(struct restore_link *l, uint32_t number, dev_t dev, ino_t ino)
{
	const struct group *g;
	int is;

	pool_lock_enter(&l->lock);
	g = group_at(l, number);
	is = g->state == WRITTEN && dev == l->root->dev && ino == g->ino;
	pool_lock_leave(&l->lock);
	return is;
}

int
restore_link_make(struct restore_link *l, uint32_t number,
    struct restore_dir *dir, const char *name)
{
	struct group g;
	int rc;

	pool_lock_enter(&l->lock);
	g = *group_at(l, number);
	pool_lock_leave(&l->lock);
	if (g.state == PENDING)
		return 1;
	if (g.state == WRITTEN) {
		if (link_to(l, &g, dir, name) == 0)
			return 0;
		restore_job_failed(l->job, dir, name, "link it, it is a copy");
	}
	rc = point_to(l, &g, dir, name);
	if (rc != 0)
		return rc;
	pool_lock_enter(&l->lock);
	*group_at(l, number) = g;
	pool_lock_leave(&l->lock);
	return 2;
}
