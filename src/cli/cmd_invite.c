/* shash invite: print a new one-time invitation. */

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/jsonl.h"
#include "cli/mode.h"
#include "server/invitation.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define NS_PER_SECOND 1000000000ll
#define TTL_SECONDS (7 * 86400)

int
cmd_invite(int argc, char **argv)
{
	const char *store_dir = ".";
	int64_t ttl = TTL_SECONDS, expires_ns = 0;
	char when[32];
	const struct args_option options[] = {
	    {"store_dir", ARGS_STORE, &store_dir, "D", "the store [.]", 0, 0},
	    {"ttl", ARGS_DURATION, &ttl, "T",
		"how long it can be used, 0: for ever [7d]", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"invite",
	    "[--store_dir D] [--ttl T]",
	    "Print a new invitation, with which one directory can register.",
	    "Works beside a running server and without one. Give it to the\n"
	    "machine's owner: it is a secret, and of no use once it was used.",
	    options, 0};
	char uuid[ENROLL_UUID_LEN + 1];
	struct jsonl l;
	char *key;
	int made;
	size_t operands;
	int rc = args_parse(&operands, &command, argc, argv);

	if (rc != 0)
		return rc;
	if (ttl > 0)
		expires_ns = clock_wall_ns() + ttl * NS_PER_SECOND;
	key = fs_join(store_dir, "server.key");
	made = key != NULL && access(key, F_OK) != 0 && errno == ENOENT;
	free(key);
	rc = invitation_make(uuid, store_dir, expires_ns);
	if (rc == 0 && made)
		log_info("there was no store in %s: made a new one", store_dir);
	if (rc == 0 && ttl > 0)
		log_debug("can be used until %s", cli_time(when, expires_ns));
	if (rc != 0 || !mode.json)
		return rc == 0 ? cli_print("%s", uuid) : rc;
	jsonl_begin(&l, "invitation");
	jsonl_text(&l, "invitation", uuid);
	if (ttl > 0)
		jsonl_time(&l, "expires", expires_ns);
	return jsonl_print(&l);
}
