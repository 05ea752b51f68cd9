#include "store/local.h"

#include "base/err.h"
#include "store/retire.h"
#include "store/session.h"
#include "store/vault.h"

#include <stdlib.h>
#include <string.h>

struct local {
	struct store base;
	struct session *s;
	struct store_local_options o;
};

static struct local *
of(struct store *s)
{
	return (struct local *)s; /* base is its first member */
}

static int
local_have(struct store *s, uint8_t *bitmap, const uint8_t *ids, uint32_t n)
{
	return session_have(of(s)->s, bitmap, ids, n);
}

static int
local_have_files(struct store *s, struct store_member *out,
    const uint8_t *file_ids, uint32_t n)
{
	return session_have_files(of(s)->s, out, file_ids, n);
}

static int
local_put(struct store *s, const uint8_t *records, size_t len)
{
	return session_put(of(s)->s, records, len, 0);
}

static int
local_get(struct store *s, const uint8_t *ids, uint32_t n, store_got_fn *got,
    void *arg)
{
	return session_get(of(s)->s, ids, n, got, arg);
}

static int
local_get_other(struct store *s, const uint8_t id[STORE_ID_BYTES],
    const uint8_t *bad, uint32_t n, store_got_fn *got, void *arg)
{
	return session_get_other(of(s)->s, id, bad, n, got, arg);
}

static int
local_commit(struct store *s, struct store_receipt *receipt,
    struct buf *missing, const uint8_t *snapshot, size_t len)
{
	return session_commit(of(s)->s, receipt, missing, snapshot, len);
}

static int
local_snapshots(struct store *s, const uint8_t mount[STORE_NAME_BYTES],
    store_snapshot_fn *found, void *arg)
{
	return vault_snapshots(of(s)->o.vault, mount, found, arg);
}

struct telling {
	store_snapshot_fn *found;
	void *arg;
};

static int
tell_tomb(void *arg, const struct retire_tomb *t)
{
	const struct telling *l = arg;
	struct store_snapshot s;

	memcpy(s.mount, t->t.mount, sizeof(s.mount));
	s.seq = t->t.server_seq;
	s.file = t->bytes;
	s.len = TOMB_BYTES;
	return l->found(l->arg, &s);
}

static int
local_tombs(struct store *s, const uint8_t mount[STORE_NAME_BYTES],
    store_snapshot_fn *found, void *arg)
{
	struct telling l = {found, arg};

	return retire_tombs(of(s)->o.vault, mount, tell_tomb, NULL, &l);
}

static int
local_mounts(struct store *s, store_mount_fn *found, void *arg)
{
	const struct store_local_options *o = &of(s)->o;

	if (o->mounts != NULL)
		return o->mounts(o->mounts_arg, found, arg);
	return found(arg, o->mount, o->mount_public, "");
}

static int
local_report(struct store *s, const uint8_t id[STORE_ID_BYTES])
{
	return session_report(of(s)->s, id);
}

static int
local_settle(struct store *s)
{
	return session_settle(of(s)->s);
}

static void
local_close(struct store *s)
{
	/* Nothing that it tells was acknowledged. */
	(void)session_close(of(s)->s);
	free(s);
}

static const struct store_ops local_ops = {
    .have = local_have,
    .have_files = local_have_files,
    .put = local_put,
    .get = local_get,
    .get_other = local_get_other,
    .commit = local_commit,
    .snapshots = local_snapshots,
    .tombs = local_tombs,
    .mounts = local_mounts,
    .report = local_report,
    .settle = local_settle,
    .close = local_close,
};

int
store_local_open(struct store **out, const struct store_local_options *o)
{
	struct local *l = calloc(1, sizeof(*l));
	int ret;

	if (l == NULL)
		return err_nomem(sizeof(*l));
	l->base.ops = &local_ops;
	l->o = *o;
	ret = session_open(&l->s, o->vault, o->mount, o->mount_public);
	if (ret < 0) {
		free(l);
		return ret;
	}
	session_info(&l->base.info, l->s);
	memcpy(l->base.info.store_public, o->store_public,
	    sizeof(l->base.info.store_public));
	*out = &l->base;
	return 0;
}
