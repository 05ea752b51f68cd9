/* shash prune: retire the snapshots that a store's policy does not keep. */

#include "base/err.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/localstore.h"
#include "cli/mode.h"
#include "cli/pruned.h"
#include "server/retention.h"

#include <string.h>

/* A store without a server. */
struct here {
	struct localstore store;
	struct prune_options o;
	struct prune_passed passed; /* vaults */
};

static int
prune_one(void *arg, const uint8_t vault[IDENT_BYTES])
{
	struct here *h = arg;
	int rc = localstore_vault(&h->store, vault);

	if (rc == 0)
		rc = prune_pass(&h->passed, prune_vault(h->store.vault, &h->o));
	localstore_vault_close(&h->store);
	return rc;
}

static int
prune_here(struct pruned *p, int dry_run, int now)
{
	struct storeclock *clock = NULL;
	struct here h;
	int rc;

	memset(&h, 0, sizeof(h));
	rc = localstore_open(&h.store, p->store_dir, 0);
	if (rc == 0)
		rc = storeclock_open(&clock, p->store_dir);
	if (rc == 0) {
		h.o.account = h.store.account;
		h.o.clock = clock;
		h.o.dry_run = dry_run;
		h.o.now = now;
		h.o.found = pruned_print;
		h.o.arg = p;
		rc = prune_passed(
		    &h.passed, account_vaults(h.store.account, prune_one, &h));
	}
	storeclock_close(clock);
	localstore_close(&h.store);
	return rc;
}

static void
sum_up(const struct pruned *p, int dry_run)
{
	const uint64_t *n = p->counts;

	log_info("%s%llu kept, %llu retired, %llu wait, %llu removed",
	    dry_run ? "a dry run, nothing was done: " : "",
	    (unsigned long long)n[PRUNE_KEEP],
	    (unsigned long long)n[PRUNE_RETIRE],
	    (unsigned long long)n[PRUNE_WAIT],
	    (unsigned long long)n[PRUNE_REMOVE]);
	if (n[PRUNE_RETIRE] > 0 && !dry_run)
		log_info("'shash unprune' brings back what is retired, until "
			 "its grace ends");
}

int
cmd_prune(int argc, char **argv)
{
	const char *store_dir = ".";
	int dry_run = 0, now = 0, rc;
	const struct args_option options[] = {
	    {"store_dir", ARGS_STORE, &store_dir, "D", "the store [.]", 0, 0},
	    {"dry_run", ARGS_FLAG, &dry_run, NULL, "only say what it would do",
		0, 0},
	    {"now", ARGS_FLAG, &now, NULL,
		"waive the grace: remove for good, also what waits", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"prune",
	    "[--store_dir D] [--dry_run] [--now]",
	    "Retire the snapshots that 'shash keep' does not keep.",
	    "Prints a line for each snapshot: kept and by which rule, retired, "
	    "waiting\nfor the end of its grace, or removed. A server does it "
	    "by itself once a day.",
	    options, 0};
	struct pruned p;
	size_t operands;

	rc = args_parse(&operands, &command, argc, argv);
	if (rc != 0)
		return rc;
	rc = pruned_begin(&p, store_dir);
	if (rc == 0)
		rc = retention_ask(store_dir,
		    dry_run ? (now ? "prune dry now" : "prune dry")
			    : (now ? "prune now" : "prune"),
		    pruned_print, &p);
	if (rc == 1)
		rc = prune_here(&p, dry_run, now);
	if (rc == 0)
		sum_up(&p, dry_run);
	pruned_end(&p);
	return rc;
}
