/* What the scout finds is what is there; what it cannot have it leaves to the
 * walk; and it holds no descriptor longer than it should. */

#include "engine/dir.h"
#include "engine/listing.h"
#include "engine/scout.h"
#include "lib/source_tree.h"
#include "lib/tempdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	char *path;
	struct dir_set set;
	struct dir *dir;
	struct scout *scout;
};

static void
begin(struct fixture *f)
{
	struct stat st;
	int fd;

	f->path = tempdir_new();
	dir_set_init(&f->set, 0);
	fd = open(f->path, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(dir_new(&f->dir, &f->set, NULL, fd, "", 0), 0);
	f->dir->dev = st.st_dev;
	assert_int_equal(scout_new(&f->scout), 0);
}

static void
end(struct fixture *f)
{
	scout_free(f->scout);
	dir_unuse(f->dir);
	assert_int_equal(f->set.open, 0);
	dir_unref(f->dir);
	dir_set_release(&f->set);
	tempdir_free(f->path);
}

static void
make_dir(const struct fixture *f, const char *name)
{
	assert_int_equal(mkdirat(f->dir->fd, name, 0700), 0);
}

static int
send_name(struct fixture *f, const char *name)
{
	return scout_send(f->scout, f->dir, name, strlen(name));
}

static int
take(struct scout_find *out, struct fixture *f, const char *name)
{
	return scout_take(out, f->scout, f->dir, name, strlen(name));
}

/* Send and wait until somebody looked. */
static int
look(struct scout_find *out, struct fixture *f, const char *name)
{
	int tries, r = 1;

	for (tries = 0; r != 0 && tries < 1000; tries++) {
		assert_int_equal(send_name(f, name), 0);
		/* Else it may be taken back before. */
		usleep(1000u * (1 + (unsigned)tries / 10));
		r = take(out, f, name);
		if (r != 0 && faccessat(f->dir->fd, name, F_OK, 0) != 0)
			break;
	}
	return r;
}

static void
release(struct scout_find *f)
{
	assert_int_equal(close(f->fd), 0);
	listing_free(f->names);
	free(f->stats);
}

static void
test_finds(void **state)
{
	struct scout_find found;
	struct listing_name n;
	struct fixture f;
	struct stat st;
	char name[64];
	size_t i;

	(void)state;
	begin(&f);
	make_dir(&f, "d");
	make_dir(&f, "d/below");
	for (i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "d/%03zu", i * 37 % 100);
		source_tree_file(f.path, name, i, i);
	}
	assert_int_equal(symlinkat("nowhere", f.dir->fd, "d/link"), 0);
	assert_int_equal(look(&found, &f, "d"), 0);
	assert_int_equal(fstatat(f.dir->fd, "d", &st, 0), 0);
	assert_true(found.st.st_ino == st.st_ino);
	for (i = 0; listing_next(&n, found.names) == 0; i++) {
		assert_int_equal(listing_at(found.names), i + 1);
		if (n.type == DT_DIR) {
			assert_string_equal(n.name, "below");
			continue;
		}
		assert_int_equal(found.stats[i].error, 0);
		assert_int_equal(
		    fstatat(found.fd, n.name, &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_true(found.stats[i].st.st_ino == st.st_ino);
		assert_true(found.stats[i].st.st_size == st.st_size);
		assert_true(found.stats[i].st.st_mode == st.st_mode);
	}
	assert_int_equal(i, 102);
	release(&found);
	assert_int_equal(take(&found, &f, "d"), 1);
	end(&f);
}

static void
test_leaves(void **state)
{
	struct scout_find found;
	struct listing *l;
	struct fixture f;
	char name[64];
	unsigned i;

	(void)state;
	begin(&f);
	/* Nothing there; no directory; a link to one. */
	make_dir(&f, "d");
	source_tree_file(f.path, "file", 1, 1);
	assert_int_equal(symlinkat("d", f.dir->fd, "link"), 0);
	assert_int_equal(look(&found, &f, "absent"), 1);
	for (i = 0; i < 20; i++) {
		assert_int_equal(send_name(&f, "file"), 0);
		assert_int_equal(send_name(&f, "link"), 0);
		usleep(i * 100);
		assert_int_equal(take(&found, &f, "file"), 1);
		assert_int_equal(take(&found, &f, "link"), 1);
	}
	/* As many names as it lists, and one more. */
	for (i = 0; i < SCOUT_NAMES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "d/%u", i);
		source_tree_file(f.path, name, 0, 0);
	}
	assert_int_equal(look(&found, &f, "d"), 0);
	assert_int_equal(listing_held(found.names), SCOUT_NAMES_MAX);
	release(&found);
	source_tree_file(f.path, "d/more", 0, 0);
	assert_int_equal(look(&found, &f, "d"), 0);
	assert_null(found.names);
	assert_null(found.stats);
	assert_int_equal(listing_new(&l, found.fd, NULL, 1u << 16), 0);
	assert_int_equal(listing_held(l), SCOUT_NAMES_MAX + 1);
	listing_free(l);
	release(&found);
	/* Another file system than the directory's is not listed. */
	f.dir->dev++;
	assert_int_equal(look(&found, &f, "d"), 0);
	assert_null(found.names);
	release(&found);
	end(&f);
}

static unsigned
count_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	assert_int_equal(closedir(d), 0);
	return n;
}

static void
test_bounds(void **state)
{
	unsigned before = count_open(), i, round;
	struct scout_find found;
	struct fixture f;
	char name[16];

	(void)state;
	begin(&f);
	for (i = 0; i < 8; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		make_dir(&f, name);
	}
	for (round = 0; round < 200; round++) {
		for (i = 0; i < SCOUT_JOBS_EACH; i++) {
			(void)snprintf(name, sizeof(name), "%u", i);
			assert_int_equal(send_name(&f, name), 0);
		}
		assert_int_equal(send_name(&f, "7"), 1);
		if (round % 3 == 0)
			usleep(round * 10);
		/* Some are taken, none when the walk leaves at once. */
		if (round % 2 == 0 && take(&found, &f, "0") == 0)
			release(&found);
		scout_drop(f.scout, f.dir);
		assert_int_equal(take(&found, &f, "1"), 1);
		/* What was under way is dropped when it is done. */
		for (i = 0; i < 1000 && send_name(&f, "2") != 0; i++)
			usleep(1000);
		scout_drop(f.scout, f.dir);
		usleep(500);
	}
	for (i = 0; i < SCOUT_JOBS_EACH; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		(void)send_name(&f, name);
	}
	end(&f);
	assert_int_equal(count_open(), before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_finds),
	    cmocka_unit_test(test_leaves),
	    cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
