/* shash reindex: rebuild a store's index from its packs. */

#include "base/err.h"
#include "base/hex.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/jsonl.h"
#include "cli/localstore.h"
#include "cli/mode.h"
#include "server/inspect.h"
#include "store/vault.h"

#include <string.h>

struct rebuild {
	struct localstore store;
	uint64_t vaults; /* done */
};

static int
reindex_vault(void *arg, const uint8_t vault[16])
{
	struct rebuild *r = arg;
	struct localstore *l = &r->store;
	char hex[33];
	int rc = localstore_vault(l, vault);

	if (rc == 0)
		rc = vault_reindex(l->vault);
	localstore_vault_close(l);
	hex_encode(hex, vault, 16);
	if (rc != 0)
		return err_prefix(rc, "vault %s", hex);
	log_info("vault %s: the index is new", hex);
	r->vaults++;
	return 0;
}

int
cmd_reindex(int argc, char **argv)
{
	const char *store_dir = ".";
	const struct args_option options[] = {
	    {"store_dir", ARGS_STORE, &store_dir, "D", "the store [.]", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"reindex", "[--store_dir D]",
	    "Throw a store's index away and rebuild it from its packs.",
	    "A missing or broken index is rebuilt by itself; this is for a "
	    "doubt.\nA running server does the work; then no backup may be "
	    "under "
	    "way.",
	    options, 0};
	struct inspect_counts n;
	struct rebuild r;
	struct jsonl l;
	char text[48];
	size_t operands;
	int rc = args_parse(&operands, &command, argc, argv);

	if (rc != 0)
		return rc;
	memset(&r, 0, sizeof(r));
	rc = inspect_ask(&n, store_dir, "reindex", NULL, NULL, NULL);
	if (rc == 0) {
		r.vaults = n.vaults;
		log_info("the server has rebuilt the index of %s",
		    cli_count(text, n.vaults, "vault", "vaults"));
	} else if (rc == 1) {
		rc = localstore_open(&r.store, store_dir, 0);
		if (rc == 0)
			rc = account_vaults(r.store.account, reindex_vault, &r);
		localstore_close(&r.store);
	}
	if (rc != 0 || !mode.json)
		return rc;
	jsonl_begin(&l, "reindex");
	jsonl_int(&l, "vaults", (int64_t)r.vaults);
	return jsonl_print(&l);
}
