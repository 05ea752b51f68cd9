/* shash invite: print a new one-time invitation. */

#include "cli/cli.h"
#include "cli/jsonl.h"
#include "cli/mode.h"
#include "server/invitation.h"

int
cmd_invite(int argc, char **argv)
{
	const char *store_dir = ".";
	const struct args_option options[] = {
	    {"store_dir", ARGS_TEXT, &store_dir, "D", "the store [.]", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"invite", "[--store_dir D]",
	    "Print a new invitation, with which one directory can register.",
	    "Works beside a running server and without one. Give it to the\n"
	    "machine's owner: it is a secret, and of no use once it was used.",
	    options, 0};
	char uuid[ENROLL_UUID_LEN + 1];
	struct jsonl l;
	size_t operands;
	int rc = args_parse(&operands, &command, argc, argv);

	if (rc != 0)
		return rc;
	rc = invitation_make(uuid, store_dir);
	if (rc != 0 || !mode.json)
		return rc == 0 ? cli_print("%s", uuid) : rc;
	jsonl_begin(&l, "invitation");
	jsonl_text(&l, "invitation", uuid);
	return jsonl_print(&l);
}
