/* shash verify: check every byte of a store, without keys. */

#include "base/err.h"
#include "base/hex.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/jsonl.h"
#include "cli/localstore.h"
#include "cli/meter.h"
#include "cli/mode.h"
#include "server/census.h"
#include "server/inspect.h"
#include "server/policy.h"
#include "store/verify.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct check {
	struct localstore store;
	struct verify_counts counts; /* over all vaults */
	size_t vaults;
	atomic_ullong packs, bytes; /* read so far */
	char hex[33]; /* the vault under way */
};

static void
print_finding(const char *where, const char *what)
{
	struct jsonl l;

	/* One that cannot be printed is counted all the same. */
	if (!mode.json) {
		(void)cli_print("%s: %s", where, what);
		return;
	}
	jsonl_begin(&l, "finding");
	jsonl_text(&l, "where", where);
	jsonl_text(&l, "message", what);
	(void)jsonl_print(&l);
}

static void
found(void *arg, const char *where, const char *what)
{
	const struct check *c = arg;
	char place[256], text[1024];

	(void)snprintf(place, sizeof(place), "vaults/%s/", c->hex); /* fits */
	(void)log_escape(place + strlen(place), sizeof(place) - strlen(place),
	    where, strlen(where));
	print_finding(
	    place, log_escape(text, sizeof(text), what, strlen(what)));
}

static void
progress(void *arg, uint64_t bytes)
{
	struct check *c = arg;

	atomic_fetch_add(&c->packs, 1);
	atomic_fetch_add(&c->bytes, bytes);
}

static void
progress_there(void *arg, uint64_t packs, uint64_t bytes)
{
	struct check *c = arg;

	atomic_store(&c->packs, packs);
	atomic_store(&c->bytes, bytes);
}

static void
read_progress(void *arg, struct meter_sample *out)
{
	struct check *c = arg;

	out->files = atomic_load(&c->packs);
	out->bytes = atomic_load(&c->bytes);
}

static int
find_key(void *arg, uint8_t public_key[32], const uint8_t mount[16])
{
	const struct check *c = arg;
	struct account_mount m;
	int rc = account_mount(&m, c->store.account, mount);

	if (rc == 0)
		memcpy(public_key, m.public_key, sizeof(m.public_key));
	return rc;
}

static int
check_vault(void *arg, const uint8_t vault[16])
{
	struct check *c = arg;
	struct verify_options o;
	struct verify_counts n;
	int rc;

	hex_encode(c->hex, vault, 16);
	memset(&n, 0, sizeof(n));
	rc = localstore_vault(&c->store, vault);
	if (rc == 0) {
		memset(&o, 0, sizeof(o));
		o.vault = c->store.vault;
		o.found = found;
		o.key = find_key;
		o.store_public = account_public(c->store.account);
		o.progress = progress;
		o.arg = c;
		o.mark = 1;
		rc = verify_vault(&n, &o);
	}
	localstore_vault_close(&c->store);
	c->vaults++;
	c->counts.packs += n.packs;
	c->counts.records += n.records;
	c->counts.bytes += n.bytes;
	c->counts.snapshots += n.snapshots;
	c->counts.findings += n.findings;
	return rc == 0 ? 0 : err_prefix(rc, "vault %s", c->hex);
}

/* Of the store's own small files. */
static void
found_account(void *arg, const char *where, const char *what)
{
	struct check *c = arg;

	c->counts.findings++;
	print_finding(where, what);
}

/* What the server of the store finds. */
static void
found_there(void *arg, const char *where, const char *what)
{
	(void)arg;
	print_finding(where, what);
}

/* Let the running server do it.  Returns 0; 1 when there is none; ERR_*. */
static int
ask_server(struct check *c, const char *store_dir)
{
	struct inspect_counts n;
	int rc = inspect_ask(
	    &n, store_dir, "verify", found_there, progress_there, c);

	if (rc != 0)
		return rc;
	c->vaults = (size_t)n.vaults;
	c->counts.packs = n.packs;
	c->counts.records = n.records;
	c->counts.bytes = n.bytes;
	c->counts.snapshots = n.snapshots;
	c->counts.findings = n.findings;
	return 0;
}

static int
print_json(const struct check *c)
{
	struct jsonl l;

	jsonl_begin(&l, "verify");
	jsonl_int(&l, "vaults", (int64_t)c->vaults);
	jsonl_int(&l, "snapshots", (int64_t)c->counts.snapshots);
	jsonl_int(&l, "packs", (int64_t)c->counts.packs);
	jsonl_int(&l, "records", (int64_t)c->counts.records);
	jsonl_int(&l, "bytes", (int64_t)c->counts.bytes);
	jsonl_int(&l, "findings", (int64_t)c->counts.findings);
	return jsonl_print(&l);
}

static int
report(const struct check *c)
{
	char size[16], vaults[48], snapshots[48], packs[48], records[48];
	const struct verify_counts *n = &c->counts;
	int rc;

	log_info("checked %s, %s, %s with %s, %s",
	    cli_count(vaults, c->vaults, "vault", "vaults"),
	    cli_count(snapshots, n->snapshots, "snapshot", "snapshots"),
	    cli_count(packs, n->packs, "pack", "packs"),
	    cli_count(records, n->records, "record", "records"),
	    cli_size(size, n->bytes));
	rc = mode.json ? print_json(c) : 0;
	if (rc != 0)
		return rc;
	if (n->findings == 0) {
		log_info("no damage found");
		return 0;
	}
	return err_set(ERR_DAMAGED,
	    "%llu finding%s; a backup sends again what its directory "
	    "still has, then verify again; of the others see "
	    "docs/operations.md",
	    (unsigned long long)c->counts.findings,
	    c->counts.findings == 1 ? "" : "s");
}

/* Bytes of all packs; 0: not known, which costs only the share done. */
static uint64_t
pack_bytes(const char *store_dir)
{
	struct account *a;
	struct census n;
	uint64_t bytes = 0;

	if (account_open(&a, store_dir, 0) != 0)
		return 0;
	if (census_take(&n, a, localstore_backend) == 0) {
		bytes = n.pack_bytes;
		census_release(&n);
	}
	account_close(a);
	return bytes;
}

static int
check_store(struct check *c, const char *store_dir)
{
	struct meter *meter;
	int rc;

	meter_start(&meter, "verify", "packs", read_progress, c);
	meter_total(meter, pack_bytes(store_dir));
	rc = ask_server(c, store_dir);
	if (rc == 1) {
		rc = localstore_open(&c->store, store_dir, 0);
		if (rc == 0)
			rc = account_audit(c->store.account, found_account, c);
		if (rc == 0)
			rc = policy_audit(
			    account_dir(c->store.account), found_account, c);
		if (rc == 0)
			rc = account_vaults(c->store.account, check_vault, c);
		localstore_close(&c->store);
	}
	meter_stop(meter);
	return rc;
}

int
cmd_verify(int argc, char **argv)
{
	const char *store_dir = ".";
	const struct args_option options[] = {
	    {"store_dir", ARGS_STORE, &store_dir, "D", "the store [.]", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"verify", "[--store_dir D]",
	    "Check every byte of a store, without any key.",
	    "Prints a line for each finding and exits with 13. What is damaged "
	    "is\nasked for again at the next backup. A running server does the "
	    "work; then no\nbackup may be under way.",
	    options, 0};
	struct check c;
	size_t operands;
	int rc = args_parse(&operands, &command, argc, argv);

	if (rc != 0)
		return rc;
	memset(&c, 0, sizeof(c));
	rc = check_store(&c, store_dir);
	return rc == 0 ? report(&c) : rc;
}
