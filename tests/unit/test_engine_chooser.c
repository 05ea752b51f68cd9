/* What of a directory is backed up: where rules come from, and which wins. */

#include "engine/chooser.h"

#include "base/err.h"
#include "base/fs.h"
#include "base/limits.h"
#include "engine/listing.h"
#include "lib/tempdir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TAG "Signature: 8a477f597d28d172789f06886806bc55"

/* A directory, entered as the one that the walk is in. */
struct place {
	char *dir;
	int fd;
};

static int
set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->dir = tempdir_new();
	p->fd = open(p->dir, O_RDONLY | O_DIRECTORY);
	assert_true(p->fd >= 0);
	*state = p;
	return 0;
}

static int
tear_down(void **state)
{
	struct place *p = *state;

	close(p->fd);
	tempdir_free(p->dir);
	free(p);
	return 0;
}

static void
write_text(const struct place *p, const char *name, const char *text)
{
	assert_int_equal(
	    fs_write_file(p->fd, name, text, strlen(text), 0600, 0), 0);
}

static int
out(struct chooser *c, const char *name, int is_dir)
{
	return chooser_excludes(c, name, strlen(name), is_dir);
}

static int
enter(struct chooser *c, const struct place *p, const char *name)
{
	return chooser_enter(c, p->fd, name, strlen(name), LISTING_RULES);
}

static void
test_nothing_is_chosen(void **state)
{
	struct place *p = *state;
	struct chooser_options o = {.exclude = NULL};
	struct chooser *c;

	assert_int_equal(chooser_new(&c, &o), 0);
	assert_int_equal(chooser_enter(c, p->fd, "", 0, 0), 0);
	assert_int_equal(out(c, "a", 0), 0);
	assert_int_equal(out(c, ".shashignore", 0), 0);
	assert_int_equal(chooser_stops(c, 1, 2), 0);
	chooser_leave(c);
	chooser_free(c);
	chooser_free(NULL);
}

/* --exclude before --exclude-from, both before the files, and a deeper file
 * before a higher one. */
static void
test_who_decides(void **state)
{
	struct place *p = *state;
	const char *exclude[] = {"option", "!kept-by-option"};
	char *file = fs_join(p->dir, "given");
	const char *from[] = {file};
	struct chooser_options o = {.exclude = exclude,
	    .nexclude = 2,
	    .exclude_from = from,
	    .nexclude_from = 1};
	struct chooser *c;

	write_text(p, "given", "kept-by-option\n!option\nfrom\n");
	assert_int_equal(chooser_new(&c, &o), 0);
	write_text(p, ".shashignore", "!from\n*.o\n/here\nsub/\n");
	assert_int_equal(enter(c, p, ""), 0);
	assert_int_equal(out(c, "option", 0), 1);
	assert_int_equal(out(c, "kept-by-option", 0), 0);
	assert_int_equal(out(c, "from", 0), 1);
	assert_int_equal(out(c, "x.o", 0), 1);
	assert_int_equal(out(c, "here", 0), 1);
	assert_int_equal(out(c, "sub", 0), 0);
	assert_int_equal(out(c, "sub", 1), 1);
	/* Below, with rules of its own. */
	write_text(p, ".shashignore", "!*.o\n/low\n");
	assert_int_equal(enter(c, p, "below"), 0);
	assert_int_equal(out(c, "x.o", 0), 0);
	assert_int_equal(out(c, "low", 0), 1);
	assert_int_equal(out(c, "here", 0), 0); /* it was the root's */
	assert_int_equal(out(c, "option", 0), 1);
	/* And below that, without: both are in force. */
	assert_int_equal(chooser_enter(c, p->fd, "deep", 4, 0), 0);
	assert_int_equal(out(c, "x.o", 0), 0);
	assert_int_equal(out(c, "low", 0), 0);
	assert_int_equal(out(c, "sub", 1), 1);
	chooser_leave(c);
	assert_int_equal(out(c, "low", 0), 1);
	chooser_leave(c);
	/* What was below is over. */
	assert_int_equal(out(c, "x.o", 0), 1);
	assert_int_equal(out(c, "low", 0), 0);
	chooser_leave(c);
	/* A second walk begins with nothing but what was given. */
	chooser_reset(c);
	assert_int_equal(chooser_enter(c, p->fd, "", 0, 0), 0);
	assert_int_equal(out(c, "x.o", 0), 0);
	assert_int_equal(out(c, "from", 0), 1);
	chooser_free(c);
	free(file);
}

/* Rules that cannot be used are told and passed over. */
static void
test_rules_that_cannot_be_used(void **state)
{
	struct place *p = *state;
	struct chooser_options o = {.exclude = NULL};
	char *text = malloc(LIMIT_RULES_BYTES + 2);
	struct chooser *c;

	assert_non_null(text);
	assert_int_equal(chooser_new(&c, &o), 0);
	assert_int_equal(enter(c, p, ""), 1); /* gone meanwhile */
	assert_int_equal(symlinkat("elsewhere", p->fd, ".shashignore"), 0);
	assert_int_equal(enter(c, p, "a"), 1);
	assert_int_equal(unlinkat(p->fd, ".shashignore", 0), 0);
	assert_int_equal(mkfifoat(p->fd, ".shashignore", 0600), 0);
	assert_int_equal(enter(c, p, "b"), 1);
	assert_int_equal(unlinkat(p->fd, ".shashignore", 0), 0);
	memset(text, 'x', LIMIT_RULES_BYTES + 1);
	text[LIMIT_RULES_BYTES + 1] = '\0';
	write_text(p, ".shashignore", text);
	assert_int_equal(enter(c, p, "c"), 1);
	assert_int_equal(out(c, "x", 0), 0);
	/* The next directory's can. */
	write_text(p, ".shashignore", "*.o\n");
	assert_int_equal(enter(c, p, "d"), 0);
	assert_int_equal(out(c, "x.o", 0), 1);
	chooser_free(c);
	free(text);
}

static void
test_options_that_cannot_be(void **state)
{
	struct place *p = *state;
	static char longest[LIMIT_PATTERN_BYTES + 2];
	const char *exclude[] = {longest};
	char *file = fs_join(p->dir, "absent");
	const char *from[] = {file};
	struct chooser_options o = {.exclude = exclude, .nexclude = 1};
	struct chooser *c = NULL;

	memset(longest, 'x', sizeof(longest) - 1);
	assert_int_equal(chooser_new(&c, &o), ERR_USAGE);
	assert_non_null(strstr(err_text(), "--exclude"));
	o = (struct chooser_options){.exclude_from = from, .nexclude_from = 1};
	assert_int_equal(chooser_new(&c, &o), ERR_USAGE);
	assert_non_null(strstr(err_text(), file));
	assert_null(c);
	free(file);
}

static void
test_caches_and_mounts(void **state)
{
	struct place *p = *state;
	struct chooser_options o = {.exclude_caches = 1, .one_file_system = 1};
	unsigned tag = LISTING_TAG;
	struct chooser *c;

	assert_int_equal(chooser_new(&c, &o), 0);
	assert_int_equal(chooser_stops(c, 7, 7), 0);
	assert_int_equal(chooser_stops(c, 7, 8), 1);
	assert_int_equal(chooser_enter(c, p->fd, "", 0, 0), 0);
	write_text(p, "CACHEDIR.TAG", TAG "\n# by a test\n");
	assert_int_equal(chooser_enter(c, p->fd, "cache", 5, tag), 0);
	assert_int_equal(out(c, "file", 0), 1);
	assert_int_equal(out(c, "sub", 1), 1);
	assert_int_equal(out(c, "CACHEDIR.TAG", 0), 0);
	chooser_leave(c);
	assert_int_equal(out(c, "file", 0), 0);
	/* Another text, and one that is too short, are no tags. */
	write_text(p, "CACHEDIR.TAG", "Signature: none");
	assert_int_equal(chooser_enter(c, p->fd, "other", 5, tag), 0);
	assert_int_equal(out(c, "file", 0), 0);
	chooser_leave(c);
	assert_int_equal(unlinkat(p->fd, "CACHEDIR.TAG", 0), 0);
	assert_int_equal(chooser_enter(c, p->fd, "gone", 4, tag), 0);
	assert_int_equal(out(c, "file", 0), 0);
	chooser_free(c);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_nothing_is_chosen),
	    TEST(test_who_decides),
	    TEST(test_rules_that_cannot_be_used),
	    TEST(test_options_that_cannot_be),
	    TEST(test_caches_and_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
