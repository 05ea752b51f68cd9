#include "cli/connect.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/err.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/keyring.h"
#include "cli/vaultkey.h"
#include "client/remote.h"
#include "hash/hash.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SCHEME "file://"
#define WAITING_NS (60 * 1000000000ll)

const char *
connect_file(const char *url)
{
	size_t len = strlen(FILE_SCHEME);

	return strncmp(url, FILE_SCHEME, len) == 0 ? url + len : NULL;
}

int
connect_defaults(struct connect_options *o, int64_t seconds)
{
	const char *text = getenv("SHASH_RETRY");

	memset(o, 0, sizeof(*o));
	o->dir = ".";
	o->retry_seconds = seconds;
	if (text == NULL || duration_parse(&o->retry_seconds, text) == 0)
		return 0;
	return err_prefix(ERR_USAGE, "SHASH_RETRY");
}

/* Several calls may wait for one server: say it once, and then each minute. */
static void
say_waiting(void *arg, unsigned left_ms)
{
	static atomic_llong said_ns;
	long long last = atomic_load(&said_ns), now = clock_mono_ns();
	char words[32];

	(void)arg; /* there is one command in a process */
	if ((last == 0 || now - last > WAITING_NS) &&
	    atomic_compare_exchange_strong(&said_ns, &last, now))
		log_warn("%s; trying again for %s", err_text(),
		    duration_words(words, (left_ms + 999) / 1000));
}

void
connect_policy(struct channel_policy *out, int64_t retry_seconds)
{
	*out = channel_policy_default;
	out->retry.for_ms = retry_seconds < UINT_MAX / 1000
				? (unsigned)retry_seconds * 1000
				: UINT_MAX;
	out->retry.interrupt = &cli_interrupted;
	out->retry.waiting = say_waiting;
}

static int
log_in_local(struct header *header, struct connect *c, const char *path)
{
	int rc = localstore_open(&c->local, path, 0);

	if (rc != 0)
		return rc;
	if (memcmp(account_public(c->local.account), c->state.store_public,
		SIGN_PUBLIC_BYTES) != 0)
		return err_set(ERR_REFUSED,
		    "%s holds another store than the one that %s was "
		    "registered with",
		    path, c->state.dir);
	return localstore_session(&c->store, header, &c->local, c->state.mount);
}

static int
log_in_remote(struct header *header, struct connect *c)
{
	struct channel_policy policy;
	struct remote_options o;
	int rc;

	connect_policy(&policy, c->o.retry_seconds);
	memset(&o, 0, sizeof(o));
	o.policy = &policy;
	o.renew = c->o.reads;
	o.url = c->state.url;
	memcpy(o.mount, c->state.mount, sizeof(o.mount));
	memcpy(o.mount_seed, c->state.mount_seed, sizeof(o.mount_seed));
	memcpy(o.store_public, c->state.store_public, sizeof(o.store_public));
	rc = remote_open(&c->store, &o);
	hash_wipe(&o, sizeof(o));
	if (rc == 0)
		*header = *remote_header(c->store);
	return rc;
}

/*
 * Does the store still have what it acknowledged last?  A warning, not an
 * error: a store that was restored from an older copy is made whole by the
 * next backup, which trusts nothing then.
 */
static void
check_head(const struct connect *c)
{
	const struct store_info *now = &c->store->info;
	struct shamo_head h;
	int rc = shamo_load_head(&h, &c->state);

	if (rc < 0)
		log_warn("%s", err_text());
	if (rc != 0 ||
	    (now->has_parent && (now->parent_client_seq > h.client_seq ||
				    (now->parent_client_seq == h.client_seq &&
					memcmp(now->parent_hash, h.snapshot,
					    sizeof(h.snapshot)) == 0))))
		return;
	log_warn("the store does not show snapshot number %llu of %s, which it "
		 "had acknowledged: it was rolled back to an older copy, or "
		 "hides it",
	    (unsigned long long)h.client_seq, c->state.dir);
}

static int
log_in(struct connect *c)
{
	const char *path = connect_file(c->state.url);
	struct header header;
	int rc = path != NULL ? log_in_local(&header, c, path)
			      : log_in_remote(&header, c);

	if (rc == 0)
		rc = vaultkey_check(&c->chunker, &header, &c->keys);
	if (rc == 0)
		check_head(c);
	return rc;
}

int
connect_prepare(struct connect *c, const struct connect_options *o)
{
	uint8_t master[KEYS_BYTES];
	int rc;

	memset(c, 0, sizeof(*c));
	c->o = *o;
	shamo_init(&c->state);
	rc = shamo_locate(&c->state, o->dir, o->state_dir);
	if (rc == 0)
		rc = shamo_load(&c->state);
	if (rc == 0)
		rc = keyring_need(master, c->state.vault);
	if (rc != 0)
		return rc;
	/* A registration that was killed at its end may have left it. */
	shamo_drop_pending(&c->state);
	keys_derive(&c->keys, master, 0);
	hash_wipe(master, sizeof(master));
	return 0;
}

int
connect_open(struct connect *c, const struct connect_options *o)
{
	int rc = connect_prepare(c, o);

	return rc == 0 ? log_in(c) : rc;
}

static void
log_out(struct connect *c)
{
	if (c->store != NULL)
		c->store->ops->close(c->store);
	c->store = NULL;
	localstore_close(&c->local);
}

int
connect_again(struct connect *c)
{
	log_out(c);
	return log_in(c);
}

void
connect_close(struct connect *c)
{
	log_out(c);
	keys_wipe(&c->keys);
	shamo_release(&c->state);
}
