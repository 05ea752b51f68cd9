#ifndef HS_ENGINE_CHOOSER_H
#define HS_ENGINE_CHOOSER_H

/*
 * What of a directory is backed up: the user's exclusions, and the rules of
 * each `.shashignore` on the way, which are relative to the directory that it
 * lies in.  --exclude decides before --exclude-from, both before the files,
 * and a deeper file before a higher one.
 *
 * The decision depends on names and types and the rules alone, so backup and
 * scan, and a scan of a restored copy, come to the same one; it is made anew
 * in every walk, before the stat cache is asked, so nothing that is cached
 * depends on rules of an earlier run.
 *
 * Thread use: the walker's.
 */

#include <stddef.h>
#include <stdint.h>

struct chooser_options {
	const char *const *exclude; /* patterns; the root's directory counts */
	size_t nexclude;
	const char *const *exclude_from; /* files of patterns */
	size_t nexclude_from;
	/* Directories on other file systems come without their content. */
	int one_file_system;
	/* Directories that a CACHEDIR.TAG marks come without their content
	 * but for the tag; https://bford.info/cachedir/. */
	int exclude_caches;
};

struct chooser;

/* Read the files.  ERR_USAGE: one cannot be read, or is no such file. */
int chooser_new(struct chooser **out, const struct chooser_options *o);
void chooser_free(struct chooser *c); /* NULL is fine */

/* A walk begins. */
void chooser_reset(struct chooser *c);
/*
 * The walk enters the directory `name` (the root: "") of the one that it is
 * in, open at `fd`; `marks` are those of its listing (listing.h).  Returns 0;
 * 1: its rules cannot be used, err_text() says why, the walk goes on without
 * them; ERR_NOMEM.
 */
int chooser_enter(struct chooser *c, int fd, const char *name, size_t name_len,
    unsigned marks);
void chooser_leave(struct chooser *c);

/*
 * Is the entry of the directory that the walk is in to be left out?  1 or 0;
 * ERR_NOMEM.
 */
int chooser_excludes(
    struct chooser *c, const char *name, size_t name_len, int is_dir);
/* Is a directory on the file system `dev` to be left empty? */
int chooser_stops(const struct chooser *c, uint64_t root_dev, uint64_t dev);

#endif
