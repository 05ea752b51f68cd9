#ifndef HS_ENGINE_RESTORE_FILE_H
#define HS_ENGINE_RESTORE_FILE_H

/*
 * One entry that is no directory, being restored: made under its name and
 * never through one that is there, written front to back, hashed as written.
 * What does not have the address that its entry says is removed again.
 *
 * Thread use: one thread at a time per file.
 */

#include "engine/restore_link.h"
#include "engine/restore_meta.h"
#include "engine/restore_work.h"
#include "object/entry.h"

struct restore_direct;

struct restore_file {
	struct restore_job *job;
	struct restore_link *links;
	struct restore_dir *dir;
	struct restore_meta meta;
	enum address_kind kind;
	int unstable;
	uint64_t size;
	uint8_t address[HASH_BYTES];
	uint32_t link; /* its hard-link group, 0: none */
	int link_first; /* the group waits for this one */
	/* Something else has the name: made as `temp`, renamed at the end. */
	int replaces;
	char temp[RESTORE_DIR_TEMP_BYTES];

	/* Where the content is. */
	enum entry_location location;
	uint8_t id[OBJECT_ID_BYTES];
	uint32_t member;
	uint8_t level;
	uint32_t major, minor;
	uint32_t nextents;
	struct extent *extents; /* owned */
	uint8_t *data; /* inline bytes, or a symlink's target and a NUL */

	/* What was written. */
	int fd;
	int made; /* the name is ours */
	int bad; /* nothing more is written, and it goes; told, or `again` */
	int again; /* not told: to be written once more, `doubted` */
	int doubted; /* what it is made of is to be hashed to its id */
	int ends_in_hole; /* the size is to be set */
	uint64_t at; /* bytes, holes included */
	uint64_t told; /* of them, to whom watches the progress */
	struct hash *hash;
	struct hash *own_hash; /* owned: when it is written in parts */
	struct restore_direct *direct; /* large files */

	/* For restore_work.c: parts to be written, in order. */
	struct restore_part *first, *last;
	int running;
	struct restore_part tail; /* the last part */
	struct restore_piece tail_piece;
	struct restore_file *next; /* in a list of waiting ones */
	char name[]; /* NUL-terminated */
};

/* Copy what the entry `e` in `dir` says; `dir` has one more pending.
 * Returns 0; ERR_NOMEM. */
int restore_file_new(struct restore_file **out, struct restore_job *job,
    struct restore_link *links, struct restore_dir *dir, const struct entry *e);

/*
 * Make the file, then bytes and holes, front to back.  `hash` is the caller's
 * and stays until restore_file_finish(); NULL for a file written in parts.
 * Errors are told, counted and remembered in `bad`.
 */
void restore_file_begin(struct restore_file *f, struct hash *hash);
void restore_file_write(struct restore_file *f, const uint8_t *p, size_t len);
void restore_file_hole(struct restore_file *f, uint64_t len);
/* It cannot be completed, because of damage. */
void restore_file_damaged(struct restore_file *f, const char *why);
/* The same, found in content that was not hashed to its id: unless that was
 * done, the file is written once more. */
void restore_file_doubt(struct restore_file *f, const char *why);

/*
 * Everything was written: compare the address, set the metadata, tell the
 * link group and the directory.  What is bad is removed.
 * Returns nonzero when the file is to be written once more, and nothing was
 * told: it is for restore_job_again() then.
 */
int restore_file_finish(struct restore_file *f);
/* Make such a file as new, but doubted; no part of it is left. */
void restore_file_start_over(struct restore_file *f);
/*
 * What has the name, and the state `st`, is what it should be (restore_there.h;
 * `fd` is open if it is a regular file): set metadata that differs, tell the
 * link group and the directory.
 */
void restore_file_keep(struct restore_file *f, const struct stat *st);
/* What has the name is of no use: close it. */
void restore_file_forget(struct restore_file *f);
/* It became a link to another file of its group: tell the directory. */
void restore_file_linked(struct restore_file *f);
/* It was not begun, and never will be: tell the directory. */
void restore_file_drop(struct restore_file *f);

void restore_file_free(struct restore_file *f);

#endif
