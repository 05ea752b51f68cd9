/*
 * A small file of a store, of a vault or of its index: which u8 (0 the store's
 * policy, 1 a directory's, 2 the store's clock, 3 its key, 4 what was not
 * synced, 5 the sum of an index, 6 the mark of a boot), bytes.  The checksum of
 * what has one is made right, unless 128 is added to `which`.
 */

#include "backend/unsure.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/marker.h"
#include "fuzz/fuzz.h"
#include "hash/hash.h"
#include "lib/planted.h"
#include "server/policy.h"
#include "server/storeclock.h"
#include "server/storeid.h"
#include "store/indexsum.h"

#include <stdlib.h>
#include <string.h>

#define ZERO_HEX "00000000000000000000000000000000"
#define POLICY_JSON "keep/default.json"
#define MOUNT_JSON "keep/" ZERO_HEX ".json"
#define SUM_HEAD_BYTES 40
#define SUM_BYTES (SUM_HEAD_BYTES + HASH_BYTES)
#define RAW 128u

static const uint8_t zero[IDENT_BYTES];

static void
check(int ok)
{
	if (!ok)
		abort();
}

static void
nobody(void *arg, const char *where, const char *what)
{
	check(where[0] != '\0' && what[0] != '\0');
	++*(unsigned *)arg;
}

/* What was read is written and read as the same. */
static void
policy(const uint8_t *mount)
{
	struct keep_policy p, again;
	struct policy_terms t;
	const char *dir = planted_dir();
	int r = policy_read(&p, dir, mount), rt = 0;
	unsigned told = 0;

	check(r == 0 || r == ERR_DAMAGED);
	if (mount == NULL) {
		rt = policy_terms(&t, dir);
		check(rt == 0 || rt == ERR_DAMAGED);
	}
	check(policy_audit(dir, nobody, &told) == 0);
	check(told == (r != 0 || rt != 0));
	if (told > 0)
		return;
	if (mount == NULL)
		check(t.grace_days >= POLICY_GRACE_DAYS_MIN &&
		      t.grace_days <= POLICY_DAYS_MAX &&
		      t.floor_days <= POLICY_DAYS_MAX);
	check(policy_write(dir, mount, &p, mount == NULL ? &t : NULL) == 0);
	check(policy_read(&again, dir, mount) == 0);
	check(memcmp(p.count, again.count, sizeof(p.count)) == 0);
	check(p.within_ns == again.within_ns);
}

static void
storeclock(void)
{
	struct storeclock *c, *again;
	int64_t from;

	check(storeclock_open(&c, planted_dir()) == 0);
	from = storeclock_from(c);
	check(from >= 0 && storeclock_now(c) >= from);
	if (!storeclock_is_unset(c)) {
		check(storeclock_save(c) == 0);
		check(storeclock_open(&again, planted_dir()) == 0);
		check(storeclock_from(again) >= from);
		storeclock_close(again);
	}
	storeclock_close(c);
}

/* There is no identity that could be of this key. */
static void
key(void)
{
	uint8_t public_key[SIGN_PUBLIC_BYTES], seed[SIGN_SEED_BYTES];

	check(storeid_read(public_key, seed, planted_dir()) < 0);
}

static int
on_name(void *arg, const char *name)
{
	check(unsure_is(arg, name));
	return 0;
}

static void
unsynced(void)
{
	struct unsure *u;

	if (unsure_open(&u, planted_dir()) != 0)
		return;
	check(unsure_check(u) == 0);
	check(unsure_each(u, on_name, u) == 0);
	(void)unsure_is(u, "packs/00/x"); /* any answer */
	check(unsure_clear(u) == 0);
	unsure_close(u);
}

/* Only what an index was closed with is right. */
static void
sum(unsigned raw, const uint8_t *p, size_t len)
{
	uint8_t file[SUM_BYTES];
	struct buf right = BUF_INIT;
	char *dir = planted_path("index");
	int r;

	planted_make("index");
	planted_write("index/data.mdb", (const uint8_t *)"an index", 8);
	check(indexsum_note(dir) == 0);
	planted_read(&right, "index/sum");
	check(right.len == SUM_BYTES && indexsum_check(dir) == 0);
	if (!raw && len == SUM_HEAD_BYTES) {
		memcpy(file, p, len);
		hash_bytes(file + len, p, len);
		p = file;
		len = sizeof(file);
	}
	planted_write("index/sum", p, len);
	r = len == SUM_BYTES && memcmp(p, right.data, len) == 0 ? 0
								: ERR_DAMAGED;
	check(indexsum_check(dir) == r);
	check(fs_remove_tree(dir) == 0);
	buf_release(&right);
	free(dir);
}

static void
mark(void)
{
	struct marker *m;
	int r;

	check(marker_new(&m, planted_dir()) == 0);
	r = marker_check(m);
	check(r == 0 || r == 1);
	check(marker_put(m) == 0);
	check(marker_check(m) == 0);
	marker_free(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const char *const names[] = {POLICY_JSON, MOUNT_JSON,
	    "clock.json", "server.key", "unsynced", NULL, "unsynced"};
	unsigned which, raw;

	if (len < 1 || len > LIMIT_JSON_BYTES)
		return 0;
	which = p[0] & ~RAW;
	raw = p[0] & RAW;
	if (which >= sizeof(names) / sizeof(names[0]))
		return 0;
	log_set_verbose(-1);
	planted_make("keep");
	if (which < 3)
		planted_state(names[which], raw != 0, p + 1, len - 1);
	else if (names[which] != NULL)
		planted_write(names[which], p + 1, len - 1);
	if (which < 2)
		policy(which == 0 ? NULL : zero);
	else if (which == 2)
		storeclock();
	else if (which == 3)
		key();
	else if (which == 4)
		unsynced();
	else if (which == 5)
		sum(raw, p + 1, len - 1);
	else
		mark();
	if (names[which] != NULL)
		planted_remove(names[which]);
	return 0;
}
