#include "lib/source_tree.h"

#include "base/buf.h"
#include "base/fs.h"
#include "hash/address.h"
#include "lib/fill.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_BYTES_MAX (256u << 20)

static char *
join(const char *dir, const char *name)
{
	char *path = fs_join(dir, name);

	assert_non_null(path);
	return path;
}

void
source_tree_file(const char *dir, const char *name, size_t len, uint64_t seed)
{
	char *path = join(dir, name);
	uint8_t *p = malloc(len + 1);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_non_null(p);
	assert_true(fd >= 0);
	if (seed % 2 == 0)
		fill_text(p, len, seed);
	else
		fill_random(p, len, seed);
	assert_int_equal(fs_write_all(fd, p, len), 0);
	assert_int_equal(close(fd), 0);
	free(p);
	free(path);
}

/* Data, a hole, data, a hole at the end. */
static void
make_sparse(const char *dir, const char *name)
{
	char *path = join(dir, name);
	uint8_t data[8192];
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	fill_random(data, sizeof(data), 77);
	assert_int_equal(fs_pwrite_all(fd, data, sizeof(data), 0), 0);
	assert_int_equal(fs_pwrite_all(fd, data, sizeof(data), 1u << 20), 0);
	assert_int_equal(ftruncate(fd, 3 << 20), 0);
	assert_int_equal(close(fd), 0);
	free(path);
}

static void
make_socket(const char *dir)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/socket", dir);

	assert_true(n > 0 && (size_t)n < sizeof(a.sun_path));
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(close(fd), 0);
}

/* File systems without user attributes are no failure of ours. */
static void
set_xattr(const char *dir, const char *name, size_t len)
{
	char *path = join(dir, name), value[4096];

	assert_true(len <= sizeof(value));
	memset(value, 'x', sizeof(value));
	if (setxattr(path, "user.test", value, len, 0) != 0)
		assert_true(errno == EOPNOTSUPP || errno == ENOSPC);
	free(path);
}

static void
make_dir(const char *dir, const char *name)
{
	char *path = join(dir, name);

	assert_int_equal(mkdir(path, 0755), 0);
	free(path);
}

static void
make_links(const char *dir)
{
	char *from = join(dir, "large"), *to = join(dir, "sub/large-again");
	char *symlink_at = join(dir, "symlink"), *fifo = join(dir, "fifo");

	assert_int_equal(link(from, to), 0);
	assert_int_equal(symlink("../no/where", symlink_at), 0);
	assert_int_equal(mkfifo(fifo, 0640), 0);
	free(from);
	free(to);
	free(symlink_at);
	free(fifo);
}

void
source_tree_make(const char *dir)
{
	static const size_t sizes[] = {0, 1, 127, 128, 129, 4096, 100000,
	    (128u << 10) - 1, 128u << 10, (128u << 10) + 1};
	char name[300];
	size_t i;

	make_dir(dir, "sub");
	make_dir(dir, "sub/empty");
	make_dir(dir, "sub.");
	make_dir(dir, "sub/many");
	make_dir(dir, ".shamo");
	make_dir(dir, "sub/.shamo");
	source_tree_file(dir, ".shamo/secret", 10, 1);
	source_tree_file(dir, "sub/.shamo/secret", 10, 1);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		(void)snprintf(name, sizeof(name), "size-%zu", sizes[i]);
		source_tree_file(dir, name, sizes[i], i);
	}
	for (i = 0; i < 1500; i++) {
		(void)snprintf(name, sizeof(name), "sub/many/file %zu", i);
		source_tree_file(dir, name, i * 7 % 3000, i);
	}
	memset(name, 'n', 255);
	name[255] = '\0';
	source_tree_file(dir, name, 10, 4);
	source_tree_file(dir, "high \xff\xfe\n name", 200, 5);
	source_tree_file(dir, "same as size-4096", 4096, 5);
	source_tree_file(dir, "large", 9u << 20, 6);
	make_sparse(dir, "sparse");
	make_socket(dir);
	make_links(dir);
	set_xattr(dir, "size-4096", 10);
	set_xattr(dir, "size-129", 2000);
	set_xattr(dir, "sub/empty", 20);
	set_xattr(dir, "large", 100);
}

static int
wanted(const struct dirent *d)
{
	return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
	       strcmp(d->d_name, ".shamo") != 0;
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Returns 0 for what does not exist in an address. */
static enum address_kind
address_of(uint8_t out[HASH_BYTES], const char *path)
{
	struct buf content = BUF_INIT;
	char target[4097];
	struct stat st;
	ssize_t n;

	assert_int_equal(lstat(path, &st), 0);
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		assert_int_equal(
		    fs_read_file(&content, AT_FDCWD, path, FILE_BYTES_MAX), 0);
		hash_bytes(out, content.data, content.len);
		buf_release(&content);
		return ADDRESS_FILE;
	case S_IFDIR:
		source_tree_address(out, path);
		return ADDRESS_DIR;
	case S_IFLNK:
		n = readlink(path, target, sizeof(target));
		assert_true(n > 0);
		hash_bytes(out, target, (size_t)n);
		return ADDRESS_SYMLINK;
	case S_IFIFO:
		hash_bytes(out, "", 0);
		return ADDRESS_FIFO;
	case S_IFCHR:
	case S_IFBLK:
		address_device(out, major(st.st_rdev), minor(st.st_rdev));
		return S_ISCHR(st.st_mode) ? ADDRESS_CHARDEV : ADDRESS_BLOCKDEV;
	default:
		return 0;
	}
}

void
source_tree_address(uint8_t out[HASH_BYTES], const char *dir)
{
	struct dirent **names;
	uint8_t address[HASH_BYTES];
	enum address_kind kind;
	struct hash h;
	char *path;
	int i, n = scandir(dir, &names, wanted, by_bytes);

	assert_true(n >= 0);
	address_dir_init(&h);
	for (i = 0; i < n; i++) {
		path = join(dir, names[i]->d_name);
		kind = address_of(address, path);
		if (kind != 0)
			address_dir_add(&h, kind, names[i]->d_name,
			    strlen(names[i]->d_name), address);
		free(path);
		free(names[i]);
	}
	free(names);
	address_dir_final(&h, out);
}

void
source_tree_key(char text[ADDRESS_TEXT_BYTES], const char *dir)
{
	uint8_t address[HASH_BYTES];

	source_tree_address(address, dir);
	address_text(text, ADDRESS_DIR, address);
}
