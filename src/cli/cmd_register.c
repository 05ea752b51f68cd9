/*
 * shash register: connect a directory to a store.
 *
 * The order makes every step repeatable after a crash or a lost answer:
 *  1. the mount's key, and a new vault's master key, are written to the
 *     state directory (mount.key, pending.key);
 *  2. the store is asked; it gives the same answer to the same mount key;
 *  3. the master key goes to the keyring, and that of a new vault to
 *     --recovery_file;
 *  4. config.json is written: the directory is registered;
 *  5. pending.key is removed, at the latest by the next command that finds the
 *     directory registered and the key in the keyring.
 * What an earlier try left is synced before anything relies on it: it may have
 * died before it had done so.  A "no" proves nothing, for whoever is on the
 * wire can say it after the store has said yes: pending.key stays until a store
 * says yes.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/connect.h"
#include "cli/jsonl.h"
#include "cli/keyring.h"
#include "cli/mode.h"
#include "cli/vaultkey.h"
#include "client/register.h"
#include "hash/hash.h"
#include "proto/enroll.h"
#include "seal/recovery.h"
#include "server/server.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file that --recovery_file names is no longer; some blanks are fine. */
#define RECOVERY_FILE_BYTES 4096u

struct request {
	const char *dir, *state_dir, *url, *invitation, *recovery_key;
	const char *label, *recovery_file, *chunker;
	int new_vault;
	struct channel_policy policy;
};

struct job {
	const struct request *q;
	struct shamo state;
	struct keys keys; /* of the vault to open or join */
	enum enroll_mode mode;
	int made; /* the master key, by this call */
	int fresh; /* the master key is in nobody's hands yet */
	int kept; /* --recovery_file holds the vault's key */
	int turn; /* if the store lacks the pending vault, join the user's */
	struct localstore local; /* a file:// store */
	struct register_result answer;
};

/* Whether a URL of a server names its port. */
static int
names_port(const char *url)
{
	const char *host = strstr(url, "://"), *end, *colon;

	if (host == NULL)
		return 1;
	host += 3;
	end = host + strcspn(host, "/");
	colon = memrchr(host, ':', (size_t)(end - host));
	return colon != NULL &&
	       memchr(colon, ']', (size_t)(end - colon)) == NULL;
}

/* The store's key, by asking the server or by opening the folder. */
static int
find_store(struct job *j)
{
	const char *path = connect_file(j->q->url);
	int insecure, rc;

	if (path == NULL) {
		rc = register_hello(
		    j->state.store_public, &insecure, j->q->url, &j->q->policy);
		if (rc == ERR_UNREACHABLE && !names_port(j->q->url))
			log_warn("the URL names no port; 'shash start' listens "
				 "on port %u unless it is told another",
			    SERVER_PORT_DEFAULT);
		if (rc == 0 && j->q->invitation == NULL && !insecure)
			rc = err_set(ERR_REFUSED,
			    "this server needs an invitation: --invitation I "
			    "(made there with: shash invite)");
		return rc;
	}
	rc = localstore_open(&j->local, path, 1);
	if (rc == 0)
		memcpy(j->state.store_public, account_public(j->local.account),
		    SIGN_PUBLIC_BYTES);
	return rc;
}

/*
 * The vault of an earlier try, whose answer was lost or was a no.  The store
 * may have it or not; a user with another vault there wants it only if it has.
 * Returns 0; 1 when there was none.
 */
static int
choose_pending(uint8_t master[KEYS_BYTES], struct job *j)
{
	uint8_t vault[KEYS_VAULT_BYTES];
	int rc = shamo_load_pending(master, &j->state), other;
	unsigned found;

	if (rc != 0)
		return rc;
	other = j->q->new_vault
		    ? 1
		    : keyring_find(vault, &found, j->state.store_public);
	if (other < 0)
		return other;
	keys_derive(&j->keys, master, 0);
	j->fresh = 1;
	j->turn =
	    other == 0 && memcmp(vault, j->keys.vault, sizeof(vault)) != 0;
	j->mode = j->turn ? ENROLL_JOIN : ENROLL_EITHER;
	return 0;
}

/* The vault that the user has on this store.  Returns 0; 1: none. */
static int
choose_own(uint8_t master[KEYS_BYTES], struct job *j)
{
	uint8_t vault[KEYS_VAULT_BYTES];
	unsigned found;
	int rc = keyring_find(vault, &found, j->state.store_public);

	j->fresh = 0;
	j->turn = 0;
	j->mode = ENROLL_EITHER;
	if (rc == 0 && j->q->chunker != NULL)
		return err_set(ERR_USAGE,
		    "--chunker is for a new vault, and this directory joins "
		    "yours, which has one: leave it out, or add --new_vault");
	if (rc == 0 && found > 1)
		return err_set(ERR_USAGE,
		    "you have %u vaults on this store: say which with "
		    "--recovery-key ('shash key' prints that of a "
		    "directory), or make another with --new_vault",
		    found);
	return rc == 0 ? keyring_need(master, vault) : rc;
}

/* Which vault: the order of the cases is what the man page says. */
static int
choose_vault(struct job *j)
{
	uint8_t master[KEYS_BYTES];
	int rc;

	if (j->q->recovery_key != NULL) {
		rc = recovery_decode(master, j->q->recovery_key);
		j->mode = ENROLL_JOIN;
	} else {
		rc = choose_pending(master, j);
		if (rc == 1 && !j->q->new_vault)
			rc = choose_own(master, j);
	}
	if (rc == 1) {
		keys_make_master(master);
		j->made = 1;
		j->fresh = 1;
		j->mode = ENROLL_NEW;
		rc = shamo_save_pending(master, &j->state);
	}
	if (rc == 0)
		keys_derive(&j->keys, master, 0);
	hash_wipe(master, sizeof(master));
	return rc;
}

static int
prepare_seed(struct job *j)
{
	int rc = shamo_load_seed(&j->state);

	if (rc == 0)
		rc = shamo_sync(&j->state);
	if (rc != 1)
		return rc;
	sign_seed(j->state.mount_seed);
	return shamo_save_seed(&j->state);
}

static int
ask_local(struct job *j, const struct header *h)
{
	uint8_t mount_public[SIGN_PUBLIC_BYTES];
	struct account_mount m;
	int rc;

	sign_public(mount_public, j->state.mount_seed);
	rc = account_add(&m, &j->answer.header, &j->answer.created,
	    j->local.account, mount_public, j->state.label, h, j->mode);
	if (rc == 0)
		memcpy(j->answer.mount, m.mount, sizeof(m.mount));
	return rc;
}

static int
ask_remote(struct job *j, const struct header *h)
{
	struct register_options o;
	int rc;

	memset(&o, 0, sizeof(o));
	o.url = j->q->url;
	o.policy = &j->q->policy;
	o.invitation = j->q->invitation;
	memcpy(o.mount_seed, j->state.mount_seed, sizeof(o.mount_seed));
	memcpy(o.join_seed, j->keys.join_seed, sizeof(o.join_seed));
	o.header = *h;
	o.label = j->state.label;
	o.mode = j->mode;
	rc = register_mount(&j->answer, &o);
	if (rc == 0 && memcmp(j->answer.store_public, j->state.store_public,
			   SIGN_PUBLIC_BYTES) != 0)
		rc = err_set(ERR_REFUSED,
		    "the server changed its identity while it was asked");
	hash_wipe(&o, sizeof(o));
	return rc;
}

static int
ask_store(struct job *j)
{
	struct chunker_params chunker = chunker_default;
	struct header h;

	if (j->q->chunker != NULL)
		chunker.id = chunker_by_name(j->q->chunker);
	vaultkey_header(&h, &j->keys, &chunker);
	return j->local.account != NULL ? ask_local(j, &h) : ask_remote(j, &h);
}

/*
 * What --recovery_file names may be the only copy of another vault's key, so
 * it is never written over; one that holds this vault's key is as good as new.
 */
static int
check_recovery(struct job *j)
{
	uint8_t master[KEYS_BYTES];
	const char *file = j->q->recovery_file;
	struct buf text = BUF_INIT;
	int rc;

	if (file == NULL)
		return 0;
	rc = fs_read_file(&text, AT_FDCWD, file, RECOVERY_FILE_BYTES);
	if (rc == 1)
		return 0; /* it is not there */
	if (rc == 0)
		rc = buf_append(&text, "", 1);
	if (rc == 0) {
		text.data[strcspn((char *)text.data, "\n")] = '\0';
		rc = recovery_decode(master, (const char *)text.data);
	}
	j->kept =
	    rc == 0 && memcmp(master, j->keys.master, sizeof(master)) == 0;
	if (j->kept) {
		fs_clear_temps(file); /* it may have two names */
		rc = fs_sync_name(file);
	} else if (rc != ERR_NOMEM && rc != ERR_IO) {
		rc = err_set(ERR_USAGE,
		    "%s is there already and does not hold this vault's "
		    "recovery key: give another --recovery_file",
		    file);
	}
	hash_wipe(master, sizeof(master));
	if (text.data != NULL)
		hash_wipe(text.data, text.len);
	buf_release(&text);
	if (j->made && !j->kept)
		shamo_drop_pending(&j->state); /* the store was not asked */
	return rc;
}

/* Step 2. */
static int
ask(struct job *j)
{
	uint8_t master[KEYS_BYTES];
	struct chunker_params chunker;
	int rc = ask_store(j);

	/* Refused: it may have turned before, and the answer was lost. */
	if ((rc == ERR_NOENT || rc == ERR_REFUSED) && j->turn) {
		rc = choose_own(master, j);
		if (rc == 0)
			keys_derive(&j->keys, master, 0);
		hash_wipe(master, sizeof(master));
		if (rc == 0)
			rc = ask_store(j);
	}
	if (rc == ERR_NOENT)
		return err_set(
		    ERR_REFUSED, "the store has no vault of this recovery key");
	if (rc == ERR_EXIST)
		return ERR_REFUSED;
	return rc != 0 ? rc
		       : vaultkey_check(&chunker, &j->answer.header, &j->keys);
}

/* A file that cannot be written is no reason to fail: the key is shown. */
static void
save_recovery(struct job *j)
{
	char text[RECOVERY_TEXT_BYTES + 1];
	size_t len;

	if (!j->fresh || j->kept || j->q->recovery_file == NULL)
		return;
	recovery_encode(text, j->keys.master);
	len = strlen(text);
	text[len] = '\n';
	j->kept = fs_write_file(AT_FDCWD, j->q->recovery_file, text, len + 1,
		      0600, FS_EXCLUSIVE) == 0;
	if (!j->kept)
		log_warn("%s", err_text());
	hash_wipe(text, sizeof(text));
}

/* Steps 3 to 5. */
static int
keep(struct job *j)
{
	int rc =
	    keyring_save(j->keys.master, j->keys.vault, j->state.store_public);

	if (rc == 0)
		save_recovery(j);
	if (rc == 0) {
		memcpy(j->state.vault, j->keys.vault, sizeof(j->state.vault));
		memcpy(j->state.mount, j->answer.mount, sizeof(j->state.mount));
		rc = shamo_save(&j->state);
	}
	if (rc == 0)
		shamo_drop_pending(&j->state);
	return rc;
}

/* The recovery key of a new vault, or where it is. */
static void
show_recovery(const struct job *j)
{
	char text[RECOVERY_TEXT_BYTES];

	if (j->kept) {
		log_info("The recovery key is in %s: keep it away from this "
			 "machine.",
		    j->q->recovery_file);
		return;
	}
	recovery_encode(text, j->keys.master);
	/* Whoever wants to hear little wants to lose nothing either. */
	if (mode.quiet && !mode.json)
		log_warn("recovery key of the new vault: %s", text);
	log_info("Write down the recovery key: without it nobody can restore "
		 "when this");
	log_info("machine is lost ('shash key' prints it again):");
	log_info("    %s", text);
	hash_wipe(text, sizeof(text));
}

/* The vault's chunker, which restoring does not need to know. */
static const char *
chunker_text(const struct job *j)
{
	const char *name = chunker_name(j->answer.header.chunker_id);

	return name != NULL ? name : "unknown to this shash";
}

static int
print_json(const struct job *j)
{
	char text[RECOVERY_TEXT_BYTES];
	struct jsonl l;

	jsonl_begin(&l, "registration");
	jsonl_text(&l, "dir", j->state.dir);
	jsonl_text(&l, "url", j->state.url);
	jsonl_text(&l, "label", j->state.label);
	jsonl_hex(&l, "store", j->state.store_public, SIGN_PUBLIC_BYTES);
	jsonl_hex(&l, "vault", j->keys.vault, KEYS_VAULT_BYTES);
	jsonl_hex(&l, "mount", j->answer.mount, sizeof(j->answer.mount));
	jsonl_bool(&l, "new_vault", j->fresh);
	jsonl_text(&l, "chunker", chunker_text(j));
	if (j->fresh && j->q->recovery_file == NULL) {
		recovery_encode(text, j->keys.master);
		jsonl_text(&l, "recovery_key", text);
		hash_wipe(text, sizeof(text));
	}
	return jsonl_print(&l);
}

static void
report(const struct job *j)
{
	char vault[2 * KEYS_VAULT_BYTES + 1];
	char store[2 * SIGN_PUBLIC_BYTES + 1];

	hex_encode(vault, j->keys.vault, KEYS_VAULT_BYTES);
	hex_encode(store, j->state.store_public, SIGN_PUBLIC_BYTES);
	log_info("registered %s as '%s' with %s", j->state.dir, j->state.label,
	    j->state.url);
	if (j->local.account == NULL && j->q->invitation == NULL)
		log_info("trusted the store's key on first use: %s", store);
	if (j->fresh) {
		log_info("opened a new vault, %s (chunker: %s)", vault,
		    chunker_text(j));
		show_recovery(j);
	} else {
		log_info("joined %s vault %s (chunker: %s)%s",
		    j->q->recovery_key != NULL ? "the recovery key's" : "your",
		    vault, chunker_text(j),
		    j->answer.created ? ", which this store did not have yet"
				      : "");
		if (j->q->recovery_file != NULL && !j->kept)
			log_info("%s was not written: the vault is not new; "
				 "'shash key' prints its recovery key",
			    j->q->recovery_file);
	}
}

/* The label: what the user says, else the machine's name. */
static int
set_label(struct job *j)
{
	char host[256];

	if (gethostname(host, sizeof(host)) != 0 || host[0] == '\0')
		(void)memcpy(host, "unnamed", sizeof("unnamed"));
	host[sizeof(host) - 1] = '\0';
	j->state.label =
	    fs_printf("%s", j->q->label != NULL ? j->q->label : host);
	j->state.url = fs_printf("%s", j->q->url);
	return j->state.label == NULL || j->state.url == NULL ? ERR_NOMEM : 0;
}

/* The directory is registered; whoever wants a recovery file lacks that. */
static int
refuse_again(const struct job *j)
{
	const char *file = j->q->recovery_file;
	/* As is said of what an earlier try left. */
	int rc = shamo_sync(&j->state);

	if (rc != 0)
		return rc;
	if (file != NULL && access(file, F_OK) != 0)
		return err_set(ERR_REFUSED,
		    "%s is registered already; for its recovery key: shash key "
		    "--dir %s > %s",
		    j->state.dir, j->q->dir, file);
	return err_set(ERR_REFUSED,
	    "%s is registered already; to register it anew, move %s away "
	    "first",
	    j->state.dir, j->state.path);
}

static int
run(const struct request *q)
{
	struct job j;
	int rc;

	memset(&j, 0, sizeof(j));
	j.q = q;
	shamo_init(&j.state);
	rc = shamo_locate(&j.state, q->dir, q->state_dir);
	if (rc == 0)
		rc = shamo_exists(&j.state);
	if (rc == 1)
		rc = refuse_again(&j);
	if (rc == 0)
		rc = set_label(&j);
	if (rc == 0)
		rc = find_store(&j);
	if (rc == 0)
		rc = prepare_seed(&j);
	if (rc == 0)
		rc = choose_vault(&j);
	if (rc == 0)
		rc = check_recovery(&j);
	if (rc == 0)
		rc = ask(&j);
	if (rc == 0)
		rc = keep(&j);
	if (rc == 0) {
		report(&j);
		rc = mode.json ? print_json(&j) : 0;
	}
	localstore_close(&j.local);
	keys_wipe(&j.keys);
	shamo_release(&j.state);
	return rc;
}

static int
check_invitation(const char *text)
{
	struct enroll_keys keys;
	int rc = enroll_keys(&keys, text);

	hash_wipe(&keys, sizeof(keys));
	return rc;
}

static int
check(const struct request *q)
{
	if (q->url == NULL)
		return err_set(ERR_USAGE,
		    "register needs the store: --url http://HOST:PORT/ or "
		    "file:///PATH");
	if (strlen(q->url) >= SHAMO_URL_BYTES)
		return err_set(ERR_USAGE, "the URL is too long");
	if (connect_file(q->url) != NULL && connect_file(q->url)[0] != '/')
		return err_set(ERR_USAGE,
		    "a store on this machine is file:///PATH, with an "
		    "absolute path");
	if (q->recovery_key != NULL && q->new_vault)
		return err_set(ERR_USAGE,
		    "--recovery_key joins a vault, --new_vault declines to: "
		    "give one of them");
	if (q->chunker != NULL && chunker_by_name(q->chunker) == 0)
		return err_set(ERR_USAGE,
		    "no chunker '%s': there are gear and private", q->chunker);
	if (q->chunker != NULL && q->recovery_key != NULL)
		return err_set(ERR_USAGE,
		    "--chunker is for a new vault, --recovery_key joins one: "
		    "give one of them");
	/* Before anybody is waited for. */
	return q->invitation == NULL ? 0 : check_invitation(q->invitation);
}

int
cmd_register(int argc, char **argv)
{
	struct request q = {.dir = "."};
	struct connect_options where;
	const struct args_option options[] = {
	    {"url", ARGS_TEXT, &q.url, "U",
		"the store: http://HOST:PORT/ or file:///PATH", 0, 0},
	    {"invitation", ARGS_TEXT, &q.invitation, "I",
		"what 'shash invite' printed there", 0, 0},
	    {"dir", ARGS_TEXT, &q.dir, "D", "directory to register [.]", 0, 0},
	    {"state_dir", ARGS_TEXT, &q.state_dir, "S",
		"where to keep its state [DIR/.shamo]", 0, 0},
	    {"label", ARGS_TEXT, &q.label, "L",
		"name told to the server [host name]", 0, 0},
	    {"new_vault", ARGS_FLAG, &q.new_vault, NULL,
		"share nothing with your other directories", 0, 0},
	    {"recovery_key", ARGS_TEXT, &q.recovery_key, "K",
		"join the vault of this recovery key", 0, 0},
	    {"recovery_file", ARGS_TEXT, &q.recovery_file, "F",
		"write a new vault's recovery key to F", 0, 0},
	    {"retry", ARGS_DURATION, &where.retry_seconds, "T",
		"how long to try a server that is down [10s]", 0, 0},
	    {"chunker", ARGS_TEXT, &q.chunker, "C",
		"how a new vault cuts files: gear or private [gear]", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"register",
	    "--url U [--invitation I] [--dir D] [OPTIONS]",
	    "Connect a directory to a store, once, before its first backup.",
	    "Your directories on one store share a vault: one master key, "
	    "every\ncontent stored once. The first opens it and prints its "
	    "recovery key.",
	    options, 0};
	size_t operands;
	int rc = connect_defaults(&where, CONNECT_RETRY_SHORT);

	if (rc == 0)
		rc = args_parse(&operands, &command, argc, argv);
	if (rc != 0)
		return rc;
	cli_catch_interrupts();
	connect_policy(&q.policy, where.retry_seconds);
	rc = check(&q);
	return rc == 0 ? run(&q) : rc;
}
