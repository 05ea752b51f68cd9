#include "cli/status_store.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/err.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/jsonl.h"
#include "cli/localstore.h"
#include "cli/mode.h"
#include "cli/version.h"
#include "hash/hash.h"
#include "server/census.h"
#include "server/control.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_SECONDS 10

struct store_server {
	int running;
	unsigned port;
	unsigned sessions;
};

/* Ask the server of the store, if there is one. */
static int
ask_server(struct store_server *s, const char *store_dir)
{
	char answer[64];
	int rc;

	memset(s, 0, sizeof(*s));
	rc = control_ask(
	    answer, sizeof(answer), store_dir, "status", ANSWER_SECONDS);
	if (rc != 0)
		return rc == 1 ? 0 : rc;
	if (sscanf(answer, "running %u", &s->port) != 1)
		return err_set(ERR_UNREACHABLE,
		    "the server's answer is malformed: %s", answer);
	s->running = 1;
	rc = control_ask(
	    answer, sizeof(answer), store_dir, "sessions", ANSWER_SECONDS);
	if (rc == 0)
		(void)sscanf(answer, "sessions %u", &s->sessions); /* else 0 */
	return rc == 1 ? 0 : rc;
}

static int
print_json(const char *store_dir, const struct account *a,
    const struct census *c, const struct store_server *s)
{
	struct jsonl l;

	jsonl_begin(&l, "store");
	jsonl_text(&l, "store_dir", store_dir);
	jsonl_hex(&l, "store", account_public(a), SIGN_PUBLIC_BYTES);
	jsonl_bool(&l, "running", s->running);
	if (s->running) {
		jsonl_int(&l, "port", s->port);
		jsonl_int(&l, "sessions", s->sessions);
	}
	jsonl_int(&l, "vaults", (int64_t)c->vaults);
	jsonl_int(&l, "mounts", (int64_t)c->nmounts);
	jsonl_int(&l, "snapshots", (int64_t)c->snapshots);
	jsonl_int(&l, "retired", (int64_t)c->retired);
	jsonl_int(&l, "damaged", (int64_t)c->damaged);
	jsonl_int(&l, "bytes", (int64_t)c->bytes);
	jsonl_int(
	    &l, "stored_bytes", (int64_t)(c->pack_bytes + c->snapshot_bytes));
	jsonl_int(&l, "packs", (int64_t)c->packs);
	jsonl_int(&l, "free_bytes", (int64_t)c->free_bytes);
	if (c->write_path != NULL)
		jsonl_text(&l, "write_path", c->write_path);
	return jsonl_print(&l);
}

static int
print_mount_json(const struct census_mount *m, int64_t now_ns)
{
	struct jsonl l;

	jsonl_begin(&l, "mount");
	jsonl_hex(&l, "mount", m->mount.mount, IDENT_BYTES);
	jsonl_hex(&l, "vault", m->mount.vault, IDENT_BYTES);
	if (m->mount.label[0] != '\0') {
		jsonl_text(&l, "label", m->mount.label);
		jsonl_time(&l, "registered", m->mount.created_ns);
	}
	jsonl_int(&l, "snapshots", (int64_t)m->snapshots);
	jsonl_int(&l, "retired", (int64_t)m->retired);
	jsonl_int(&l, "damaged", (int64_t)m->damaged);
	jsonl_int(&l, "bytes", (int64_t)m->bytes);
	if (m->last_seq > 0) {
		jsonl_int(&l, "seq", (int64_t)m->last_seq);
		jsonl_time(&l, "receive", m->last_ns);
		jsonl_int(&l, "age_seconds", cli_age(now_ns, m->last_ns));
		jsonl_int(&l, "last_files", (int64_t)m->last_files);
		jsonl_int(&l, "last_bytes", (int64_t)m->last_bytes);
	}
	return jsonl_print(&l);
}

static int
print_text(
    const char *store_dir, const struct census *c, const struct store_server *s)
{
	char a[48], b[48], size[16], name[CLI_NAME_BYTES];
	int rc;

	rc = cli_print("store      %s", cli_name(name, store_dir));
	if (rc == 0 && s->running)
		rc = cli_print("server     on port %u, %s", s->port,
		    cli_count(a, s->sessions, "session", "sessions"));
	else if (rc == 0)
		rc = cli_print("server     not running");
	if (rc == 0)
		rc = cli_print("snapshots  %s of %s, %s in all",
		    cli_count(a, c->snapshots, "snapshot", "snapshots"),
		    cli_count(b, c->nmounts, "directory", "directories"),
		    cli_size(size, c->bytes));
	if (rc == 0 && c->retired > 0)
		rc = cli_print("           %s the end of their grace",
		    cli_count(a, c->retired, "more is retired and waits for",
			"more are retired and wait for"));
	if (rc == 0 && c->damaged > 0)
		rc = cli_print("           %s damaged, so no space is freed: "
			       "run shash verify",
		    cli_count(a, c->damaged, "of them is", "of them are"));
	if (rc == 0)
		rc = cli_print("stored     %s in %s",
		    cli_size(size, c->pack_bytes + c->snapshot_bytes),
		    cli_count(a, c->packs, "pack", "packs"));
	if (rc == 0)
		rc = cli_print("free       %s", cli_size(size, c->free_bytes));
	return rc != 0 || !mode.verbose ? rc
					: version_fast_paths(c->write_path);
}

static int
print_mount(const struct census_mount *m, int64_t now_ns)
{
	char when[32], words[32], size[16], files[48], count[48];
	char name[CLI_NAME_BYTES];
	const char *label = m->mount.label[0] != '\0'
				? cli_name(name, m->mount.label)
				: "(unknown)";

	if (m->last_seq == 0)
		return cli_print("%-16s  no snapshot%s", label,
		    m->damaged > 0 ? " that is not damaged" : " yet");
	return cli_print("%-16s  @%-4llu %s  %11s ago  %12s  %10s  %s", label,
	    (unsigned long long)m->last_seq, cli_time(when, m->last_ns),
	    duration_words(words, cli_age(now_ns, m->last_ns)),
	    cli_count(files, m->last_files, "file ", "files"),
	    cli_size(size, m->last_bytes),
	    cli_count(count, m->snapshots, "snapshot", "snapshots"));
}

static int
print(const char *store_dir, const struct account *a, const struct census *c,
    const struct store_server *s)
{
	int64_t now_ns = clock_wall_ns();
	size_t i, unknown = 0;
	char count[48];
	int rc = mode.json ? print_json(store_dir, a, c, s)
			   : print_text(store_dir, c, s);

	if (rc == 0 && !mode.json && c->nmounts > 0)
		rc = cli_print("%s", ""); /* a line between */
	for (i = 0; i < c->nmounts && rc == 0; i++) {
		rc = mode.json ? print_mount_json(&c->mounts[i], now_ns)
			       : print_mount(&c->mounts[i], now_ns);
		unknown += c->mounts[i].mount.label[0] == '\0';
	}
	/* A disk that failed to read it is nobody's absence. */
	if (unknown > 0)
		log_warn("the record of %s is gone or damaged: run shash "
			 "verify",
		    cli_count(count, unknown, "directory", "directories"));
	return rc;
}

int
status_store(const char *store_dir)
{
	struct store_server s;
	struct account *a;
	struct census c;
	int rc = account_open(&a, store_dir, 0);

	if (rc != 0)
		return rc;
	rc = ask_server(&s, store_dir);
	if (rc == 0)
		rc = census_take(&c, a, localstore_backend);
	if (rc == 0) {
		rc = print(store_dir, a, &c, &s);
		census_release(&c);
	}
	account_close(a);
	return rc;
}
