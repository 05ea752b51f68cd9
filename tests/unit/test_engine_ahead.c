/* What is read beside another thread is what stands in the file, whoever reads
 * it, and errors come through. */

#include "base/fs.h"
#include "engine/ahead.h"
#include "lib/fill.h"
#include "lib/tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BYTES (8u << 20)
#define PIECE (2u << 20)

static uint8_t *data, *to;
static char *dir, *path;
static int fd;

static int
start(void **state)
{
	(void)state;
	data = malloc(BYTES);
	to = malloc(PIECE);
	dir = tempdir_new();
	path = fs_join(dir, "file");
	if (data == NULL || to == NULL || path == NULL)
		return 1;
	fill_random(data, BYTES, 1);
	if (fs_write_file(AT_FDCWD, path, data, BYTES, 0600, 0) != 0)
		return 1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0;
}

static int
stop(void **state)
{
	(void)state;
	close(fd);
	tempdir_free(dir);
	free(path);
	free(data);
	free(to);
	return 0;
}

static void
check(struct ahead *a, size_t len, uint64_t at)
{
	size_t left = at < BYTES ? (size_t)(BYTES - at) : 0;
	ssize_t n;

	memset(to, 0, PIECE);
	ahead_begin(a, to, len, fd, at);
	n = ahead_wait(a);
	assert_int_equal(n, len < left ? len : left);
	if (n > 0)
		assert_memory_equal(to, data + at, (size_t)n);
	assert_int_equal(ahead_wait(a), 0); /* nothing was begun */
}

static void
check_all(struct crew *crew)
{
	struct ahead a;
	size_t len;
	int i;

	ahead_init(&a, crew);
	for (i = 0; i < 40; i++) {
		len = PIECE >> i % 8;
		check(&a, len, (uint64_t)i * 200003);
		check(&a, len, BYTES - 100);
		check(&a, len, BYTES);
	}
	/* A descriptor that cannot be read. */
	ahead_begin(&a, to, PIECE, -1, 0);
	errno = 0;
	assert_int_equal(ahead_wait(&a), -1);
	assert_int_equal(errno, EBADF);
	ahead_release(&a);
}

static void
test_alone(void **state)
{
	(void)state;
	check_all(NULL);
}

static void
test_beside(void **state)
{
	void *contexts[2] = {NULL, NULL};
	struct crew *crew;

	(void)state;
	assert_int_equal(crew_start(&crew, contexts, 2), 0);
	check_all(crew);
	crew_stop(crew);
}

/* Nobody is there to help: what was given is taken back. */
static void
test_nobody(void **state)
{
	struct crew *crew;

	(void)state;
	assert_int_equal(crew_start(&crew, NULL, 0), 0);
	check_all(crew);
	crew_stop(crew);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_alone),
	    cmocka_unit_test(test_beside),
	    cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
