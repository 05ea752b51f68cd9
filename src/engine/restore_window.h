#ifndef HS_ENGINE_RESTORE_WINDOW_H
#define HS_ENGINE_RESTORE_WINDOW_H

/*
 * A window of a restore: parts of files, bounded in number, and the objects
 * that they need, bounded in bytes.  Filled by the planner, emptied by the
 * workers (restore_work.h).
 *
 * Thread use: the planner's thread until restore_work_run().
 */

#include "object/object.h"

#include <stddef.h>
#include <stdint.h>

struct restore_file;
struct restore_part;
struct restore_piece;

/* A window's object: fetched once, dropped when all its parts are written. */
struct restore_object {
	uint8_t id[OBJECT_ID_BYTES];
	enum object_type type;
	enum { RESTORE_WAITING, RESTORE_HERE, RESTORE_BAD } state;
	int arrived; /* handed to the workers; only for who fetches it */
	int doubted; /* its content is to be hashed to its id */
	size_t uses; /* pieces not written */
	struct restore_piece *waiting;
	struct object *content; /* HERE */
	char *why; /* BAD; NULL when memory lacked for it */
	struct restore_object *chain; /* next with the same hash */
};

/* Some bytes of a file. */
struct restore_piece {
	struct restore_object *object; /* NULL: a hole */
	enum object_type type; /* what it must be */
	uint64_t length;
	uint32_t member; /* of a bundle */
	struct restore_part *part;
	struct restore_piece *next; /* waiting for the same object */
};

/* Some consecutive pieces of a file, written in one go. */
struct restore_part {
	struct restore_file *file;
	struct restore_window *window;
	struct restore_part *next; /* of the file */
	struct restore_part *next_ready; /* or next in the window */
	size_t missing; /* pieces whose object has not arrived */
	int ready;
	int is_last; /* of the file */
	char *damage; /* owned: the rest of the file cannot be known */
	size_t npieces;
	struct restore_piece *pieces;
};

struct restore_window {
	struct restore_object *objects; /* RESTORE_WINDOW_OBJECTS of them */
	size_t nobjects;
	struct restore_object **slots; /* hash table of them by id */
	struct restore_part *parts, *last; /* in order, by `next_ready` */
	uint64_t bytes; /* of the objects, about */
	size_t nparts, npieces;
	size_t left; /* parts not written; the workers' lock guards these */
	int fetching; /* its objects are not all with the workers yet */
};

/* Objects of one window: one request to the store. */
#define RESTORE_WINDOW_OBJECTS 4096u
/* Pieces of one part at most. */
#define RESTORE_WINDOW_PIECES 512u

int restore_window_new(struct restore_window **out);
void restore_window_free(struct restore_window *win); /* NULL is fine */
/* The object with that id, or NULL. */
struct restore_object *restore_window_find(
    const struct restore_window *win, const uint8_t id[OBJECT_ID_BYTES]);
/* Nonzero when the next part should go to the next window. */
int restore_window_full(const struct restore_window *win);
/* Let `piece` need the object `id`, which takes about `bytes` of memory. */
void restore_window_need(struct restore_window *win,
    struct restore_piece *piece, enum object_type type,
    const uint8_t id[OBJECT_ID_BYTES], uint64_t bytes);
/*
 * Add a part whose pieces are complete; `part->file` and `is_last` are set.
 * The memory of `part` (unless it is the file's tail) and of its pieces goes
 * to the window.
 */
void restore_window_add(struct restore_window *win, struct restore_part *part);

#endif
