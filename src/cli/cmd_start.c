/* shash start: run the storage server in the foreground. */

#include "base/err.h"
#include "base/log.h"
#include "base/os.h"
#include "cli/cli.h"
#include "cli/jsonl.h"
#include "cli/localstore.h"
#include "cli/mode.h"
#include "server/scrubber.h"
#include "server/server.h"

#include <string.h>

/* The server answers now. */
static void
on_ready(void *arg, uint16_t port)
{
	const struct server_options *o = arg;
	struct jsonl l;

	jsonl_begin(&l, "listening");
	jsonl_text(&l, "store_dir", o->store_dir);
	if (o->listen != NULL)
		jsonl_text(&l, "listen", o->listen);
	jsonl_int(&l, "port", port);
	jsonl_bool(&l, "insecure", o->insecure);
	(void)jsonl_print(&l); /* it serves all the same */
}

int
cmd_start(int argc, char **argv)
{
	const char *store_dir = ".", *listen = NULL;
	long port = SERVER_PORT_DEFAULT, scrub_days = SCRUBBER_DAYS_DEFAULT;
	int insecure = 0, scrub_now = 0, rc;
	const struct args_option options[] = {
	    {"store_dir", ARGS_STORE, &store_dir, "D",
		"folder of the store, made if absent [.]", 0, 0},
	    {"port", ARGS_NUMBER, &port, "N", "TCP port, 0: a free one [7532]",
		0, 65535},
	    {"listen", ARGS_TEXT, &listen, "ADDR",
		"only on this numeric address [all]", 0, 0},
	    {"insecure", ARGS_FLAG, &insecure, NULL,
		"let anybody register, without an invitation", 0, 0},
	    {"scrub_days", ARGS_NUMBER, &scrub_days, "N",
		"read every pack in N days, 0: never [30]", 0, 3650},
	    {"scrub_now", ARGS_FLAG, &scrub_now, NULL,
		"read everything once now, as fast as it goes", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"start",
	    "[--store_dir D] [--port N] [--listen ADDR] [--insecure]\n"
	    "                   [--scrub_days N] [--scrub_now]",
	    "Serve a store until 'shash stop', SIGTERM or SIGINT.",
	    "Runs in the foreground and logs to stderr. A word 'start' after "
	    "the\noptions is accepted and means nothing.",
	    options, 1};
	struct server_options o;
	size_t operands;

	rc = args_parse(&operands, &command, argc, argv);
	if (rc != 0)
		return rc;
	if (operands == 1 && strcmp(argv[1], "start") != 0)
		return err_set(ERR_USAGE, "start: unexpected '%s'", argv[1]);
	os_one_heap();
	log_set_timestamps(1);
	memset(&o, 0, sizeof(o));
	o.store_dir = store_dir;
	o.listen = listen;
	o.port = (uint16_t)port;
	o.insecure = insecure;
	o.scrub_days = (unsigned)scrub_days;
	o.scrub_now = scrub_now;
	o.open_backend = localstore_backend;
	if (mode.json)
		o.ready = on_ready;
	o.arg = &o;
	return server_run(&o);
}
