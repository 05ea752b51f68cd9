/* shash key: print the recovery key of a directory's vault again. */

#include "base/err.h"
#include "cli/cli.h"
#include "cli/jsonl.h"
#include "cli/keyring.h"
#include "cli/mode.h"
#include "cli/shamo.h"
#include "hash/hash.h"
#include "seal/recovery.h"

static int
print_key(const struct shamo *s, const char *text)
{
	struct jsonl l;

	if (!mode.json)
		return cli_print("%s", text);
	jsonl_begin(&l, "key");
	jsonl_hex(&l, "vault", s->vault, sizeof(s->vault));
	jsonl_text(&l, "recovery_key", text);
	return jsonl_print(&l);
}

int
cmd_key(int argc, char **argv)
{
	const char *dir = ".", *state_dir = NULL;
	const struct args_option options[] = {
	    {"dir", ARGS_TEXT, &dir, "D", "registered directory [.]", 0, 0},
	    {"state_dir", ARGS_TEXT, &state_dir, "S",
		"where its state is [DIR/.shamo]", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"key", "[--dir D]",
	    "Print the recovery key of the directory's vault.",
	    "Whoever has it and an invitation can read every backup of the "
	    "vault:\nkeep it on paper, away from the machine.",
	    options, 0};
	char text[RECOVERY_TEXT_BYTES];
	uint8_t master[32];
	struct shamo s;
	size_t operands;
	int rc;

	rc = args_parse(&operands, &command, argc, argv);
	if (rc != 0)
		return rc;
	shamo_init(&s);
	rc = shamo_locate(&s, dir, state_dir);
	if (rc == 0)
		rc = shamo_load(&s);
	if (rc == 0)
		rc = keyring_need(master, s.vault);
	if (rc == 0) {
		recovery_encode(text, master);
		rc = print_key(&s, text);
		hash_wipe(text, sizeof(text));
		hash_wipe(master, sizeof(master));
	}
	shamo_release(&s);
	return rc;
}
