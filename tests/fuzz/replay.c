/*
 * Runs one fuzz target over the inputs that are kept, with any compiler and
 * any sanitizer: those of tests/fuzz/corpus/NAME.hex, one a line (`#` begins a
 * comment), and those that tests/fuzz/seeds.c wrote.
 *
 * usage: BUILD/tests/fuzz/replay_NAME        (in the folder of the Makefile)
 */

#include "base/buf.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/limits.h"
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (16u << 20)

static unsigned count;

static void
check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "replay: %s\n", what);
	exit(1);
}

/* A copy of its own, so that a sanitizer sees every byte beyond the end. */
static void
run(const uint8_t *p, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	check(copy != NULL, "no memory");
	if (len > 0)
		memcpy(copy, p, len);
	(void)LLVMFuzzerTestOneInput(copy, len); /* always 0 */
	free(copy);
	count++;
}

static void
run_lines(const char *path)
{
	struct buf b = BUF_INIT;
	const char *at, *end, *next;
	uint8_t *bytes;
	size_t len;
	int r = fs_read_file(&b, AT_FDCWD, path, FILE_BYTES_MAX);

	check(r >= 0, path);
	if (r == 1) /* nothing was kept yet */
		return;
	at = (const char *)b.data;
	end = at + b.len;
	for (; at < end; at = next + 1) {
		next = memchr(at, '\n', (size_t)(end - at));
		check(next != NULL, path);
		len = (size_t)(next - at) / 2;
		if (*at == '#')
			continue;
		bytes = malloc(len + 1);
		check(bytes != NULL, "no memory");
		check(
		    hex_decode(bytes, len, at, (size_t)(next - at)) == 0, path);
		run(bytes, len);
		free(bytes);
	}
	buf_release(&b);
}

static void
run_folder(const char *path)
{
	DIR *d = opendir(path);
	struct buf b = BUF_INIT;
	struct dirent *e;

	check(d != NULL, path);
	while ((e = readdir(d)) != NULL) {
		char *file = fs_join(path, e->d_name);

		check(file != NULL, "no memory");
		buf_reset(&b);
		if (e->d_name[0] != '.') {
			check(fs_read_file(
				  &b, AT_FDCWD, file, FILE_BYTES_MAX) == 0,
			    file);
			run(b.data, b.len);
		}
		free(file);
	}
	closedir(d);
	buf_release(&b);
}

int
main(int argc, char **argv)
{
	const char *name = strstr(argv[0], "/tests/fuzz/replay_");
	char *path;

	(void)argc;
	check(name != NULL, "run it as BUILD/tests/fuzz/replay_NAME");
	path = fs_printf("%.*s/seeds/%s", (int)(name - argv[0]), argv[0],
	    name + strlen("/tests/fuzz/replay_"));
	check(path != NULL, "no memory");
	name += strlen("/tests/fuzz/replay_");
	run_folder(path);
	free(path);
	path = fs_printf("tests/fuzz/corpus/%s.hex", name);
	check(path != NULL, "no memory");
	run_lines(path);
	free(path);
	/* As cmocka says it, for tools/run-tests. */
	printf("[       OK ] %s (%u inputs)\n", name, count);
	return 0;
}
