/*
 * A client's stat cache that the disk spoilt: whatever becomes of its bytes,
 * its pages and its files, the next backup ends as if there were no cache, its
 * key is what `scan` says, and its snapshot restores, byte for byte.
 *
 * One that was not closed, as after a kill, is no exception.
 *
 * COUNT: so many trials of both, drawn by SEED.
 */

#include "lib/fill.h"
#include "lib/same_tree.h"
#include "lib/setting.h"
#include "lib/small_stores.h"
#include "lib/source_tree.h"

#include "base/buf.h"
#include "base/fs.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DRAWS 14
#define DIRS 150
#define KEY_BYTES 65
#define PAGE 4096u
#define DATA "state/cache/data.mdb"
static struct small_store store;
static struct fill random_draws;
static uint64_t changes;

static uint64_t
draw(uint64_t below)
{
	return fill_below(&random_draws, (size_t)below);
}

/* ---- commands ---- */

static int
backup(void)
{
	const char *words[] = {
	    "backup", "--dir", "many", "--state_dir", "state", NULL};

	return small_store_run(&store, cmd_backup, words);
}

/* The key that the last command printed. */
static void
take_key(char key[KEY_BYTES + 1])
{
	const char *at = store.output;

	while (at != NULL && *at != 'X')
		at = strchr(at, '\n') == NULL ? NULL : strchr(at, '\n') + 1;
	if (at == NULL || strcspn(at, "\n") != KEY_BYTES)
		fail_msg("no key in: %s", store.output);
	memcpy(key, at, KEY_BYTES);
	key[KEY_BYTES] = '\0';
}

static void
must(cli_run *run, const char *const *words)
{
	int code = small_store_run(&store, run, words);

	if (code != 0)
		fail_msg("%s ended with %d: %s", words[0], code, store.output);
}

/* The last command was a backup: its snapshot is the directory. */
static void
check_snapshot(const char *what)
{
	const char *scan[] = {"scan", "--dir", "many", NULL};
	const char *restore[] = {"restore", "--dir", "many", "--state_dir",
	    "state", "--dest", "dest", NULL};
	char key[KEY_BYTES + 1], want[KEY_BYTES + 1];
	const char *wrong;

	take_key(key);
	must(cmd_scan, scan);
	take_key(want);
	if (strcmp(key, want) != 0)
		fail_msg("%s: %s, not %s", what, key, want);
	must(cmd_restore, restore);
	wrong = same_tree("many", "dest", 1);
	if (wrong != NULL)
		fail_msg("%s: %s", what, wrong);
	assert_int_equal(fs_remove_tree("dest"), 0);
}

/* ---- the directory ---- */

static const char *
folder(unsigned i)
{
	static char path[32];

	(void)snprintf(path, sizeof(path), "many/d%03u", i); /* it fits */
	return path;
}

static void
change(void)
{
	unsigned i = (unsigned)draw(DIRS);
	char to[40];

	changes++;
	source_tree_file(folder(i), "a", 200 + i, changes << 20);
	if (draw(4) != 0)
		return;
	(void)snprintf(to, sizeof(to), "many/aside"); /* it fits */
	assert_int_equal(rename(folder(i), to), 0);
	if (draw(2) == 0)
		assert_int_equal(rename(to, folder(i)), 0);
	else
		assert_int_equal(fs_remove_tree(to), 0);
	if (access(folder(i), F_OK) == 0)
		return;
	assert_int_equal(mkdir(folder(i), 0755), 0);
	source_tree_file(folder(i), "b", 3000, changes);
}

static int
setup(void **unused)
{
	const char *words[] = {"register", "--dir", "many", "--state_dir",
	    "state", "--url", NULL, NULL};
	char url[600];
	unsigned i;

	(void)unused;
	fill_init(&random_draws, setting("SEED", 1));
	small_store_make(&store, SMALL_TREE);
	assert_int_equal(mkdir("many", 0755), 0);
	for (i = 0; i < DIRS; i++) {
		assert_int_equal(mkdir(folder(i), 0755), 0);
		source_tree_file(folder(i), "a", 200 + i, i);
		source_tree_file(folder(i), "b", i % 16 == 0 ? 30000 : 900, i);
	}
	(void)snprintf(url, sizeof(url), "file://%s/store", store.top);
	words[6] = url;
	must(cmd_register, words);
	/* What is younger than two seconds is read again in any case. */
	sleep(3);
	assert_int_equal(backup(), 0);
	check_snapshot("at first");
	return 0;
}

static int
teardown(void **unused)
{
	(void)unused;
	small_store_remove(&store);
	return 0;
}

/* ---- harm ---- */

enum harm { FLIP, TORN, MOVED, CUT, NOISE, EMPTY, GONE, FOLDER, HARMS };

static const char *const names[] = {
    "data.mdb", "data.mdb", "data.mdb", "data.mdb", "last", "lock.mdb"};

static void
harm_bytes(struct buf *b, enum harm harm)
{
	size_t pages = b->len / PAGE, from, to, i;
	uint8_t *p;

	switch (harm) {
	case FLIP:
		b->data[draw(b->len)] ^= (uint8_t)(1 + draw(255));
		break;
	case TORN:
		from = draw(pages + 1) * PAGE;
		for (i = from; i < b->len && i < from + PAGE; i++)
			b->data[i] = 0;
		break;
	case MOVED:
		if (pages < 2)
			break;
		from = draw(pages);
		to = (from + 1 + draw(pages - 1)) % pages;
		memcpy(b->data + to * PAGE, b->data + from * PAGE, PAGE);
		break;
	case CUT:
		b->len = draw(b->len);
		break;
	case NOISE:
		i = 1 + draw(2 * PAGE);
		assert_int_equal(buf_extend(&p, b, i), 0);
		while (i-- > 0)
			p[i] = (uint8_t)draw(256);
		break;
	default:
		b->len = 0;
	}
}

/* Not by a rename: what is spoilt keeps its inode. */
static void
write_over(const char *path, const struct buf *b)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fs_pwrite_all(fd, b->data, b->len, 0), 0);
	close(fd);
}

/* Harm one file of the cache; `what` says how. */
static void
harm_cache(char what[128])
{
	const char *name = names[draw(sizeof(names) / sizeof(names[0]))];
	enum harm harm = draw(2) == 0 ? FLIP : (enum harm)draw(HARMS);
	struct buf b = BUF_INIT;
	char path[64];

	(void)snprintf(path, sizeof(path), "state/cache/%s", name); /* fits */
	(void)snprintf(what, 128, "%s, harm %d, trial of change %llu", path,
	    (int)harm, (unsigned long long)changes);
	if (access(path, F_OK) != 0)
		return;
	assert_int_equal(fs_read_file(&b, AT_FDCWD, path, 1u << 30), 0);
	if (harm == GONE || harm == FOLDER)
		assert_int_equal(unlink(path), 0);
	if (harm == FOLDER)
		assert_int_equal(mkdir(path, 0700), 0);
	if (harm < GONE && b.len > 0) {
		harm_bytes(&b, harm);
		write_over(path, &b);
	}
	buf_release(&b);
}

/* ---- the tests ---- */

/* As a kill leaves it: a marker of this boot (base/marker.h). */
static void
unclose(void)
{
	struct buf boot = BUF_INIT;

	assert_int_equal(fs_read_file(&boot, AT_FDCWD,
			     "/proc/sys/kernel/random/boot_id", 64),
	    0);
	assert_int_equal(fs_write_file(AT_FDCWD, "state/cache/unsynced",
			     boot.data, boot.len - 1, 0600, FS_NOSYNC),
	    0);
	buf_release(&boot);
}

static void
try_harm(int unclosed)
{
	uint64_t n = setting("COUNT", DRAWS), i;
	char what[128];

	for (i = 0; i < n; i++) {
		harm_cache(what);
		if (unclosed)
			unclose();
		change();
		if (backup() != 0)
			fail_msg("%s: %s", what, store.output);
		check_snapshot(what);
	}
}

static void
test_closed(void **unused)
{
	(void)unused;
	try_harm(0);
}

static void
test_not_closed(void **unused)
{
	(void)unused;
	try_harm(1);
}

/* What an unchanged directory costs: no table is written. */
static void
test_unchanged(void **unused)
{
	struct stat was, is;

	(void)unused;
	assert_int_equal(backup(), 0);
	/* What was young is older by now. */
	sleep(3);
	assert_int_equal(backup(), 0);
	assert_int_equal(stat(DATA, &was), 0);
	assert_int_equal(backup(), 0);
	assert_non_null(strstr(store.output, "nothing has changed"));
	assert_int_equal(stat(DATA, &is), 0);
	assert_int_equal(was.st_ino, is.st_ino);
	assert_memory_equal(&was.st_mtim, &is.st_mtim, sizeof(was.st_mtim));
	/* As it was before there was a file of the last snapshot. */
	assert_int_equal(unlink("state/cache/last"), 0);
	assert_int_equal(backup(), 0);
	assert_non_null(strstr(store.output, "nothing has changed"));
	check_snapshot("an old one");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_unchanged),
	    cmocka_unit_test(test_closed),
	    cmocka_unit_test(test_not_closed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
