#include "server/vaults.h"

#include "base/err.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/pool.h"
#include "store/backend.h"
#include "store/local.h"
#include "store/store.h"
#include "store/vault.h"

#include <stdlib.h>
#include <string.h>

/* The key epoch that records may have: vaults begin with it, and nothing
 * changes it in format 0. */
#define VAULT_EPOCH 0

/* A vault that somebody wanted; `vault` is NULL until it could be opened. */
struct entry {
	struct entry *next;
	const struct vaults *owner;
	uint8_t id[IDENT_BYTES];
	struct pool_lock opening;
	struct pool_lock borrowed; /* held by who works on all of it */
	struct vault *vault;
	struct backend *backend;
};

struct vaults {
	const struct account *account;
	vaults_backend_fn *open_backend;
	struct pool_lock lock; /* of the list; entries never go */
	struct entry *first;
};

int
vaults_new(struct vaults **out, const struct account *a,
    vaults_backend_fn *open_backend)
{
	struct vaults *vs = calloc(1, sizeof(*vs));

	if (vs == NULL)
		return err_nomem(sizeof(*vs));
	vs->account = a;
	vs->open_backend = open_backend;
	pool_lock_init(&vs->lock);
	*out = vs;
	return 0;
}

void
vaults_free(struct vaults *vs)
{
	struct entry *e;

	if (vs == NULL)
		return;
	while ((e = vs->first) != NULL) {
		vs->first = e->next;
		vault_close(e->vault);
		if (e->backend != NULL)
			e->backend->ops->close(e->backend);
		pool_lock_release(&e->opening);
		pool_lock_release(&e->borrowed);
		free(e);
	}
	pool_lock_release(&vs->lock);
	free(vs);
}

/* The entry of a vault, made if need be. */
static int
find_entry(struct entry **out, struct vaults *vs, const uint8_t id[IDENT_BYTES])
{
	struct entry *e;
	int r = 0;

	pool_lock_enter(&vs->lock);
	for (e = vs->first; e != NULL; e = e->next)
		if (memcmp(e->id, id, IDENT_BYTES) == 0)
			break;
	if (e == NULL) {
		e = calloc(1, sizeof(*e));
		if (e == NULL) {
			r = err_nomem(sizeof(*e));
		} else {
			memcpy(e->id, id, IDENT_BYTES);
			e->owner = vs;
			pool_lock_init(&e->opening);
			pool_lock_init(&e->borrowed);
			e->next = vs->first;
			vs->first = e;
		}
	}
	pool_lock_leave(&vs->lock);
	if (r == 0)
		*out = e;
	return r;
}

void
vaults_tell(const struct vault *v)
{
	char hex[2 * IDENT_BYTES + 1];

	hex_encode(hex, v->id, IDENT_BYTES);
	if (v->reread > 0)
		log_warn("vault %s: read %u object%s again from the device "
			 "after a failed sync; %u damaged",
		    hex, v->reread, v->reread == 1 ? "" : "s",
		    v->reread_damaged);
	if (v->packs_gone > 0)
		log_warn("vault %s: %u pack%s gone, with what the index knows "
			 "to be in there: back up its directories, then verify",
		    hex, v->packs_gone, v->packs_gone == 1 ? " is" : "s are");
	if (v->went_back)
		log_warn("vault %s: the newest snapshots of a directory are "
			 "gone, or this is an older copy of the store",
		    hex);
}

static int
open_entry(struct vaults *vs, struct entry *e)
{
	char *dir = account_vault_dir(vs->account, e->id);
	char *index = account_index_dir(vs->account, e->id);
	char *incoming = account_incoming_dir(vs->account);
	struct vault_options o;
	struct backend *b = NULL;
	int r = 0;

	if (dir == NULL || index == NULL || incoming == NULL)
		r = ERR_NOMEM;
	if (r == 0)
		r = vs->open_backend(&b, dir, incoming);
	if (r == 0) {
		memset(&o, 0, sizeof(o));
		o.backend = b;
		o.index_dir = index;
		memcpy(o.id, e->id, sizeof(o.id));
		o.epoch = VAULT_EPOCH;
		o.guard = account_guard(vs->account);
		r = vault_open(&e->vault, &o);
		if (r == 0)
			vaults_tell(e->vault);
	}
	if (r == 0)
		e->backend = b;
	else if (b != NULL)
		b->ops->close(b);
	free(incoming);
	free(index);
	free(dir);
	return r;
}

/* The entry of a vault, opened. */
static int
get_entry(
    struct entry **out, struct vaults *vs, const uint8_t vault[IDENT_BYTES])
{
	struct entry *e = NULL;
	struct header h;
	int r = account_vault(&h, vs->account, vault);

	if (r == 1)
		return err_set(ERR_NOENT, "there is no such vault");
	if (r == 0)
		r = find_entry(&e, vs, vault);
	if (r != 0)
		return r;
	pool_lock_enter(&e->opening);
	if (e->vault == NULL)
		r = open_entry(vs, e);
	pool_lock_leave(&e->opening);
	if (r == 0)
		*out = e;
	return r;
}

int
vaults_borrow(
    struct vault **out, struct vaults *vs, const uint8_t vault[IDENT_BYTES])
{
	struct entry *e;
	int r = get_entry(&e, vs, vault);

	if (r < 0)
		return r;
	pool_lock_enter(&e->borrowed);
	*out = e->vault;
	return 0;
}

void
vaults_return(struct vaults *vs, const uint8_t vault[IDENT_BYTES])
{
	struct entry *e;

	/* It is in the list since it was borrowed. */
	if (find_entry(&e, vs, vault) == 0)
		pool_lock_leave(&e->borrowed);
}

int
vaults_each_open(struct vaults *vs, vaults_open_fn *found, void *arg)
{
	struct vault *v;
	struct entry *e;
	int r = 0;

	pool_lock_enter(&vs->lock);
	e = vs->first; /* new ones come before it */
	pool_lock_leave(&vs->lock);
	for (; e != NULL && r == 0; e = e->next) {
		pool_lock_enter(&e->opening);
		v = e->vault;
		pool_lock_leave(&e->opening);
		if (v != NULL)
			r = found(arg, v);
	}
	return r;
}

/* Hands the mounts of a vault to a store session. */
struct mount_listing {
	store_mount_fn *found;
	void *arg;
};

static int
on_mount(void *arg, const struct account_mount *m)
{
	struct mount_listing *l = arg;

	return l->found(l->arg, m->mount, m->public_key, m->label);
}

static int
list_mounts(void *mounts_arg, store_mount_fn *found, void *arg)
{
	const struct entry *e = mounts_arg;
	struct mount_listing l = {found, arg};

	return account_mounts(e->owner->account, e->id, on_mount, &l);
}

int
vaults_session(struct store **out, void *arg, const struct account_mount *m)
{
	struct vaults *vs = arg;
	struct store_local_options o;
	struct entry *e;
	int r = get_entry(&e, vs, m->vault);

	if (r < 0)
		return r;
	memset(&o, 0, sizeof(o));
	o.vault = e->vault;
	memcpy(o.store_public, account_public(vs->account),
	    sizeof(o.store_public));
	memcpy(o.mount, m->mount, sizeof(o.mount));
	memcpy(o.mount_public, m->public_key, sizeof(o.mount_public));
	o.mounts = list_mounts;
	o.mounts_arg = e;
	return store_local_open(out, &o);
}
