#include "cli/pruned.h"

#include "base/duration.h"
#include "cli/cli.h"
#include "cli/jsonl.h"
#include "cli/mode.h"
#include "server/keep.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_SECOND 1000000000ll

int
pruned_begin(struct pruned *p, const char *store_dir)
{
	struct account *a;
	int rc;

	memset(p, 0, sizeof(*p));
	p->store_dir = store_dir;
	rc = account_open(&a, store_dir, 0);
	if (rc == 0) {
		rc = storemount_load(&p->mounts, a);
		account_close(a);
	}
	return rc;
}

void
pruned_end(struct pruned *p)
{
	storemount_release(&p->mounts);
}

static int
print_json(const struct pruned *p, const struct prune_item *i)
{
	const char *label = storemount_label(&p->mounts, i->mount);
	char words[KEEP_WORDS_BYTES];
	struct jsonl l;

	jsonl_begin(&l, "pruned");
	jsonl_hex(&l, "mount", i->mount, IDENT_BYTES);
	if (label != NULL)
		jsonl_text(&l, "label", label);
	jsonl_int(&l, "seq", (int64_t)i->seq);
	if (i->receive_ns != 0)
		jsonl_time(&l, "receive", i->receive_ns);
	jsonl_int(&l, "bytes", (int64_t)i->bytes);
	jsonl_text(&l, "fate", prune_fate_name(i->fate));
	if (i->fate == PRUNE_KEEP)
		jsonl_text(&l, "why", keep_words(words, i->reasons));
	if (i->fate == PRUNE_RETIRE || i->fate == PRUNE_WAIT)
		jsonl_int(&l, "left_seconds", i->left_ns / NS_PER_SECOND);
	return jsonl_print(&l);
}

int
pruned_print(void *arg, const struct prune_item *i)
{
	char name[STOREMOUNT_NAME_BYTES], when[32], words[KEEP_WORDS_BYTES];
	char left[32], size[16], why[KEEP_WORDS_BYTES + 32] = "";
	struct pruned *p = arg;

	p->counts[i->fate]++;
	if (mode.json)
		return print_json(p, i);
	if (i->fate == PRUNE_KEEP)
		(void)snprintf(why, sizeof(why), "  %s",
		    keep_words(words, i->reasons)); /* fits, as the next */
	else if (i->fate == PRUNE_RETIRE || i->fate == PRUNE_WAIT)
		(void)snprintf(why, sizeof(why), "  for %s",
		    duration_words(left, i->left_ns / NS_PER_SECOND));
	return cli_print("%-16s  @%-4llu %-19s  %10s  %-6s%s",
	    storemount_name(name, &p->mounts, i->mount),
	    (unsigned long long)i->seq,
	    i->receive_ns != 0 ? cli_time(when, i->receive_ns) : "-",
	    cli_size(size, i->bytes), prune_fate_name(i->fate), why);
}
