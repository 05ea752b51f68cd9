/* Restoring what is as it should be. */

#include "base/err.h"
#include "base/fs.h"
#include "lib/fill.h"
#include "lib/restoring.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

static void
restores(struct restoring *f)
{
	int rc = restored_run(&f->r, NULL);

	if (rc != 0)
		fail_msg("%s\n%s", err_text(),
		    f->r.warnings.data != NULL ? (char *)f->r.warnings.data
					       : "");
	assert_int_equal(0, f->r.warnings.len);
}

static void
every_size_comes_back(void **state)
{
	static const size_t sizes[] = {0, 1, 128, 129, 4096, 149999, 150000,
	    150001, 1000000, 5000000, 9000000};
	struct restoring *f = *state;
	uint8_t *data = malloc(9000000);
	struct stat st;
	char name[32];
	size_t i;

	fill_text(data, 9000000, 1);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		(void)snprintf(name, sizeof(name), "file%zu", sizes[i]);
		restoring_file_of(f, name, data, sizes[i]);
	}
	planter_commit(&f->p, &f->root);
	restores(f);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		(void)snprintf(name, sizeof(name), "file%zu", sizes[i]);
		restored_has(&f->r, name, data, sizes[i]);
		assert_int_equal(0, lstat(restored_path(&f->r, name), &st));
		assert_int_equal(0644, st.st_mode & 07777);
		assert_int_equal(1234567890, st.st_mtim.tv_sec);
		assert_int_equal(123456789, st.st_mtim.tv_nsec);
	}
	assert_int_equal(i, f->r.result.files);
	assert_int_equal(1, f->r.result.dirs);
	assert_int_equal(i, atomic_load(&f->r.progress.files));
	assert_int_equal(f->r.result.bytes, atomic_load(&f->r.progress.bytes));
	free(data);
}

static void
kinds_come_back(void **state)
{
	struct restoring *f = *state;
	struct entry e;
	struct stat st;
	char target[64];

	planter_meta(&e, "link", ADDRESS_SYMLINK);
	planter_symlink(&f->p, &e, "../../canary");
	planter_meta(&e, "fifo", ADDRESS_FIFO);
	e.mode = 0622;
	planter_fifo(&f->p, &e);
	planter_meta(&e, "null", ADDRESS_CHARDEV);
	e.mode = 0666;
	planter_device(&f->p, &e, 1, 3);
	planter_meta(&e, "disk", ADDRESS_BLOCKDEV);
	planter_device(&f->p, &e, 7, 300);
	planter_commit(&f->p, &f->root);
	restores(f);

	assert_int_equal(
	    12, readlink(restored_path(&f->r, "link"), target, sizeof(target)));
	assert_memory_equal("../../canary", target, 12);
	assert_int_equal(0, lstat(restored_path(&f->r, "link"), &st));
	assert_int_equal(1234567890, st.st_mtim.tv_sec);
	assert_int_equal(0, lstat(restored_path(&f->r, "fifo"), &st));
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(0622, st.st_mode & 07777);
	assert_int_equal(1234567890, st.st_mtim.tv_sec);
	if (f->r.result.lack_device == 0) {
		assert_int_equal(0, lstat(restored_path(&f->r, "null"), &st));
		assert_true(S_ISCHR(st.st_mode));
		assert_int_equal(makedev(1, 3), st.st_rdev);
		assert_int_equal(0666, st.st_mode & 07777);
		assert_int_equal(0, lstat(restored_path(&f->r, "disk"), &st));
		assert_true(S_ISBLK(st.st_mode));
		assert_int_equal(makedev(7, 300), st.st_rdev);
	}
}

static void
modes_and_directories_come_back(void **state)
{
	struct restoring *f = *state;
	struct entry e;
	struct stat st;

	planter_meta(&e, "closed", ADDRESS_DIR);
	e.mode = 0555;
	e.mtime_s = 77;
	planter_enter(&f->p, &e);
	planter_meta(&e, "nothing", ADDRESS_DIR);
	e.mode = 0;
	planter_enter(&f->p, &e);
	restoring_file_of(f, "deep", "x", 1);
	planter_leave(&f->p);
	planter_meta(&e, "set-id", ADDRESS_FILE);
	e.mode = 06755;
	planter_file(&f->p, &e, (const uint8_t *)"#!", 2);
	planter_meta(&e, "private", ADDRESS_FILE);
	e.mode = 0;
	planter_file(&f->p, &e, (const uint8_t *)"secret", 6);
	planter_leave(&f->p);
	f->root.mode = 01777;
	f->root.mtime_s = -1;
	planter_commit(&f->p, &f->root);
	restores(f);

	assert_int_equal(0, lstat(restored_path(&f->r, ""), &st));
	assert_int_equal(01777, st.st_mode & 07777);
	assert_int_equal(-1, st.st_mtim.tv_sec);
	assert_int_equal(0, lstat(restored_path(&f->r, "closed"), &st));
	assert_int_equal(0555, st.st_mode & 07777);
	assert_int_equal(77, st.st_mtim.tv_sec);
	assert_int_equal(0, lstat(restored_path(&f->r, "closed/nothing"), &st));
	assert_int_equal(0, st.st_mode & 07777);
	assert_int_equal(1234567890, st.st_mtim.tv_sec);
	assert_int_equal(0, lstat(restored_path(&f->r, "closed/set-id"), &st));
	assert_int_equal(06755, st.st_mode & 07777);
	assert_int_equal(0, lstat(restored_path(&f->r, "closed/private"), &st));
	assert_int_equal(0, st.st_mode & 07777);
}

static void
holes_stay_holes(void **state)
{
	struct restoring *f = *state;
	size_t block = 1 << 20,
	       lengths[6] = {block, block * 8, block, block, block, block * 16};
	uint8_t *data = malloc(block), *zeros = calloc(1, block);
	const uint8_t *parts[6] = {data, NULL, zeros, data, data, NULL};
	struct entry e;
	struct stat st;
	struct buf b = BUF_INIT;

	fill_random(data, block, 3);
	planter_meta(&e, "sparse", ADDRESS_FILE);
	planter_extents(&f->p, &e, parts, lengths, 6, 0);
	lengths[0] = 1 << 30;
	parts[0] = NULL;
	planter_meta(&e, "all-hole", ADDRESS_FILE);
	planter_extents(&f->p, &e, parts, lengths, 1, 0);
	planter_commit(&f->p, &f->root);
	restores(f);

	assert_int_equal(0, fs_read_file(&b, AT_FDCWD,
				restored_path(&f->r, "sparse"), 64 << 20));
	assert_int_equal(28 * block, b.len);
	assert_memory_equal(data, b.data, block);
	assert_true(bytes_are_zero(b.data + block, 9 * block));
	assert_memory_equal(data, b.data + 10 * block, block);
	assert_memory_equal(data, b.data + 11 * block, block);
	assert_true(bytes_are_zero(b.data + 12 * block, 16 * block));
	assert_int_equal(0, lstat(restored_path(&f->r, "sparse"), &st));
	assert_in_range(st.st_blocks * 512, 4 * block, 5 * block);
	assert_int_equal(0, lstat(restored_path(&f->r, "all-hole"), &st));
	assert_int_equal(1 << 30, st.st_size);
	assert_in_range(st.st_blocks, 0, 8);
	buf_release(&b);
	free(data);
	free(zeros);
}

/* Large files go past the page cache in blocks: odd lengths, odd holes. */
static void
large_files_of_odd_parts(void **state)
{
	struct restoring *f = *state;
	size_t lengths[160], n = 160, i, len, at;
	const uint8_t *parts[160];
	uint8_t *data = malloc(1 << 20), *all = calloc(1, 64 << 20);
	struct entry e;
	struct fill fill;
	uint8_t hashes[4][HASH_BYTES];
	char name[16];
	int file;

	fill_random(data, 1 << 20, 6);
	fill_init(&fill, 8);
	for (file = 0; file < 4; file++) {
		memset(all, 0, 64 << 20);
		for (i = at = 0; i < n; i++, at += len) {
			len = 1 + fill_below(&fill, 300000);
			if (fill_below(&fill, 3) == 0)
				len = (len + 4095) & ~(size_t)4095;
			lengths[i] = len;
			parts[i] = i % 9 == 8 ? NULL : data;
			if (parts[i] != NULL)
				memcpy(all + at, data, len);
		}
		assert_in_range(at, 16 << 20, 64 << 20);
		(void)snprintf(name, sizeof(name), "odd%d", file);
		planter_meta(&e, name, ADDRESS_FILE);
		e.mode = 0444;
		planter_extents(&f->p, &e, parts, lengths, n, file % 2);
		hash_bytes(hashes[file], all, at);
	}
	planter_commit(&f->p, &f->root);
	restores(f);
	for (file = 0; file < 4; file++) {
		struct buf b = BUF_INIT;
		uint8_t hash[HASH_BYTES];

		(void)snprintf(name, sizeof(name), "odd%d", file);
		assert_int_equal(0, fs_read_file(&b, AT_FDCWD,
					restored_path(&f->r, name), 64 << 20));
		hash_bytes(hash, b.data, b.len);
		assert_memory_equal(hashes[file], hash, sizeof(hash));
		buf_release(&b);
	}
	free(data);
	free(all);
}

/* A file of many chunks, all distinct, several levels of maps and windows. */
static void
maps_are_followed(void **state)
{
	struct restoring *f = *state;
	size_t n = 20000, len = 3000, i, *lengths = calloc(n, sizeof(size_t));
	uint8_t *data = malloc(n * len);
	const uint8_t **parts = calloc(n, sizeof(uint8_t *));
	struct entry e;

	fill_random(data, n * len, 9);
	for (i = 0; i < n; i++) {
		/* Every seventh repeats an earlier one. */
		if (i % 7 == 6)
			memcpy(data + i * len, data + i / 7 * len, len);
		parts[i] = data + i * len;
		lengths[i] = len;
	}
	planter_meta(&e, "large", ADDRESS_FILE);
	planter_extents(&f->p, &e, parts, lengths, n, 1);
	planter_commit(&f->p, &f->root);
	restores(f);
	restored_has(&f->r, "large", data, n * len);
	free(parts);
	free(lengths);
	free(data);
}

static void
hard_links_are_one_inode(void **state)
{
	struct restoring *f = *state;
	struct entry e;
	struct stat a, b;
	uint8_t data[5000];
	int i;

	fill_random(data, sizeof(data), 4);
	for (i = 0; i < 3; i++) {
		char name[2] = {(char)('a' + i), '\0'};

		restoring_dir(f, name);
		planter_meta(&e, "same", ADDRESS_FILE);
		e.flags = ENTRY_HARDLINK;
		memset(e.link, 1, sizeof(e.link));
		planter_file(&f->p, &e, data, sizeof(data));
		planter_meta(&e, "sym", ADDRESS_SYMLINK);
		e.flags = ENTRY_HARDLINK;
		memset(e.link, 2, sizeof(e.link));
		planter_symlink(&f->p, &e, "nowhere");
		planter_leave(&f->p);
	}
	planter_commit(&f->p, &f->root);
	restores(f);
	assert_int_equal(0, lstat(restored_path(&f->r, "a/same"), &a));
	assert_int_equal(0, lstat(restored_path(&f->r, "c/same"), &b));
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(3, b.st_nlink);
	assert_int_equal(0, lstat(restored_path(&f->r, "a/sym"), &a));
	assert_int_equal(0, lstat(restored_path(&f->r, "c/sym"), &b));
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(3, b.st_nlink);
	restored_has(&f->r, "b/same", data, sizeof(data));
	assert_int_equal(2, f->r.result.links);
	assert_int_equal(3, f->r.result.files);
	assert_int_equal(3, f->r.result.others);
	/* Links made late have not touched the directories' times. */
	assert_int_equal(0, lstat(restored_path(&f->r, "c"), &b));
	assert_int_equal(1234567890, b.st_mtim.tv_sec);
}

static void
attributes_come_back(void **state)
{
	struct restoring *f = *state;
	struct buf block = BUF_INIT;
	struct entry_xattr x = {"user.note", 9, (const uint8_t *)"hello", 5};
	struct object o;
	struct entry e;
	uint8_t big[3000], got[4000];

	assert_int_equal(0, entry_xattr_begin(&block));
	assert_int_equal(0, entry_xattr_add(&block, &x));
	planter_meta(&e, "inline", ADDRESS_FILE);
	e.flags = ENTRY_XATTR_INLINE;
	e.xattr = block.data;
	e.xattr_len = block.len;
	planter_file(&f->p, &e, (const uint8_t *)"a", 1);
	planter_meta(&e, "directory", ADDRESS_DIR);
	e.mode = 0500;
	e.flags = ENTRY_XATTR_INLINE;
	e.xattr = block.data;
	e.xattr_len = block.len;
	planter_enter(&f->p, &e);
	planter_leave(&f->p);

	fill_random(big, sizeof(big), 1);
	x.value = big;
	x.value_len = sizeof(big);
	object_init(&o, OBJECT_CHUNK);
	assert_int_equal(0, entry_xattr_begin(&o.payload));
	assert_int_equal(0, entry_xattr_add(&o.payload, &x));
	memory_store_put(f->m, &o);
	planter_meta(&e, "object", ADDRESS_FILE);
	e.flags = ENTRY_XATTR_REF;
	memcpy(e.xattr_id, o.id, sizeof(e.xattr_id));
	planter_file(&f->p, &e, big, sizeof(big));
	object_release(&o);
	buf_release(&block);
	planter_commit(&f->p, &f->root);
	restores(f);
	if (f->r.result.lack_xattr > 0)
		skip(); /* this file system takes none */
	assert_int_equal(5, getxattr(restored_path(&f->r, "inline"),
				"user.note", got, sizeof(got)));
	assert_memory_equal("hello", got, 5);
	assert_int_equal(5, getxattr(restored_path(&f->r, "directory"),
				"user.note", got, sizeof(got)));
	assert_int_equal(3000, getxattr(restored_path(&f->r, "object"),
				   "user.note", got, sizeof(got)));
	assert_memory_equal(big, got, sizeof(big));
}

static void
depth_costs_no_descriptors(void **state)
{
	struct restoring *f = *state;
	int i, depth = 4000;
	struct entry e;
	uint64_t gets;

	for (i = 0; i < depth; i++) {
		restoring_dir(f, "d");
		if (i % 100 == 0)
			restoring_file_of(f, "leaf", "content", 7);
		/* Links from the bottom to the top. */
		if (i % 1000 == 7) {
			planter_meta(&e, "z", ADDRESS_FILE);
			e.flags = ENTRY_HARDLINK;
			memset(e.link, 9, sizeof(e.link));
			planter_file(&f->p, &e, (const uint8_t *)"linked", 6);
		}
	}
	for (i = 0; i < depth; i++)
		planter_leave(&f->p);
	planter_commit(&f->p, &f->root);
	gets = f->m->gets;
	restores(f);
	assert_in_range(f->m->gets - gets, depth, depth + 200);
	assert_int_equal(depth + 1, f->r.result.dirs);
	assert_int_equal(44, f->r.result.files);
	assert_int_equal(3, f->r.result.links);
	restored_has(&f->r, "d/d/d/d/d/d/d/d/z", "linked", 6);
}

static void
selected_paths_alone(void **state)
{
	static const char *const paths[] = {"b/in", "./c//", "a", NULL};
	static const char *const wrong[] = {"b/in", "b/out/none", NULL};
	static const char *const through[] = {"a/x", NULL};
	static const char *const up[] = {"b/../a", NULL};
	static const char *const absolute[] = {"/a", NULL};
	struct restoring *f = *state;
	struct stat st;

	restoring_file_of(f, "a", "1", 1);
	restoring_file_of(f, "aa", "1", 1);
	restoring_dir(f, "b");
	restoring_file_of(f, "in", "2", 1);
	restoring_file_of(f, "in2", "2", 1);
	restoring_dir(f, "out");
	restoring_file_of(f, "in", "3", 1);
	planter_leave(&f->p);
	planter_leave(&f->p);
	restoring_dir(f, "c");
	restoring_file_of(f, "x", "4", 1);
	restoring_dir(f, "deep");
	restoring_file_of(f, "y", "5", 1);
	planter_leave(&f->p);
	planter_leave(&f->p);
	restoring_dir(f, "d");
	planter_leave(&f->p);
	f->root.mode = 0111;
	planter_commit(&f->p, &f->root);

	assert_int_equal(ERR_NOENT, restored_run(&f->r, wrong));
	assert_non_null(strstr(err_text(), "b/out/none"));
	assert_int_equal(ERR_NOENT, restored_run(&f->r, through));
	assert_int_equal(ERR_USAGE, restored_run(&f->r, up));
	assert_int_equal(ERR_USAGE, restored_run(&f->r, absolute));
	assert_int_equal(-1, access(f->r.dest, F_OK));

	assert_int_equal(0, restored_run(&f->r, paths));
	assert_int_equal(0, f->r.warnings.len);
	restored_has(&f->r, "a", "1", 1);
	restored_lacks(&f->r, "aa");
	restored_has(&f->r, "b/in", "2", 1);
	restored_lacks(&f->r, "b/in2");
	restored_lacks(&f->r, "b/out");
	restored_has(&f->r, "c/x", "4", 1);
	restored_has(&f->r, "c/deep/y", "5", 1);
	restored_lacks(&f->r, "d");
	assert_int_equal(0, lstat(restored_path(&f->r, ""), &st));
	assert_int_equal(0755, st.st_mode & 07777);
	assert_int_equal(0, lstat(restored_path(&f->r, "b"), &st));
	assert_int_equal(1234567890, st.st_mtim.tv_sec);
}

/* A directory of many leaves and nodes, of which one name is asked for. */
static void
large_directories(void **state)
{
	static const char *const paths[] = {"many/n07777", "many/n00000", NULL};
	struct restoring *f = *state;
	unsigned gets;
	char name[16];
	struct stat st;
	int i;

	restoring_dir(f, "many");
	for (i = 0; i < 20000; i++) {
		(void)snprintf(name, sizeof(name), "n%05d", i);
		restoring_file_of(f, name, name, 3);
	}
	planter_leave(&f->p);
	planter_commit(&f->p, &f->root);
	gets = f->m->gets;
	assert_int_equal(0, restored_run(&f->r, paths));
	/* Neither is the whole directory read for it. */
	assert_in_range(f->m->gets - gets, 3, 12);
	assert_int_equal(2, f->r.result.files);
	restored_has(&f->r, "many/n07777", "n07", 3);
	restored_clear(&f->r);

	restores(f);
	assert_int_equal(20000, f->r.result.files);
	restored_has(&f->r, "many/n19999", "n19", 3);
	assert_int_equal(0, lstat(restored_path(&f->r, "many"), &st));
	assert_int_equal(1234567890, st.st_mtim.tv_sec);
}

static void
destination_must_be_empty(void **state)
{
	struct restoring *f = *state;
	char *path;

	restoring_file_of(f, "a", "1", 1);
	planter_commit(&f->p, &f->root);
	assert_int_equal(0, fs_make_dirs(f->r.dest, 0755));
	path = fs_join(f->r.dest, ".shamo");
	assert_int_equal(0, mkdir(path, 0700));
	assert_int_equal(0, restored_run(&f->r, NULL));
	assert_int_equal(0, access(path, F_OK));
	free(path);
	assert_int_equal(ERR_USAGE, restored_run(&f->r, NULL));
	assert_non_null(strstr(err_text(), "not empty"));
	assert_int_equal(0, unlink(restored_path(&f->r, "a")));
	restores(f);
	restored_has(&f->r, "a", "1", 1);
}

int
main(void)
{
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, restoring_setup, restoring_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(every_size_comes_back),
	    TEST(kinds_come_back),
	    TEST(modes_and_directories_come_back),
	    TEST(holes_stay_holes),
	    TEST(large_files_of_odd_parts),
	    TEST(maps_are_followed),
	    TEST(hard_links_are_one_inode),
	    TEST(attributes_come_back),
	    TEST(depth_costs_no_descriptors),
	    TEST(selected_paths_alone),
	    TEST(large_directories),
	    TEST(destination_must_be_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
