/* Entries that are not what they were when they were listed: a FIFO instead
 * of a file must not block, a symlink must not be followed. */

#include "base/fs.h"
#include "engine/reader.h"
#include "engine/source.h"
#include "hash/hash.h"
#include "lib/source_tree.h"
#include "lib/tempdir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	char *path;
	struct run run;
	struct notes_counts counts;
	struct worker *worker;
	struct dir *dir;
	struct block *block;
};

static int
setup(void **state)
{
	struct fixture *f = aligned_alloc(_Alignof(struct fixture), sizeof(*f));
	struct run_options o = {0};

	assert_non_null(f);
	memset(f, 0, sizeof(*f));
	o.counts = &f->counts;
	f->path = tempdir_new();
	assert_int_equal(run_init(&f->run, &o), 0);
	assert_int_equal(run_worker_new(&f->worker, &f->run), 0);
	assert_int_equal(dir_new(&f->dir, &f->run.dirs, NULL,
			     open(f->path, O_RDONLY | O_DIRECTORY), "", 0),
	    0);
	assert_int_equal(block_new(&f->block), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	block_free(f->block);
	dir_unuse(f->dir);
	dir_unref(f->dir);
	run_worker_free(f->worker);
	run_release(&f->run);
	tempdir_free(f->path);
	free(f);
	return 0;
}

/* Read `name` as the file that the walk took it for. */
static struct slot *
read_as_file(struct fixture *f, const char *name)
{
	struct slot *s = NULL;

	assert_int_equal(
	    block_add(&s, f->block, SLOT_ENTRY, f->dir, name, strlen(name)), 0);
	s->kind = ADDRESS_FILE;
	assert_int_equal(reader_small(f->worker, f->block, s), 0);
	return s;
}

static void
test_swapped(void **state)
{
	struct fixture *f = *state;
	char *fifo = fs_join(f->path, "fifo");
	char *link = fs_join(f->path, "link");

	source_tree_file(f->path, "file", 700, 1);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(symlink("file", link), 0);
	assert_int_equal(read_as_file(f, "fifo")->state, SLOT_GONE);
	assert_int_equal(f->counts.unreadable, 1);
	assert_int_equal(read_as_file(f, "link")->state, SLOT_GONE);
	assert_int_equal(f->counts.unreadable, 2);
	assert_int_equal(read_as_file(f, "gone")->state, SLOT_GONE);
	assert_int_equal(f->counts.unreadable, 2);
	assert_int_equal(f->counts.vanished, 1);
	assert_int_equal(read_as_file(f, "file")->state, SLOT_LAY);
	free(fifo);
	free(link);
}

static void
test_content(void **state)
{
	struct fixture *f = *state;
	uint8_t address[HASH_BYTES];
	struct buf content = BUF_INIT;
	struct slot *s;

	source_tree_file(f->path, "file", 700, 1);
	assert_int_equal(fs_read_file(&content, f->dir->fd, "file", 1000), 0);
	hash_bytes(address, content.data, content.len);
	s = read_as_file(f, "file");
	assert_memory_equal(s->address, address, HASH_BYTES);
	assert_int_equal(s->location, ENTRY_AT_BUNDLE);
	assert_memory_equal(f->block->data.data + s->data, content.data, 700);
	source_tree_file(f->path, "tiny", 20, 1);
	assert_int_equal(read_as_file(f, "tiny")->location, ENTRY_AT_INLINE);
	source_tree_file(f->path, "empty", 0, 1);
	assert_int_equal(read_as_file(f, "empty")->location, ENTRY_AT_NONE);
	buf_release(&content);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_swapped, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_content, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
