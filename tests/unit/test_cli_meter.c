#include "cli/meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
check(const struct meter_state *s, unsigned columns, const char *want)
{
	char line[256];

	meter_line(line, sizeof(line), columns, s);
	assert_string_equal(line, want);
	assert_true(strlen(line) <= columns);
}

static void
test_narrow(void **state)
{
	const struct meter_state s = {.verb = "restore",
	    .noun = "files",
	    .now = {.files = 12345, .bytes = 3ull << 29},
	    .bytes_total = 3ull << 30,
	    .rate = 100u << 20};

	(void)state;
	check(&s, 200,
	    "restore: 12345 files, 1.5 GiB, 100.0 MiB/s, 50 %, 0:15 left");
	check(&s, 59,
	    "restore: 12345 files, 1.5 GiB, 100.0 MiB/s, 50 %, 0:15 left");
	check(&s, 58, "12345 files, 1.5 GiB, 100.0 MiB/s, 50 %, 0:15 left");
	check(&s, 50, "12345 files, 1.5 GiB, 100.0 MiB/s, 50 %, 0:15 left");
	check(&s, 49, "1.5 GiB, 100.0 MiB/s, 50 %, 0:15 left");
	check(&s, 36, "1.5 GiB, 50 %, 0:15 left");
	check(&s, 23, "1.5 GiB, 50 %");
	check(&s, 12, "50 %");
	check(&s, 4, "50 %");
	check(&s, 3, "50 ");
	check(&s, 0, "");
}

static void
test_what_is_not_known(void **state)
{
	struct meter_state s = {.verb = "backup", .noun = "files"};

	(void)state;
	check(&s, 80, "backup: 0 files, 0 B");
	s.now.bytes = 1000;
	s.rate = 10;
	check(&s, 80, "backup: 0 files, 1000 B, 10 B/s");
	check(&s, 6, "1000 B");
	s.bytes_total = 1000;
	check(&s, 80, "backup: 0 files, 1000 B, 10 B/s, 100 %, 0:00 left");
	/* It has grown since. */
	s.now.bytes = 1001;
	check(&s, 80, "backup: 0 files, 1001 B, 10 B/s");
	s.now.bytes = 1;
	s.rate = 0;
	check(&s, 80, "backup: 0 files, 1 B, 0 %");
	s.rate = 1;
	s.bytes_total = s.now.bytes = UINT64_MAX;
	check(&s, 80, "backup: 0 files, 16.0 EiB, 1 B/s, 100 %, 0:00 left");
}

static void
hold(void *arg, struct meter_sample *out)
{
	out->files = 1;
	out->bytes = *(uint64_t *)arg;
}

/* Started and ended at once, with and without totals, again and again. */
static void
test_ends(void **state)
{
	uint64_t bytes = 7;
	struct meter *m;
	int i;

	(void)state;
	for (i = 0; i < 50; i++) {
		meter_start(&m, "scan", "files", hold, &bytes);
		assert_non_null(m);
		meter_total(m, (uint64_t)i);
		meter_stop(m);
	}
	meter_total(NULL, 1);
	meter_stop(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_narrow),
	    cmocka_unit_test(test_what_is_not_known),
	    cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
