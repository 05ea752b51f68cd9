/* shash snapshots: list what can be restored. */

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/connect.h"
#include "engine/catalog.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Local time for people. */
static void
format_time(char out[32], int64_t ns)
{
	time_t s = (time_t)(ns / 1000000000);
	struct tm tm;

	if (localtime_r(&s, &tm) == NULL ||
	    strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)snprintf(out, 32, "%lld", (long long)s);
}

static int
print_text(const struct catalog_entry *e, int all)
{
	char when[32], size[16], dir[256], label[256] = "";

	format_time(when, e->receive_ns);
	if (e->damage != NULL)
		return cli_print("@%llu  %s  damaged: %s",
		    (unsigned long long)e->server_seq, when, e->damage);
	if (all && e->mount != NULL)
		(void)log_escape(label, sizeof(label), e->mount->label,
		    strlen(e->mount->label));
	(void)log_escape(dir, sizeof(dir), e->info.dir, e->info.dir_len);
	return cli_print("@%-4llu %s  %s  %10llu files  %10s  %s%s%s",
	    (unsigned long long)e->server_seq, when, e->key,
	    (unsigned long long)e->info.files, cli_size(size, e->info.bytes),
	    label, all ? "  " : "", dir);
}

static int
json_entry(struct json *j, const struct catalog_entry *e)
{
	char text[4097 * 4];
	int rc = json_set_int(j, "seq", (int64_t)e->server_seq);

	if (rc == 0)
		rc = json_set_int(j, "receive_ns", e->receive_ns);
	if (rc == 0 && e->mount != NULL)
		rc = json_set_hex(j, "mount", e->mount->id, STORE_NAME_BYTES);
	if (rc == 0 && e->mount != NULL)
		rc = json_set_text(j, "label", e->mount->label);
	if (rc != 0)
		return rc;
	if (e->damage != NULL)
		return json_set_text(j, "damage", e->damage);
	rc = json_set_text(j, "key", e->key);
	if (rc == 0)
		rc = json_set_text(j, "dir",
		    log_escape(
			text, sizeof(text), e->info.dir, e->info.dir_len));
	if (rc == 0)
		rc = json_set_text(j, "host",
		    log_escape(
			text, sizeof(text), e->info.host, e->info.host_len));
	if (rc == 0)
		rc = json_set_int(j, "files", (int64_t)e->info.files);
	if (rc == 0)
		rc = json_set_int(j, "dirs", (int64_t)e->info.dirs);
	if (rc == 0)
		rc = json_set_int(j, "bytes", (int64_t)e->info.bytes);
	if (rc == 0)
		rc = json_set_int(j, "unreadable", (int64_t)e->info.unreadable);
	if (rc == 0)
		rc = json_set_int(j, "start_ns", e->info.start_ns);
	if (rc == 0)
		rc = json_set_int(j, "end_ns", e->info.end_ns);
	return rc;
}

static int
print_json(const struct catalog_entry *e)
{
	struct json *j = json_new_object();
	struct buf text = BUF_INIT;
	int rc = j == NULL ? ERR_NOMEM : json_entry(j, e);

	if (rc == 0)
		rc = json_encode(&text, j);
	if (rc == 0)
		rc = cli_print("%.*s", (int)text.len, (char *)text.data);
	json_free(j);
	buf_release(&text);
	return rc;
}

static int
print_catalog(const struct catalog *c, int all, int json)
{
	size_t i, damaged = 0;
	int rc = 0;

	for (i = 0; rc == 0 && i < c->nentries; i++) {
		const struct catalog_entry *e = &c->entries[i];

		damaged += e->damage != NULL;
		rc = json ? print_json(e) : print_text(e, all);
	}
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
	const char *dir = ".", *state_dir = NULL;
	int all = 0, json = 0, rc;
	const struct args_option options[] = {
	    {"dir", ARGS_TEXT, &dir, "D", "registered directory [.]", 0, 0},
	    {"state_dir", ARGS_TEXT, &state_dir, "S",
		"where its state is [DIR/.shamo]", 0, 0},
	    {"all", ARGS_FLAG, &all, NULL, "of every directory of the vault", 0,
		0},
	    {"json", ARGS_FLAG, &json, NULL, "one JSON object per line", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"snapshots",
	    "[--dir D] [--all] [--json]", "List the snapshots, oldest first.",
	    "A line has the snapshot's number (restore --udk @N), the time at\n"
	    "which the store received it, its key, and what it holds.",
	    options, 0};
	struct connect c;
	struct catalog *catalog = NULL;
	size_t operands;

	rc = args_parse(&operands, &command, argc, argv);
	if (rc != 0)
		return rc;
	rc = connect_open(&c, dir, state_dir);
	if (rc == 0)
		rc = catalog_load(&catalog, c.store, &c.keys,
		    all ? NULL : c.state.mount, cli_warn_line, NULL);
	if (rc == 0)
		rc = print_catalog(catalog, all, json);
	catalog_free(catalog);
	connect_close(&c);
	return rc;
}
