/* shash snapshots: list what can be restored. */

#include "base/err.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/connect.h"
#include "cli/jsonl.h"
#include "cli/mode.h"
#include "engine/catalog.h"

#include <stdio.h>
#include <string.h>

/* Of a key, in a line: as unlikely to be another one's as matters to people. */
#define KEY_BEGINS 13

/* "  [one, two]", cut when it is too long for a line; empty without tags. */
static const char *
join_tags(char *out, size_t cap, const struct catalog_entry *e)
{
	const struct snapshot_info *info = &e->info;
	size_t at = 0;
	uint32_t i;

	out[0] = '\0';
	for (i = 0; i < info->ntags && at + 8 < cap; i++) {
		at +=
		    (size_t)snprintf(out + at, cap - at, i == 0 ? "  [" : ", ");
		(void)log_escape(
		    out + at, cap - at - 1, info->tags[i], info->tag_len[i]);
		at += strlen(out + at);
	}
	if (at > 0)
		(void)snprintf(out + at, cap - at, "]"); /* one is left */
	return out;
}

/*
 * A line of 70 columns, for a key's beginning is enough to restore by; -v and
 * --json give all of it.  The directory is told where it is not `dir`, the one
 * that was asked about.
 */
static int
print_text(const struct catalog_entry *e, int all, const char *asked)
{
	char when[32], size[16], dir[1024], label[256] = "", count[48];
	char tags[512];
	int whole = mode.verbose, here;

	if (all && e->mount != NULL)
		(void)log_escape(label, sizeof(label), e->mount->label,
		    strlen(e->mount->label));
	if (e->damage != NULL)
		return cli_print("@%-4llu damaged: %s%s%s",
		    (unsigned long long)e->server_seq,
		    log_escape(dir, sizeof(dir), e->damage, strlen(e->damage)),
		    all ? "  " : "", label);
	(void)cli_time(when, e->receive_ns);
	here = !all && !whole && strlen(asked) == e->info.dir_len &&
	       memcmp(asked, e->info.dir, e->info.dir_len) == 0;
	(void)log_escape(
	    dir, sizeof(dir), e->info.dir, here ? 0 : e->info.dir_len);
	return cli_print("@%-4llu %s  %.*s  %14s  %10s%s%s%s%s%s",
	    (unsigned long long)e->server_seq, when,
	    whole ? ADDRESS_TEXT_BYTES - 1 : KEY_BEGINS, e->key,
	    cli_count(count, e->info.files, "file ", "files"),
	    cli_size(size, e->info.bytes), all ? "  " : "", label,
	    here ? "" : "  ", dir, join_tags(tags, sizeof(tags), e));
}

static int
print_json(const struct catalog_entry *e)
{
	const struct snapshot_info *i = &e->info;
	struct jsonl l;

	jsonl_begin(&l, "snapshot");
	jsonl_int(&l, "seq", (int64_t)e->server_seq);
	if (e->mount != NULL) {
		jsonl_hex(&l, "mount", e->mount->id, STORE_NAME_BYTES);
		jsonl_text(&l, "label", e->mount->label);
	}
	if (e->damage != NULL) {
		jsonl_text(&l, "damage", e->damage);
		return jsonl_print(&l);
	}
	jsonl_time(&l, "receive", e->receive_ns);
	jsonl_text(&l, "key", e->key);
	jsonl_bytes(&l, "dir", i->dir, i->dir_len);
	jsonl_bytes(&l, "host", i->host, i->host_len);
	jsonl_int(&l, "files", (int64_t)i->files);
	jsonl_int(&l, "dirs", (int64_t)i->dirs);
	jsonl_int(&l, "bytes", (int64_t)i->bytes);
	jsonl_int(&l, "unreadable", (int64_t)i->unreadable);
	jsonl_texts(&l, "tags", i->tags, i->tag_len, i->ntags);
	jsonl_time(&l, "start", i->start_ns);
	jsonl_time(&l, "end", i->end_ns);
	return jsonl_print(&l);
}

/* What the store says that it retired, of those that are missed. */
static int
print_retired(const struct catalog *c)
{
	struct jsonl l;
	char count[48];
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && mode.json && i < c->nretired; i++) {
		const struct catalog_retired *r = &c->retired[i];

		jsonl_begin(&l, "retired");
		jsonl_int(&l, "seq", (int64_t)r->t.server_seq);
		jsonl_hex(&l, "mount", r->t.mount, STORE_NAME_BYTES);
		if (r->mount != NULL)
			jsonl_text(&l, "label", r->mount->label);
		jsonl_time(&l, "receive", r->t.receive_ns);
		jsonl_time(&l, "retired", r->t.wall_ns);
		rc = jsonl_print(&l);
	}
	if (rc == 0 && c->nretired > 0)
		log_info("%s retired by the store's policy",
		    cli_count(count, c->nretired, "more snapshot was",
			"more snapshots were"));
	return rc;
}

static int
print_catalog(const struct catalog *c, int all, const char *asked)
{
	size_t i, damaged = 0;
	int rc = 0;

	for (i = 0; rc == 0 && i < c->nentries; i++) {
		const struct catalog_entry *e = &c->entries[i];

		damaged += e->damage != NULL;
		rc = mode.json ? print_json(e) : print_text(e, all, asked);
	}
	if (rc == 0)
		rc = print_retired(c);
	if (rc == 0 && c->nentries == 0)
		log_info("no snapshots yet; make one with: shash backup");
	if (rc == 0 && damaged > 0)
		rc = err_set(ERR_DAMAGED, "%zu damaged snapshot%s", damaged,
		    damaged == 1 ? "" : "s");
	return rc;
}

int
cmd_snapshots(int argc, char **argv)
{
	struct connect_options where;
	int all = 0, rc;
	const struct args_option options[] = {
	    {"dir", ARGS_TEXT, &where.dir, "D", "registered directory [.]", 0,
		0},
	    {"state_dir", ARGS_TEXT, &where.state_dir, "S",
		"where its state is [DIR/.shamo]", 0, 0},
	    {"all", ARGS_FLAG, &all, NULL, "of every directory of the vault", 0,
		0},
	    {"retry", ARGS_DURATION, &where.retry_seconds, "T",
		"how long to try a server that is down [10s]", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"snapshots", "[--dir D] [--all]",
	    "List the snapshots, oldest first.",
	    "A line has the snapshot's number (restore --udk @N), the time at\n"
	    "which the store received it, how its key begins (--udk takes "
	    "that,\n"
	    "too; -v shows it all), its files and bytes, and its tags.",
	    options, 0};
	struct connect c;
	struct catalog *catalog = NULL;
	size_t operands;

	rc = connect_defaults(&where, CONNECT_RETRY_SHORT);
	if (rc == 0)
		rc = args_parse(&operands, &command, argc, argv);
	if (rc != 0)
		return rc;
	where.reads = 1;
	rc = connect_open(&c, &where);
	if (rc == 0)
		rc = catalog_load(&catalog, c.store, &c.keys,
		    all ? NULL : c.state.mount, cli_warn_line, NULL);
	if (rc == 0)
		rc = print_catalog(catalog, all, c.state.dir);
	catalog_free(catalog);
	connect_close(&c);
	return rc;
}
