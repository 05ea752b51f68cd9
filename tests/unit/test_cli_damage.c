/*
 * Damaged stores, as their operator and their clients see them: each byte of
 * three small stores another one; files that are cut, longer, swapped, of
 * another time, gone, or no files.  Whatever is damaged:
 *
 *   - no command crashes, hangs, or ends without a word;
 *   - what `verify` lets pass restores, every snapshot of it;
 *   - what it does not let pass it names;
 *   - a restore that succeeds has every byte, one that fails has nothing
 *     wrong, and says what it lacks;
 *   - a snapshot that does not need what is damaged restores;
 *   - once the damage is undone, or the clients backed up again, what is
 *     there restores.
 *
 * COUNT: so many flips, FILES: so many damaged files, drawn by SEED; PARTS and
 * PART: instead of drawn bytes each PARTSth from PART on, so PARTS=1 is all.
 * OUTCOMES=1 tells what came of each kind.
 */

#include "lib/setting.h"
#include "lib/small_stores.h"

#include "base/fs.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DRAWS 120
#define UNDO_EVERY 16
#define HEAL_EVERY 32
#define LOCK_BYTES 512 /* of a file that LMDB fills anew when it opens it */

static struct small_store stores[SMALL_KINDS];
static uint64_t state;
static int flipping; /* else whole files are damaged */
static int telling; /* OUTCOMES */

/* xorshift64* */
static uint64_t
draw(uint64_t below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 2685821657736338717u % below;
}

/* ---- which file is what ---- */

enum what {
	PACK,
	SNAP, /* concerns its own snapshot */
	INDEX, /* made anew */
	IDENTITY, /* without it nobody gets in; some have a copy */
	ASIDE, /* no restore needs it */
	WHATS
};

static const char *const what_names[WHATS] = {
    "pack", "snapshot", "index", "identity", "aside"};

static int
has(const char *path, const char *part)
{
	return strstr(path, part) != NULL;
}

static enum what
what_is(const char *path)
{
	if (has(path, ".pack"))
		return PACK;
	if (has(path, ".snap"))
		return SNAP;
	if (strncmp(path, "index/", 6) == 0)
		return INDEX;
	if (has(path, "vault.json") || has(path, "store.json") ||
	    has(path, "server.key") || strncmp(path, "mounts/", 7) == 0)
		return IDENTITY;
	return ASIDE;
}

/* Nonzero when the snapshot must restore, whatever is in the file. */
static int
must_restore(const struct small_store *s, const char *path,
    const struct small_snapshot *snapshot)
{
	char name[32];

	(void)s;
	switch (what_is(path)) {
	case SNAP:
		(void)snprintf(name, sizeof(name), "%010u.snap",
		    snapshot->seq); /* it fits */
		return !has(path, name);
	case INDEX:
	case ASIDE:
		return 1;
	default:
		return 0;
	}
}

/* ---- the judgement ---- */

static unsigned outcomes[WHATS][2][256]; /* verify, restore */

static void
wrong_is(struct small_store *s, const char *damage, const char *why)
{
	fail_msg("store %d, %s: %s; the last command said:\n%s", (int)s->kind,
	    damage, why, s->output);
}

static int
restore_one(struct small_store *s, unsigned i, const char *damage)
{
	const char *wrong;
	int code = small_store_restore(&wrong, s, &s->snapshots[i]);

	if (wrong != NULL)
		wrong_is(s, damage, wrong);
	if (code < 0)
		wrong_is(s, damage, "a restore crashed or hung");
	if (code != 0 && s->output[0] == '\0')
		wrong_is(s, damage, "a restore failed without a word");
	return code;
}

static void
restore_all(struct small_store *s, const char *damage, const char *why)
{
	unsigned i;

	for (i = 0; i < s->nsnapshots; i++)
		if (restore_one(s, i, damage) != 0)
			wrong_is(s, damage, why);
}

/* `path`: the file that is damaged; NULL: several are.  Returns verify's. */
static int
judge(struct small_store *s, const char *path, const char *damage)
{
	const char *base = path == NULL ? "/" : strrchr(path, '/');
	enum what what = path == NULL ? PACK : what_is(path);
	int code, restored;
	unsigned i;

	base = base == NULL ? path : base + (base[0] == '/');
	code = small_store_verify(s);
	if (code < 0)
		wrong_is(s, damage, "verify crashed or hung");
	if (code != 0 && s->output[0] == '\0')
		wrong_is(s, damage, "verify failed without a word");
	/* What is gone is named by those who miss it. */
	if (code == 13 && !has(s->output, base) && what != INDEX &&
	    (flipping || !has(s->output, "/snapshots")))
		wrong_is(s, damage, "verify did not name it");
	if (code == 0 && what == INDEX) {
		/* It is made anew for all of them alike. */
		if (restore_one(s, (unsigned)draw(s->nsnapshots), damage) != 0)
			wrong_is(s, damage, "the index is not made anew");
	} else if (code == 0) {
		restore_all(s, damage, "verify let it pass");
	}
	if (code == 0) {
		outcomes[what][0][0]++;
		outcomes[what][1][0]++;
		return 0;
	}
	if (telling && code != 13)
		printf("# %s: verify %d: %s", damage, code, s->output);
	i = (unsigned)draw(s->nsnapshots);
	restored = restore_one(s, i, damage);
	if (restored != 0 && path != NULL &&
	    must_restore(s, path, &s->snapshots[i]))
		wrong_is(s, damage, "another snapshot is lost");
	outcomes[what][0][code & 255]++;
	outcomes[what][1][restored & 255]++;
	return code;
}

/* The client has it all: its next snapshot restores. */
static void
heal(struct small_store *s, const char *damage)
{
	const char *text, *wrong;
	struct small_snapshot n;
	unsigned i;
	int code;

	/* What the first backup finds missing the next one sends. */
	for (i = 0; i < 2; i++) {
		code = small_store_backup(s, 0);
		if (code < 0)
			wrong_is(s, damage, "a backup crashed or hung");
		if (code == 0)
			break;
		if (s->output[0] == '\0')
			wrong_is(s, damage, "a backup failed without a word");
	}
	if (code != 0)
		return;
	n = s->snapshots[s->kind == SMALL_TWO ? 1 : 0];
	text = strstr(s->output, "snapshot @");
	if (text == NULL || sscanf(text, "snapshot @%u", &n.seq) != 1)
		wrong_is(s, damage, "no new snapshot");
	code = small_store_restore(&wrong, s, &n);
	if (wrong != NULL || code != 0)
		wrong_is(s, damage, wrong != NULL ? wrong : "not healed");
}

/* ---- flips ---- */

static uint64_t
flippable(const struct small_file *f)
{
	if (f->data == NULL)
		return 0;
	if (has(f->path, "lock.mdb") && f->len > LOCK_BYTES)
		return LOCK_BYTES;
	return f->len;
}

static void
set_byte(struct small_store *s, unsigned file, uint64_t at, uint8_t value)
{
	int fd = open(small_store_path(s, file), O_WRONLY | O_CLOEXEC);

	/* What a command removed meanwhile is not there to be mended. */
	if (fd < 0)
		return;
	assert_int_equal(fs_pwrite_all(fd, &value, 1, at), 0);
	close(fd);
}

static void
flip(struct small_store *s, unsigned file, uint64_t at, uint8_t by)
{
	const struct small_file *f = &s->files[file];
	char damage[PATH_MAX];
	int code;

	(void)snprintf(damage, sizeof(damage), "%s: byte %llu ^ %u", f->path,
	    (unsigned long long)at, by);
	set_byte(s, file, at, f->data[at] ^ by);
	code = judge(s, f->path, damage);
	if (code != 0 && draw(HEAL_EVERY) == 0) {
		heal(s, damage);
	} else if (code != 0 && draw(UNDO_EVERY) == 0) {
		set_byte(s, file, at, f->data[at]);
		restore_all(s, damage, "it is undone");
	}
	small_store_reset(s);
}

static void
test_flips(void **unused)
{
	uint64_t count = setting("COUNT", DRAWS), parts = setting("PARTS", 0);
	uint64_t part = setting("PART", 0), n = 0, done = 0, at;
	struct small_store *s;
	unsigned i, k;

	(void)unused;
	flipping = 1;
	for (k = 0; parts == 0 && done < count; done++) {
		s = &stores[k++ % SMALL_KINDS];
		small_store_enter(s);
		do
			i = (unsigned)draw(s->nfiles);
		while (flippable(&s->files[i]) == 0);
		flip(s, i, draw(flippable(&s->files[i])),
		    (uint8_t)(1 + draw(255)));
	}
	for (k = 0; parts != 0 && k < SMALL_KINDS; k++) {
		s = &stores[k];
		small_store_enter(s);
		for (i = 0; i < s->nfiles; i++) {
			for (at = 0; at < flippable(&s->files[i]); at++) {
				if (n++ % parts != part)
					continue;
				flip(s, i, at, (uint8_t)(1 + draw(255)));
				done++;
			}
		}
	}
	printf("# %llu flips\n", (unsigned long long)done);
}

/* ---- whole files ---- */

static void
write_as(const char *path, const void *p, size_t len)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
		assert_int_equal(fs_remove_tree(path), 0);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fs_pwrite_all(fd, p, len, 0), 0);
	close(fd);
}

/* Another file of the same kind; the file itself where there is none. */
static unsigned
another(const struct small_store *s, unsigned file)
{
	const char *dot = strrchr(s->files[file].path, '.'), *other;
	unsigned i, j = (unsigned)draw(s->nfiles);

	for (i = 0; i < s->nfiles; i++) {
		j = (j + 1) % s->nfiles;
		other = strrchr(s->files[j].path, '.');
		if (j != file && s->files[j].data != NULL && dot != NULL &&
		    other != NULL && strcmp(dot, other) == 0)
			return j;
	}
	return file;
}

enum harm {
	CUT,
	NOISE,
	ZEROS,
	EMPTY,
	GONE,
	FOLDER,
	LINK,
	SWAP,
	OLD,
	DOUBLE, /* under the name of another of its kind */
	MORE, /* under a new name */
	HARMS
};

static const char *const harm_names[HARMS] = {"cut", "noise", "zeros", "empty",
    "gone", "folder", "link", "swap", "old", "double", "more"};

static void
extend(const char *path, const struct small_file *f, int noise)
{
	size_t more = 1 + (size_t)draw(9000), i;
	uint8_t *p = calloc(1, f->len + more);

	assert_non_null(p);
	memcpy(p, f->data, f->len);
	for (i = 0; noise && i < more; i++)
		p[f->len + i] = (uint8_t)draw(256);
	write_as(path, p, f->len + more);
	free(p);
}

/* Under a name that nothing has: the next number, another pack's. */
static void
add_more(const char *path, const struct small_file *f)
{
	char name[PATH_MAX], *dot;

	(void)snprintf(name, sizeof(name), "%s", path); /* it fits */
	dot = strrchr(name, '.');
	if (dot == NULL || dot - name < 2)
		return;
	dot[-1] = dot[-1] == '9' ? '8' : '9';
	write_as(name, f->data, f->len);
}

/* Do it; `*other` is a second file that it concerns, or the same. */
static void
harm_file(struct small_store *s, enum harm harm, unsigned file, unsigned other)
{
	const struct small_file *f = &s->files[file], *g = &s->files[other];
	char path[PATH_MAX], second[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s", small_store_path(s, file));
	(void)snprintf(
	    second, sizeof(second), "%s", small_store_path(s, other));
	if (harm == CUT && f->len > 0)
		write_as(path, f->data, (size_t)draw(f->len));
	else if (harm == NOISE || harm == ZEROS)
		extend(path, f, harm == NOISE);
	else if (harm == EMPTY)
		write_as(path, "", 0);
	else if (harm == GONE || harm == FOLDER || harm == LINK)
		assert_int_equal(unlink(path), 0);
	else if (harm == SWAP)
		write_as(path, g->data, g->len);
	else if (harm == OLD && f->old != NULL)
		write_as(path, f->old, f->old_len);
	else if (harm == MORE)
		add_more(path, f);
	if (harm == SWAP || harm == DOUBLE)
		write_as(second, f->data, f->len);
	if (harm == FOLDER)
		assert_int_equal(mkdir(path, 0700), 0);
	if (harm == LINK)
		assert_int_equal(
		    symlink(draw(2) ? "nowhere" : "/etc/passwd", path), 0);
}

static void
harm_one(struct small_store *s)
{
	enum harm harm = (enum harm)draw(HARMS);
	unsigned file, other;
	char damage[PATH_MAX];
	int code;

	do
		file = (unsigned)draw(s->nfiles);
	while (s->files[file].data == NULL ||
	       strcmp(s->files[file].path, "lock") == 0);
	other = another(s, file);
	(void)snprintf(damage, sizeof(damage), "%s: %s with %s",
	    s->files[file].path, harm_names[harm], s->files[other].path);
	harm_file(s, harm, file, other);
	code = judge(s, other == file ? s->files[file].path : NULL, damage);
	if (code != 0 && draw(HEAL_EVERY) == 0)
		heal(s, damage);
	small_store_reset(s);
	if (draw(UNDO_EVERY) == 0)
		restore_all(s, damage, "the store is as it was");
}

static void
test_files(void **unused)
{
	uint64_t count = setting("FILES", DRAWS), done;
	struct small_store *s;

	(void)unused;
	flipping = 0;
	for (done = 0; done < count; done++) {
		s = &stores[done % SMALL_KINDS];
		small_store_enter(s);
		harm_one(s);
	}
	printf("# %llu damaged files\n", (unsigned long long)done);
}

/* The whole store as it was before: its client says so, and goes on. */
static void
test_rolled_back(void **unused)
{
	struct small_store *s = &stores[SMALL_TWO];
	const struct small_file *f;
	const char *wrong;
	unsigned i;

	(void)unused;
	small_store_enter(s);
	for (i = 0; i < s->nfiles; i++) {
		f = &s->files[i];
		if (f->fresh && f->data != NULL)
			assert_int_equal(unlink(small_store_path(s, i)), 0);
		else if (f->old != NULL)
			write_as(small_store_path(s, i), f->old, f->old_len);
	}
	assert_int_equal(small_store_verify(s), 0);
	for (i = 0; i < s->nsnapshots; i++) {
		if (s->snapshots[i].mount == 1 && s->snapshots[i].seq == 2) {
			assert_int_equal(
			    small_store_restore(&wrong, s, &s->snapshots[i]),
			    14);
			continue;
		}
		assert_int_equal(restore_one(s, i, "rolled back"), 0);
	}
	assert_int_equal(small_store_backup(s, 1), 0);
	assert_non_null(strstr(s->output, "rolled back to an older copy"));
	assert_int_equal(small_store_verify(s), 0);
	small_store_reset(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_flips),
	    cmocka_unit_test(test_files),
	    cmocka_unit_test(test_rolled_back),
	};
	unsigned k, i, j, f;
	int rc;

	telling = setting("OUTCOMES", 0) != 0;
	state = setting("SEED", 1) * 0x9e3779b97f4a7c15u + 1;
	for (k = 0; k < SMALL_KINDS; k++) {
		small_store_make(&stores[k], (enum small_kind)k);
		for (f = 0, i = 0; i < stores[k].nfiles; i++) {
			f += (unsigned)flippable(&stores[k].files[i]);
			if (telling)
				printf("%zu %s\n", stores[k].files[i].len,
				    stores[k].files[i].path);
		}
		printf("# store %u: %u bytes\n", k, f);
	}
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	for (k = 0; telling && k < WHATS; k++)
		for (j = 0; j < 2; j++)
			for (i = 0; i < 256; i++)
				if (outcomes[k][j][i] != 0)
					printf("# %s: %s %u: %u\n",
					    what_names[k],
					    j ? "restore" : "verify", i,
					    outcomes[k][j][i]);
	for (k = 0; k < SMALL_KINDS; k++)
		small_store_remove(&stores[k]);
	return rc;
}
