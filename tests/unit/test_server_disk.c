/*
 * A whole store on a simulated disk: its identity, invitations, registrations,
 * policies and clock, and a vault in a directory with backups, prunes, sweeps,
 * and scrubs that also meet packs with damaged frames.  The power goes at any
 * call that changes a file, and again while the store is opened; the index is
 * kept, lost or an older one.  The store opens by itself; who was registered
 * is, with the vault's header; a used invitation is good for nobody else; the
 * policy is the last one that was set; store time does not go back; and all
 * snapshots are whole that were acknowledged and not deleted.  SEED= and COUNT=
 * choose other histories.
 */

#include "backend/dir.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/log.h"
#include "fault/sim_disk.h"
#include "lib/seeded.h"
#include "lib/server_fixture.h"
#include "lib/setting.h"
#include "lib/sweep_world.h"
#include "server/account.h"
#include "server/invitation.h"
#include "server/policy.h"
#include "server/registration.h"
#include "server/storeclock.h"
#include "store/backend.h"
#include "store/scrub.h"
#include "store/vault.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT 60 /* histories, unless COUNT= says otherwise */
#define LIVES 4
#define OPERATIONS 12 /* of a life */
#define CALLS_MAX 250 /* where the cut may be */
#define OPENING_CALLS_MAX 60
#define OPENINGS_CUT_MAX 2

static const uint8_t join_seed[SIGN_SEED_BYTES] = {7};

/* What was acknowledged. */
struct acked {
	int registered[SW_MOUNTS];
	uint32_t floor_days[2]; /* acknowledged, and perhaps there */
	int64_t clock_ns;
};

struct history {
	struct sweep_world w;
	char *root;
	struct acked acked;
	char invitation[SW_MOUNTS][ENROLL_UUID_LEN + 1]; /* empty: none */
	uint64_t cuts, opening_cuts, lost, registered, commits, torn;
};

static void
close_all(struct history *h)
{
	sw_close(&h->w);
	if (h->w.b != NULL)
		h->w.b->ops->close(h->w.b);
	h->w.b = NULL;
	storeclock_close(h->w.clock);
	h->w.clock = NULL;
	account_close(h->w.account);
	h->w.account = NULL;
}

/* Mount `i` registers, with the invitation that was used before if it was. */
static int
enroll(struct history *h, unsigned i, const uint8_t seed[SIGN_SEED_BYTES])
{
	struct enroll_request rq = {.has_invitation = 1, .mode = ENROLL_EITHER};
	struct registration g;
	struct enroll_answer a;
	struct enroll_keys keys;
	int ret = enroll_keys(&keys, h->invitation[i]);

	if (ret < 0)
		return ret;
	memcpy(rq.invitation, keys.id, sizeof(rq.invitation));
	memcpy(rq.store, account_public(h->w.account), sizeof(rq.store));
	sign_public(rq.mount_public, seed);
	memcpy(rq.label, "desktop", 8);
	server_fixture_header(&rq.header, join_seed, 1);
	memcpy(rq.header.vault, h->w.id, sizeof(h->w.id));
	ret = enroll_request_make(&rq, seed, join_seed, &keys);
	registration_init(&g, h->w.account, 0);
	if (ret == 0)
		ret = registration_do(&a, &g, &rq);
	registration_release(&g);
	if (ret == 0)
		assert_memory_equal(a.mount, h->w.mounts[i].m.id, 16);
	return ret;
}

static int
sign_up(struct history *h, unsigned i)
{
	struct fixture_mount *m = &h->w.mounts[i].m;
	char uuid[ENROLL_UUID_LEN + 1];
	int ret;

	if (h->acked.registered[i])
		return 0;
	if (h->invitation[i][0] == '\0') {
		ret = invitation_make(uuid, h->root, 0);
		if (ret < 0 || sim_disk_is_off())
			return ret < 0 ? ret : ERR_IO;
		memcpy(h->invitation[i], uuid, sizeof(uuid));
	}
	ret = enroll(h, i, m->seed);
	if (ret == 0 && !sim_disk_is_off()) {
		h->acked.registered[i] = 1;
		h->registered++;
	}
	return ret;
}

/* As a server does at its start, and each command without one. */
static int
open_store(struct history *h)
{
	char *vault_dir = NULL, *incoming = NULL;
	unsigned i;
	int ret = account_open(&h->w.account, h->root, ACCOUNT_CREATE);

	if (ret == 0)
		ret = storeclock_open(&h->w.clock, h->root);
	for (i = 0; i < SW_MOUNTS && ret == 0; i++)
		ret = sign_up(h, i);
	if (ret == 0) {
		vault_dir = account_vault_dir(h->w.account, h->w.id);
		incoming = account_incoming_dir(h->w.account);
		ret = backend_dir_open(&h->w.b, vault_dir, incoming);
	}
	if (ret == 0)
		ret = sw_open(&h->w);
	free(vault_dir);
	free(incoming);
	return ret;
}

static int
set_policy(struct history *h)
{
	struct keep_policy p = {.count = {1 + sw_draw(&h->w, 4)}};
	struct policy_terms t = {sw_draw(&h->w, 40), POLICY_GRACE_DAYS};
	int ret;

	h->acked.floor_days[1] = t.floor_days;
	ret = policy_write(h->root, NULL, &p, &t);
	if (ret == 0 && !sim_disk_is_off())
		h->acked.floor_days[0] = t.floor_days;
	return ret;
}

static int
save_clock(struct history *h)
{
	int64_t now;
	int ret;

	storeclock_meet(
	    h->w.clock, storeclock_now(h->w.clock) + KEEP_NS_PER_DAY);
	now = storeclock_now(h->w.clock);
	ret = storeclock_save(h->w.clock);
	if (ret == 0 && !sim_disk_is_off())
		h->acked.clock_ns = now;
	return ret;
}

/* A byte of a pack's frame rots on the disk, and a scrub sees it. */
static int
tear(struct history *h)
{
	char name[BACKEND_NAME_MAX], *dir, *path;
	struct scrub_counts n;
	uint64_t at;
	uint8_t byte;
	int fd, ret;

	if (sw_frame(name, &at, &h->w) != 0)
		return 0;
	dir = account_vault_dir(h->w.account, h->w.id);
	path = fs_join(dir, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	ret = fs_pread_all(fd, &byte, 1, at);
	byte ^= 0x20;
	if (ret == 0)
		ret = fs_pwrite_all(fd, &byte, 1, at);
	if (ret == 0 && fdatasync(fd) != 0)
		ret = ERR_IO;
	(void)close(fd); /* synced, or the power is gone */
	free(path);
	free(dir);
	h->w.torn = 1;
	h->torn++;
	return ret == 0 ? sw_scrub(&h->w, &n, 0) : ret;
}

static int
operation(struct history *h)
{
	struct sweep_world *w = &h->w;
	unsigned mount = sw_draw(w, SW_MOUNTS), i;
	struct scrub_counts n;
	int ret;

	switch (sw_draw(w, 13)) {
	case 0:
		return sw_sweep(w, NULL);
	case 1:
		ret = sw_prune(w, sw_draw(w, 2));
		/* It set a policy of its own. */
		for (i = 0; i < 2; i++)
			h->acked.floor_days[i] = UINT32_MAX;
		return ret;
	case 2:
		return sw_unprune(w);
	case 3:
		return sw_scrub(w, &n, 0);
	case 4:
		return set_policy(h);
	case 5:
		return save_clock(h);
	case 6:
		sw_copy_index(w, 0);
		return 0;
	case 7:
		return tear(h);
	default:
		ret = sw_backup(w, mount, sw_draw(w, SW_STATES),
		    sw_draw(w, 4) ? SW_ASK : SW_TRUST);
		h->commits += ret == 0;
		return ret;
	}
}

static int
live(struct history *h)
{
	unsigned i;
	int ret = 0;

	for (i = 0; i < OPERATIONS && ret == 0; i++)
		ret = operation(h);
	return ret;
}

static void
spoil_index(struct history *h)
{
	switch (sw_draw(&h->w, 3)) {
	case 0:
		assert_int_equal(fs_remove_tree(h->w.index_dir), 0);
		break;
	case 1:
		sw_copy_index(&h->w, 1);
		break;
	default:;
	}
}

static int
start_again(struct history *h)
{
	unsigned i, cuts = sw_draw(&h->w, OPENINGS_CUT_MAX + 1);
	int ret;

	for (i = 0; i < cuts; i++) {
		sim_disk_cut(
		    sim_disk_count() + 1 + sw_draw(&h->w, OPENING_CALLS_MAX));
		ret = open_store(h);
		close_all(h);
		if (!sim_disk_is_off()) {
			sim_disk_cut(0);
			if (ret < 0)
				return ret;
			continue;
		}
		h->opening_cuts++;
		h->lost += sim_disk_crash();
	}
	return open_store(h);
}

/* What was acknowledged besides snapshots. */
static unsigned
count_wrong(struct history *h)
{
	static const uint8_t other[SIGN_SEED_BYTES] = {99};
	struct account_mount m;
	struct policy_terms t;
	struct header now, want;
	unsigned wrong = 0, i;

	server_fixture_header(&want, join_seed, 1);
	memcpy(want.vault, h->w.id, sizeof(h->w.id));
	for (i = 0; i < SW_MOUNTS; i++) {
		wrong +=
		    account_mount(&m, h->w.account, h->w.mounts[i].m.id) != 0;
		wrong += enroll(h, i, other) != ERR_REFUSED;
	}
	wrong += account_vault(&now, h->w.account, h->w.id) != 0 ||
		 !header_equal(&now, &want);
	if (wrong > 0)
		(void)fprintf(stderr, "a registration: %s\n", err_text());
	if (storeclock_now(h->w.clock) < h->acked.clock_ns) {
		(void)fprintf(stderr, "store time went back\n");
		wrong++;
	}
	if (policy_terms(&t, h->root) != 0 ||
	    (h->acked.floor_days[0] != UINT32_MAX &&
		t.floor_days != h->acked.floor_days[0] &&
		t.floor_days != h->acked.floor_days[1])) {
		(void)fprintf(stderr, "the policy: %s\n", err_text());
		wrong++;
	}
	h->acked.floor_days[0] = h->acked.floor_days[1] = t.floor_days;
	return wrong;
}

static unsigned
one_life(struct history *h)
{
	int ret, cut;

	sim_disk_cut(sim_disk_count() + 1 + sw_draw(&h->w, CALLS_MAX));
	ret = open_store(h);
	if (ret == 0)
		ret = live(h);
	cut = sim_disk_is_off();
	close_all(h);
	if (cut) {
		h->cuts++;
		h->lost += sim_disk_crash();
		spoil_index(h);
	} else if (ret != 0) {
		(void)fprintf(stderr, "without a cut: %s\n", err_text());
		return 1;
	}
	sim_disk_cut(0);
	if (start_again(h) != 0) {
		(void)fprintf(stderr, "opening: %s\n", err_text());
		return 1;
	}
	ret = (int)(count_wrong(h) + sw_wrong(&h->w));
	close_all(h);
	return (unsigned)ret;
}

static void
make(struct history *h, uint64_t seed)
{
	unsigned i;

	seeded_start(seed);
	sw_make(&h->w, seed);
	h->w.b->ops->close(h->w.b);
	h->w.b = NULL;
	h->root = fs_join(h->w.folder, "store");
	assert_int_equal(fs_make_dirs(h->root, 0700), 0);
	memset(h->invitation, 0, sizeof(h->invitation));
	memset(&h->acked, 0, sizeof(h->acked));
	h->acked.floor_days[0] = h->acked.floor_days[1] = POLICY_FLOOR_DAYS;
	for (i = 0; i < SW_MOUNTS; i++)
		enroll_mount_id(
		    h->w.mounts[i].m.id, h->w.mounts[i].m.public_key);
	sim_disk_start(h->root, seed);
}

static void
end(struct history *h)
{
	close_all(h);
	sim_disk_stop();
	free(h->root);
	free(h->w.index_dir);
	fixture_remove(h->w.folder);
}

static void
one_history(struct history *h, uint64_t seed)
{
	unsigned life, wrong = 0;

	make(h, seed);
	for (life = 0; life < LIVES && wrong == 0; life++)
		wrong = one_life(h);
	if (wrong == 0 && open_store(h) != 0)
		wrong = 1;
	if (wrong == 0)
		wrong = sw_wrong_later(&h->w);
	if (wrong != 0)
		fail_msg("SEED=%llu COUNT=1", (unsigned long long)seed);
	end(h);
}

static void
test_power_cuts(void **state)
{
	uint64_t seed = setting("SEED", 1), n = setting("COUNT", COUNT), i;
	struct history h;

	(void)state;
	memset(&h, 0, sizeof(h));
	for (i = 0; i < n; i++)
		one_history(&h, seed + i);
	print_message("%llu states in %llu histories from SEED=%llu: %llu cuts "
		      "while opening, %llu sectors and names lost, %llu "
		      "registrations, %llu snapshots, %llu torn packs\n",
	    (unsigned long long)(h.cuts + h.opening_cuts),
	    (unsigned long long)n, (unsigned long long)seed,
	    (unsigned long long)h.opening_cuts, (unsigned long long)h.lost,
	    (unsigned long long)h.registered, (unsigned long long)h.commits,
	    (unsigned long long)h.torn);
	assert_true(
	    n < COUNT || (h.cuts > n && h.opening_cuts > n / 2 && h.lost > n &&
			     h.registered == SW_MOUNTS * n && h.commits > n &&
			     h.torn > n / 2));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_power_cuts),
	};

	log_set_verbose(-1); /* each registration is told */
	return sw_start() != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
