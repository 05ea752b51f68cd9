/*
 * What does making a file cost, as a restore makes it: below a held
 * directory, contents, mode and times?  With and without each part.
 *
 * Nothing is removed before the end: ext4 does not use the inodes of removed
 * files again for some seconds, and looks for others in their midst, which
 * costs a hundred times what making a file costs.  The same holds for whoever
 * removed a tree on this file system just before.
 */

#include "bench.h"

#define FILES 10000u
#define PER_DIRECTORY 1000u

struct work {
	const char *folder;
	char *place; /* of this run, below */
	unsigned run;
	int contents;
	int metadata;
};

static int
make_one(int dir, const struct work *w, unsigned number)
{
	static const struct timespec times[2] = {{1000000000, 1}, {1, 2}};
	static const uint8_t contents[4096];
	char name[32];
	int fd, r = 0;

	(void)snprintf(name, sizeof(name), "%08x", number * 2654435761u);
	fd = openat(dir, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(ERR_IO, "%s", name);
	if (w->contents)
		r = fs_write_all(fd, contents, sizeof(contents));
	if (r == 0 && w->metadata &&
	    (fchmod(fd, 0640) != 0 || futimens(fd, times) != 0))
		r = err_errno(ERR_IO, "%s", name);
	if (close(fd) != 0 && r == 0)
		r = err_errno(ERR_IO, "%s", name);
	return r;
}

static int
prepare(void *arg)
{
	struct work *w = arg;

	free(w->place);
	w->place = fs_printf("%s/%u", w->folder, ++w->run);
	return w->place == NULL ? ERR_NOMEM : fs_make_dirs(w->place, 0700);
}

static int
make_all(void *arg)
{
	struct work *w = arg;
	char *path;
	unsigned i, j;
	int dir, r = 0;

	for (i = 0; i < FILES / PER_DIRECTORY && r == 0; i++) {
		path = fs_printf("%s/%u", w->place, i);
		if (path == NULL)
			return ERR_NOMEM;
		dir = mkdir(path, 0700) == 0
			  ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
			  : -1;
		if (dir < 0)
			r = err_errno(ERR_IO, "%s", path);
		for (j = 0; j < PER_DIRECTORY && r == 0; j++)
			r = make_one(dir, w, j);
		if (dir >= 0)
			close(dir);
		free(path);
	}
	return r;
}

int
main(void)
{
	char *folder = bench_folder();
	struct work w = {.folder = folder};

	bench_run("create, empty", "file", FILES, prepare, make_all, &w);
	w.metadata = 1;
	bench_run("create, empty, mode and times", "file", FILES, prepare,
	    make_all, &w);
	w.contents = 1;
	bench_run("create, 4 KiB, mode and times", "file", FILES, prepare,
	    make_all, &w);
	free(w.place);
	bench_remove(folder);
	return 0;
}
