/* shash scan: print a directory's key, without any store. */

#include "base/err.h"
#include "base/log.h"
#include "cli/cli.h"
#include "engine/scan.h"
#include "hash/address.h"

#include <string.h>

int
cmd_scan(int argc, char **argv)
{
	const char *dir = ".", *state_dir = NULL;
	const struct args_option options[] = {
	    {"dir", ARGS_TEXT, &dir, "D", "directory to read [.]", 0, 0},
	    {"state_dir", ARGS_TEXT, &state_dir, "S",
		"for temporary files of huge directories", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"scan", "[--dir D]",
	    "Read a directory and print its key, without any store.",
	    "The key depends on names, kinds and contents only, so it is the "
	    "same as\nbackup prints, on any machine and for a restored copy.",
	    options, 0};
	char key[ADDRESS_TEXT_BYTES];
	struct notes_counts counts;
	struct scan_result result;
	struct scan_options o;
	size_t operands;
	int rc = args_parse(&operands, &command, argc, argv);

	if (rc != 0)
		return rc;
	cli_catch_interrupts();
	memset(&counts, 0, sizeof(counts));
	memset(&o, 0, sizeof(o));
	o.walk.path = dir;
	o.walk.temp_dir = state_dir;
	o.warn = cli_warn_path;
	o.counts = &counts;
	o.interrupt = &cli_interrupted;
	rc = scan_run(&result, &o);
	if (rc != 0)
		return rc;
	address_text(key, ADDRESS_DIR, result.address);
	rc = cli_print("%s", key);
	if (rc == 0 && counts.unreadable > 0)
		rc = err_set(ERR_SOURCE,
		    "%llu entries could not be read: the key is not that of "
		    "the whole directory",
		    (unsigned long long)counts.unreadable);
	return rc;
}
