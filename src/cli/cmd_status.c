/* shash status: how a directory's backups stand, or a store. */

#include "base/clock.h"
#include "base/duration.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/connect.h"
#include "cli/jsonl.h"
#include "cli/mode.h"
#include "cli/status_store.h"
#include "cli/version.h"
#include "engine/catalog.h"
#include "hash/address.h"

#include <stdio.h>
#include <string.h>

/* The last snapshot, as the store or, where it is out of reach, the directory
 * itself knows it. */
struct last {
	int known;
	uint64_t seq;
	int64_t receive_ns;
	uint64_t files, bytes;
	char key[ADDRESS_TEXT_BYTES];
};

/* What head.json says; a file of an older version says too little. */
static void
last_of_head(struct last *l, const struct shamo *s)
{
	struct shamo_head h;

	memset(l, 0, sizeof(*l));
	if (shamo_load_head(&h, s) != 0 || h.server_seq == 0)
		return;
	l->known = 1;
	l->seq = h.server_seq;
	l->receive_ns = h.receive_ns;
	l->files = h.files;
	l->bytes = h.bytes;
	address_text(l->key, ADDRESS_DIR, h.address);
}

static int
last_of_store(struct last *l, struct connect *c)
{
	struct catalog *catalog;
	size_t i;
	int rc = catalog_load(
	    &catalog, c->store, &c->keys, c->state.mount, cli_warn_line, NULL);

	if (rc != 0)
		return rc;
	memset(l, 0, sizeof(*l));
	for (i = 0; i < catalog->nentries; i++) {
		const struct catalog_entry *e = &catalog->entries[i];

		if (e->damage != NULL)
			continue;
		l->known = 1; /* they come oldest first */
		l->seq = e->server_seq;
		l->receive_ns = e->receive_ns;
		l->files = e->info.files;
		l->bytes = e->info.bytes;
		memcpy(l->key, e->key, sizeof(l->key));
	}
	catalog_free(catalog);
	return 0;
}

static int
print_json(const struct shamo *s, const struct last *l, int reachable)
{
	struct jsonl j;

	jsonl_begin(&j, "status");
	jsonl_text(&j, "dir", s->dir);
	jsonl_text(&j, "url", s->url);
	jsonl_text(&j, "label", s->label);
	jsonl_hex(&j, "store", s->store_public, sizeof(s->store_public));
	jsonl_hex(&j, "vault", s->vault, sizeof(s->vault));
	jsonl_hex(&j, "mount", s->mount, sizeof(s->mount));
	jsonl_bool(&j, "reachable", reachable);
	if (l->known) {
		jsonl_int(&j, "seq", (int64_t)l->seq);
		jsonl_time(&j, "receive", l->receive_ns);
		jsonl_int(
		    &j, "age_seconds", cli_age(clock_wall_ns(), l->receive_ns));
		jsonl_text(&j, "key", l->key);
		jsonl_int(&j, "files", (int64_t)l->files);
		jsonl_int(&j, "bytes", (int64_t)l->bytes);
	}
	return jsonl_print(&j);
}

static int
print_last(const struct last *l)
{
	char words[32], when[32], files[48], size[16];
	int rc;

	if (!l->known)
		return cli_print("last       no snapshot yet");
	rc = cli_print("last       @%llu, %s ago (%s)",
	    (unsigned long long)l->seq,
	    duration_words(words, cli_age(clock_wall_ns(), l->receive_ns)),
	    cli_time(when, l->receive_ns));
	if (rc == 0)
		rc = cli_print("           %s, %s",
		    cli_count(files, l->files, "file", "files"),
		    cli_size(size, l->bytes));
	return rc == 0 ? cli_print("           %s", l->key) : rc;
}

static int
print_text(const struct connect *c, const struct last *l, const char *server)
{
	char vault[2 * sizeof(c->state.vault) + 1], name[CLI_NAME_BYTES];
	int rc;

	hex_encode(vault, c->state.vault, sizeof(c->state.vault));
	rc = cli_print("directory  %s", cli_name(name, c->state.dir));
	if (rc == 0)
		rc = cli_print("label      %s", cli_name(name, c->state.label));
	if (rc == 0)
		rc = cli_print("store      %s", cli_name(name, c->state.url));
	if (rc == 0)
		rc = cli_print("server     %s", cli_name(name, server));
	if (rc == 0)
		rc = cli_print("vault      %s", vault);
	return rc == 0 ? print_last(l) : rc;
}

/* What came of asking it, in a few words: the error has a line of its own. */
static const char *
server_words(const struct connect *c, int reached)
{
	if (reached == 0)
		return connect_file(c->state.url) != NULL ? "none needed"
							  : "answers";
	return reached == ERR_UNREACHABLE ? "does not answer"
					  : "was not used, see below";
}

/* The same facts in both forms; what the store did not say, head.json does. */
static int
report(struct connect *c, const struct last *l, int reached)
{
	const char *path = NULL, *chunker;
	int rc;

	if (mode.json)
		return print_json(&c->state, l, reached == 0);
	rc = print_text(c, l, server_words(c, reached));
	if (rc != 0 || !mode.verbose)
		return rc;
	if (c->store != NULL && connect_file(c->state.url) != NULL)
		path = c->store->info.write_path;
	rc = version_fast_paths(path);
	chunker = chunker_name(c->chunker.id); /* NULL: not logged in */
	if (rc == 0 && c->store != NULL && chunker != NULL)
		rc = cli_print("chunker    %s, %u KiB on average", chunker,
		    c->chunker.sizes.avg_bytes >> 10);
	return rc;
}

static int
status_dir(const struct connect_options *where)
{
	char text[ERR_TEXT_MAX] = "";
	struct connect c;
	struct last l;
	int rc = connect_prepare(&c, where), printed = 0;

	/* Registered, whatever else is missing: say what is known. */
	if (c.state.url != NULL && c.state.label != NULL) {
		last_of_head(&l, &c.state);
		if (rc == 0)
			rc = connect_again(&c);
		if (rc == 0)
			rc = last_of_store(&l, &c);
		(void)snprintf(text, sizeof(text), "%s", err_text());
		printed = report(&c, &l, rc);
		if (rc != 0 && printed == 0)
			(void)err_set(rc, "%s", text);
	}
	connect_close(&c);
	return printed != 0 ? printed : rc;
}

int
cmd_status(int argc, char **argv)
{
	struct connect_options where;
	const char *store_dir = NULL;
	const struct args_option options[] = {
	    {"dir", ARGS_TEXT, &where.dir, "D", "registered directory [.]", 0,
		0},
	    {"store_dir", ARGS_STORE, &store_dir, "D",
		"show this store instead", 0, 0},
	    {"state_dir", ARGS_TEXT, &where.state_dir, "S",
		"where the directory's state is [DIR/.shamo]", 0, 0},
	    {"retry", ARGS_DURATION, &where.retry_seconds, "T",
		"how long to try a server that is down [0]", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"status",
	    "[--dir D | --store_dir D]",
	    "Show how a directory's backups stand, or what a store holds.",
	    "For a directory: its store, whether that answers, and the last "
	    "snapshot.\nExit code 10: it is not registered; 11: the server is "
	    "down, and what is\nknown without it was printed. For a store, "
	    "with or without a server: each\ndirectory's last snapshot, the "
	    "bytes of all, those stored, and free space.",
	    options, 0};
	size_t operands;
	int rc = connect_defaults(&where, 0);

	if (rc == 0)
		rc = args_parse(&operands, &command, argc, argv);
	if (rc != 0)
		return rc;
	if (store_dir != NULL)
		return status_store(store_dir);
	cli_catch_interrupts();
	where.reads = 1;
	return status_dir(&where);
}
