/* What has the name of an entry already: the same, another, or in the way. */

#include "engine/restore_there.h"

#include "base/err.h"
#include "base/fs.h"
#include "engine/restore.h"
#include "engine/restore_dir.h"
#include "engine/restore_job.h"
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

#define NAME "entry"
#define TEXT "content of the entry"

/* A destination, and one entry that belongs there. */
struct place {
	char *dir;
	int fd;
	struct restore_options o;
	struct restore_job job;
	struct restore_dirs *dirs;
	struct restore_dir *root;
	struct restore_file *f;
	struct stat st;
};

static int
set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	int fd;

	assert_non_null(p);
	p->dir = tempdir_new();
	p->fd = open(p->dir, O_RDONLY | O_DIRECTORY);
	fd = open(p->dir, O_RDONLY | O_DIRECTORY);
	assert_true(p->fd >= 0 && fd >= 0);
	restore_job_init(&p->job, NULL, NULL, &p->o);
	assert_int_equal(restore_dir_all_new(&p->dirs, &p->job), 0);
	assert_int_equal(restore_dir_root(&p->root, p->dirs, fd, NULL), 0);
	p->f = calloc(1, sizeof(*p->f) + sizeof(NAME));
	assert_non_null(p->f);
	memcpy(p->f->name, NAME, sizeof(NAME));
	p->f->job = &p->job;
	p->f->dir = p->root;
	p->f->fd = -1;
	*state = p;
	return 0;
}

static int
tear_down(void **state)
{
	struct place *p = *state;

	restore_dir_done(p->root);
	restore_dir_all_free(p->dirs);
	restore_job_release(&p->job);
	free(p->f);
	close(p->fd);
	tempdir_free(p->dir);
	free(p);
	return 0;
}

/* The entry is a file with these bytes. */
static void
want_file(struct place *p, const char *text)
{
	p->f->kind = ADDRESS_FILE;
	p->f->size = strlen(text);
	hash_bytes(p->f->address, text, strlen(text));
}

static void
write_text(const struct place *p, const char *name, const char *text)
{
	assert_int_equal(
	    fs_write_file(p->fd, name, text, strlen(text), 0600, 0), 0);
}

/* Look; whatever is the same and regular is open for reading. */
static enum restore_there
look(struct place *p)
{
	enum restore_there there = restore_there_look(p->f, &p->st);

	if (there == RESTORE_THERE_SAME && p->f->kind == ADDRESS_FILE) {
		assert_true(p->f->fd >= 0);
		assert_true(S_ISREG(p->st.st_mode));
		close(p->f->fd);
	} else {
		assert_int_equal(p->f->fd, -1);
	}
	p->f->fd = -1;
	return there;
}

static void
clear(const struct place *p)
{
	assert_int_equal(unlinkat(p->fd, NAME, 0), 0);
}

static void
test_files(void **state)
{
	struct place *p = *state;
	struct timespec old[2] = {{1, 0}, {1, 0}};

	want_file(p, TEXT);
	assert_int_equal(look(p), RESTORE_THERE_NOT);
	write_text(p, NAME, TEXT);
	assert_int_equal(look(p), RESTORE_THERE_SAME);
	/* Times say nothing, either way. */
	assert_int_equal(utimensat(p->fd, NAME, old, 0), 0);
	assert_int_equal(look(p), RESTORE_THERE_SAME);
	write_text(p, NAME, "Content of the entry");
	assert_int_equal(utimensat(p->fd, NAME, old, 0), 0);
	assert_int_equal(look(p), RESTORE_THERE_OTHER);
	write_text(p, NAME, TEXT "!");
	assert_int_equal(look(p), RESTORE_THERE_OTHER);
	write_text(p, NAME, "");
	assert_int_equal(look(p), RESTORE_THERE_OTHER);
	want_file(p, "");
	assert_int_equal(look(p), RESTORE_THERE_SAME);
	/* Not through a link, be its target the same. */
	want_file(p, TEXT);
	write_text(p, "target", TEXT);
	clear(p);
	assert_int_equal(symlinkat("target", p->fd, NAME), 0);
	assert_int_equal(look(p), RESTORE_THERE_OTHER);
	/* And nothing waits for a writer. */
	clear(p);
	assert_int_equal(mkfifoat(p->fd, NAME, 0600), 0);
	assert_int_equal(look(p), RESTORE_THERE_OTHER);
}

static void
test_links_and_fifos(void **state)
{
	struct place *p = *state;
	uint8_t target[] = "target";

	p->f->kind = ADDRESS_SYMLINK;
	p->f->size = 6;
	p->f->data = target;
	assert_int_equal(symlinkat("target", p->fd, NAME), 0);
	assert_int_equal(look(p), RESTORE_THERE_SAME);
	clear(p);
	assert_int_equal(symlinkat("tarGet", p->fd, NAME), 0);
	assert_int_equal(look(p), RESTORE_THERE_OTHER);
	clear(p);
	assert_int_equal(symlinkat("target/", p->fd, NAME), 0);
	assert_int_equal(look(p), RESTORE_THERE_OTHER);
	p->f->data = NULL;
	p->f->kind = ADDRESS_FIFO;
	assert_int_equal(look(p), RESTORE_THERE_OTHER);
	clear(p);
	assert_int_equal(mkfifoat(p->fd, NAME, 0600), 0);
	assert_int_equal(look(p), RESTORE_THERE_SAME);
	p->f->kind = ADDRESS_CHARDEV;
	assert_int_equal(look(p), RESTORE_THERE_OTHER);
}

/* An empty directory goes, one that holds something stays; a dry run finds the
 * same and removes nothing. */
static void
test_directories(void **state)
{
	struct place *p = *state;

	want_file(p, TEXT);
	assert_int_equal(mkdirat(p->fd, NAME, 0700), 0);
	p->o.dry_run = 1;
	assert_int_equal(look(p), RESTORE_THERE_NOT);
	assert_int_equal(faccessat(p->fd, NAME, F_OK, 0), 0);
	write_text(p, NAME "/mine", "mine");
	assert_int_equal(look(p), RESTORE_THERE_BLOCKED);
	p->o.dry_run = 0;
	assert_int_equal(look(p), RESTORE_THERE_BLOCKED);
	assert_int_equal(faccessat(p->fd, NAME "/mine", F_OK, 0), 0);
	assert_int_equal(unlinkat(p->fd, NAME "/mine", 0), 0);
	assert_int_equal(look(p), RESTORE_THERE_NOT);
	assert_int_equal(faccessat(p->fd, NAME, F_OK, 0), -1);
}

static void
test_occupied(void **state)
{
	struct place *p = *state;
	int null = open("/dev/null", O_RDONLY);

	assert_int_equal(restore_there_occupied(p->fd), 0);
	assert_int_equal(mkdirat(p->fd, ".shamo", 0700), 0);
	assert_int_equal(restore_there_occupied(p->fd), 0);
	write_text(p, ".shamo2", "");
	assert_true(restore_there_occupied(p->fd) > 0);
	/* Asked again: where one reading ended is not where the next begins. */
	assert_true(restore_there_occupied(p->fd) > 0);
	assert_int_equal(restore_there_occupied(null), ERR_IO);
	close(null);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_files),
	    TEST(test_links_and_fifos),
	    TEST(test_directories),
	    TEST(test_occupied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
