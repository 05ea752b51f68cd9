/*
 * What does walking a tree cost per entry?  A scan of empty files is a walk;
 * floors are reading the names alone, and reading them and statting each.
 *
 * usage: walk [DIRECTORY]    (default: 1e5 empty files in 400 directories;
 *                            of another one the contents are read, too)
 */

#include "bench.h"
#include "engine/listing.h"
#include "engine/scan.h"

#include <dirent.h>

#define DIRECTORIES 400u
#define FILES_EACH 250u

struct work {
	const char *path;
	int do_stat;
	uint64_t entries;
};

static int list_below(struct work *w, int dir);

static int
list_name(struct work *w, int dir, const struct listing_name *n)
{
	struct stat st;
	int fd, r;

	w->entries++;
	if (w->do_stat && fstatat(dir, n->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_errno(ERR_SOURCE, "%s", n->name);
	if (n->type != DT_DIR)
		return 0;
	fd = openat(
	    dir, n->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(ERR_SOURCE, "%s", n->name);
	r = list_below(w, fd);
	close(fd);
	return r;
}

static int
list_below(struct work *w, int dir)
{
	struct listing_name n;
	struct listing *l;
	int r = listing_new(&l, dir, NULL, LISTING_NAMES_MAX);

	if (r < 0)
		return r;
	while (
	    (r = listing_next(&n, l)) == 0 && (r = list_name(w, dir, &n)) == 0)
		;
	listing_free(l);
	return r < 0 ? r : 0;
}

static int
list_all(void *arg)
{
	struct work *w = arg;
	int fd = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return err_errno(ERR_NOENT, "%s", w->path);
	w->entries = 0;
	r = list_below(w, fd);
	close(fd);
	return r;
}

static int
scan_all(void *arg)
{
	struct work *w = arg;
	struct notes_counts counts;
	struct scan_options o = {.walk = {.path = w->path}, .counts = &counts};
	struct scan_result result;

	memset(&counts, 0, sizeof(counts));
	return scan_run(&result, &o);
}

static void
make_tree(const char *folder)
{
	unsigned i, j;
	char *path;
	int fd;

	for (i = 0; i < DIRECTORIES; i++) {
		path = fs_printf("%s/directory-%u", folder, i);
		if (path == NULL || mkdir(path, 0700) != 0)
			bench_must(err_errno(ERR_IO, "%s", folder));
		free(path);
		for (j = 0; j < FILES_EACH; j++) {
			path =
			    fs_printf("%s/directory-%u/file-%u", folder, i, j);
			fd =
			    path == NULL
				? -1
				: open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
			if (fd < 0)
				bench_must(err_errno(ERR_IO, "%s", folder));
			close(fd);
			free(path);
		}
	}
}

int
main(int argc, char **argv)
{
	char *folder = bench_folder();
	struct work w = {.path = argc > 1 ? argv[1] : folder};

	if (argc < 2)
		make_tree(folder);
	bench_must(list_all(&w));
	bench_run("walk, sorted names alone", "entry", (double)w.entries, NULL,
	    list_all, &w);
	w.do_stat = 1;
	bench_run("walk, names and fstatat", "entry", (double)w.entries, NULL,
	    list_all, &w);
	bench_run("walk, scan", "entry", (double)w.entries, NULL, scan_all, &w);
	bench_remove(folder);
	return 0;
}
