/* shash unprune: bring back snapshots that were retired. */

#include "base/err.h"
#include "base/hex.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/localstore.h"
#include "cli/pruned.h"
#include "server/retention.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is to come back, of a store without a server. */
struct here {
	struct localstore store;
	struct pruned *p;
	const uint8_t *mount; /* NULL: of all */
	uint64_t seq; /* 0: all */
};

static int
undo_one(void *arg, const uint8_t vault[IDENT_BYTES])
{
	struct here *h = arg;
	int rc = localstore_vault(&h->store, vault);

	if (rc == 0)
		rc = prune_undo(
		    h->store.vault, h->mount, h->seq, pruned_print, h->p);
	localstore_vault_close(&h->store);
	return rc;
}

/* "@12" or "12"; 0 when it is none. */
static uint64_t
parse_seq(const char *text)
{
	char *end;
	unsigned long long n;

	text += *text == '@';
	if (*text < '0' || *text > '9')
		return 0;
	n = strtoull(text, &end, 10);
	return *end == '\0' && n <= 9999999999u ? n : 0;
}

static int
undo(struct here *h, const char *store_dir)
{
	char command[64] = "unprune", hex[2 * IDENT_BYTES + 1];
	int rc;

	if (h->mount != NULL) {
		hex_encode(hex, h->mount, IDENT_BYTES);
		(void)snprintf(command, sizeof(command), "unprune %s", hex);
	}
	if (h->seq != 0)
		(void)snprintf(command + strlen(command),
		    sizeof(command) - strlen(command), " %llu",
		    (unsigned long long)h->seq); /* it fits */
	rc = retention_ask(store_dir, command, pruned_print, h->p);
	if (rc != 1)
		return rc;
	rc = localstore_open(&h->store, store_dir, 0);
	if (rc == 0)
		rc = account_vaults(h->store.account, undo_one, h);
	localstore_close(&h->store);
	return rc;
}

int
cmd_unprune(int argc, char **argv)
{
	const char *store_dir = ".", *mount = NULL;
	const struct args_option options[] = {
	    {"store_dir", ARGS_STORE, &store_dir, "D", "the store [.]", 0, 0},
	    {"mount", ARGS_TEXT, &mount, "M",
		"of one directory alone, by label or id", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"unprune",
	    "[--store_dir D] [--mount M] [@N]",
	    "Bring back snapshots that 'shash prune' retired.",
	    "All that wait for the end of their grace, of one directory, or "
	    "its snapshot\nnumber N. The next prune retires them again, unless "
	    "'shash keep' says otherwise.",
	    options, 1};
	uint8_t id[IDENT_BYTES];
	struct pruned p;
	struct here h;
	size_t operands;
	int rc = args_parse(&operands, &command, argc, argv);

	if (rc != 0)
		return rc;
	memset(&h, 0, sizeof(h));
	h.p = &p;
	if (operands == 1) {
		h.seq = parse_seq(argv[1]);
		if (h.seq == 0)
			return err_set(ERR_USAGE,
			    "unprune: '%s' is no number of a snapshot, as @12",
			    argv[1]);
		if (mount == NULL)
			return err_set(
			    ERR_USAGE, "unprune: a number goes with --mount");
	}
	rc = pruned_begin(&p, store_dir);
	if (rc == 0 && mount != NULL) {
		rc = storemount_find(id, &p.mounts, mount);
		h.mount = id;
	}
	if (rc == 0)
		rc = undo(&h, store_dir);
	if (rc == 0 && h.seq != 0 && p.counts[PRUNE_BACK] == 0)
		rc = err_set(ERR_NOENT, "no snapshot @%llu is retired there",
		    (unsigned long long)h.seq);
	if (rc == 0)
		log_info("%llu brought back; the next prune retires them again "
			 "unless 'shash keep' says otherwise",
		    (unsigned long long)p.counts[PRUNE_BACK]);
	pruned_end(&p);
	return rc;
}
