#include "lib/small_stores.h"

#include "base/err.h"
#include "base/fs.h"
#include "lib/counted.h"
#include "lib/same_tree.h"
#include "lib/tempdir.h"
#include "sign/sign.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#define SECONDS_MAX 300
#define DAY 86400

/* ---- the trees ---- */

struct place {
	char dir[PATH_MAX];
	uint64_t state; /* of the bytes that are drawn */
};

static uint8_t
draw(struct place *p)
{
	p->state = p->state * 6364136223846793005u + 1442695040888963407u;
	return (uint8_t)(p->state >> 56);
}

static const char *
in(const struct place *p, const char *name)
{
	static char path[PATH_MAX + 64];

	(void)snprintf(path, sizeof(path), "%s/%s", p->dir, name); /* fits */
	return path;
}

static void
date(const struct place *p, const char *name)
{
	struct timespec t[2] = {{1700000000, 1}, {1700000000, 123456789}};

	t[1].tv_sec += (time_t)(strlen(name) * DAY);
	assert_int_equal(
	    utimensat(AT_FDCWD, in(p, name), t, AT_SYMLINK_NOFOLLOW), 0);
}

/* A file of `len` bytes, of which every `of`th is drawn. */
static void
file(struct place *p, const char *name, size_t len, size_t of)
{
	uint8_t *data = calloc(1, len + 1);
	size_t i;

	assert_non_null(data);
	p->state ^= len * 1000003u + (uint8_t)name[0];
	for (i = 0; i < len; i += of)
		data[i] = draw(p);
	assert_int_equal(
	    fs_write_file(AT_FDCWD, in(p, name), data, len, 0644, FS_NOSYNC),
	    0);
	free(data);
	date(p, name);
}

static void
make_common(struct place *p, unsigned version)
{
	assert_int_equal(mkdir(in(p, "sub"), 0750), 0);
	assert_int_equal(mkdir(in(p, "sub/empty"), 0700), 0);
	file(p, "nothing", 0, 1);
	file(p, "tiny", 40, 1);
	file(p, "sub/small", 400 + version, 1);
	file(p, "sub/other", 900, 1);
	file(p, "changes", 300 + 7 * version, 1);
	assert_int_equal(symlink("sub/small", in(p, "link")), 0);
	date(p, "link");
	assert_int_equal(mkfifo(in(p, "fifo"), 0600), 0);
	date(p, "fifo");
	date(p, "sub/empty");
	date(p, "sub");
}

/* A large file of many chunks that shrink to little, and all the rest. */
static void
make_large(struct place *p)
{
	int fd;

	file(p, "chunks", 3500000, 40000);
	file(p, "sparse", 0, 1);
	fd = open(in(p, "sparse"), O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fs_pwrite_all(fd, "end", 3, 300000), 0);
	assert_int_equal(ftruncate(fd, 700000), 0);
	close(fd);
	date(p, "sparse");
	assert_int_equal(link(in(p, "tiny"), "again"), 0);
	assert_int_equal(rename("again", in(p, "again")), 0);
	assert_int_equal(
	    setxattr(in(p, "sub/small"), "user.note", "text", 4, 0), 0);
}

static void
make_tree(
    const char *dir, enum small_kind kind, unsigned mount, unsigned version)
{
	struct place p = {.state = 77 + mount};

	(void)snprintf(p.dir, sizeof(p.dir), "%s", dir); /* it fits */
	assert_int_equal(mkdir(dir, 0755), 0);
	make_common(&p, version);
	if (kind == SMALL_LARGE)
		make_large(&p);
	date(&p, ".");
}

/* ---- commands ---- */

static const char *
at(const struct small_store *s, const char *name)
{
	static char path[2][PATH_MAX];
	static unsigned which;

	which ^= 1;
	(void)snprintf(path[which], sizeof(path[which]), "%s/%s", s->top, name);
	return path[which];
}

/* What becomes of the child. */
static void
child(struct small_store *s, cli_run *run, const char *const *words)
{
	char *argv[SMALL_ARGS_MAX + 1] = {0};
	int argc = 0, rc;

	for (; words[argc] != NULL && argc < SMALL_ARGS_MAX; argc++)
		argv[argc] = strdup(words[argc]);
	alarm(SECONDS_MAX);
	(void)umask(077);
	if (dup2(s->output_fd, 1) < 0 || dup2(s->output_fd, 2) < 0)
		_exit(99);
	rc = sign_start();
	if (rc == 0)
		rc = run(argc, argv);
	(void)fflush(stdout); /* the test reads what came */
	if (rc < 0)
		(void)fprintf(stderr, "shash: %s\n", err_text());
	counted_exit(rc > 0 ? 0 : err_exit_code(rc));
}

int
small_store_run(struct small_store *s, cli_run *run, const char *const *words)
{
	ssize_t n;
	pid_t pid;
	int status;

	assert_int_equal(ftruncate(s->output_fd, 0), 0);
	assert_int_equal(lseek(s->output_fd, 0, SEEK_SET), 0);
	(void)fflush(NULL); /* or the child says it again */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child(s, run, words);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	n = pread(s->output_fd, s->output, sizeof(s->output) - 1, 0);
	s->output[n < 0 ? 0 : n] = '\0';
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
must(struct small_store *s, cli_run *run, const char *const *words)
{
	int code = small_store_run(s, run, words);

	if (code != 0)
		fail_msg("%s ended with %d: %s", words[0], code, s->output);
}

int
small_store_verify(struct small_store *s)
{
	const char *words[] = {"verify", "--store_dir", "store", NULL};

	return small_store_run(s, cmd_verify, words);
}

static const char *
mount_name(unsigned mount)
{
	return mount == 0 ? "first" : "second";
}

int
small_store_backup(struct small_store *s, unsigned mount)
{
	const char *words[] = {"backup", "--dir", mount_name(mount), NULL};

	s->backed_up = 1;
	return small_store_run(s, cmd_backup, words);
}

/* Where the tree of a snapshot stays as it was. */
static const char *
kept(const struct small_store *s, unsigned mount, unsigned version)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "kept-%u-%u", mount, version);
	return at(s, name);
}

int
small_store_restore(const char **wrong, struct small_store *s,
    const struct small_snapshot *snapshot)
{
	char key[16];
	const char *words[] = {"restore", "--dir", mount_name(snapshot->mount),
	    "--udk", key, "--dest", "dest", NULL};
	int code;

	(void)snprintf(key, sizeof(key), "@%u", snapshot->seq); /* it fits */
	if (access("dest", F_OK) == 0)
		assert_int_equal(fs_remove_tree("dest"), 0);
	code = small_store_run(s, cmd_restore, words);
	*wrong = same_tree(
	    kept(s, snapshot->mount, snapshot->version), "dest", code == 0);
	return code;
}

/* ---- what is in a store ---- */

static struct small_store *filling; /* for nftw() */
static size_t skip;

static void
read_whole(uint8_t **data, size_t *len, const char *path)
{
	struct buf b = BUF_INIT;

	assert_int_equal(fs_read_file(&b, AT_FDCWD, path, 1 << 30), 0);
	*data = malloc(b.len + 1);
	assert_non_null(*data);
	memcpy(*data, b.data == NULL ? (uint8_t *)"" : b.data, b.len);
	*len = b.len;
	buf_release(&b);
}

static void
take_stamp(uint64_t stamp[3], const struct stat *st)
{
	stamp[0] = (uint64_t)st->st_ino;
	stamp[1] = (uint64_t)st->st_size;
	stamp[2] = (uint64_t)st->st_ctim.tv_sec * 1000000000u +
		   (uint64_t)st->st_ctim.tv_nsec;
}

static int
is_left_out(const char *path)
{
	/* Of no content, and made whenever a store is opened. */
	return strncmp(path, "reserve", 7) == 0;
}

static int
note_file(const char *path, const struct stat *st, int type, struct FTW *f)
{
	struct small_file *file = &filling->files[filling->nfiles];

	(void)f;
	if (strlen(path) <= skip || is_left_out(path + skip))
		return 0;
	assert_true(filling->nfiles < SMALL_FILES_MAX);
	memset(file, 0, sizeof(*file));
	file->path = strdup(path + skip);
	if (type == FTW_F)
		read_whole(&file->data, &file->len, path);
	take_stamp(file->stamp, st);
	filling->nfiles++;
	return 0;
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct small_file *)a)->path,
	    ((const struct small_file *)b)->path);
}

static void
forget_files(struct small_store *s)
{
	while (s->nfiles > 0) {
		s->nfiles--;
		free(s->files[s->nfiles].path);
		free(s->files[s->nfiles].data);
		free(s->files[s->nfiles].old);
	}
}

static void
read_store(struct small_store *s)
{
	filling = s;
	skip = strlen("store/");
	assert_int_equal(nftw("store", note_file, 16, FTW_PHYS), 0);
	qsort(s->files, s->nfiles, sizeof(s->files[0]), by_path);
}

/* What is now becomes what was before the last backup. */
static void
read_store_again(struct small_store *s)
{
	struct small_store *before = malloc(sizeof(*before));
	struct small_file *f, *same;
	unsigned i;

	assert_non_null(before);
	memcpy(before->files, s->files, sizeof(s->files));
	before->nfiles = s->nfiles;
	s->nfiles = 0;
	read_store(s);
	for (i = 0; i < s->nfiles; i++)
		s->files[i].fresh = 1;
	for (i = 0; i < before->nfiles; i++) {
		f = &before->files[i];
		same = bsearch(f, s->files, s->nfiles, sizeof(*f), by_path);
		if (same != NULL)
			same->fresh = 0;
		if (same == NULL || f->data == NULL || same->data == NULL ||
		    (f->len == same->len &&
			memcmp(f->data, same->data, f->len) == 0))
			continue;
		same->old = f->data;
		same->old_len = f->len;
		f->data = NULL;
	}
	forget_files(before);
	free(before);
}

/* ---- making them ---- */

/* By another program: the clients' state is not what is tested. */
static void
keep_clients(const char *from, const char *to)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s && cp -a %s %s", to,
	    from, to); /* it fits */
	assert_int_equal(system(command), 0);
}

/* Its state was made, or moved, within it. */
static void
date_client(unsigned mount)
{
	struct place root;

	(void)snprintf(root.dir, sizeof(root.dir), "%s", mount_name(mount));
	date(&root, ".");
}

static void
back_up(struct small_store *s, unsigned mount, unsigned version)
{
	const char *dir = mount_name(mount);
	struct small_snapshot *n = &s->snapshots[s->nsnapshots];
	char state[64];

	make_tree(kept(s, mount, version), s->kind, mount, version);
	(void)snprintf(state, sizeof(state), "%s/.shamo", dir); /* it fits */
	if (access(state, F_OK) == 0) {
		assert_int_equal(rename(state, "aside"), 0);
		assert_int_equal(fs_remove_tree(dir), 0);
	}
	make_tree(at(s, dir), s->kind, mount, version);
	if (access("aside", F_OK) == 0)
		assert_int_equal(rename("aside", state), 0);
	if (version == 1) {
		char url[PATH_MAX + 16];
		const char *words[] = {"register", "--dir", dir, "--label", dir,
		    "--url", url, NULL, NULL, NULL};

		(void)snprintf(url, sizeof(url), "file://%s/store", s->top);
		if (s->kind == SMALL_LARGE) {
			words[7] = "--chunker";
			words[8] = "private";
		}
		must(s, cmd_register, words);
	}
	date_client(mount);
	if (small_store_backup(s, mount) != 0)
		fail_msg("%s", s->output);
	n->mount = mount;
	n->version = n->seq = version;
	s->nsnapshots++;
}

/* The first two of four are retired, by a policy of their own. */
static void
retire(struct small_store *s)
{
	const char *all[] = {"keep", "--store_dir", "store", "--last", "3",
	    "--floor", "0d", NULL};
	const char *one[] = {"keep", "--store_dir", "store", "--mount", "first",
	    "--last", "2", NULL};
	const char *prune[] = {"prune", "--store_dir", "store", NULL};

	must(s, cmd_keep, all);
	must(s, cmd_keep, one);
	must(s, cmd_prune, prune);
	memmove(s->snapshots, s->snapshots + 2,
	    (s->nsnapshots - 2) * sizeof(s->snapshots[0]));
	s->nsnapshots -= 2;
}

void
small_store_enter(const struct small_store *s)
{
	assert_int_equal(chdir(s->top), 0);
	assert_int_equal(setenv("XDG_CONFIG_HOME", at(s, "config"), 1), 0);
}

void
small_store_make(struct small_store *s, enum small_kind kind)
{
	unsigned i;

	memset(s, 0, sizeof(*s));
	s->kind = kind;
	s->top = tempdir_new();
	s->output_fd = memfd_create("output", 0);
	assert_true(s->output_fd >= 0);
	small_store_enter(s);
	s->nmounts = kind == SMALL_TWO ? 2 : 1;
	for (i = 1; i <= (kind == SMALL_TWO ? 4 : 1); i++)
		back_up(s, 0, i);
	if (kind == SMALL_TWO) {
		retire(s);
		back_up(s, 1, 1);
		read_store(s);
		back_up(s, 1, 2);
		read_store_again(s);
	} else {
		read_store(s);
	}
	keep_clients("first/.shamo", "first.shamo");
	if (s->nmounts > 1)
		keep_clients("second/.shamo", "second.shamo");
}

void
small_store_remove(struct small_store *s)
{
	forget_files(s);
	assert_int_equal(chdir("/"), 0);
	close(s->output_fd);
	tempdir_free(s->top);
}

/* ---- damage, and the end of it ---- */

const char *
small_store_path(const struct small_store *s, unsigned file)
{
	static char path[PATH_MAX];

	(void)snprintf(
	    path, sizeof(path), "store/%s", s->files[file].path); /* fits */
	return path;
}

static int
remove_strange(const char *path, const struct stat *st, int type, struct FTW *f)
{
	struct small_file *known, key = {0};

	(void)f;
	if (strlen(path) <= skip || is_left_out(path + skip))
		return 0;
	key.path = (char *)(uintptr_t)(path + skip);
	known = bsearch(
	    &key, filling->files, filling->nfiles, sizeof(key), by_path);
	if (known != NULL &&
	    (known->data == NULL) == (type == FTW_DP || type == FTW_D) &&
	    !S_ISLNK(st->st_mode))
		return 0;
	return remove(path);
}

static void
put_back(struct small_store *s, unsigned i)
{
	struct small_file *f = &s->files[i];
	const char *path = small_store_path(s, i);
	uint64_t stamp[3];
	struct stat st;
	int fd;

	if (f->data == NULL) {
		(void)mkdir(path, 0700); /* it may be there */
		return;
	}
	if (lstat(path, &st) == 0) {
		take_stamp(stamp, &st);
		if (memcmp(stamp, f->stamp, sizeof(stamp)) == 0)
			return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fs_pwrite_all(fd, f->data, f->len, 0), 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	take_stamp(f->stamp, &st);
}

void
small_store_reset(struct small_store *s)
{
	unsigned i;

	filling = s;
	skip = strlen("store/");
	assert_int_equal(
	    nftw("store", remove_strange, 16, FTW_PHYS | FTW_DEPTH), 0);
	for (i = 0; i < s->nfiles; i++)
		put_back(s, i);
	if (!s->backed_up)
		return;
	s->backed_up = 0;
	keep_clients("first.shamo", "first/.shamo");
	date_client(0);
	if (s->nmounts > 1) {
		keep_clients("second.shamo", "second/.shamo");
		date_client(1);
	}
}
