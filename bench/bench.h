#ifndef HS_BENCH_BENCH_H
#define HS_BENCH_BENCH_H

/*
 * What the programs of this folder share.  Each answers one question and is a
 * main() of its own, linked with libhashstore.a.  A line of output is
 *
 *   what                      wall     CPU ns/unit     low .. high
 *
 * the median of BENCH_RUNS runs, wall clock and CPU of all threads of this
 * process, and the spread of the wall clock.  Whoever fails, exits.
 */

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BENCH_RUNS 5

/* Returns 0, or ERR_*. */
typedef int bench_fn(void *arg);

/* End the program unless `r` is a success. */
static inline void
bench_must(int r)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "bench: %s\n", err_text()); /* and exit */
	exit(1);
}

static inline void *
bench_alloc(size_t len)
{
	void *p = NULL;

	/* Aligned for O_DIRECT. */
	if (posix_memalign(&p, 4096, len) != 0)
		bench_must(err_nomem(len));
	memset(p, 0, len); /* what is not touched is not there */
	return p;
}

static inline int
bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* One line of output: `n` runs, each of `count` units. */
static inline void
bench_print(const char *what, const char *unit, double count, double *wall,
    double *cpu, unsigned n)
{
	qsort(wall, n, sizeof(*wall), bench_compare);
	qsort(cpu, n, sizeof(*cpu), bench_compare);
	printf("%-36s %10.3f %10.3f ns/%-6s %10.3f .. %.3f\n", what,
	    wall[n / 2] / count, cpu[n / 2] / count, unit, wall[0] / count,
	    wall[n - 1] / count);
	(void)fflush(stdout); /* a line is for people */
}

/*
 * Time `run(arg)`, which handles `count` units; `prepare` (may be NULL) runs
 * before each and is not timed.  `run` is run once more, first, to warm up.
 */
static inline void
bench_run(const char *what, const char *unit, double count, bench_fn *prepare,
    bench_fn *run, void *arg)
{
	double wall[BENCH_RUNS], cpu[BENCH_RUNS];
	int64_t wall_ns, cpu_ns;
	int i;

	for (i = -1; i < BENCH_RUNS; i++) {
		if (prepare != NULL)
			bench_must(prepare(arg));
		wall_ns = clock_mono_ns();
		cpu_ns = clock_cpu_ns();
		bench_must(run(arg));
		cpu_ns = clock_cpu_ns() - cpu_ns;
		wall_ns = clock_mono_ns() - wall_ns;
		if (i < 0)
			continue;
		wall[i] = (double)wall_ns;
		cpu[i] = (double)cpu_ns;
	}
	bench_print(what, unit, count, wall, cpu, BENCH_RUNS);
}

/* Marsaglia's xorshift64*: fast, and the same in every run. */
static inline uint64_t
bench_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

/* Bytes that no codec makes smaller. */
static inline void
bench_noise(uint8_t *out, size_t len, uint64_t seed)
{
	uint64_t state = seed + 1, v;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		v = bench_random(&state);
		memcpy(out + i, &v, 8);
	}
	for (; i < len; i++)
		out[i] = (uint8_t)bench_random(&state);
}

/* Something like source code: words of a small vocabulary, some of them more
 * often, indented lines.  zstd -3 makes a quarter of it. */
static inline void
bench_text(uint8_t *out, size_t len, uint64_t seed)
{
	static char words[1024][10];
	static int made;
	uint64_t state = 7, v;
	size_t at = 0, n, i, j;

	for (i = 0; !made && i < 1024; i++) {
		n = 2 + bench_random(&state) % 7;
		for (j = 0; j < n; j++)
			words[i][j] = (char)('a' + bench_random(&state) % 26);
	}
	made = 1;
	state = seed + 1;
	while (at < len) {
		v = bench_random(&state);
		i = (v & 1023) & (v >> 10 & 1023) & (v >> 20 & 1023);
		n = strlen(words[i]);
		n = n < len - at ? n : len - at;
		memcpy(out + at, words[i], n);
		at += n;
		if (at < len)
			out[at++] = (v >> 30 & 7) == 0 ? '\n' : ' ';
	}
}

/*
 * The first `len` bytes of the file `path` into `out`, from its beginning
 * again where it is shorter.
 */
static inline void
bench_file(uint8_t *out, size_t len, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t at = 0;
	ssize_t n;

	if (fd < 0)
		bench_must(err_errno(ERR_IO, "%s", path));
	while (at < len) {
		n = read(fd, out + at, len - at);
		if (n < 0 || (n == 0 && at == 0))
			bench_must(err_errno(ERR_IO, "%s", path));
		if (n == 0 && lseek(fd, 0, SEEK_SET) != 0)
			bench_must(err_errno(ERR_IO, "%s", path));
		at += (size_t)n;
	}
	close(fd);
}

/* A new folder below $TMPDIR; the text is the caller's. */
static inline char *
bench_folder(void)
{
	const char *top = getenv("TMPDIR");
	char *path =
	    fs_printf("%s/hashstore-bench-XXXXXX", top != NULL ? top : "/tmp");

	if (path == NULL || mkdtemp(path) == NULL)
		bench_must(err_errno(ERR_IO, "cannot make a folder"));
	return path;
}

/* Remove it and free the text. */
static inline void
bench_remove(char *folder)
{
	bench_must(fs_remove_tree(folder));
	free(folder);
}

/* A path in the folder; the text is the caller's. */
static inline char *
bench_path(const char *folder, const char *name)
{
	char *path = fs_join(folder, name);

	if (path == NULL)
		bench_must(ERR_NOMEM);
	return path;
}

/* A number of the command line; `otherwise` when it is not there. */
static inline uint64_t
bench_number(int argc, char **argv, int at, uint64_t otherwise)
{
	char *end;
	double v;

	if (argc <= at)
		return otherwise;
	v = strtod(argv[at], &end); /* 1e8 is a number */
	if (*end != '\0' || v < 1)
		bench_must(err_set(ERR_USAGE, "%s is no number", argv[at]));
	return (uint64_t)v;
}

#endif
