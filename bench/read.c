/*
 * What does reading a file cost: through the page cache (warm), by size of
 * the buffer, and past it?
 *
 * usage: read [FILE]    (default: 256 MiB made in a temporary folder)
 */

#include "bench.h"

#define BYTES_MADE (256u << 20)
#define PIECE_MAX (4u << 20)

struct work {
	const char *path;
	int flags;
	size_t piece;
	uint8_t *buffer;
	uint64_t bytes;
};

static int
read_all(void *arg)
{
	struct work *w = arg;
	int fd = open(w->path, O_RDONLY | O_CLOEXEC | w->flags);
	uint64_t at = 0;
	ssize_t n = 0;

	if (fd < 0)
		return err_errno(ERR_IO, "%s", w->path);
	while (at < w->bytes &&
	       (n = pread(fd, w->buffer, w->piece, (off_t)at)) > 0)
		at += (uint64_t)n;
	close(fd);
	return n < 0 ? err_errno(ERR_IO, "%s", w->path) : 0;
}

static void
make_file(const char *path)
{
	uint8_t *p = bench_alloc(PIECE_MAX);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	unsigned i;

	if (fd < 0)
		bench_must(err_errno(ERR_IO, "%s", path));
	for (i = 0; i < BYTES_MADE / PIECE_MAX; i++) {
		bench_noise(p, PIECE_MAX, i);
		bench_must(fs_write_all(fd, p, PIECE_MAX));
	}
	if (fsync(fd) != 0)
		bench_must(err_errno(ERR_IO, "%s", path));
	close(fd);
	free(p);
}

int
main(int argc, char **argv)
{
	static const size_t pieces[] = {
	    16u << 10, 128u << 10, 1u << 20, PIECE_MAX};
	char *folder = bench_folder(), *made = bench_path(folder, "file");
	struct work w = {.path = argc > 1 ? argv[1] : made};
	struct stat st;
	char text[64];
	size_t i;

	w.buffer = bench_alloc(PIECE_MAX);
	if (argc < 2)
		make_file(made);
	if (stat(w.path, &st) != 0 || st.st_size < PIECE_MAX)
		bench_must(err_set(
		    ERR_USAGE, "%s: no such file, or too short", w.path));
	w.bytes = (uint64_t)st.st_size / PIECE_MAX * PIECE_MAX;
	for (i = 0; i < 8; i++) {
		w.piece = pieces[i % 4];
		w.flags = i < 4 ? 0 : O_DIRECT;
		(void)snprintf(text, sizeof(text), "read %s, pieces of %zu KiB",
		    i < 4 ? "cached" : "direct", w.piece >> 10); /* it fits */
		if (read_all(&w) != 0 && i >= 4) {
			printf("%-36s not on this file system\n", text);
			continue;
		}
		bench_run(text, "byte", (double)w.bytes, NULL, read_all, &w);
	}
	free(w.buffer);
	free(made);
	bench_remove(folder);
	return 0;
}
