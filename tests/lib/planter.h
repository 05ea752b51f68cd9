#ifndef HS_TESTS_PLANTER_H
#define HS_TESTS_PLANTER_H

/*
 * Plants trees in a memory store, entry by entry, without any file system,
 * with the writers of src/object.  Remembers nothing: what should come out of
 * a restore, the test knows.  Failures fail the test.
 */

#include "lib/memory_store.h"
#include "object/bundle.h"
#include "object/tree.h"

struct planter_dir;

struct planter {
	struct memory_store *m;
	struct planter_dir *dir; /* the open one */
	struct bundle bundle;
	struct buf pending; /* entries waiting for the bundle's id */
	uint64_t files, dirs, bytes;
	/* Change an object before it is named: hostile payloads. */
	void (*patch)(void *arg, struct object *o);
	void *arg;
};

/* An extent_emit: for trees that a test writes itself; `arg` is the planter. */
int planter_emit(void *arg, struct object *o);

/* The root is open. */
void planter_init(struct planter *p, struct memory_store *m);
void planter_release(struct planter *p);

/* Owner of this process, mode 0644, an old time. */
void planter_meta(struct entry *e, const char *name, enum address_kind kind);

/* Add an entry as it is (copied); its content exists or not. */
void planter_add(struct planter *p, const struct entry *e);
/* A file with this content, wherever such a file belongs; `e` made by
 * planter_meta() and changed at will. */
void planter_file(
    struct planter *p, struct entry *e, const uint8_t *data, size_t len);
/* A large file: `n` extents, holes where `data[i]` is NULL; through maps when
 * they are many or `maps` is set. */
void planter_extents(struct planter *p, struct entry *e,
    const uint8_t *const *data, const size_t *lengths, size_t n, int maps);
void planter_symlink(struct planter *p, struct entry *e, const char *target);
void planter_device(
    struct planter *p, struct entry *e, uint32_t major, uint32_t minor);
void planter_fifo(struct planter *p, struct entry *e);

/* Open a directory, whose entry is `e`, and close it again. */
void planter_enter(struct planter *p, const struct entry *e);
void planter_leave(struct planter *p);

/* Close the root and commit a snapshot of it; `root` gets its entry. */
void planter_commit(struct planter *p, struct entry *root);

#endif
