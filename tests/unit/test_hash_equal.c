/*
 * hash_equal() takes as long for a wrong MAC as for the right one: it looks at
 * all bytes, wherever the first difference is.  Where it looks is seen by a
 * page that may not be read, not by a clock.
 */

#include "hash/hash.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGES 3u

static sigjmp_buf back;

static void
on_fault(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

/* Nonzero when a comparison of `a` and `b` reads the page `n` of `a`. */
static int
reads_page(uint8_t *a, const uint8_t *b, size_t page, unsigned n)
{
	volatile int read = 0;

	assert_int_equal(0, mprotect(a + n * page, page, PROT_NONE));
	if (sigsetjmp(back, 1) == 0)
		(void)hash_equal(a, b, PAGES * page); /* only where it looks */
	else
		read = 1;
	assert_int_equal(
	    0, mprotect(a + n * page, page, PROT_READ | PROT_WRITE));
	return read;
}

static void
test_all_bytes_are_read(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), at;
	struct sigaction act = {.sa_handler = on_fault}, old;
	uint8_t *a = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		*b = calloc(PAGES, page);
	unsigned n;

	(void)state;
	assert_true(a != MAP_FAILED);
	assert_non_null(b);
	assert_int_equal(0, sigaction(SIGSEGV, &act, &old));
	for (n = 0; n < PAGES; n++)
		assert_true(reads_page(a, b, page, n));
	/* Differences in the first byte, in the middle, in the last. */
	for (at = 0; at < PAGES * page; at += PAGES * page / 2 - 1) {
		a[at] ^= 0x40;
		assert_false(hash_equal(a, b, PAGES * page));
		for (n = 0; n < PAGES; n++)
			assert_true(reads_page(a, b, page, n));
		a[at] ^= 0x40;
	}
	assert_true(hash_equal(a, b, PAGES * page));
	assert_int_equal(0, sigaction(SIGSEGV, &old, NULL));
	assert_int_equal(0, munmap(a, PAGES * page));
	free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_bytes_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
