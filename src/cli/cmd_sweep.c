/* shash sweep: free what no snapshot of a store needs. */

#include "base/err.h"
#include "base/hex.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/jsonl.h"
#include "cli/localstore.h"
#include "cli/mode.h"
#include "server/sweeper.h"
#include "store/backend.h"
#include "store/sweep.h"

#include <string.h>

struct work {
	struct localstore store;
	unsigned flags;
	struct sweeper_counts sum;
};

/* Nobody has a session, so nothing is waited for. */
static int
sweep_vault(void *arg, const uint8_t vault[16])
{
	struct work *w = arg;
	struct sweep_options o;
	struct sweep_counts n;
	struct sweep *s = NULL;
	uint64_t left;
	char hex[33];
	int rc;

	memset(&o, 0, sizeof(o));
	rc = localstore_vault(&w->store, vault);
	if (rc == 0)
		rc = w->store.backend->ops->space(&left, w->store.backend);
	if (rc == 0) {
		o.vault = w->store.vault;
		o.dry_run = (w->flags & SWEEPER_DRY_RUN) != 0;
		o.give_up_lost = (w->flags & SWEEPER_GIVE_UP_LOST) != 0;
		o.copy_bytes_max = sweeper_copy_bytes(left);
		rc = sweep_new(&s, &o);
	}
	if (rc == 0)
		rc = sweep_run(s);
	if (rc == 0) {
		sweep_counts(&n, s);
		sweeper_add(&w->sum, &n);
	}
	sweep_free(s);
	localstore_vault_close(&w->store);
	hex_encode(hex, vault, 16);
	return rc == 0 ? 0 : err_prefix(rc, "vault %s", hex);
}

static int
print_json(const struct work *w)
{
	const struct sweep_counts *n = &w->sum.n;
	struct jsonl l;

	jsonl_begin(&l, "sweep");
	jsonl_bool(&l, "dry_run", (w->flags & SWEEPER_DRY_RUN) != 0);
	jsonl_int(&l, "vaults", (int64_t)w->sum.vaults);
	jsonl_int(&l, "snapshots", (int64_t)n->snapshots);
	jsonl_int(&l, "bytes", (int64_t)n->bytes);
	jsonl_int(&l, "dead_objects", (int64_t)n->dead);
	jsonl_int(&l, "dead_packs", (int64_t)n->dead_packs);
	jsonl_int(&l, "dead_bytes", (int64_t)n->dead_bytes);
	jsonl_int(&l, "freed_packs", (int64_t)n->freed_packs);
	jsonl_int(&l, "freed_bytes", (int64_t)n->freed_bytes);
	jsonl_int(&l, "written_packs", (int64_t)n->copied_packs);
	jsonl_int(&l, "written_bytes", (int64_t)n->copied_bytes);
	jsonl_int(&l, "waiting_packs", (int64_t)n->waiting_packs);
	jsonl_int(&l, "waiting_bytes", (int64_t)n->waiting_bytes);
	jsonl_int(&l, "sessions", (int64_t)n->sessions);
	return jsonl_print(&l);
}

static int
report(const struct work *w)
{
	const struct sweep_counts *n = &w->sum.n;
	int dry = (w->flags & SWEEPER_DRY_RUN) != 0;
	char packs[48], size[16], sessions[48];

	if (mode.json)
		return print_json(w);
	if (dry)
		return cli_print("would free %s, %s",
		    cli_count(packs, n->dead_packs, "pack", "packs"),
		    cli_size(size, n->dead_bytes));
	if (cli_print("freed %s, %s",
		cli_count(packs, n->freed_packs, "pack", "packs"),
		cli_size(size, n->freed_bytes)) != 0)
		return ERR_IO;
	if (n->copied_packs > 0 &&
	    cli_print("wrote %s, %s, with what was left of others",
		cli_count(packs, n->copied_packs, "pack", "packs"),
		cli_size(size, n->copied_bytes)) != 0)
		return ERR_IO;
	if (n->waiting_packs == 0)
		return 0;
	return cli_print("%s, %s, will go when %s ended",
	    cli_count(packs, n->waiting_packs, "pack", "packs"),
	    cli_size(size, n->waiting_bytes),
	    cli_count(sessions, n->sessions, "session has", "sessions have"));
}

int
cmd_sweep(int argc, char **argv)
{
	const char *store_dir = ".";
	int dry_run = 0, give_up = 0;
	const struct args_option options[] = {
	    {"store_dir", ARGS_STORE, &store_dir, "D", "the store [.]", 0, 0},
	    {"dry_run", ARGS_FLAG, &dry_run, NULL, "only say what would go", 0,
		0},
	    {"give_up_lost", ARGS_FLAG, &give_up, NULL,
		"what lost snapshots and trees need may go", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"sweep",
	    "[--store_dir D] [--dry_run] [--give_up_lost]",
	    "Free the space of what no snapshot needs any more.",
	    "A running server does the work, beside backups and restores; it "
	    "also sweeps\nby itself. Nothing is deleted while nobody can tell "
	    "what a damaged snapshot\nneeds.",
	    options, 0};
	struct work w;
	size_t operands;
	int rc = args_parse(&operands, &command, argc, argv);

	if (rc != 0)
		return rc;
	memset(&w, 0, sizeof(w));
	w.flags = (dry_run ? SWEEPER_DRY_RUN : 0) |
		  (give_up ? SWEEPER_GIVE_UP_LOST : 0);
	rc = sweeper_ask(&w.sum, store_dir, w.flags);
	if (rc == 1) {
		rc = localstore_open(&w.store, store_dir, 0);
		if (rc == 0)
			rc = account_vaults(w.store.account, sweep_vault, &w);
		localstore_close(&w.store);
	}
	return rc == 0 ? report(&w) : rc;
}
