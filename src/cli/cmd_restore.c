/* shash restore: bring a snapshot, or parts of it, back into a folder. */

#include "base/err.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/connect.h"
#include "engine/catalog.h"
#include "engine/restore.h"

#include <string.h>

struct request {
	const char *udk, *mount, *dest;
	const char *const *paths;
	size_t npaths;
};

static void
summary(const struct restore_result *r, const struct catalog_entry *e,
    const char *dest)
{
	char size[16], lack[256];

	log_info("restored @%llu %s into %s: %llu files (%s), %llu "
		 "directories, %llu others",
	    (unsigned long long)e->server_seq, e->key, dest,
	    (unsigned long long)r->files, cli_size(size, r->bytes),
	    (unsigned long long)r->dirs, (unsigned long long)r->others);
	if (r->unstable > 0)
		log_info("%llu of the files had changed while they were "
			 "backed up",
		    (unsigned long long)r->unstable);
	if (restore_lack(lack, sizeof(lack), r))
		log_info("%s", lack);
	log_debug("write path: %s", r->write_path);
}

static int
restore(struct connect *c, const struct request *q)
{
	uint8_t mount[STORE_NAME_BYTES];
	const struct catalog_entry *entry;
	struct catalog *catalog = NULL;
	struct restore_result result;
	struct restore_options o;
	int rc = 0;

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
		o.warn = cli_warn_line;
		o.interrupt = &cli_interrupted;
		rc = restore_run(&result, c->store, &c->keys, &o);
		if (rc == 0)
			summary(&result, entry, q->dest);
	}
	catalog_free(catalog);
	return rc;
}

int
cmd_restore(int argc, char **argv)
{
	const char *dir = ".", *state_dir = NULL;
	struct request q = {"latest", NULL, NULL, NULL, 0};
	int verbose = 0, rc;
	const struct args_option options[] = {
	    {"dest", ARGS_TEXT, &q.dest, "DEST",
		"folder to restore into, empty or absent", 0, 0},
	    {"udk", ARGS_TEXT, &q.udk, "KEY",
		"snapshot: its key, 8 digits of it, @SEQ, [latest]", 0, 0},
	    {"mount", ARGS_TEXT, &q.mount, "M",
		"another directory of the vault: label or id", 0, 0},
	    {"dir", ARGS_TEXT, &dir, "D", "registered directory [.]", 0, 0},
	    {"state_dir", ARGS_TEXT, &state_dir, "S",
		"where its state is [DIR/.shamo]", 0, 0},
	    {"verbose", ARGS_FLAG, &verbose, NULL, "say more", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"restore",
	    "[--dir D] [--udk KEY] [--mount M] --dest DEST [PATH...]",
	    "Restore a snapshot, or only the PATHs given, into DEST.",
	    "Every file is checked against its key as it is written. PATHs "
	    "are\nrelative to the backed-up directory, and come back at the "
	    "same place\nbelow DEST.",
	    options, 4096};
	struct connect c;

	rc = args_parse(&q.npaths, &command, argc, argv);
	if (rc != 0)
		return rc;
	q.paths = (const char *const *)argv + 1;
	if (q.dest == NULL)
		return err_set(ERR_USAGE,
		    "restore needs a folder to restore into: --dest DEST");
	if (verbose)
		log_set_verbose(1);
	cli_catch_interrupts();
	rc = connect_open(&c, dir, state_dir);
	if (rc == 0)
		rc = restore(&c, &q);
	connect_close(&c);
	return rc;
}
