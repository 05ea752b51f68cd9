/* Random trees come back: the restored directory's address, taken from the
 * disk by code of this test alone, is the one that was planted, and so are
 * modes, times, sizes and links. */

#include "base/err.h"
#include "base/fs.h"
#include "lib/fill.h"
#include "lib/planter.h"
#include "lib/restored.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TREES 6
#define DATA_BYTES (24u << 20)
#define NAMES_MAX 60u

/* What a tree comes to besides its address: sums over all entries. */
struct facts {
	uint64_t entries, modes, times, sizes, linked;
	uint64_t nlinks; /* sum of the link counts of what is linked */
};

static uint8_t *data;
static uint64_t groups[4]; /* members planted */
static const char *const letters[] = {
    "a", "B", "-", " ", "\n", "\xff", "z", ".", "\\", "\xc3\xa9", "\x1b", "_"};

static void
random_name(struct fill *f, char *out, unsigned number)
{
	size_t n = fill_below(f, 20), i;
	const char *letter;
	/* The number first, so that no name stands twice. */
	size_t len = (size_t)snprintf(out, 12, "%u", number);

	for (i = 0; i < n; i++) {
		letter = letters[fill_below(f, 12)];
		memcpy(out + len, letter, strlen(letter) + 1);
		len += strlen(letter);
	}
}

static void
note(struct facts *t, const struct entry *e)
{
	t->entries++;
	t->modes += e->kind == ADDRESS_SYMLINK ? 0 : e->mode;
	t->times += (uint64_t)e->mtime_s * 7 + e->mtime_ns;
	if (e->kind == ADDRESS_FILE)
		t->sizes += e->size;
}

/* A file of any size; many are small, some are large or sparse. */
static void
random_file(struct planter *p, struct fill *f, struct entry *e)
{
	const uint8_t *parts[40];
	size_t lengths[40], n, i, at = fill_below(f, DATA_BYTES / 2);

	switch (fill_below(f, 10)) {
	case 0:
		n = 1 + fill_below(f, 40);
		for (i = 0; i < n; i++) {
			lengths[i] = 1 + fill_below(f, 600000);
			parts[i] = fill_below(f, 4) == 0
				       ? NULL
				       : data + fill_below(f, DATA_BYTES / 2);
		}
		planter_extents(p, e, parts, lengths, n, 0);
		return;
	case 1:
		n = 20000 + fill_below(f, 1000000);
		break;
	case 2:
		n = fill_below(f, 200);
		break;
	default:
		n = fill_below(f, 30000);
	}
	planter_file(p, e, data + at, n);
}

static void random_entry(struct planter *p, struct fill *f, struct facts *t,
    unsigned number, unsigned *budget, unsigned depth);

static void
random_dir(struct planter *p, struct fill *f, struct facts *t, unsigned *budget,
    unsigned depth)
{
	size_t n = fill_below(f, NAMES_MAX), i;

	for (i = 0; i<n && * budget> 0; i++)
		random_entry(p, f, t, (unsigned)i, budget, depth);
}

static void
random_entry(struct planter *p, struct fill *f, struct facts *t,
    unsigned number, unsigned *budget, unsigned depth)
{
	char name[256], target[64];
	struct entry e;

	(*budget)--;
	random_name(f, name, number);
	planter_meta(&e, name, ADDRESS_FILE);
	e.mode = 0400 | (uint16_t)fill_below(f, 0400);
	e.mtime_s = (int64_t)fill_below(f, 1u << 31);
	e.mtime_ns = (uint32_t)fill_below(f, 1000000000);
	switch (fill_below(f, 12)) {
	case 0:
		e.kind = ADDRESS_SYMLINK;
		(void)snprintf(
		    target, sizeof(target), "%zu/..", fill_below(f, 1u << 30));
		planter_symlink(p, &e, target);
		break;
	case 1:
		e.kind = ADDRESS_FIFO;
		planter_fifo(p, &e);
		break;
	case 2:
	case 3:
		e.kind = ADDRESS_DIR;
		e.mode |= 0700;
		if (depth < 9) {
			planter_enter(p, &e);
			random_dir(p, f, t, budget, depth + 1);
			planter_leave(p);
			break;
		}
		/* fall through */
	default:
		e.kind = ADDRESS_FILE;
		if (fill_below(f, 8) == 0) {
			/* All of a group are the same. */
			e.flags = ENTRY_HARDLINK;
			e.link[0] = (uint8_t)(1 + fill_below(f, 3));
			e.mode = 0600;
			e.mtime_s = e.mtime_ns = e.link[0];
			planter_file(p, &e, data + e.link[0],
			    e.link[0] == 1 ? 50 : e.link[0] * 70000u);
			t->linked++;
			/* k members with a count of k each: k squared. */
			groups[e.link[0]]++;
			t->nlinks += 2 * groups[e.link[0]] - 1;
		} else {
			random_file(p, f, &e);
		}
	}
	note(t, &e);
}

/* The address of what is on the disk at `path`, and its facts. */
static void address_of(uint8_t out[HASH_BYTES], enum address_kind *kind,
    struct facts *t, int dirfd, const char *name);

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
address_of_dir(uint8_t out[HASH_BYTES], struct facts *t, int fd)
{
	struct dirent **names;
	uint8_t address[HASH_BYTES];
	enum address_kind kind;
	struct hash h;
	int i, n;

	n = scandirat(fd, ".", &names, NULL, by_bytes);
	assert_true(n >= 0);
	address_dir_init(&h);
	for (i = 0; i < n; i++) {
		if (strcmp(names[i]->d_name, ".") != 0 &&
		    strcmp(names[i]->d_name, "..") != 0) {
			address_of(address, &kind, t, fd, names[i]->d_name);
			address_dir_add(&h, kind, names[i]->d_name,
			    strlen(names[i]->d_name), address);
		}
		free(names[i]);
	}
	free(names);
	address_dir_final(&h, out);
}

static void
address_of(uint8_t out[HASH_BYTES], enum address_kind *kind, struct facts *t,
    int dirfd, const char *name)
{
	struct buf b = BUF_INIT;
	struct stat st;
	char target[100];
	ssize_t len;
	int fd;

	assert_int_equal(0, fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW));
	t->entries++;
	t->modes += S_ISLNK(st.st_mode) ? 0 : st.st_mode & 07777;
	t->times +=
	    (uint64_t)st.st_mtim.tv_sec * 7 + (uint64_t)st.st_mtim.tv_nsec;
	if (S_ISLNK(st.st_mode)) {
		*kind = ADDRESS_SYMLINK;
		len = readlinkat(dirfd, name, target, sizeof(target));
		assert_true(len >= 0);
		address_symlink(out, target, (size_t)len);
	} else if (S_ISFIFO(st.st_mode)) {
		*kind = ADDRESS_FIFO;
		address_fifo(out);
	} else if (S_ISDIR(st.st_mode)) {
		*kind = ADDRESS_DIR;
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY);
		assert_true(fd >= 0);
		address_of_dir(out, t, fd);
		close(fd);
	} else {
		*kind = ADDRESS_FILE;
		t->sizes += (uint64_t)st.st_size;
		if (st.st_mode == (S_IFREG | 0600) && st.st_mtim.tv_sec < 4) {
			t->linked++;
			t->nlinks += st.st_nlink;
		} else {
			assert_int_equal(1, st.st_nlink);
		}
		assert_int_equal(0, fs_read_file(&b, dirfd, name, 64u << 20));
		hash_bytes(out, b.data, b.len);
		buf_release(&b);
	}
}

static void
one_tree(uint64_t seed)
{
	struct memory_store *m = memory_store_new();
	struct facts planted, found;
	struct restored r;
	struct planter p;
	struct entry root;
	struct fill f;
	enum address_kind kind;
	uint8_t address[HASH_BYTES];
	unsigned budget = 600;

	memset(&planted, 0, sizeof(planted));
	memset(groups, 0, sizeof(groups));
	memset(&found, 0, sizeof(found));
	fill_init(&f, seed);
	planter_init(&p, m);
	restored_init(&r, m);
	r.threads = 1 + (unsigned)(seed % 5);
	planter_meta(&root, "", ADDRESS_DIR);
	random_dir(&p, &f, &planted, &budget, 0);
	note(&planted, &root);
	planter_commit(&p, &root);
	if (restored_run(&r, NULL) != 0)
		fail_msg("seed %llu: %s", (unsigned long long)seed, err_text());
	address_of(address, &kind, &found, AT_FDCWD, r.dest);
	assert_memory_equal(root.address, address, sizeof(address));
	assert_memory_equal(&planted, &found, sizeof(found));
	assert_int_equal(0, r.warnings.len);
	restored_release(&r);
	planter_release(&p);
	memory_store_free(m);
}

static void
random_trees(void **state)
{
	uint64_t seed;

	(void)state; /* none */
	data = malloc(DATA_BYTES);
	assert_non_null(data);
	fill_text(data, DATA_BYTES, 1);
	for (seed = 1; seed <= TREES; seed++)
		one_tree(seed);
	free(data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_trees)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
