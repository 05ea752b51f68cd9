/* backend/unsure: what is under way when a sync fails is known afterwards. */

#include "backend/unsure.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "lib/store_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static int
note(void *arg, const char *name)
{
	int ret = buf_append(arg, name, strlen(name));

	return ret < 0 ? ret : buf_append(arg, " ", 1);
}

static void
expect(const struct unsure *u, const char *want)
{
	struct buf b = BUF_INIT;

	assert_int_equal(unsure_each(u, note, &b), 0);
	assert_int_equal(buf_append(&b, "", 1), 0);
	assert_string_equal((const char *)b.data, want);
	buf_release(&b);
}

static void
test_names(void **state)
{
	struct unsure_put a = {.name = "packs/aa/one"};
	struct unsure_put b = {.name = "packs/bb/two"};
	struct unsure_put c = {.name = "snapshots/m/1"};
	char *folder = fixture_folder();
	struct unsure *u;

	(void)state;
	assert_int_equal(unsure_open(&u, folder), 0);
	unsure_enter(u, &a);
	unsure_enter(u, &b);
	unsure_enter(u, &c);
	unsure_leave(u, &b);
	assert_int_equal(unsure_check(u), 0);
	/* What was put in this life is no matter of the earlier ones. */
	unsure_fail(u, "state");
	assert_int_equal(unsure_check(u), ERR_READONLY);
	assert_int_equal(unsure_is(u, "packs/aa/one"), 0);
	assert_int_equal(unsure_clear(u), ERR_READONLY);
	unsure_leave(u, &a);
	unsure_leave(u, &c);
	unsure_close(u);

	assert_int_equal(unsure_open(&u, folder), 0);
	assert_int_equal(unsure_check(u), 0);
	expect(u, "state snapshots/m/1 packs/aa/one ");
	assert_true(unsure_is(u, "packs/aa/one"));
	assert_true(unsure_is(u, "state/generation.1"));
	assert_false(unsure_is(u, "packs/bb/two"));
	assert_false(unsure_is(u, "packs/aa/on"));
	assert_false(unsure_is(u, "packs/aa/one2"));
	/* A second failure before they were read forgets none. */
	unsure_fail(u, "packs/cc");
	unsure_close(u);
	assert_int_equal(unsure_open(&u, folder), 0);
	expect(u, "state snapshots/m/1 packs/aa/one packs/cc ");
	assert_int_equal(unsure_clear(u), 0);
	assert_false(unsure_is(u, "packs/cc/x"));
	unsure_close(u);
	assert_int_equal(unsure_open(&u, folder), 0);
	expect(u, "");
	unsure_close(u);
	fixture_remove(folder);
}

/* The same, where no descriptor is left; and more names than there is room. */
static void
test_no_descriptor(void **state)
{
	static struct unsure_put puts[1500];
	static char names[1500][80];
	char *folder = fixture_folder();
	struct rlimit before, few;
	struct unsure *u;
	int fds[64];
	unsigned i, n = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(unsure_open(&u, folder), 0);
	for (i = 0; i < 1500; i++) {
		(void)snprintf(
		    names[i], sizeof(names[i]), "packs/ab/%050u.pack", i);
		puts[i].name = names[i];
		unsure_enter(u, &puts[i]);
	}
	while (n < 64 && (fds[n] = open("/dev/null", O_RDONLY)) >= 0)
		n++;
	assert_in_range(n, 1, 63);
	unsure_fail(u, NULL);
	while (n > 0)
		assert_int_equal(close(fds[--n]), 0);
	/* A second one has its descriptor again, and says nothing twice. */
	unsure_fail(u, "state");
	for (i = 0; i < 1500; i++)
		unsure_leave(u, &puts[i]);
	unsure_close(u);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(unsure_open(&u, folder), 0);
	for (i = 0; i < 1500; i++)
		assert_true(unsure_is(u, names[i]));
	assert_true(unsure_is(u, "state/x"));
	unsure_close(u);
	fixture_remove(folder);
}

static void
test_read(void **state)
{
	char *folder = fixture_folder(), *path = fs_join(folder, "file");
	uint8_t *data = malloc(300001), *out = malloc(300001);
	static const uint64_t places[][2] = {{0, 300001}, {1, 300000}, {0, 1},
	    {4095, 2}, {4096, 4096}, {300000, 1}, {100000, 0}};
	size_t i;
	int fd, direct;

	(void)state;
	for (i = 0; i < 300001; i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(
	    fs_write_file(AT_FDCWD, path, data, 300001, 0600, 0), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (direct = 0; direct < 2; direct++) {
		for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			size_t at = (size_t)places[i][0];
			size_t len = (size_t)places[i][1];

			memset(out, 0, 300001);
			assert_int_equal(
			    unsure_read(out, fd, path, len, at, direct), 0);
			assert_memory_equal(out, data + at, len);
		}
		assert_int_equal(
		    unsure_read(out, fd, path, 2, 300000, direct), 1);
	}
	assert_int_equal(close(fd), 0);
	free(data);
	free(out);
	free(path);
	fixture_remove(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_no_descriptor),
	    cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
