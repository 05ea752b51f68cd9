#include "server/retention.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/ticker.h"
#include "server/account.h"
#include "server/control.h"
#include "server/policy.h"
#include "server/sweeper.h"
#include "server/vaults.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Lines of an answer, their parts separated by tabs:
 *
 *     snapshot MOUNT SEQ RECEIVE BYTES FATE REASONS LEFT
 *     failed CODE TEXT                     and nothing more
 *     done                                 and nothing more
 *
 * FATE and REASONS are the numbers of server/prune.h and server/keep.h.
 */

/* The thread looks at its clock so often: it counts suspended time, which a
 * wait does not. */
#define LOOK_MS 5000
#define STAMP_NS 600000000000ll
#define PRUNE_FIRST_NS 300000000000ll
#define PRUNE_NS 86400000000000ll
#define LINE_BYTES_MAX 4096

struct retention {
	struct account *account;
	struct vaults *vaults;
	struct sweeper *sweeper;
	struct storeclock *clock;
	struct pool_lock serial; /* one work at a time */
	struct ticker *ticker;
	int64_t stamped_ns, due_ns; /* the ticker's */
};

static int
stamp_vault(void *arg, struct vault *v)
{
	struct retention *r = arg;

	return prune_stamp(v, r->clock);
}

/* The caller holds `serial`. */
static void
stamp(struct retention *r)
{
	int rc = vaults_each_open(r->vaults, stamp_vault, r);

	if (rc == 0 && !storeclock_is_unset(r->clock))
		rc = storeclock_save(r->clock);
	/* What has no stamp is kept, so nothing is lost. */
	if (rc < 0)
		log_warn("snapshots could not be stamped: %s", err_text());
}

/* A prune of all vaults. */
struct job {
	struct retention *r;
	struct prune_options o;
	struct prune_passed passed; /* vaults */
};

static int
prune_one(void *arg, const uint8_t vault[IDENT_BYTES])
{
	struct job *job = arg;
	struct vault *v;
	int rc = vaults_borrow(&v, job->r->vaults, vault);

	if (rc < 0)
		return rc;
	rc = prune_vault(v, &job->o);
	vaults_return(job->r->vaults, vault);
	return prune_pass(&job->passed, rc);
}

static int
prune_all(
    struct retention *r, int dry_run, int now, prune_found_fn *found, void *arg)
{
	struct job job = {.r = r};
	int rc;

	job.o.account = r->account;
	job.o.clock = r->clock;
	job.o.dry_run = dry_run;
	job.o.now = now;
	job.o.found = found;
	job.o.arg = arg;
	pool_lock_enter(&r->serial);
	rc = account_vaults(r->account, prune_one, &job);
	pool_lock_leave(&r->serial);
	rc = prune_passed(&job.passed, rc);
	/* Space comes back within minutes of what was removed. */
	if (!dry_run)
		sweeper_kick(r->sweeper);
	return rc;
}

static int
count_fate(void *arg, const struct prune_item *item)
{
	uint64_t *counts = arg;

	counts[item->fate]++;
	return 0;
}

static void
prune_daily(struct retention *r)
{
	uint64_t n[PRUNE_BACK + 1] = {0};
	int rc;

	if (!policy_is_used(account_dir(r->account)))
		return;
	rc = prune_all(r, 0, 0, count_fate, n);
	if (rc < 0)
		log_warn("prune: %s", err_text());
	else
		log_info("prune: %" PRIu64 " kept, %" PRIu64
			 " retired, %" PRIu64 " wait, %" PRIu64 " removed",
		    n[PRUNE_KEEP], n[PRUNE_RETIRE], n[PRUNE_WAIT],
		    n[PRUNE_REMOVE]);
}

static void
look(void *arg, int kicked)
{
	struct retention *r = arg;
	int64_t now = clock_mono_ns();

	(void)kicked; /* nobody does */
	if (now - r->stamped_ns >= STAMP_NS) {
		pool_lock_enter(&r->serial);
		stamp(r);
		pool_lock_leave(&r->serial);
		r->stamped_ns = now;
	}
	if (now >= r->due_ns) {
		prune_daily(r);
		r->due_ns = now + PRUNE_NS;
	}
}

int
retention_start(struct retention **out, struct account *a, struct vaults *vs,
    struct sweeper *sw)
{
	struct retention *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return err_nomem(sizeof(*r));
	r->account = a;
	r->vaults = vs;
	r->sweeper = sw;
	r->stamped_ns = clock_mono_ns();
	r->due_ns = r->stamped_ns + PRUNE_FIRST_NS;
	pool_lock_init(&r->serial);
	rc = storeclock_open(&r->clock, account_dir(a));
	if (rc == 0)
		rc = ticker_start(&r->ticker, look, r, LOOK_MS);
	if (rc < 0) {
		retention_stop(r);
		return rc;
	}
	*out = r;
	return 0;
}

void
retention_stop(struct retention *r)
{
	int started;

	if (r == NULL)
		return;
	started = r->ticker != NULL;
	ticker_stop(r->ticker);
	if (started)
		stamp(r);
	storeclock_close(r->clock);
	pool_lock_release(&r->serial);
	free(r);
}

static int
say_item(void *arg, const struct prune_item *i)
{
	char hex[2 * IDENT_BYTES + 1];

	hex_encode(hex, i->mount, IDENT_BYTES);
	control_say(arg,
	    "snapshot\t%s\t%" PRIu64 "\t%" PRId64 "\t%" PRIu64
	    "\t%d\t%u\t%" PRId64,
	    hex, i->seq, i->receive_ns, i->bytes, (int)i->fate, i->reasons,
	    i->left_ns);
	return 0;
}

struct undo {
	struct retention *r;
	const uint8_t *mount;
	uint64_t seq;
	struct control_peer *peer;
};

static int
undo_one(void *arg, const uint8_t vault[IDENT_BYTES])
{
	struct undo *u = arg;
	struct vault *v;
	int rc = vaults_borrow(&v, u->r->vaults, vault);

	if (rc < 0)
		return rc;
	rc = prune_undo(v, u->mount, u->seq, say_item, u->peer);
	vaults_return(u->r->vaults, vault);
	return rc;
}

/* "unprune", and what follows it. */
static int
undo(struct retention *r, struct control_peer *peer, const char *rest)
{
	struct undo u = {.r = r, .peer = peer};
	uint8_t mount[IDENT_BYTES];
	char hex[2 * IDENT_BYTES + 1];
	int n, rc;

	n = sscanf(rest, " %32[0-9a-f] %" SCNu64, hex, &u.seq);
	if (n >= 1) {
		if (hex_decode(mount, sizeof(mount), hex, strlen(hex)) < 0)
			return err_set(ERR_USAGE, "malformed mount");
		u.mount = mount;
	}
	pool_lock_enter(&r->serial);
	rc = account_vaults(r->account, undo_one, &u);
	pool_lock_leave(&r->serial);
	return rc;
}

int
retention_command(void *arg, struct control_peer *peer, const char *command)
{
	struct retention *r = arg;
	int rc;

	if (strcmp(command, "prune") == 0)
		rc = prune_all(r, 0, 0, say_item, peer);
	else if (strcmp(command, "prune dry") == 0)
		rc = prune_all(r, 1, 0, say_item, peer);
	else if (strcmp(command, "prune dry now") == 0)
		rc = prune_all(r, 1, 1, say_item, peer);
	else if (strcmp(command, "prune now") == 0)
		rc = prune_all(r, 0, 1, say_item, peer);
	else if (strncmp(command, "unprune", 7) == 0)
		rc = undo(r, peer, command + 7);
	else
		return 1;
	log_info("%s has ended", command);
	control_say_end(peer, rc);
	return 0;
}

struct answer {
	prune_found_fn *found;
	void *arg;
	int done;
};

static int
on_snapshot(struct answer *a, const char *line)
{
	char hex[2 * IDENT_BYTES + 1];
	struct prune_item i;
	unsigned fate;

	memset(&i, 0, sizeof(i));
	if (sscanf(line,
		"snapshot\t%32[0-9a-f]\t%" SCNu64 "\t%" SCNd64 "\t%" SCNu64
		"\t%u\t%u\t%" SCNd64,
		hex, &i.seq, &i.receive_ns, &i.bytes, &fate, &i.reasons,
		&i.left_ns) != 7 ||
	    fate > PRUNE_BACK ||
	    hex_decode(i.mount, IDENT_BYTES, hex, strlen(hex)) < 0)
		return err_set(
		    ERR_UNREACHABLE, "the server's answer is malformed");
	i.fate = (enum prune_fate)fate;
	return a->found(a->arg, &i);
}

static int
on_line(void *arg, const char *line)
{
	struct answer *a = arg;
	int end = control_read_end(line);

	a->done |= end == 0;
	if (end <= 0)
		return end;
	if (strncmp(line, "snapshot\t", 9) == 0)
		return on_snapshot(a, line);
	return err_set(ERR_UNREACHABLE,
	    "the server does not know this command: it is an older one");
}

int
retention_ask(
    const char *dir, const char *command, prune_found_fn *found, void *arg)
{
	struct answer a = {.found = found, .arg = arg};
	int rc = control_lines(dir, command, 0, on_line, &a);

	if (rc == 0 && !a.done)
		rc = err_set(ERR_UNREACHABLE, "the server ended meanwhile");
	return rc;
}
