/*
 * What a client keeps, on a simulated disk: registrations (.shamo, keyring,
 * recovery file), stat caches, the last acknowledged snapshot, locks.  Two
 * machines with three directories register, join, back up, ask for their keys
 * and restore.  At any call that changes a file the power goes, or the process
 * dies, or is interrupted; after a power cut a stat cache is whole, torn,
 * damaged, an older one or gone.  The store lies elsewhere, or on the same
 * disk, or a server has it, on another machine that stays up; then each
 * request is such a call, too: it is not sent, or its answer does not arrive,
 * and who is dead says nothing more.
 *
 * What was interrupted succeeds when it is repeated.  A registration that said
 * so is there, with the recovery key that it told, and none leaves a vault or
 * a mount whose key nobody has; each backup is what its directory is, however
 * its cache looks, and nobody is told that the store was rolled back; all
 * snapshots that were acknowledged restore.  SEED= and COUNT= choose other
 * histories.
 */

#include "fault/sim_disk.h"
#include "fault/sim_requests.h"
#include "fault/sim_tables.h"
#include "lib/apart.h"
#include "lib/command.h"
#include "lib/fill.h"
#include "lib/seeded.h"
#include "lib/setting.h"
#include "lib/source_tree.h"

#include "base/err.h"
#include "base/fs.h"
#include "base/log.h"
#include "hash/address.h"
#include "seal/recovery.h"
#include "server/invitation.h"

#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT 36 /* histories, unless COUNT= says otherwise */
#define COUNT_ALL 1000 /* and more: all that kill registrations, too */
#define CANARIES 30 /* histories in which a canary must be noticed */
#define LIVES 4
#define OPERATIONS 7 /* of a life */
#define CALLS_MAX 160 /* where the cut may be */
#define REQUESTS_MAX 12
#define PLACES 3 /* directories; the last one is the other machine's */
#define FOLDERS 9 /* of a directory, in a history */
#define FEW_FOLDERS 2 /* where it is about registrations */
#define SNAPSHOTS_MAX 64
#define OUTPUT_BYTES 8192
#define PENDING_AT 18 /* a call of registration, the store being a folder */
#define IN_FILE "The recovery key is in " /* what register says */
#define TICK_NS INT64_C(200000000) /* a batch of the cache is 10 of them */

/* Where the store is. */
enum where { FOLDER, SAME_DISK, SERVER, WHERES };

struct place {
	char invitation[ENROLL_UUID_LEN + 1]; /* of a server */
	int registered; /* its registration said so */
	int wants_file; /* it is registered with --recovery_file */
	int has_file; /* as it was told */
	char recovery[RECOVERY_TEXT_BYTES]; /* that it told; empty: none */
	unsigned nsnapshots;
	char keys[SNAPSHOTS_MAX][ADDRESS_TEXT_BYTES]; /* acknowledged */
	unsigned seqs[SNAPSHOTS_MAX];
	unsigned made; /* file contents so far */
};

static struct {
	struct place places[PLACES];
	struct fill draws;
	char *disk; /* the folder that is one */
	enum where where;
	unsigned folders; /* of a directory */
	struct apart server;
	int broken; /* a promise is, as was said on stderr */
	char out[OUTPUT_BYTES], err[OUTPUT_BYTES];
	/* Of all histories. */
	uint64_t cuts, kills, interrupts, lost, registered, commits, restores;
	uint64_t again;
} h;

static unsigned
draw(unsigned below)
{
	return (unsigned)fill_below(&h.draws, below);
}

static void __attribute__((format(printf, 1, 2))) broken(const char *fmt, ...)
{
	va_list ap;

	h.broken = 1;
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "\n%s%s%s\n", h.out, h.err, err_text());
}

/* A path of the test, kept for some calls. */
static const char *
path_of(const char *fmt, unsigned i)
{
	static char paths[8][64];
	static unsigned next;
	char *path = paths[next++ % 8];

	(void)snprintf(path, sizeof(paths[0]), fmt, i); /* it fits */
	return path;
}

/* ---- commands ---- */

static void
interrupt(void)
{
	atomic_store(&cli_interrupted, 1);
}

/* Run it as the machine of place `i`. */
static int
run(unsigned i, cli_run *cmd, const char *const *words)
{
	const char *home = path_of("disk/home%u", i == PLACES - 1);
	int rc;

	assert_int_equal(setenv("XDG_CONFIG_HOME", command_at(home), 1), 0);
	atomic_store(&cli_interrupted, 0);
	rc = command_run(cmd, words, NULL, NULL);
	command_read(h.out, sizeof(h.out), "out");
	command_read(h.err, sizeof(h.err), "err");
	if (strstr(h.err, "rolled back") != NULL)
		broken("a false alarm");
	if (rc < 0 && (err_text()[0] == '\0' || strchr(err_text(), '\n')))
		broken("not one line");
	if (rc < 0 && !sim_disk_is_off() && rc != ERR_INTR && rc != ERR_REFUSED)
		broken("%s of %u ended with %d", words[0], i, rc);
	return rc;
}

/* What register told, on stderr or in the file that it named. */
static void
take_recovery(char out[RECOVERY_TEXT_BYTES], unsigned i)
{
	const char *at = strstr(h.err, "\n    ");
	char text[OUTPUT_BYTES];

	out[0] = '\0';
	if (strstr(h.err, IN_FILE) != NULL) {
		command_read(text, sizeof(text), path_of("disk/keys/%u", i));
		at = text;
	} else if (at != NULL) {
		at += strlen("\n    ");
	} else {
		return;
	}
	(void)snprintf(
	    out, RECOVERY_TEXT_BYTES, "%.*s", (int)strcspn(at, "\n"), at);
}

static const char *
url(void)
{
	switch (h.where) {
	case SAME_DISK:
		return "file://%/disk/store";
	case SERVER:
		return h.server.url;
	default:
		return "file://%/store";
	}
}

static int
do_register(unsigned i)
{
	struct place *p = &h.places[i];
	const char *words[COMMAND_WORDS_MAX] = {"register", "--dir",
	    path_of("%%/src%u", i), "--state_dir",
	    path_of("%%/disk/d%u/.shamo", i), "--url", url()};
	char told[RECOVERY_TEXT_BYTES];
	unsigned n = 7;
	int rc;

	if (h.where == SERVER) {
		words[n++] = "--invitation";
		words[n++] = p->invitation;
	}
	if (i == PLACES - 1) {
		/* The other machine joins. */
		if (h.places[0].recovery[0] == '\0')
			return 0;
		words[n++] = "--recovery_key";
		words[n++] = h.places[0].recovery;
	} else if (p->wants_file) {
		words[n++] = "--recovery_file";
		words[n++] = path_of("%%/disk/keys/%u", i);
	}
	rc = run(i, cmd_register, words);
	if (rc == ERR_REFUSED &&
	    strstr(err_text(), "is registered already") == NULL)
		broken("a registration was refused");
	if (rc == ERR_REFUSED)
		h.again++;
	if (sim_disk_is_off() || (rc != 0 && rc != ERR_REFUSED))
		return rc;
	h.registered += !p->registered;
	p->registered = 1;
	if (rc != 0)
		return 0;
	take_recovery(told, i);
	if (told[0] != '\0')
		memcpy(p->recovery, told, sizeof(told));
	p->has_file = strstr(h.err, IN_FILE) != NULL;
	return 0;
}

/* The key that is shown is the one that was told. */
static int
do_key(unsigned i)
{
	struct place *p = &h.places[i];
	const char *words[] = {"key", "--dir", path_of("%%/src%u", i),
	    "--state_dir", path_of("%%/disk/d%u/.shamo", i), NULL};
	int rc = run(i, cmd_key, words);

	if (rc != 0 || sim_disk_is_off())
		return rc;
	h.out[strcspn(h.out, "\n")] = '\0';
	if (p->has_file &&
	    access(command_at(path_of("disk/keys/%u", i)), F_OK) != 0)
		broken("%u: the recovery file is gone", i);
	if (p->recovery[0] == '\0')
		(void)snprintf(p->recovery, sizeof(p->recovery), "%.*s",
		    RECOVERY_TEXT_BYTES - 1, h.out);
	else if (strcmp(p->recovery, h.out) != 0)
		broken("%u: another key than the one that was told, %s", i,
		    p->recovery);
	return 0;
}

static void
take_key(char key[ADDRESS_TEXT_BYTES])
{
	(void)snprintf(
	    key, ADDRESS_TEXT_BYTES, "%.*s", (int)strcspn(h.out, "\n"), h.out);
}

static int
do_backup(unsigned i)
{
	struct place *p = &h.places[i];
	const char *words[] = {"backup", "--dir", path_of("%%/src%u", i),
	    "--state_dir", path_of("%%/disk/d%u/.shamo", i), NULL};
	char key[ADDRESS_TEXT_BYTES], want[ADDRESS_TEXT_BYTES];
	const char *at;
	int rc = run(i, cmd_backup, words);

	if (rc == ERR_INTR)
		h.interrupts++;
	if (rc == ERR_REFUSED)
		broken("a backup was refused");
	if (rc != 0 || sim_disk_is_off())
		return rc == ERR_INTR ? 0 : rc;
	take_key(key);
	source_tree_key(want, command_at(path_of("src%u", i)));
	if (strcmp(key, want) != 0)
		broken("%u: %s is not %s", i, key, want);
	at = strstr(h.err, "snapshot @");
	assert_non_null(at);
	assert_true(p->nsnapshots < SNAPSHOTS_MAX);
	memcpy(p->keys[p->nsnapshots], key, sizeof(key));
	p->seqs[p->nsnapshots++] =
	    (unsigned)strtoul(at + strlen("snapshot @"), NULL, 10);
	h.commits++;
	return 0;
}

static int
do_restore(unsigned i, unsigned snapshot)
{
	struct place *p = &h.places[i];
	const char *words[] = {"restore", "--dir", path_of("%%/src%u", i),
	    "--state_dir", path_of("%%/disk/d%u/.shamo", i), "--udk",
	    path_of("@%u", p->seqs[snapshot]), "--dest", "%/dest", NULL};
	char is[ADDRESS_TEXT_BYTES];
	int rc = run(i, cmd_restore, words);

	if (rc == ERR_REFUSED)
		broken("a restore was refused");
	if (rc == 0) {
		source_tree_key(is, command_at("dest"));
		if (strcmp(is, p->keys[snapshot]) != 0)
			broken("%u: @%u restores as %s, not %s", i,
			    p->seqs[snapshot], is, p->keys[snapshot]);
		h.restores++;
	}
	assert_int_equal(fs_remove_tree(command_at("dest")), 0);
	return rc;
}

/* Every acknowledged snapshot is listed. */
static int
do_list(unsigned i)
{
	struct place *p = &h.places[i];
	const char *words[] = {"snapshots", "--dir", path_of("%%/src%u", i),
	    "--state_dir", path_of("%%/disk/d%u/.shamo", i), NULL};
	int rc = run(i, cmd_snapshots, words);
	char row[48];
	unsigned n;

	for (n = 0; rc == 0 && n < p->nsnapshots; n++) {
		(void)snprintf(
		    row, sizeof(row), "@%-4u ", p->seqs[n]); /* it fits */
		if (strstr(h.out, row) == NULL)
			broken("%u: @%u is not listed", i, p->seqs[n]);
		(void)snprintf(row, sizeof(row), "%.13s", p->keys[n]);
		if (strstr(h.out, row) == NULL)
			broken("%u: %s is not listed", i, p->keys[n]);
	}
	return rc;
}

/* ---- what is backed up ---- */

/* No two contents are of one length. */
static void
change(unsigned i)
{
	unsigned folder = draw(h.folders), made = ++h.places[i].made;
	const char *dir = path_of("src%u", i);
	char *sub = fs_printf("%s/f%u", command_at(dir), folder);
	char *to = fs_printf("%s/f%u", command_at(dir), draw(h.folders));

	assert_non_null(sub);
	assert_non_null(to);
	if (access(sub, F_OK) == 0 && draw(6) == 0)
		assert_int_equal(fs_remove_tree(sub), 0);
	else if (access(sub, F_OK) == 0 && access(to, F_OK) != 0)
		assert_int_equal(rename(sub, to), 0);
	if (access(sub, F_OK) != 0)
		assert_int_equal(mkdir(sub, 0755), 0);
	source_tree_file(sub, path_of("%u", draw(3)),
	    100 + made + (draw(8) == 0 ? 200000 : 0), made);
	free(sub);
	free(to);
}

/* ---- histories ---- */

static int
operation(void)
{
	unsigned i = draw(PLACES), n;
	struct place *p = &h.places[i];

	if (draw(3) == 0 && sim_disk_count() > 0)
		sim_disk_call(sim_disk_count() + 1 + draw(25), interrupt);
	else
		sim_disk_call(0, interrupt);
	if (!p->registered || draw(12) == 0)
		return do_register(i);
	switch (draw(6)) {
	case 0:
		return do_key(i);
	case 1:
		return do_list(i);
	case 2:
		n = p->nsnapshots;
		return n == 0 ? 0 : do_restore(i, draw(n));
	default:
		for (n = draw(4); n > 0; n--)
			change(i);
		return do_backup(i);
	}
}

/* How many files `name` are in the folders of `dir`; NULL: how many of its
 * own names end with .json. */
static unsigned
count_names(const char *dir, const char *name)
{
	DIR *d = opendir(command_at(dir));
	struct dirent *e;
	unsigned n = 0;
	size_t len;
	char *path;

	while (d != NULL && (e = readdir(d)) != NULL) {
		len = strlen(e->d_name);
		if (name == NULL) {
			n += e->d_name[0] != '.' && len > 5 &&
			     strcmp(e->d_name + len - 5, ".json") == 0;
			continue;
		}
		path = fs_printf("%s/%s/%s", command_at(dir), e->d_name, name);
		assert_non_null(path);
		n += e->d_name[0] != '.' && access(path, F_OK) == 0;
		free(path);
	}
	if (d != NULL)
		(void)closedir(d); /* only read from */
	return n;
}

/* Nothing is left of those that died: it may be a key. */
static void
check_temps(const char *dir)
{
	DIR *d = opendir(command_at(dir));
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strncmp(
			e->d_name, FS_TEMP_PREFIX, strlen(FS_TEMP_PREFIX)) == 0)
			broken("%s/%s is left", dir, e->d_name);
	}
	if (d != NULL)
		(void)closedir(d); /* only read from */
}

/* No vault or mount is there whose key nobody has. */
static void
check_orphans(void)
{
	const char *store = h.where == SAME_DISK ? "disk/store" : "store";
	char vaults[64], mounts[64];
	unsigned i, registered = 0, rings;

	(void)snprintf(vaults, sizeof(vaults), "%s/vaults", store); /* fits */
	(void)snprintf(mounts, sizeof(mounts), "%s/mounts", store);
	for (i = 0; i < PLACES; i++)
		registered += (unsigned)h.places[i].registered;
	if (count_names(mounts, NULL) != registered)
		broken("%u mounts of %u directories", count_names(mounts, NULL),
		    registered);
	rings = count_names("disk/home0/hashstore", NULL);
	if (count_names(vaults, "vault.json") != rings)
		broken("%u vaults, %u keys", count_names(vaults, "vault.json"),
		    rings);
}

/* With nothing in the way: all that was promised is so. */
static void
check_all(void)
{
	struct place *p;
	unsigned i;

	sim_disk_cut(0);
	sim_disk_call(0, interrupt);
	sim_requests_cut(0);
	for (i = 0; i < PLACES && !h.broken; i++) {
		p = &h.places[i];
		if (!p->registered)
			(void)do_register(i);
		if (!p->registered) {
			broken("%u cannot be registered", i);
			break;
		}
		(void)do_key(i);
		change(i);
		(void)do_backup(i);
		if (draw(2))
			(void)do_backup(i);
		(void)do_list(i);
		if (p->nsnapshots == 0)
			broken("%u has no snapshot", i);
		if (h.broken)
			break;
		(void)do_restore(i, p->nsnapshots - 1);
		if (p->nsnapshots > 1)
			(void)do_restore(i, draw(p->nsnapshots - 1));
	}
	if (!h.broken)
		check_orphans();
	check_temps("disk/keys");
	for (i = 0; i < PLACES; i++) {
		check_temps(path_of("disk/home%u/hashstore", i));
		check_temps(path_of("disk/d%u/.shamo", i));
		check_temps(path_of("disk/d%u/.shamo/cache", i));
	}
}

static void
cut(void)
{
	h.cuts++;
	sim_requests_cut(0);
	sim_tables_take();
	h.lost += sim_disk_crash();
	sim_tables_put();
}

static void
die(void)
{
	h.kills++;
	sim_requests_cut(0);
	sim_disk_revive();
}

static void
one_life(void)
{
	unsigned i;

	sim_disk_cut(sim_disk_count() + 1 + draw(CALLS_MAX));
	/* They are few among its calls. */
	sim_requests_cut(draw(2) * (1 + draw(REQUESTS_MAX)));
	for (i = 0; i < OPERATIONS && !sim_disk_is_off() && !h.broken; i++)
		(void)operation();
	if (h.broken || !sim_disk_is_off())
		return;
	if (draw(3) == 0)
		die();
	else
		cut();
}

/* With an invitation for each directory. */
static void
start_server(uint64_t seed)
{
	unsigned i;

	apart_start(&h.server, command_at("store"), command_at("server.log"),
	    seeded_start, ~seed);
	for (i = 0; i < PLACES; i++)
		assert_int_equal(invitation_make(h.places[i].invitation,
				     command_at("store"), 0),
		    0);
}

static void
make(uint64_t seed, enum where where, unsigned folders)
{
	unsigned i, n;

	memset(h.places, 0, sizeof(h.places));
	h.broken = 0;
	fill_init(&h.draws, seed);
	h.where = where;
	h.folders = folders;
	seeded_start(seed);
	seeded_tick(TICK_NS);
	command_begin();
	if (h.where == SERVER)
		start_server(seed);
	assert_int_equal(mkdir(command_at("disk"), 0700), 0);
	sim_disk_start(command_at("disk"), seed);
	h.disk = strdup(command_at("disk"));
	assert_non_null(h.disk);
	sim_tables_start(h.disk, seed);
	assert_int_equal(fs_make_dirs(command_at("disk/keys"), 0700), 0);
	for (i = 0; i < PLACES; i++) {
		h.places[i].wants_file = (int)draw(2);
		assert_int_equal(
		    fs_make_dirs(command_at(path_of("disk/d%u", i)), 0700), 0);
		assert_int_equal(
		    mkdir(command_at(path_of("src%u", i)), 0755), 0);
		for (n = 0; n < h.folders; n++)
			change(i);
	}
}

static void
end(void)
{
	sim_tables_stop();
	sim_disk_stop();
	apart_stop(&h.server);
	command_end();
	free(h.disk);
}

/* Whether all promises were kept. */
static int
one_history(uint64_t seed, unsigned lie)
{
	unsigned life;

	make(seed, seed % WHERES, FOLDERS);
	sim_disk_lie(lie);
	for (life = 0; life < LIVES && !h.broken; life++) {
		one_life();
		if (!h.broken && draw(3) == 0)
			check_all();
	}
	if (!h.broken)
		check_all();
	end();
	return !h.broken;
}

static void
test_power_cuts(void **state)
{
	uint64_t seed = setting("SEED", 1), n = setting("COUNT", COUNT), i;

	(void)state;
	for (i = 0; i < n; i++) {
		if (!one_history(seed + i, 0))
			fail_msg("SEED=%llu COUNT=1",
			    (unsigned long long)(seed + i));
	}
	print_message(
	    "%" PRIu64 " states in %" PRIu64 " histories from SEED=%" PRIu64
	    ": %" PRIu64 " cuts, %" PRIu64 " kills, %" PRIu64
	    " interrupts, %" PRIu64 " sectors and names lost, %" PRIu64
	    " registrations, %" PRIu64 " told again, %" PRIu64
	    " snapshots, %" PRIu64 " restores; ",
	    h.cuts + h.kills + h.interrupts, n, seed, h.cuts, h.kills,
	    h.interrupts, h.lost, h.registered, h.again, h.commits, h.restores);
	sim_requests_print();
	sim_tables_print();
	assert_true(n < COUNT || (h.cuts > n / 2 && h.kills > n / 4 &&
				     h.interrupts > n / 8 && h.lost > n &&
				     h.registered == PLACES * n));
}

/*
 * A registration of place `i` dies at its call `at`, is repeated, and then the
 * power goes: at a later call of it, or (0) when it has said that it is done.
 * Nothing survives that was not synced.  Returns whether it died.
 */
static int
die_again(unsigned i, uint64_t at, unsigned later, enum where where)
{
	int died;

	make(at, where, FEW_FOLDERS);
	h.places[i].wants_file = 1;
	sim_disk_lose_all(1);
	if (i > 0)
		(void)do_register(0);
	sim_disk_cut(sim_disk_count() + at);
	(void)do_register(i);
	died = sim_disk_is_off();
	die();
	sim_disk_cut(later == 0 ? 0 : sim_disk_count() + later);
	(void)do_register(i);
	cut();
	check_all();
	end();
	if (h.broken)
		fail_msg("registration %u, killed at call %llu, cut at %u", i,
		    (unsigned long long)at, later);
	return died;
}

/* The new vault's key is there, and the store was not asked. */
static int
is_pending(void)
{
	return access(command_at("disk/d0/.shamo/pending.key"), F_OK) == 0 &&
	       count_names("store/vaults", "vault.json") == 0;
}

/*
 * The first registration dies at its call `at`, the second one opens a vault
 * of its own, and the first one is repeated, dies at `later`, and is repeated.
 * Returns whether the first one was pending.
 */
static int
die_between(uint64_t at, uint64_t later, enum where where)
{
	int pending;

	make(at * 16 + later, where, FEW_FOLDERS);
	sim_disk_cut(sim_disk_count() + at);
	(void)do_register(0);
	die();
	pending = is_pending();
	(void)do_register(1);
	sim_disk_cut(sim_disk_count() + later);
	(void)do_register(0);
	die();
	check_all();
	end();
	if (h.broken)
		fail_msg("killed at call %llu, and again at %llu",
		    (unsigned long long)at, (unsigned long long)later);
	return pending;
}

/* Whether it is the time for all of them. */
static int
is_all(void)
{
	return setting("COUNT", 0) >= COUNT_ALL;
}

/* By default every `step`th call, when the first one was pending. */
static void
die_all_between(enum where where, uint64_t pending_at, unsigned step)
{
	uint64_t at = is_all() ? 1 : pending_at, later;
	uint64_t last = is_all() ? 40 : pending_at;
	int pending = 0;

	for (; at <= last; at++) {
		for (later = 1; later < 16; later += is_all() ? 1 : step)
			pending |= die_between(at, later, where);
	}
	assert_true(pending);
}

static void
test_died_between(void **state)
{
	(void)state;
	die_all_between(FOLDER, PENDING_AT, 2);
	/* This one was asked who it is. */
	die_all_between(SERVER, PENDING_AT + 1, 1);
}

static unsigned
die_all_again(enum where where, unsigned step)
{
	unsigned i, later, n = 0;
	uint64_t at;

	for (i = 0; i < 2; i++) {
		for (at = 1; die_again(i, at, 0, where);
		     at += is_all() ? 1 : step, n++) {
			for (later = 1 + (unsigned)at % 3; later < 40;
			     later += 3)
				n += is_all() && die_again(i, at, later, where);
		}
	}
	return n;
}

static void
test_died_registrations(void **state)
{
	/* With a server a registration calls the same, and more. */
	unsigned folder = die_all_again(FOLDER, 2);
	unsigned server = die_all_again(SERVER, 1);

	(void)state;
	print_message("%u registrations that died, and were repeated; %u with "
		      "a server\n",
	    folder, server);
	assert_true(folder > 15 && server > 30);
}

/* A client that does not sync its files, or its folders, is found out. */
static void
find_out(unsigned lie)
{
	uint64_t seed = setting("SEED", 1), i;
	int noticed = 0;

	for (i = 0; i < CANARIES && !noticed; i++)
		noticed = !one_history(seed + i, lie);
	assert_true(noticed);
}

static void
test_files_unsynced(void **state)
{
	(void)state;
	find_out(SIM_DISK_FILES);
}

static void
test_folders_unsynced(void **state)
{
	(void)state;
	find_out(SIM_DISK_DIRS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_power_cuts),
	    cmocka_unit_test(test_died_registrations),
	    cmocka_unit_test(test_died_between),
	    cmocka_unit_test(test_files_unsynced),
	    cmocka_unit_test(test_folders_unsynced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
