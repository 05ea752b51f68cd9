/* shash restore: bring a snapshot, or parts of it, back into a folder. */

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/os.h"
#include "cli/cli.h"
#include "cli/connect.h"
#include "cli/jsonl.h"
#include "cli/meter.h"
#include "cli/mode.h"
#include "engine/catalog.h"
#include "engine/restore.h"

#include <string.h>

struct request {
	const char *udk, *mount, *dest;
	const char *const *paths;
	size_t npaths;
	int force, dry_run;
	int64_t start_ns;
};

static void
summary(const struct restore_result *r, const struct catalog_entry *e,
    const char *dest, int dry_run, int64_t took_ns)
{
	char size[16], lack[256], text[48], more[48];

	/* What backup counts as files. */
	log_info("%s @%llu into %s: %s, %s, in %s; took %.1f s",
	    dry_run ? "dry run, nothing was written: would restore"
		    : "restored",
	    (unsigned long long)e->server_seq, dest,
	    cli_count(text, r->files + r->others, "file", "files"),
	    cli_size(size, r->bytes),
	    cli_count(more, r->dirs, "directory", "directories"),
	    (double)took_ns / 1e9);
	if (r->unchanged > 0)
		log_info("%s there already",
		    cli_count(text, r->unchanged, "file was", "files were"));
	if (r->unstable > 0)
		log_info("%s had changed while being backed up",
		    cli_count(text, r->unstable, "file", "files"));
	if (restore_lack(lack, sizeof(lack), r))
		log_info("%s", lack);
	log_debug("write path: %s", r->write_path);
}

static int
print_json(const struct restore_result *r, const struct catalog_entry *e,
    const char *dest, int dry_run, int64_t took_ns)
{
	struct jsonl l;

	jsonl_begin(&l, "restore");
	jsonl_bool(&l, "dry_run", dry_run);
	jsonl_text(&l, "key", e->key);
	jsonl_int(&l, "seq", (int64_t)e->server_seq);
	jsonl_text(&l, "dest", dest);
	jsonl_int(&l, "files", (int64_t)(r->files + r->others));
	jsonl_int(&l, "dirs", (int64_t)r->dirs);
	jsonl_int(&l, "links", (int64_t)r->links);
	jsonl_int(&l, "bytes", (int64_t)r->bytes);
	jsonl_int(&l, "unchanged", (int64_t)r->unchanged);
	jsonl_int(&l, "unstable", (int64_t)r->unstable);
	jsonl_int(&l, "damaged", (int64_t)r->damaged);
	jsonl_int(&l, "failed", (int64_t)r->failed);
	jsonl_int(&l, "lack_owner", (int64_t)r->lack_owner);
	jsonl_int(&l, "lack_device", (int64_t)r->lack_device);
	jsonl_int(&l, "lack_xattr", (int64_t)r->lack_xattr);
	jsonl_int(&l, "took_ns", took_ns);
	return jsonl_print(&l);
}

static void
read_progress(void *arg, struct meter_sample *out)
{
	struct restore_progress *p = arg;

	out->files = atomic_load(&p->files);
	out->bytes = atomic_load(&p->bytes);
}

/* Name what is written, or would be. */
static void
tell(void *arg, enum restore_news news, const char *path)
{
	(void)arg; /* the shape is the engine's */
	log_debug("%s: %s", news == RESTORE_NEW ? "new" : "changed", path);
}

static int
restore(struct connect *c, const struct request *q,
    struct restore_progress *progress, struct meter *meter)
{
	uint8_t mount[STORE_NAME_BYTES];
	const struct catalog_entry *entry;
	struct catalog *catalog = NULL;
	struct restore_result result;
	struct restore_options o;
	int64_t took_ns;
	int rc = 0, printed = 0;

	memcpy(mount, c->state.mount, sizeof(mount));
	if (q->mount != NULL)
		rc = catalog_find_mount(mount, c->store, q->mount);
	if (rc == 0)
		rc = catalog_load(
		    &catalog, c->store, &c->keys, mount, cli_warn_line, NULL);
	if (rc == 0 && catalog->nentries == 0) {
		rc = err_set(ERR_NOENT,
		    "%s has no snapshots; 'shash snapshots --all' lists those "
		    "of the vault's other directories, for restore --mount",
		    q->mount != NULL ? q->mount : c->state.dir);
	}
	if (rc == 0)
		rc = catalog_resolve(&entry, catalog, q->udk);
	if (rc == 0) {
		memset(&o, 0, sizeof(o));
		o.snapshot = entry;
		o.dest = q->dest;
		o.paths = q->paths;
		o.npaths = q->npaths;
		o.sync = !q->dry_run;
		o.progress = progress;
		o.force = q->force;
		o.dry_run = q->dry_run;
		o.tell = mode.verbose ? tell : NULL;
		o.warn = cli_warn_line;
		o.interrupt = &cli_interrupted;
		if (q->npaths == 0)
			meter_total(meter, entry->info.bytes);
		rc = restore_run(&result, c->store, &c->keys, &o);
		took_ns = clock_mono_ns() - q->start_ns;
		if (rc == 0)
			summary(&result, entry, q->dest, q->dry_run, took_ns);
		/* What was done counts, also when it was not all. */
		if (mode.json &&
		    (rc == 0 || rc == ERR_DAMAGED || rc == ERR_FAIL))
			printed = print_json(
			    &result, entry, q->dest, q->dry_run, took_ns);
	}
	catalog_free(catalog);
	return rc == 0 ? printed : rc;
}

int
cmd_restore(int argc, char **argv)
{
	struct connect_options where;
	struct request q = {.udk = "latest", .start_ns = clock_mono_ns()};
	int rc;
	const struct args_option options[] = {
	    {"dest", ARGS_TEXT, &q.dest, "DEST",
		"folder to restore into, empty or absent", 0, 0},
	    {"force", ARGS_FLAG, &q.force, NULL,
		"restore over what is there, delete nothing", 0, 0},
	    {"dry_run", ARGS_FLAG, &q.dry_run, NULL,
		"write nothing, say what would be done", 0, 0},
	    {"udk", ARGS_TEXT, &q.udk, "KEY",
		"snapshot: its key, 8 digits of it, @SEQ, [latest]", 0, 0},
	    {"mount", ARGS_TEXT, &q.mount, "M",
		"another directory of the vault: label or id", 0, 0},
	    {"dir", ARGS_TEXT, &where.dir, "D", "registered directory [.]", 0,
		0},
	    {"state_dir", ARGS_TEXT, &where.state_dir, "S",
		"where its state is [DIR/.shamo]", 0, 0},
	    {"retry", ARGS_DURATION, &where.retry_seconds, "T",
		"how long to try a server that is down [5m]", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"restore",
	    "[--dir D] [--udk KEY] [--mount M] --dest DEST [PATH...]\n"
	    "       shash restore [--dir D] [--udk KEY] --force [PATH...]",
	    "Restore a snapshot, or only the PATHs given, into DEST.",
	    "Every file is checked against its key as it is written. PATHs "
	    "are\nrelative to the backed-up directory, and come back at the "
	    "same place\nbelow DEST; they may have wildcards: * ? [a-z] **. "
	    "With --force and\nwithout --dest, the registered directory "
	    "itself is restored.",
	    options, 4096};
	struct restore_progress progress;
	struct meter *meter;
	struct connect c;

	rc = connect_defaults(&where, CONNECT_RETRY_LONG);
	if (rc == 0)
		rc = args_parse(&q.npaths, &command, argc, argv);
	if (rc != 0)
		return rc;
	q.paths = (const char *const *)argv + 1;
	if (q.dest == NULL && (!q.force || q.mount != NULL))
		return err_set(ERR_USAGE,
		    "restore needs a folder to restore into: --dest DEST");
	os_one_heap(); /* contents go from thread to thread */
	cli_catch_interrupts();
	memset(&progress, 0, sizeof(progress));
	meter_start(&meter, "restore", "files", read_progress, &progress);
	where.reads = 1;
	rc = connect_open(&c, &where);
	if (rc == 0 && q.dest == NULL)
		q.dest = c.state.dir;
	if (rc == 0)
		rc = restore(&c, &q, &progress, meter);
	meter_stop(meter);
	connect_close(&c);
	return rc;
}
