#ifndef HS_ENGINE_LISTING_H
#define HS_ENGINE_LISTING_H

/*
 * The names of one directory, sorted by raw bytes.  Up to a number of names
 * they are sorted in memory; a larger directory is sorted in runs that go to
 * a temporary file without a name, and the runs are merged while the listing
 * is read, so memory does not grow with the directory.
 */

#include <stddef.h>
#include <stdint.h>

/* Names that are sorted in memory (about 6 MiB). */
#define LISTING_NAMES_MAX (1u << 17)

struct listing;

struct listing_name {
	const char *name; /* with a NUL behind it; valid until the next call */
	size_t len; /* 1 .. LIMIT_NAME_BYTES */
	unsigned char type; /* DT_* of dirent.h */
};

/*
 * Read the directory `fd` to its end, without `.` and `..`.  At most
 * `names_max` names (at least 2) are held in memory; the temporary file is
 * made in `temp_dir` (NULL: the system's place for such files).
 *
 * Returns 0 and a listing to free; ERR_SOURCE when the directory could not
 * be read to its end; ERR_IO or ERR_NOSPACE when the temporary file failed;
 * ERR_NOMEM.
 */
int listing_new(
    struct listing **out, int fd, const char *temp_dir, size_t names_max);
/*
 * The same without a temporary file: 1 when there are more than `names_max`
 * names.
 */
int listing_new_small(struct listing **out, int fd, size_t names_max);
void listing_free(struct listing *l); /* NULL is fine */
/* Names held in memory. */
size_t listing_held(const struct listing *l);
/*
 * Names that say something about the directory: which of them are in the
 * listing, known before the first name is read from it.
 */
#define LISTING_RULES_NAME ".shashignore"
#define LISTING_RULES 1u
#define LISTING_TAG_NAME "CACHEDIR.TAG"
#define LISTING_TAG 2u
unsigned listing_marks(const struct listing *l);
/* The next name.  0; 1 at the end; ERR_IO. */
int listing_next(struct listing_name *out, struct listing *l);
/*
 * In a listing that is all in memory: which name listing_next() gives next, and
 * number `i` of all, which stays as long as the listing.  0; 1: there is none.
 */
size_t listing_at(const struct listing *l);
int listing_peek(struct listing_name *out, const struct listing *l, size_t i);

#endif
