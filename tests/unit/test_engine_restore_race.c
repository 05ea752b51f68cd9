/*
 * Restoring while somebody else on this machine changes what was just made: a
 * symlink takes the place of a directory or a FIFO between two system calls.
 * Nothing that it points to changes.
 */

#include "base/err.h"
#include "base/fs.h"
#include "lib/fill.h"
#include "lib/planter.h"
#include "lib/restored.h"
#include "lib/tempdir.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

/* What the symlink leads to; NULL: nobody races. */
static const char *dir_target, *fifo_target;
static unsigned races;

static int (*real_fstatat)(
    int at, const char *name, struct stat *st, int flags);

/* As soon as it was looked at, the FIFO is a symlink. */
int
fstatat(int at, const char *name, struct stat *st, int flags)
{
	int ret = real_fstatat(at, name, st, flags);

	if (ret == 0 && fifo_target != NULL && S_ISFIFO(st->st_mode) &&
	    unlinkat(at, name, 0) == 0 && symlinkat(fifo_target, at, name) == 0)
		races++;
	return ret;
}

/* As soon as it was made, the directory is a symlink. */
int
mkdirat(int at, const char *name, mode_t mode)
{
	int ret = (int)syscall(SYS_mkdirat, at, name, mode);

	if (ret == 0 && dir_target != NULL && strcmp(name, "sub") == 0 &&
	    unlinkat(at, name, AT_REMOVEDIR) == 0 &&
	    symlinkat(dir_target, at, name) == 0)
		races++;
	return ret;
}

struct fixture {
	struct memory_store *m;
	struct planter p;
	struct restored r;
	struct entry root;
	uint8_t data[100000];
	char *outside;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	dir_target = fifo_target = NULL;
	races = 0;
	f->m = memory_store_new();
	planter_init(&f->p, f->m);
	restored_init(&f->r, f->m);
	planter_meta(&f->root, "", ADDRESS_DIR);
	fill_random(f->data, sizeof(f->data), 5);
	f->outside = tempdir_new();
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	restored_release(&f->r);
	planter_release(&f->p);
	memory_store_free(f->m);
	tempdir_free(f->outside);
	free(f);
	return 0;
}

static void
test_fifo_becomes_symlink(void **state)
{
	struct fixture *f = *state;
	char *canary = fs_join(f->outside, "canary");
	struct entry e;
	struct stat st;

	assert_int_equal(0, fs_write_file(AT_FDCWD, canary, "x", 1, 0600, 0));
	planter_meta(&e, "fifo", ADDRESS_FIFO);
	e.mode = 0777;
	planter_fifo(&f->p, &e);
	planter_commit(&f->p, &f->root);
	fifo_target = canary;
	(void)restored_run(&f->r, NULL); /* it may say what it could not do */
	fifo_target = NULL;
	assert_true(races > 0);
	assert_int_equal(0, stat(canary, &st));
	assert_int_equal(0600, st.st_mode & 07777);
	assert_int_equal(1, st.st_size);
	free(canary);
}

static void
test_directory_becomes_symlink(void **state)
{
	struct fixture *f = *state;
	struct entry e;
	struct stat st;
	char *path = fs_join(f->outside, "file");

	planter_meta(&e, "sub", ADDRESS_DIR);
	planter_enter(&f->p, &e);
	planter_meta(&e, "file", ADDRESS_FILE);
	planter_file(&f->p, &e, f->data, sizeof(f->data));
	planter_leave(&f->p);
	planter_commit(&f->p, &f->root);
	assert_int_equal(0, chmod(f->outside, 0710));
	dir_target = f->outside;
	assert_true(restored_run(&f->r, NULL) < 0 || f->r.result.failed > 0);
	dir_target = NULL;
	assert_true(races > 0);
	assert_int_equal(-1, access(path, F_OK));
	assert_int_equal(0, stat(f->outside, &st));
	assert_int_equal(0710, st.st_mode & 07777);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_fifo_becomes_symlink, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_directory_becomes_symlink, setup, teardown),
	};
	void *found = dlsym(RTLD_NEXT, "fstatat");

	memcpy(&real_fstatat, &found, sizeof(found));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
