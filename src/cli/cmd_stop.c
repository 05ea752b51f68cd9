/* shash stop: end a running server and wait until it is down. */

#include "base/err.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/jsonl.h"
#include "cli/mode.h"
#include "server/control.h"
#include "server/server.h"

#include <stdio.h>

#define ANSWER_SECONDS 10

/* Is the server of this store the one on that port? */
static int
check_port(const char *store_dir, long port)
{
	char answer[64];
	long running = 0;
	int rc = control_ask(
	    answer, sizeof(answer), store_dir, "status", ANSWER_SECONDS);

	if (rc != 0)
		return rc;
	if (sscanf(answer, "running %ld", &running) != 1 || running != port)
		return err_set(ERR_REFUSED,
		    "the server of %s listens on port %ld, not %ld", store_dir,
		    running, port);
	return 0;
}

int
cmd_stop(int argc, char **argv)
{
	const char *store_dir = ".";
	long port = 0;
	int rc;
	const struct args_option options[] = {
	    {"store_dir", ARGS_STORE, &store_dir, "D",
		"folder of the store [.]", 0, 0},
	    {"port", ARGS_NUMBER, &port, "N", "only if it listens on this port",
		1, 65535},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"stop",
	    "[--store_dir D] [--port N]",
	    "End the server of a store and wait until it is down.",
	    "Uploads under way are kept; their clients go on when a server is "
	    "back.",
	    options, 0};
	struct jsonl l;
	size_t operands;

	rc = args_parse(&operands, &command, argc, argv);
	if (rc == 0 && port != 0)
		rc = check_port(store_dir, port);
	else if (rc != 0)
		return rc;
	if (rc == 0)
		rc = server_stop(store_dir);
	if (rc == 1)
		return err_set(
		    ERR_UNREACHABLE, "no server is running on %s", store_dir);
	if (rc != 0 || !mode.json)
		return rc;
	jsonl_begin(&l, "stopped");
	jsonl_text(&l, "store_dir", store_dir);
	return jsonl_print(&l);
}
