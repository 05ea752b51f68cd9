#include "cli/localstore.h"

#include "backend/dir.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/log.h"
#include "server/prune.h"
#include "server/vaults.h"
#include "store/backend.h"
#include "store/local.h"
#include "store/vault.h"

#include <stdlib.h>
#include <string.h>

int
localstore_open(struct localstore *l, const char *dir, int create)
{
	int rc;

	memset(l, 0, sizeof(*l));
	rc = account_open(
	    &l->account, dir, ACCOUNT_LOCK | (create ? ACCOUNT_CREATE : 0));
	if (rc == ERR_BUSY)
		return err_set(ERR_BUSY,
		    "%s is in use by a server or another command; end that "
		    "first (shash stop --store_dir %s)",
		    dir, dir);
	return rc;
}

int
localstore_backend(
    struct backend **out, const char *vault_dir, const char *incoming_dir)
{
	return backend_dir_open(out, vault_dir, incoming_dir);
}

int
localstore_vault(struct localstore *l, const uint8_t vault[16])
{
	struct vault_options o;
	char *vault_dir = NULL, *incoming = NULL, *index = NULL;
	int rc = ERR_NOMEM;

	memset(&o, 0, sizeof(o));
	vault_dir = account_vault_dir(l->account, vault);
	incoming = fs_join(account_dir(l->account), "incoming");
	index = account_index_dir(l->account, vault);
	if (vault_dir == NULL || incoming == NULL || index == NULL)
		goto out;
	rc = localstore_backend(&l->backend, vault_dir, incoming);
	if (rc != 0)
		goto out;
	o.backend = l->backend;
	o.index_dir = index;
	memcpy(o.id, vault, sizeof(o.id));
	o.guard = account_guard(l->account);
	rc = vault_open(&l->vault, &o);
	if (rc == 0) {
		memcpy(l->vault_id, vault, sizeof(l->vault_id));
		vaults_tell(l->vault);
	}
out:
	free(vault_dir);
	free(incoming);
	free(index);
	return rc;
}

/* As a server does it every few minutes (store/stamps.h). */
static void
stamp(struct localstore *l)
{
	struct storeclock *clock;
	int rc = storeclock_open(&clock, account_dir(l->account));

	if (rc == 0) {
		rc = prune_stamp(l->vault, clock);
		storeclock_close(clock);
	}
	/* What has no stamp is kept; who opens the store next makes it. */
	if (rc < 0)
		log_debug("snapshots could not be stamped: %s", err_text());
}

void
localstore_vault_close(struct localstore *l)
{
	if (l->vault != NULL && l->in_session)
		stamp(l);
	l->in_session = 0;
	vault_close(l->vault);
	l->vault = NULL;
	if (l->backend != NULL)
		l->backend->ops->close(l->backend);
	l->backend = NULL;
}

/* Both listings at once: the account's callback feeds the store's. */
struct relay {
	store_mount_fn *found;
	void *arg;
};

static int
relay_mount(void *arg, const struct account_mount *m)
{
	struct relay *r = arg;

	return r->found(r->arg, m->mount, m->public_key, m->label);
}

static int
list_mounts(void *arg, store_mount_fn *found, void *found_arg)
{
	struct localstore *l = arg;
	struct relay r = {found, found_arg};

	return account_mounts(l->account, l->vault_id, relay_mount, &r);
}

int
localstore_session(struct store **out, struct header *header,
    struct localstore *l, const uint8_t mount[16])
{
	struct store_local_options o;
	struct account_mount m;
	int rc = account_mount(&m, l->account, mount);

	if (rc == 1)
		return err_set(ERR_REFUSED,
		    "this directory is not registered with that store");
	if (rc == 0)
		rc = account_vault(header, l->account, m.vault);
	if (rc == 1)
		return err_set(ERR_DAMAGED,
		    "the store lacks the header of the directory's vault");
	if (rc == 0)
		rc = localstore_vault(l, m.vault);
	if (rc != 0)
		return rc;
	memset(&o, 0, sizeof(o));
	o.vault = l->vault;
	memcpy(o.store_public, account_public(l->account), 32);
	memcpy(o.mount, mount, sizeof(o.mount));
	memcpy(o.mount_public, m.public_key, sizeof(o.mount_public));
	o.mounts = list_mounts;
	o.mounts_arg = l;
	rc = store_local_open(out, &o);
	l->in_session = rc == 0;
	return rc;
}

void
localstore_close(struct localstore *l)
{
	localstore_vault_close(l);
	account_close(l->account);
	l->account = NULL;
}
