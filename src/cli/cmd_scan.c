/* shash scan: print a directory's key, without any store. */

#include "base/err.h"
#include "base/log.h"
#include "cli/choose.h"
#include "cli/cli.h"
#include "cli/jsonl.h"
#include "cli/meter.h"
#include "cli/mode.h"
#include "engine/chooser.h"
#include "engine/scan.h"
#include "hash/address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES (1u << 20)

/* Hash an open file to its end; nonzero: errno says why not. */
static int
hash_file(uint8_t address[HASH_BYTES], int fd)
{
	uint8_t *piece = malloc(PIECE_BYTES);
	struct hash h;
	ssize_t n = piece == NULL ? -1 : 1;

	hash_init(&h);
	while (n > 0) {
		n = read(fd, piece, PIECE_BYTES);
		if (n > 0)
			hash_update(&h, piece, (size_t)n);
		else if (n < 0 && errno == EINTR && !cli_interrupted)
			n = 1;
	}
	free(piece);
	hash_final(&h, address);
	return n < 0;
}

static int
print_key(const char *key, const char *dir, const struct notes_counts *n)
{
	struct jsonl l;

	if (!mode.json)
		return cli_print("%s", key);
	jsonl_begin(&l, "scan");
	jsonl_text(&l, "key", key);
	jsonl_text(&l, "dir", dir);
	jsonl_int(&l, "files", (int64_t)n->files);
	jsonl_int(&l, "dirs", (int64_t)n->dirs);
	jsonl_int(&l, "bytes", (int64_t)n->bytes);
	jsonl_int(&l, "unreadable", (int64_t)n->unreadable);
	jsonl_int(&l, "vanished", (int64_t)n->vanished);
	jsonl_int(&l, "unstable", (int64_t)n->unstable);
	jsonl_int(&l, "sockets", (int64_t)n->sockets);
	jsonl_int(&l, "excluded", (int64_t)n->excluded);
	return jsonl_print(&l);
}

/* The key of one regular file: what b3sum prints.  1: it is none. */
static int
scan_file(const char *path)
{
	char key[ADDRESS_TEXT_BYTES];
	uint8_t address[HASH_BYTES];
	struct notes_counts counts;
	struct stat st;
	int failed, fd;

	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return 1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_errno(ERR_SOURCE, "%s", path);
	failed = hash_file(address, fd);
	if (failed)
		(void)err_errno(ERR_SOURCE, "%s", path);
	(void)close(fd); /* only read */
	if (failed)
		return cli_interrupted ? err_set(ERR_INTR, "interrupted")
				       : ERR_SOURCE;
	address_text(key, ADDRESS_FILE, address);
	memset(&counts, 0, sizeof(counts));
	counts.files = 1;
	counts.bytes = (uint64_t)st.st_size;
	return print_key(key, path, &counts);
}

static void
read_counts(void *arg, struct meter_sample *out)
{
	const struct notes_counts *n = arg;
	uint64_t bytes = n->bytes, seen = n->bytes_read;

	/* What was read is added to the snapshot in its order, later. */
	out->files = n->files > n->files_read ? n->files : n->files_read;
	out->bytes = bytes > seen ? bytes : seen;
}

int
cmd_scan(int argc, char **argv)
{
	const char *dir = ".", *state_dir = NULL;
	struct choose choose = {.one_file_system = 0};
	const struct args_option options[] = {
	    {"dir", ARGS_TEXT, &dir, "D", "directory, or one file, to read [.]",
		0, 0},
	    CHOOSE_OPTIONS(&choose),
	    {"state_dir", ARGS_TEXT, &state_dir, "S",
		"for temporary files of huge directories", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"scan",
	    "[--dir D] [--exclude P]...",
	    "Read a directory and print its key, without any store.",
	    "The key depends on names, kinds and contents only, so it is the "
	    "same as\nbackup prints, on any machine and for a restored copy, "
	    "given the same\nexclusions. A file's key is what b3sum prints.",
	    options, 0};
	char key[ADDRESS_TEXT_BYTES], text[48];
	struct notes_counts counts;
	struct scan_result result;
	struct meter *meter;
	struct scan_options o;
	size_t operands;
	int rc = args_parse(&operands, &command, argc, argv);

	if (rc != 0)
		return rc;
	cli_catch_interrupts();
	rc = scan_file(dir);
	if (rc != 1)
		return rc;
	notes_zero(&counts);
	memset(&o, 0, sizeof(o));
	o.walk.path = dir;
	o.walk.temp_dir = state_dir;
	o.warn = cli_warn_path;
	o.counts = &counts;
	o.interrupt = &cli_interrupted;
	o.walk.tell = mode.verbose ? choose_tell : NULL;
	rc = choose_new(&o.walk.chooser, &choose);
	if (rc == 0) {
		meter_start(&meter, "scan", "files", read_counts, &counts);
		rc = scan_run(&result, &o);
		meter_stop(meter);
	}
	chooser_free(o.walk.chooser);
	if (rc != 0)
		return rc;
	address_text(key, ADDRESS_DIR, result.address);
	rc = print_key(key, dir, &counts);
	if (rc == 0 && counts.unreadable > 0)
		rc = err_set(ERR_SOURCE,
		    "%s could not be read: the key is not that of the whole "
		    "directory",
		    cli_count(text, counts.unreadable, "entry", "entries"));
	return rc;
}
