#include "engine/catalog.h"

#include "base/err.h"
#include "base/hex.h"
#include "base/limits.h"
#include "seal/seal.h"
#include "sign/sign.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Fewer digits of an id are more likely a slip than a name. */
#define KEY_DIGITS_MIN 8

/* What is being loaded, for the callbacks. */
struct load {
	struct catalog *c;
	struct store *store;
	const struct keys *keys;
	struct seal *seal;
	const uint8_t *mount; /* the one asked for, or NULL */
	size_t room; /* entries allocated */
	int asked; /* for tombstones */
	catalog_warn_fn *warn;
	void *arg;
};

static int
mount_found(void *arg, const uint8_t mount[STORE_NAME_BYTES],
    const uint8_t public_key[32], const char *label)
{
	struct catalog *c = arg;
	struct catalog_mount *m;

	m = realloc(c->mounts, (c->nmounts + 1) * sizeof(*m));
	if (m == NULL)
		return err_nomem((c->nmounts + 1) * sizeof(*m));
	c->mounts = m;
	m += c->nmounts;
	memcpy(m->id, mount, sizeof(m->id));
	memcpy(m->public_key, public_key, sizeof(m->public_key));
	m->label = strndup(label, LIMIT_LABEL_BYTES);
	if (m->label == NULL)
		return err_nomem(LIMIT_LABEL_BYTES);
	c->nmounts++;
	return 0;
}

static const struct catalog_mount *
mount_of(const struct catalog *c, const uint8_t *id)
{
	size_t i;

	for (i = 0; i < c->nmounts; i++) {
		if (memcmp(c->mounts[i].id, id, STORE_NAME_BYTES) == 0)
			return &c->mounts[i];
	}
	return NULL;
}

static int
check_signature(const struct catalog_mount *m,
    const struct snapshot_envelope *e, const uint8_t *file)
{
	if (m == NULL)
		return err_set(ERR_DAMAGED, "of a mount that is not known");
	if (sign_check(e->signature, m->public_key, SNAPSHOT_CONTEXT, file,
		(size_t)(e->signature - file)) != 0)
		return err_set(ERR_DAMAGED, "not signed by its mount");
	return 0;
}

/* Open the sealed payload into `e->payload` and `e->info`. */
static int
open_payload(struct catalog_entry *e, struct load *l,
    const struct snapshot_envelope *env)
{
	uint8_t id[OBJECT_ID_BYTES];
	struct seal_bind bind;
	int rc;

	if (memcmp(env->vault, l->keys->vault, sizeof(env->vault)) != 0)
		return err_set(ERR_DAMAGED, "of another vault");
	memset(&bind, 0, sizeof(bind));
	bind.epoch = env->epoch;
	memcpy(bind.key_id, env->key_id, sizeof(bind.key_id));
	bind.type = OBJECT_SNAPSHOT;
	bind.id = env->id;
	bind.refs = env->refs;
	bind.nrefs = env->nrefs;
	rc = seal_unwrap(
	    &e->payload, l->seal, &bind, env->sealed, env->sealed_len);
	if (rc != 0)
		return rc;
	object_id(id, l->keys->id, OBJECT_SNAPSHOT, env->refs, env->nrefs,
	    e->payload.data, e->payload.len);
	if (memcmp(id, env->id, sizeof(id)) != 0)
		return err_set(ERR_DAMAGED, "the content has another id");
	rc = snapshot_info_decode(
	    &e->info, env->refs, env->nrefs, e->payload.data, e->payload.len);
	if (rc != 0)
		return rc;
	return snapshot_info_match(&e->info, env);
}

static int
open_file(
    struct catalog_entry *e, struct load *l, const struct store_snapshot *s)
{
	struct snapshot_envelope env;
	int rc;

	if (l->mount != NULL &&
	    memcmp(s->mount, l->mount, sizeof(s->mount)) != 0)
		return err_set(ERR_DAMAGED, "of a mount not asked for");
	if (s->len > LIMIT_SNAPSHOT_BYTES)
		return err_set(ERR_DAMAGED, "larger than a snapshot may be");
	rc = snapshot_decode_file(&env, s->file, s->len);
	if (rc != 0)
		return rc;
	if (memcmp(env.mount, s->mount, sizeof(env.mount)) != 0 ||
	    env.server_seq != s->seq)
		return err_set(ERR_DAMAGED, "another snapshot's file");
	e->client_seq = env.client_seq;
	e->receive_ns = env.receive_ns;
	rc = snapshot_hash(e->hash, s->file, s->len);
	if (rc == 0)
		rc = check_signature(e->mount, &env, s->file);
	if (rc == 0)
		rc = open_payload(e, l, &env);
	if (rc == 0)
		address_text(e->key, ADDRESS_DIR, e->info.root.address);
	return rc;
}

static int
snapshot_found(void *arg, const struct store_snapshot *s)
{
	struct load *l = arg;
	struct catalog *c = l->c;
	struct catalog_entry *e;
	size_t room;
	int rc;

	if (c->nentries == l->room) {
		room = l->room != 0 ? 2 * l->room : 16;
		e = realloc(c->entries, room * sizeof(*e));
		if (e == NULL)
			return err_nomem(room * sizeof(*e));
		c->entries = e;
		l->room = room;
	}
	e = &c->entries[c->nentries];
	memset(e, 0, sizeof(*e));
	buf_init(&e->payload);
	c->nentries++;
	e->mount = mount_of(c, s->mount);
	e->server_seq = s->seq;
	rc = open_file(e, l, s);
	if (rc == ERR_DAMAGED || rc == ERR_LIMIT) {
		buf_release(&e->payload);
		memset(&e->info, 0, sizeof(e->info));
		e->damage = strdup(err_text());
		if (e->damage == NULL)
			return err_nomem(ERR_TEXT_MAX);
		rc = 0;
	}
	return rc;
}

/* How `e` follows `before` (NULL: nothing listed before it). */
static enum catalog_chain
chain_of(const struct catalog_entry *before, const struct catalog_entry *e)
{
	if (before == NULL) {
		if (e->client_seq != 1)
			return CATALOG_CHAIN_GAP;
		return bytes_are_zero(e->info.previous, HASH_BYTES)
			   ? CATALOG_CHAIN_OK
			   : CATALOG_CHAIN_BROKEN;
	}
	if (e->client_seq <= before->client_seq ||
	    e->server_seq <= before->server_seq)
		return CATALOG_CHAIN_BROKEN;
	if (e->client_seq > before->client_seq + 1)
		return CATALOG_CHAIN_GAP;
	return memcmp(e->info.previous, before->hash, HASH_BYTES) == 0
		   ? CATALOG_CHAIN_OK
		   : CATALOG_CHAIN_BROKEN;
}

static void
warn(const struct load *l, const struct catalog_entry *e, const char *text)
{
	char line[ERR_TEXT_MAX];

	if (l->warn == NULL)
		return;
	/* A line too long is cut. */
	(void)snprintf(line, sizeof(line), "snapshot @%llu of %s: %s",
	    (unsigned long long)e->server_seq,
	    e->mount != NULL ? e->mount->label : "an unknown mount", text);
	l->warn(l->arg, line);
}

/* Append a tombstone that is whole, of this vault and signed by the store. */
static int
tomb_found(void *arg, const struct store_snapshot *s)
{
	struct load *l = arg;
	struct catalog *c = l->c;
	struct catalog_retired *more, one;

	if (tomb_decode(&one.t, s->file, s->len) < 0 ||
	    memcmp(one.t.vault, l->keys->vault, STORE_NAME_BYTES) != 0 ||
	    memcmp(one.t.mount, s->mount, STORE_NAME_BYTES) != 0 ||
	    one.t.server_seq != s->seq ||
	    tomb_check_signature(s->file, l->store->info.store_public) < 0)
		return 0; /* then a gap stays a gap, and is told */
	one.mount = mount_of(c, s->mount);
	more = realloc(c->retired, (c->nretired + 1) * sizeof(*more));
	if (more == NULL)
		return err_nomem((c->nretired + 1) * sizeof(*more));
	c->retired = more;
	more[c->nretired++] = one;
	return 0;
}

/*
 * Nonzero when `e` follows one that is older than the one before: the store
 * could not read that when `e` was made.  Nothing is missing then
 * (store/chain.h).
 */
static int
follows_older(const struct catalog *c, const struct catalog_entry *e)
{
	const struct catalog_entry *old = e;
	size_t i;

	while (old > c->entries && old[-1].mount == e->mount) {
		old--;
		if (old->damage == NULL && old->server_seq < e->server_seq &&
		    old->client_seq + 1 == e->client_seq &&
		    memcmp(old->hash, e->info.previous, HASH_BYTES) == 0)
			return 1;
	}
	for (i = 0; i < c->nretired; i++) {
		if (c->retired[i].mount == e->mount &&
		    c->retired[i].t.server_seq < e->server_seq &&
		    c->retired[i].t.client_seq + 1 == e->client_seq &&
		    memcmp(c->retired[i].t.hash, e->info.previous,
			HASH_BYTES) == 0)
			return 1;
	}
	return e->client_seq == 1 &&
	       bytes_are_zero(e->info.previous, HASH_BYTES);
}

/* Do tombstones tell of all that is missing before `e`? */
static enum catalog_chain
explain(const struct catalog *c, const struct catalog_entry *before,
    const struct catalog_entry *e)
{
	const uint8_t *hash = before != NULL ? before->hash : NULL;
	uint64_t seq = before != NULL ? before->client_seq : 0;
	size_t i;

	for (i = 0; i < c->nretired; i++) {
		if (c->retired[i].mount != e->mount ||
		    c->retired[i].t.client_seq != seq + 1 ||
		    c->retired[i].t.server_seq > e->server_seq)
			continue;
		seq++;
		hash = c->retired[i].t.hash;
	}
	return seq + 1 == e->client_seq && hash != NULL &&
		       memcmp(hash, e->info.previous, HASH_BYTES) == 0
		   ? CATALOG_CHAIN_PRUNED
		   : CATALOG_CHAIN_GAP;
}

/* Ask the store for its tombstones, once. */
static int
load_tombs(struct load *l)
{
	int rc;

	if (l->asked || l->store->ops->tombs == NULL)
		return 0;
	l->asked = 1;
	rc = l->store->ops->tombs(l->store, l->mount, tomb_found, l);
	/* An older server does not know the question. */
	return rc == ERR_FAIL ? 0 : rc;
}

static int
check_chains(struct load *l)
{
	struct catalog_entry *e, *before = NULL;
	size_t i;
	int rc = 0;

	for (i = 0; i < l->c->nentries && rc == 0; i++) {
		e = &l->c->entries[i];
		if (e->damage != NULL) {
			warn(l, e, e->damage);
			continue;
		}
		if (before != NULL && before->mount != e->mount)
			before = NULL;
		e->chain = chain_of(before, e);
		if (e->chain == CATALOG_CHAIN_GAP ||
		    e->chain == CATALOG_CHAIN_BROKEN)
			rc = load_tombs(l);
		if (e->chain == CATALOG_CHAIN_GAP)
			e->chain = explain(l->c, before, e);
		if (e->chain == CATALOG_CHAIN_BROKEN && before != NULL &&
		    e->server_seq > before->server_seq &&
		    follows_older(l->c, e))
			e->chain = CATALOG_CHAIN_OK;
		if (e->chain == CATALOG_CHAIN_GAP)
			warn(l, e, "snapshots before it are not listed");
		if (e->chain == CATALOG_CHAIN_BROKEN)
			warn(l, e, "does not follow the one before it");
		before = e;
	}
	return rc;
}

int
catalog_load(struct catalog **out, struct store *store, const struct keys *keys,
    const uint8_t mount[STORE_NAME_BYTES], catalog_warn_fn *warn_fn, void *arg)
{
	struct load l = {.store = store,
	    .keys = keys,
	    .mount = mount,
	    .warn = warn_fn,
	    .arg = arg};
	int rc;

	l.c = calloc(1, sizeof(*l.c));
	if (l.c == NULL)
		return err_nomem(sizeof(*l.c));
	rc = seal_new(&l.seal, keys, &seal_default);
	if (rc == 0)
		rc = store->ops->mounts(store, mount_found, l.c);
	if (rc == 0)
		rc = store->ops->snapshots(store, mount, snapshot_found, &l);
	seal_free(l.seal);
	if (rc == 0)
		rc = check_chains(&l);
	if (rc != 0) {
		catalog_free(l.c);
		return rc;
	}
	*out = l.c;
	return 0;
}

void
catalog_free(struct catalog *c)
{
	size_t i;

	if (c == NULL)
		return;
	for (i = 0; i < c->nentries; i++) {
		buf_release(&c->entries[i].payload);
		free(c->entries[i].damage);
	}
	for (i = 0; i < c->nmounts; i++)
		free(c->mounts[i].label);
	free(c->entries);
	free(c->retired);
	free(c->mounts);
	free(c);
}

/* Nonzero when `text` is the id of `m`, or at least 8 digits of it. */
static int
is_mount_id(const struct catalog_mount *m, const char *text)
{
	char id[2 * STORE_NAME_BYTES + 1];
	size_t len = strlen(text);

	hex_encode(id, m->id, sizeof(m->id));
	return len >= KEY_DIGITS_MIN && len < sizeof(id) &&
	       strncasecmp(id, text, len) == 0;
}

int
catalog_find_mount(
    uint8_t mount[STORE_NAME_BYTES], struct store *store, const char *text)
{
	struct catalog *c = calloc(1, sizeof(*c));
	const struct catalog_mount *m, *found = NULL;
	size_t i, n = 0;
	int rc;

	if (c == NULL)
		return err_nomem(sizeof(*c));
	rc = store->ops->mounts(store, mount_found, c);
	if (rc != 0)
		goto out;
	for (i = 0; i < c->nmounts; i++) {
		m = &c->mounts[i];
		if (strcmp(m->label, text) != 0 && !is_mount_id(m, text))
			continue;
		found = m;
		n++;
	}
	if (n == 0)
		rc = err_set(ERR_NOENT, "no mount '%s' in this vault", text);
	else if (n > 1)
		rc = err_set(ERR_USAGE,
		    "%zu mounts are called '%s': "
		    "give the id of one",
		    n, text);
	else
		memcpy(mount, found->id, STORE_NAME_BYTES);
out:
	catalog_free(c);
	return rc;
}
