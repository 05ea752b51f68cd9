/* shash backup: back up a registered directory. */

#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "cli/choose.h"
#include "cli/cli.h"
#include "cli/connect.h"
#include "cli/jsonl.h"
#include "cli/meter.h"
#include "cli/mode.h"
#include "engine/backup.h"
#include "engine/chooser.h"
#include "hash/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A session that ends under our feet is opened again so many times. */
#define SESSIONS_MAX 4

static void
say_left_out(const struct notes_counts *n)
{
	char text[48];

	if (n->sockets > 0)
		log_info("skipped %s",
		    cli_count(text, n->sockets, "socket", "sockets"));
	if (n->excluded > 0)
		log_info("excluded %s",
		    cli_count(text, n->excluded, "entry", "entries"));
	if (n->unstable > 0)
		log_info("%s changed while being read",
		    cli_count(text, n->unstable, "file", "files"));
}

static void
summary(const struct connect *c, const struct backup_result *r,
    const struct notes_counts *n, int64_t took_ns)
{
	char size[16], text[48], more[48];

	log_info("snapshot @%llu of %s: %s, %s, in %s",
	    (unsigned long long)r->receipt.server_seq, c->state.dir,
	    cli_count(text, n->files, "file", "files"),
	    cli_size(size, n->bytes),
	    cli_count(more, n->dirs, "directory", "directories"));
	if (n->files_read == 0 && n->objects == 0)
		log_info(
		    "nothing has changed; took %.1f s", (double)took_ns / 1e9);
	else if (n->objects == 0)
		log_info("read %s, the store has it all; took %.1f s",
		    cli_count(text, n->files_read, "file", "files"),
		    (double)took_ns / 1e9);
	else
		log_info("read %s, added %s to the store; took %.1f s",
		    cli_count(text, n->files_read, "file", "files"),
		    cli_size(size, n->objects_bytes), (double)took_ns / 1e9);
	say_left_out(n);
	log_debug("write path of the store: %s", c->store->info.write_path);
}

/* What the user asked for. */
struct request {
	struct choose choose;
	struct args_list tags;
	int dry_run;
};

static int
print_json(const struct connect *c, const struct backup_result *r,
    const struct notes_counts *n, int64_t took_ns, int dry_run)
{
	char key[ADDRESS_TEXT_BYTES];
	struct jsonl l;

	address_text(key, ADDRESS_DIR, r->address);
	jsonl_begin(&l, dry_run ? "dry_run" : "backup");
	jsonl_text(&l, "key", key);
	jsonl_text(&l, "dir", c->state.dir);
	jsonl_hex(&l, "mount", c->state.mount, sizeof(c->state.mount));
	if (!dry_run) {
		jsonl_int(&l, "seq", (int64_t)r->receipt.server_seq);
		jsonl_time(&l, "receive", r->receipt.receive_ns);
	}
	jsonl_int(&l, "files", (int64_t)n->files);
	jsonl_int(&l, "dirs", (int64_t)n->dirs);
	jsonl_int(&l, "bytes", (int64_t)n->bytes);
	jsonl_int(&l, "files_read", (int64_t)n->files_read);
	jsonl_int(&l, "bytes_read", (int64_t)n->bytes_read);
	jsonl_int(&l, "objects_added", (int64_t)n->objects);
	jsonl_int(&l, "bytes_added", (int64_t)n->objects_bytes);
	jsonl_int(&l, "unreadable", (int64_t)n->unreadable);
	jsonl_int(&l, "vanished", (int64_t)n->vanished);
	jsonl_int(&l, "unstable", (int64_t)n->unstable);
	jsonl_int(&l, "sockets", (int64_t)n->sockets);
	jsonl_int(&l, "excluded", (int64_t)n->excluded);
	jsonl_int(&l, "took_ns", took_ns);
	return jsonl_print(&l);
}

/* How far it is: what was as before, and what was read. */
static void
read_counts(void *arg, struct meter_sample *out)
{
	const struct notes_counts *n = arg;
	uint64_t bytes = n->bytes, seen = n->bytes_kept + n->bytes_read;

	/* What was read is added to the snapshot in its order, later. */
	out->files = n->files > n->files_read ? n->files : n->files_read;
	out->bytes = bytes > seen ? bytes : seen;
}

static int
back_up(struct connect *c, struct backup_result *result,
    struct notes_counts *counts, const struct request *q,
    struct chooser *chooser)
{
	struct backup_options o;
	char host[256] = "";
	char *cache_path = NULL;
	int tries, rc;

	/* Without a place for the cache all is read. */
	cache_path = shamo_cache_path(&c->state);
	if (cache_path == NULL)
		log_warn(
		    "no stat cache, so every file is read: %s", err_text());
	/* The name is a label; without one it stays empty. */
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	memset(&o, 0, sizeof(o));
	o.walk.path = c->state.dir;
	o.walk.temp_dir = c->state.path;
	o.walk.chooser = chooser;
	o.walk.tell = mode.verbose ? choose_tell : NULL;
	o.tags = q->tags.items;
	o.ntags = (unsigned)q->tags.count;
	o.dry_run = q->dry_run;
	o.state_path = c->state.path;
	o.cache_path = cache_path;
	o.mount_seed = c->state.mount_seed;
	o.chunker = &c->chunker;
	o.host = host;
	o.dir = c->state.dir;
	o.warn = cli_warn_path;
	o.counts = counts;
	o.interrupt = &cli_interrupted;
	for (tries = 1;; tries++) {
		notes_zero(counts);
		rc = backup_run(result, c->store, &c->keys, &o);
		if (rc != ERR_STALE || tries == SESSIONS_MAX)
			break;
		log_info("the store ended the session (%s); logging in again",
		    err_text());
		rc = connect_again(c);
		if (rc != 0)
			break;
	}
	free(cache_path);
	return rc;
}

/* Whether all of the source is in the snapshot, as it was at one moment. */
static int
complete(const char *what, const struct notes_counts *n)
{
	char text[48], more[48];

	if (n->unreadable > 0)
		return err_set(ERR_SOURCE,
		    "%s without %s that could not be read", what,
		    cli_count(text, n->unreadable, "entry", "entries"));
	if (n->unstable + n->vanished > 0)
		return err_set(ERR_SOURCE,
		    "%s, but %s changed and %s vanished while being read", what,
		    cli_count(text, n->unstable, "file", "files"),
		    cli_count(more, n->vanished, "entry", "entries"));
	return 0;
}

static void
summary_dry(const struct connect *c, const struct notes_counts *n)
{
	char size[16], files[48], dirs[48], objects[48];

	log_info("dry run of %s, nothing was stored: %s, %s, in %s",
	    c->state.dir, cli_count(files, n->files, "file", "files"),
	    cli_size(size, n->bytes),
	    cli_count(dirs, n->dirs, "directory", "directories"));
	log_info("a backup would read %s, %s",
	    cli_count(files, n->files_read, "file", "files"),
	    cli_size(size, n->bytes_read));
	log_info("and send %s, %s",
	    cli_count(objects, n->objects, "object", "objects"),
	    cli_size(size, n->objects_bytes));
}

/* The end of a dry run. */
static int
finish_dry(const struct connect *c, const struct backup_result *result,
    const struct notes_counts *n, int64_t took_ns)
{
	char key[ADDRESS_TEXT_BYTES];
	int rc;

	summary_dry(c, n);
	say_left_out(n);
	address_text(key, ADDRESS_DIR, result->address);
	rc = mode.json ? print_json(c, result, n, took_ns, 1)
		       : cli_print("%s", key);
	return rc != 0 ? rc : complete("the key was made", n);
}

static int
finish(const struct connect *c, const struct backup_result *result,
    const struct notes_counts *counts, int64_t took_ns)
{
	char key[ADDRESS_TEXT_BYTES];
	struct shamo_head head = {.client_seq = result->client_seq,
	    .server_seq = result->receipt.server_seq,
	    .receive_ns = result->receipt.receive_ns,
	    .files = counts->files,
	    .bytes = counts->bytes};
	int rc;

	memcpy(head.snapshot, result->snapshot, sizeof(head.snapshot));
	memcpy(head.address, result->address, sizeof(head.address));
	/* The snapshot is acknowledged whatever becomes of the note of it. */
	if (shamo_save_head(&c->state, &head) != 0)
		log_warn("%s (the snapshot was made all the same)", err_text());
	summary(c, result, counts, took_ns);
	address_text(key, ADDRESS_DIR, result->address);
	rc = mode.json ? print_json(c, result, counts, took_ns, 0)
		       : cli_print("%s", key);
	return rc != 0 ? rc : complete("the snapshot was made", counts);
}

/* Tags are told apart by their whole text, so none may be cut. */
static int
check_tags(const struct args_list *tags)
{
	size_t i, len;

	for (i = 0; i < tags->count; i++) {
		len = strlen(tags->items[i]);
		if (len == 0 || len > LIMIT_LABEL_BYTES)
			return err_set(ERR_USAGE,
			    "--tag takes 1 to %u bytes, not %zu",
			    LIMIT_LABEL_BYTES, len);
		if (!utf8_is_text(tags->items[i], len))
			return err_set(ERR_USAGE, "--tag takes text in UTF-8");
	}
	return 0;
}

static int
run(struct connect *c, const struct request *q, struct chooser *chooser)
{
	int64_t start_ns = clock_mono_ns();
	struct backup_result result;
	struct notes_counts counts;
	struct shamo_head head;
	struct meter *meter;
	int rc;

	notes_zero(&counts);
	meter_start(&meter, "backup", "files", read_counts, &counts);
	/* About as much as the last time; what is wrong comes out later. */
	if (shamo_load_head(&head, &c->state) == 0)
		meter_total(meter, head.bytes);
	rc = connect_again(c);
	if (rc == 0)
		rc = back_up(c, &result, &counts, q, chooser);
	meter_stop(meter);
	if (rc == 0 && q->dry_run)
		return finish_dry(
		    c, &result, &counts, clock_mono_ns() - start_ns);
	if (rc == 0)
		rc = finish(c, &result, &counts, clock_mono_ns() - start_ns);
	return rc;
}

int
cmd_backup(int argc, char **argv)
{
	struct connect_options where;
	struct request q = {.dry_run = 0};
	int lock = -1, rc;
	const struct args_option options[] = {
	    {"dir", ARGS_TEXT, &where.dir, "D", "registered directory [.]", 0,
		0},
	    CHOOSE_OPTIONS(&q.choose),
	    {"tag", ARGS_LIST, &q.tags, "T",
		"a word that 'shash snapshots' shows", 0, 0},
	    {"dry_run", ARGS_FLAG, &q.dry_run, NULL,
		"store nothing, say what would be sent", 0, 0},
	    {"state_dir", ARGS_TEXT, &where.state_dir, "S",
		"where its state is [DIR/.shamo]", 0, 0},
	    {"retry", ARGS_DURATION, &where.retry_seconds, "T",
		"how long to try a server that is down [5m]", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"backup",
	    "[--dir D] [--exclude P]... [--tag T]...",
	    "Back up a registered directory and print its key.",
	    "Exit code 0 says that the store has acknowledged the snapshot: "
	    "it can\nbe restored whatever happens next. 3 says the same, but "
	    "some source\nfiles could not be read, or changed whenever they "
	    "were; each was named\non stderr.\n\n"
	    "--exclude, --exclude_from and --tag may be repeated. A file\n"
	    ".shashignore excludes from the directory that it is in.",
	    options, 0};
	struct chooser *chooser = NULL;
	struct connect c;
	size_t operands;

	rc = connect_defaults(&where, CONNECT_RETRY_LONG);
	if (rc == 0)
		rc = args_parse(&operands, &command, argc, argv);
	if (rc == 0)
		rc = check_tags(&q.tags);
	if (rc == 0)
		rc = choose_new(&chooser, &q.choose);
	if (rc != 0)
		return rc;
	cli_catch_interrupts();
	rc = connect_prepare(&c, &where);
	if (rc == 0)
		rc = shamo_lock(&lock, &c.state);
	if (rc == 0)
		rc = run(&c, &q, chooser);
	connect_close(&c);
	chooser_free(chooser);
	if (lock >= 0)
		(void)close(lock); /* only a lock: nothing was written */
	return rc;
}
