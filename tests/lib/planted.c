#include "lib/planted.h"

#include "base/fs.h"
#include "server/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MEMORY "/dev/shm"
#define FILE_BYTES_MAX (16u << 20)

static char *top;

static void
check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static void
end(void)
{
	(void)fs_remove_tree(top); /* nobody is left to be told */
	free(top);
}

const char *
planted_dir(void)
{
	if (top != NULL)
		return top;
	top = fs_join(
	    access(MEMORY, W_OK) == 0 ? MEMORY : "/tmp", "shash-test-XXXXXX");
	check(top != NULL && mkdtemp(top) != NULL, "folder");
	check(atexit(end) == 0, "atexit");
	return top;
}

char *
planted_path(const char *name)
{
	char *path = fs_join(planted_dir(), name);

	check(path != NULL, name);
	return path;
}

void
planted_make(const char *name)
{
	char *path = planted_path(name);

	check(fs_make_dirs(path, 0700) == 0, path);
	free(path);
}

void
planted_write(const char *name, const uint8_t *p, size_t len)
{
	char *path = planted_path(name);
	FILE *f = fopen(path, "w");

	check(f != NULL, path);
	check(fwrite(p, 1, len, f) == len, path);
	check(fclose(f) == 0, path);
	free(path);
}

void
planted_state(const char *name, int raw, const uint8_t *p, size_t len)
{
	struct json *j = NULL;
	char *path;

	if (raw || json_decode(&j, (const char *)p, len) != 0) {
		planted_write(name, p, len);
		return;
	}
	path = planted_path(name);
	/* Text that JSON cannot hold is refused: then there is no file. */
	(void)statefile_write(path, j, 0);
	json_free(j);
	free(path);
}

void
planted_read(struct buf *out, const char *name)
{
	char *path = planted_path(name);

	check(fs_read_file(out, AT_FDCWD, path, FILE_BYTES_MAX) == 0, path);
	free(path);
}

void
planted_remove(const char *name)
{
	char *path = planted_path(name);

	check(unlink(path) == 0 || errno == ENOENT, path);
	free(path);
}
