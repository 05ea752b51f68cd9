#include "base/fs.h"

#include "base/err.h"

#include "lib/tempdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WRITERS 4 /* at once */
#define WRITES 500 /* of each */

/*
 * These stand in front of the C library's: they count, and fail where a test
 * says so.
 */
static int fsyncs, fsync_fails_at, fsync_errno;
static int link_errno;

int
fsync(int fd)
{
	if (++fsyncs == fsync_fails_at) {
		errno = fsync_errno;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

int
linkat(int fromfd, const char *from, int tofd, const char *to, int flags)
{
	if (link_errno != 0) {
		errno = link_errno;
		return -1;
	}
	return (int)syscall(SYS_linkat, fromfd, from, tofd, to, flags);
}

struct fixture {
	char *dir;
	int fd;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->dir = tempdir_new();
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->fd >= 0);
	fsyncs = 0;
	fsync_fails_at = 0;
	link_errno = 0;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	tempdir_free(f->dir);
	free(f);
	return 0;
}

/* Entries of the directory, temporary ones too. */
static int
count_entries(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

static void
check_content(int dirfd, const char *path, const char *want)
{
	struct buf b = BUF_INIT;

	assert_int_equal(fs_read_file(&b, dirfd, path, 1 << 20), 0);
	assert_int_equal(b.len, strlen(want));
	if (b.len > 0)
		assert_memory_equal(b.data, want, b.len);
	buf_release(&b);
}

static void
test_read_file(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;

	assert_int_equal(buf_append(&b, "x", 1), 0);
	assert_int_equal(fs_read_file(&b, f->fd, "none", 100), 1);
	assert_int_equal(fs_write_file(f->fd, "a", "12345", 5, 0600, 0), 0);
	assert_int_equal(fs_read_file(&b, f->fd, "a", 5), 0);
	assert_int_equal(b.len, 6);
	assert_memory_equal(b.data, "x12345", 6);
	/* What fails leaves the content alone. */
	assert_int_equal(fs_read_file(&b, f->fd, "a", 4), ERR_DAMAGED);
	assert_int_equal(fs_read_file(&b, f->fd, ".", 4), ERR_DAMAGED);
	assert_int_equal(fs_read_file(&b, f->fd, "a/b", 4), ERR_IO);
	assert_int_equal(b.len, 6);
	assert_int_equal(fs_write_file(f->fd, "empty", NULL, 0, 0600, 0), 0);
	assert_int_equal(fs_read_file(&b, f->fd, "empty", 0), 0);
	assert_int_equal(b.len, 6);
	buf_release(&b);
}

static void
test_read_file_does_not_hang(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;

	assert_int_equal(mkfifoat(f->fd, "fifo", 0600), 0);
	assert_int_equal(fs_read_file(&b, f->fd, "fifo", 100), ERR_DAMAGED);
	buf_release(&b);
}

static void
test_read_file_of_unknown_length(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	/* Files in /proc say 0 and hold more. */
	assert_int_equal(
	    fs_read_file(&b, AT_FDCWD, "/proc/self/status", 1 << 20), 0);
	assert_true(b.len > 10);
	buf_reset(&b);
	assert_int_equal(
	    fs_read_file(&b, AT_FDCWD, "/proc/self/status", 10), ERR_DAMAGED);
	assert_int_equal(b.len, 0);
	buf_release(&b);
}

static void
test_write_replaces(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	mode_t mask = umask(077);
	char *path;

	assert_int_equal(fs_write_file(f->fd, "a", "one", 3, 0644, 0), 0);
	assert_int_equal(fstatat(f->fd, "a", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(fsyncs, 2); /* the file and its directory */
	path = fs_join(f->dir, "a");
	assert_int_equal(fs_write_file(AT_FDCWD, path, "two", 3, 0600, 0), 0);
	assert_int_equal(fstatat(f->fd, "a", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	check_content(f->fd, "a", "two");
	assert_int_equal(count_entries(f->dir), 1);
	free(path);
	umask(mask);
}

static void
test_write_nosync(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    fs_write_file(f->fd, "a", "one", 3, 0600, FS_NOSYNC), 0);
	assert_int_equal(fsyncs, 0);
	check_content(f->fd, "a", "one");
}

static void
test_write_replaces_a_link_not_its_target(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fs_write_file(f->fd, "target", "t", 1, 0600, 0), 0);
	assert_int_equal(symlinkat("target", f->fd, "a"), 0);
	assert_int_equal(fs_write_file(f->fd, "a", "new", 3, 0600, 0), 0);
	check_content(f->fd, "target", "t");
	check_content(f->fd, "a", "new");
}

static void
test_write_exclusive(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	int i;

	/* With hard links, and on file systems without. */
	for (i = 0; i < 2; i++) {
		const char *name = i == 0 ? "a" : "b";

		link_errno = i == 0 ? 0 : EPERM;
		assert_int_equal(
		    fs_write_file(f->fd, name, "one", 3, 0640, FS_EXCLUSIVE),
		    0);
		assert_int_equal(
		    fs_write_file(f->fd, name, "two", 3, 0600, FS_EXCLUSIVE),
		    ERR_EXIST);
		check_content(f->fd, name, "one");
		assert_int_equal(fstatat(f->fd, name, &st, 0), 0);
		assert_int_equal(st.st_mode, S_IFREG | 0640);
		assert_int_equal(st.st_nlink, 1);
	}
	link_errno = 0;
	/* A dangling link is there too. */
	assert_int_equal(symlinkat("nowhere", f->fd, "c"), 0);
	assert_int_equal(
	    fs_write_file(f->fd, "c", "x", 1, 0600, FS_EXCLUSIVE), ERR_EXIST);
	assert_int_equal(count_entries(f->dir), 3);
}

static void
test_write_fails_clean(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fs_write_file(f->fd, "a", "old", 3, 0600, 0), 0);
	/* The file's own sync: nothing of the new file is seen. */
	fsyncs = 0;
	fsync_fails_at = 1;
	fsync_errno = EIO;
	assert_int_equal(fs_write_file(f->fd, "a", "new", 3, 0600, 0), ERR_IO);
	assert_int_equal(fsyncs, 1); /* never retried */
	check_content(f->fd, "a", "old");
	fsyncs = 0;
	fsync_errno = ENOSPC;
	assert_int_equal(
	    fs_write_file(f->fd, "b", "new", 3, 0600, 0), ERR_NOSPACE);
	fsyncs = 0;
	fsync_errno = EDQUOT;
	assert_int_equal(
	    fs_write_file(f->fd, "b", "x", 1, 0600, FS_EXCLUSIVE), ERR_NOSPACE);
	/* The directory's: an error, whatever is there. */
	fsyncs = 0;
	fsync_fails_at = 2;
	fsync_errno = EIO;
	assert_int_equal(fs_write_file(f->fd, "c", "new", 3, 0600, 0), ERR_IO);
	check_content(f->fd, "c", "new");
	fsync_fails_at = 0;
	link_errno = EIO;
	assert_int_equal(
	    fs_write_file(f->fd, "d", "x", 1, 0600, FS_EXCLUSIVE), ERR_IO);
	assert_int_equal(count_entries(f->dir), 2);
}

static void
test_write_bad_names(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fs_write_file(f->fd, "", "x", 1, 0600, 0), ERR_IO);
	assert_int_equal(fs_write_file(f->fd, "a/", "x", 1, 0600, 0), ERR_IO);
	assert_int_equal(fs_write_file(f->fd, ".", "x", 1, 0600, 0), ERR_IO);
	assert_int_equal(fs_write_file(f->fd, "..", "x", 1, 0600, 0), ERR_IO);
	assert_int_equal(fs_write_file(f->fd, "no/a", "x", 1, 0600, 0), ERR_IO);
	assert_int_equal(mkdirat(f->fd, "d", 0700), 0);
	assert_int_equal(mkdirat(f->fd, "d/d", 0700), 0);
	assert_int_equal(
	    fs_write_file(f->fd, "d", "x", 1, 0600, 0), ERR_DAMAGED);
	assert_non_null(strstr(err_text(), "move it away"));
	/* But nothing is lost with an empty one. */
	assert_int_equal(fs_write_file(f->fd, "d/d", "x", 1, 0600, 0), 0);
	assert_int_equal(
	    fs_write_file(f->fd, "d", "x", 1, 0600, FS_EXCLUSIVE), ERR_EXIST);
	assert_int_equal(fs_write_file(f->fd, "d/a", "x", 1, 0600, 0), 0);
	assert_int_equal(count_entries(f->dir), 1);
}

static void
test_make_dirs(void **state)
{
	struct fixture *f = *state;
	char *deep = fs_join(f->dir, "a//b/c/"), *file = fs_join(f->dir, "f");
	char *below = fs_join(f->dir, "f/x"), *c = fs_join(f->dir, "a/b/c");
	struct stat st;

	assert_int_equal(fs_make_dirs(deep, 0700), 0);
	/* The name of what was there, too. */
	assert_int_equal(fsyncs, 4);
	assert_int_equal(stat(c, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_int_equal(fs_make_dirs(c, 0700), 0);
	assert_int_equal(fsyncs, 5);
	assert_int_equal(fs_make_dirs("/", 0700), 0);
	assert_int_equal(fs_make_dirs(".", 0700), 0);
	assert_int_equal(fs_write_file(f->fd, "f", "x", 1, 0600, 0), 0);
	assert_int_equal(fs_make_dirs(file, 0700), ERR_IO);
	assert_int_equal(fs_make_dirs(below, 0700), ERR_IO);
	assert_int_equal(fs_make_dirs("", 0700), ERR_IO);
	free(deep);
	free(file);
	free(below);
	free(c);
}

static void
test_make_dirs_in_the_current_one(void **state)
{
	struct fixture *f = *state;
	int cwd = open(".", O_RDONLY | O_DIRECTORY);
	struct stat st;

	assert_true(cwd >= 0);
	assert_int_equal(fchdir(f->fd), 0);
	assert_int_equal(fs_make_dirs("x", 0700), 0);
	assert_int_equal(fs_make_dirs("y/z", 0700), 0);
	assert_int_equal(fchdir(cwd), 0);
	close(cwd);
	assert_int_equal(fstatat(f->fd, "x", &st, 0), 0);
	assert_int_equal(fstatat(f->fd, "y/z", &st, 0), 0);
}

static void
test_sync_dir(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fs_sync_dir(AT_FDCWD, f->dir), 0);
	assert_int_equal(fs_sync_dir(f->fd, "."), 0);
	assert_int_equal(fs_sync_dir(f->fd, "none"), ERR_IO);
	fsyncs = 0;
	fsync_fails_at = 1;
	fsync_errno = EIO;
	assert_int_equal(fs_sync_dir(f->fd, "."), ERR_IO);
}

static void
test_sync_name(void **state)
{
	struct fixture *f = *state;
	char *here = fs_join(f->dir, "x"), *nowhere = fs_join(f->dir, "y/x");

	fsyncs = 0;
	fsync_fails_at = 0;
	assert_int_equal(fs_sync_name(here), 0);
	assert_int_equal(fsyncs, 1);
	assert_int_equal(fs_sync_name(nowhere), ERR_IO);
	fsyncs = 0;
	fsync_fails_at = 1;
	fsync_errno = EIO;
	assert_int_equal(fs_sync_name(here), ERR_IO);
	free(here);
	free(nowhere);
}

static void
test_pread_pwrite(void **state)
{
	struct fixture *f = *state;
	int fd = openat(f->fd, "a", O_RDWR | O_CREAT, 0600), full;
	char p[8];

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, "0123", 4), 0);
	assert_int_equal(fs_write_all(fd, "4567", 4), 0);
	assert_int_equal(fs_pwrite_all(fd, "ab", 2, 3), 0);
	assert_int_equal(fs_pread_all(fd, p, 8, 0), 0);
	assert_memory_equal(p, "012ab567", 8);
	assert_int_equal(fs_pread_all(fd, p, 8, 1), 1);
	assert_int_equal(fs_pread_all(fd, p, 1, 8), 1);
	assert_int_equal(fs_pread_all(fd, p, 0, 100), 0);
	assert_int_equal(fs_pread_all(f->fd, p, 1, 0), ERR_IO);
	assert_int_equal(fs_pwrite_all(f->fd, p, 1, 0), ERR_IO);
	assert_int_equal(fs_write_all(-1, p, 1), ERR_IO);
	close(fd);
	full = open("/dev/full", O_WRONLY);
	assert_true(full >= 0);
	assert_int_equal(fs_write_all(full, p, 1), ERR_NOSPACE);
	assert_int_equal(fs_pwrite_all(full, p, 1, 0), ERR_NOSPACE);
	close(full);
}

static void
test_lock_is_busy_for_others(void **state)
{
	struct fixture *f = *state;
	char *path = fs_join(f->dir, "lock"), c;
	int ready[2], fd = -1, status;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (fs_lock_file(&fd, path) == 0)
			(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(fs_lock_file(&fd, path), ERR_BUSY);
	assert_int_equal(fd, -1);
	/* It goes with its holder, however that ends. */
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(fs_lock_file(&fd, path), 0);
	close(fd);
	assert_int_equal(fs_lock_file(&fd, path), 0);
	close(fd);
	close(ready[0]);
	close(ready[1]);
	free(path);
}

static void
test_lock_that_cannot_be(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = -1, sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char *path = fs_join(f->dir, "no/lock");

	assert_int_equal(fs_lock_file(&fd, path), ERR_IO);
	assert_int_equal(fs_lock_file(&fd, f->dir), ERR_DAMAGED);
	free(path);
	/* What is no file is no lock, whoever could lock it. */
	path = fs_join(f->dir, "lock");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(fs_lock_file(&fd, path), ERR_DAMAGED);
	assert_int_equal(unlink(path), 0);
	memcpy(a.sun_path, path, strlen(path) + 1);
	assert_true(sock >= 0);
	assert_int_equal(bind(sock, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(fs_lock_file(&fd, path), ERR_DAMAGED);
	close(sock);
	free(path);
	assert_int_equal(fs_lock_file(&fd, "/dev/null"), ERR_DAMAGED);
	assert_int_equal(fd, -1);
}

static void
test_remove_tree(void **state)
{
	struct fixture *f = *state;
	char *top = fs_join(f->dir, "top"), *deep = fs_join(top, "a/b/c");
	char *file = fs_join(top, "a/b/file"), *link = fs_join(top, "link");

	assert_int_equal(fs_remove_tree(top), 0);
	assert_int_equal(fs_make_dirs(deep, 0700), 0);
	assert_int_equal(fs_write_file(AT_FDCWD, file, "x", 1, 0400, 0), 0);
	assert_int_equal(fs_write_file(f->fd, "kept", "x", 1, 0600, 0), 0);
	assert_int_equal(mkdirat(f->fd, "outside", 0700), 0);
	assert_int_equal(
	    fs_write_file(f->fd, "outside/kept", "x", 1, 0600, 0), 0);
	assert_int_equal(symlink("../outside", link), 0);
	assert_int_equal(fs_remove_tree(top), 0);
	assert_int_not_equal(access(top, F_OK), 0);
	check_content(f->fd, "outside/kept", "x");
	/* A single file is a tree too. */
	free(file);
	file = fs_join(f->dir, "kept");
	assert_int_equal(fs_remove_tree(file), 0);
	assert_int_equal(count_entries(f->dir), 1);
	free(top);
	free(deep);
	free(file);
	free(link);
}

#define DEAD FS_TEMP_PREFIX "123-0-0123456789abcdef"
#define DEAD_TOO FS_TEMP_PREFIX "0-18446744073709551615-ffffffffffffffff"

static int
is_there(const struct fixture *f, const char *name)
{
	return faccessat(f->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Whoever writes to a directory removes what the dead left there. */
static void
test_dead_writers(void **state)
{
	struct fixture *f = *state;
	int fd = openat(f->fd, DEAD, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, "a key", 5), 0);
	/* It lives as long as it has its lock. */
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(fs_write_file(f->fd, "a", "x", 1, 0600, 0), 0);
	assert_true(is_there(f, DEAD));
	close(fd);
	assert_int_equal(mknodat(f->fd, DEAD_TOO, S_IFREG | 0600, 0), 0);
	assert_int_equal(fs_write_file(f->fd, "a", "x", 1, 0600, 0), 0);
	assert_int_equal(count_entries(f->dir), 1);
	/* Without writing. */
	assert_int_equal(mknodat(f->fd, DEAD, S_IFREG | 0600, 0), 0);
	assert_int_equal(chdir(f->dir), 0);
	fs_clear_temps("not there");
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(count_entries(f->dir), 1);
	fs_clear_temps("/not/there");
}

/* The name of one that died beside another one's file stays that file's. */
static void
test_dead_exclusive_writer(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    fs_write_file(f->fd, "a", "x", 1, 0600, FS_EXCLUSIVE), 0);
	assert_int_equal(linkat(f->fd, "a", f->fd, DEAD, 0), 0);
	assert_int_equal(
	    fs_write_file(f->fd, "a", "y", 1, 0600, FS_EXCLUSIVE), ERR_EXIST);
	assert_false(is_there(f, DEAD));
	check_content(f->fd, "a", "x");
}

/* Nothing but what is certainly of ours. */
static void
test_no_temps(void **state)
{
	static const char *const names[] = {FS_TEMP_PREFIX, FS_TEMP_PREFIX "1",
	    FS_TEMP_PREFIX "1-2-", FS_TEMP_PREFIX "-2-0123456789abcdef",
	    FS_TEMP_PREFIX "1--0123456789abcdef",
	    FS_TEMP_PREFIX "1-x-0123456789abcdef",
	    FS_TEMP_PREFIX "1-2-0123456789abcde",
	    FS_TEMP_PREFIX "1-2-0123456789abcdef0",
	    FS_TEMP_PREFIX "1-2-0123456789abcdeg",
	    FS_TEMP_PREFIX "1-2-0123456789ABCDEF", "tmp-1-2-0123456789abcdef",
	    "x" DEAD, DEAD "x"};
	struct fixture *f = *state;
	size_t i, n = sizeof(names) / sizeof(names[0]);

	for (i = 0; i < n; i++)
		assert_int_equal(
		    mknodat(f->fd, names[i], S_IFREG | 0600, 0), 0);
	assert_int_equal(fs_write_file(f->fd, "a", "x", 1, 0600, 0), 0);
	assert_int_equal(count_entries(f->dir), n + 1);
	/* Nor what is no file. */
	assert_int_equal(symlinkat("a", f->fd, DEAD), 0);
	assert_int_equal(mkfifoat(f->fd, DEAD_TOO, 0600), 0);
	assert_int_equal(
	    mkdirat(f->fd, FS_TEMP_PREFIX "1-1-0000000000000000", 0700), 0);
	assert_int_equal(fs_write_file(f->fd, "a", "x", 1, 0600, 0), 0);
	assert_int_equal(count_entries(f->dir), n + 4);
}

/* Processes that write at once leave each other alone. */
static void
test_live_writers(void **state)
{
	struct fixture *f = *state;
	pid_t pids[WRITERS];
	int i, n, status, r;

	for (i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] > 0)
			continue;
		for (n = 0, r = 0; n < WRITES && r == 0; n++)
			r = fs_write_file(
			    f->fd, n % 2 ? "a" : "b", "x", 1, 0600, FS_NOSYNC);
		_exit(r != 0);
	}
	for (i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count_entries(f->dir), 2);
}

static void
test_texts(void **state)
{
	char *p;

	(void)state;
	p = fs_join("a", "b");
	assert_string_equal(p, "a/b");
	free(p);
	p = fs_printf("%s-%d", "x", 7);
	assert_string_equal(p, "x-7");
	free(p);
}

static void
test_local_is_not_network(void **state)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_true(fd >= 0);
	assert_false(fs_is_network(fd));
	close(fd);
	assert_false(fs_is_network(-1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_read_file),
	    TEST(test_read_file_does_not_hang),
	    TEST(test_read_file_of_unknown_length),
	    TEST(test_write_replaces),
	    TEST(test_write_nosync),
	    TEST(test_write_replaces_a_link_not_its_target),
	    TEST(test_write_exclusive),
	    TEST(test_write_fails_clean),
	    TEST(test_write_bad_names),
	    TEST(test_make_dirs),
	    TEST(test_make_dirs_in_the_current_one),
	    TEST(test_sync_dir),
	    TEST(test_sync_name),
	    TEST(test_pread_pwrite),
	    TEST(test_lock_is_busy_for_others),
	    TEST(test_lock_that_cannot_be),
	    TEST(test_remove_tree),
	    TEST(test_dead_writers),
	    TEST(test_dead_exclusive_writer),
	    TEST(test_no_temps),
	    TEST(test_live_writers),
	    TEST(test_texts),
	    TEST(test_local_is_not_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
